"""The daemon stopped or hung: support is refused and told so, everybody else logs in as if nothing were."""

import contextlib
import shlex
import time

import pytest
from conftest import CANARY
from testhost import product
from testhost.guest import wait_for

pytestmark = pytest.mark.once

ACCOUNT = "azsupport"
NEVER_APPROVED = "vendor-new"
SETTINGS = "/etc/escortd/escortd.yaml"
PRINCIPALS = "/run/escortd/principals"
MODULE = "/usr/lib/x86_64-linux-gnu/security/pam_escort.so"
UNANSWERED = "can't be checked on this host now"
# Far above what a login takes here, far below what it would take if it waited for the daemon.
LONG, NORMAL = 20, 10


def state(host) -> str:
    return host.run(["systemctl", "show", "escortd", "-p", "ActiveState", "--value"]).out.strip()


def gate(host, timeout: int, on_agent_down: str = "refuse") -> None:
    """The gate's settings; they count from the daemon's next start on, and while it is down."""
    host.write(SETTINGS, f"version: 1\ngate: {{timeout: {timeout}s, on_agent_down: {on_agent_down}}}\n")
    host.run("systemctl restart escortd")
    assert f"timeout_ms {timeout * 1000}\non_agent_down {on_agent_down}\n" in host.read(PRINCIPALS)


@contextlib.contextmanager
def absent(host, how: str):
    """Nobody answers in here."""
    if how == "stopped":
        host.run("systemctl stop escortd")
    try:
        with contextlib.nullcontext() if how == "stopped" else product.stopped(host):
            yield
            assert state(host) == ("inactive" if how == "stopped" else "active"), "it was back before the end"
    finally:
        host.run("systemctl start escortd")
        product.wait_for_daemon(host)


@pytest.fixture(params=["stopped", "hung"])
def how(request):
    return request.param


@pytest.fixture(autouse=True)
def settings(host):
    """The settings as the package brought them, before and after."""
    text = host.read(SETTINGS)
    yield
    host.write(SETTINGS, text)
    host.run("systemctl restart escortd")


def timed(host, command: str):
    begin = time.monotonic()
    result = host.run(command, check=False, timeout=60)
    return result, time.monotonic() - begin


def console(account: str, command: str) -> str:
    """login(1) on a terminal of its own, as agetty starts it; the person types a command."""
    return f"echo {shlex.quote(command + '; exit')} | script -qec 'login -f {account}' /dev/null"


# Ways in of people who are not support: none may wait, none may be refused.
OTHERS = {
    "ssh, a tenant": "ssh alice@127.0.0.1 'touch {}'",
    "ssh, root": "ssh root@127.0.0.1 'touch {}'",
    "su, a tenant": "su - alice -c 'touch {}'",
    "sudo, by a tenant": "su alice -c 'sudo touch {}'",
    "sudo, to a tenant": "sudo -u alice touch {}",
    "login, a tenant": console("alice", "touch {}"),
    "login, root": console("root", "touch {}"),
}


def test_nobody_else_waits(host, how):
    gate(host, LONG)
    with absent(host, how):
        for name, command in OTHERS.items():
            _, took = timed(host, command.format(CANARY))
            assert host.exists(CANARY), f"{name}: {how}"
            assert took < NORMAL, f"{name} took {took:.1f} s: {how}"
            host.run(["rm", "-f", CANARY])


# Ways in of a support account whose approval is in force: the kernel alone would let them go on.
SUPPORT = {
    "ssh": f"ssh -o LogLevel=INFO {ACCOUNT}@127.0.0.1 touch {CANARY}",
    "su": f"su {ACCOUNT} -c 'touch {CANARY}'",
    "sudo": f"sudo -u {ACCOUNT} touch {CANARY}",
    "login": console(ACCOUNT, f"touch {CANARY}"),
}


def test_support_is_refused_and_told_why(host, how):
    product.approve(host, ACCOUNT)
    gate(host, 1)
    with absent(host, how):
        for name, command in SUPPORT.items():
            result, took = timed(host, command)
            assert UNANSWERED in result.out + result.err, f"{name}: {result}"
            assert took < 1 + NORMAL, f"{name} took {took:.1f} s: {how}"
            assert not host.exists(CANARY), f"{name}: {how}"
    assert host.ssh(ACCOUNT, "touch", CANARY).ok, "it is back, and so is the approval"


def test_a_login_waits_as_long_as_the_settings_say(host):
    gate(host, 3)
    with absent(host, "hung"):
        result, took = timed(host, SUPPORT["su"])
    assert UNANSWERED in result.out + result.err
    assert 3 <= took < 3 + NORMAL


def test_a_login_that_waits_is_answered_by_the_next_daemon(host):
    product.approve(host, ACCOUNT)
    gate(host, LONG)
    with absent(host, "stopped"):
        login = host.login(ACCOUNT, f"touch {CANARY}; cat")
        wait_for(lambda: host.run(["pgrep", "-f", f"^sshd: {ACCOUNT}"], check=False).ok, 10, "a login that waits")
        assert not host.exists(CANARY)
    wait_for(lambda: host.exists(CANARY), 10, "the login, let in")
    login.close()


def test_admitted_when_the_settings_say_so_and_the_kernel_still_decides(host):
    product.approve(host, ACCOUNT)
    gate(host, 1, "admit")
    with absent(host, "hung"):
        assert not host.ssh(NEVER_APPROVED, "touch", CANARY).ok
        assert not host.exists(CANARY), "no approval"
        assert host.ssh(ACCOUNT, "touch", CANARY).ok
        assert host.exists(CANARY)


def test_admitted_by_the_settings_is_not_proven_by_the_gate(host):
    """`admission: gate`: what has no label dies at birth, whatever the gate was told to do when nobody answers."""
    product.approve(host, ACCOUNT)
    product.set_policy(host, product.policy("enforce").replace("admission: window", "admission: gate"))
    gate(host, 1, "admit")
    assert host.ssh(ACCOUNT, "true").ok
    with absent(host, "stopped"):
        assert not host.ssh(ACCOUNT, "touch", CANARY).ok
        assert not host.exists(CANARY)


def test_watched_accounts_pass(host):
    product.set_policy(host, product.policy("observe"))
    gate(host, 1)
    with absent(host, "stopped"):
        assert host.run(["su", NEVER_APPROVED, "-c", f"touch {CANARY}"], check=False).ok
        assert host.exists(CANARY)


@pytest.fixture
def no_programs(host):
    """A daemon that can load no kernel programs, started while the policy only watched; those of the one before act on."""
    product.set_policy(host, product.policy("observe"))
    host.write(SETTINGS, "version: 1\npaths: {pins: /run/no-bpf-filesystem}\ngate: {timeout: 1s, on_agent_down: refuse}\n")
    host.run("systemctl restart escortd")
    status = host.ask("status")
    assert status["tier"] == "none" and not status["healthy"]


def test_where_no_kernel_program_can_be_loaded_support_is_refused(host, no_programs):
    """What the policies say since the daemon started counts too: nobody else decides on such a host."""
    product.set_policy(host, product.policy("enforce"))
    product.approve(host, ACCOUNT)
    for account in (NEVER_APPROVED, ACCOUNT):
        assert f"name {account} enforce\n" in host.read(PRINCIPALS)
        refused = host.run(["su", account, "-c", f"touch {CANARY}"], check=False)
        assert UNANSWERED in refused.err and not host.exists(CANARY), refused
    assert host.ssh("alice", "true").ok
    doctor = host.escortctl("doctor", check=False)
    assert doctor.code == 1, f"it says that this host enforces: {doctor.out}"


@pytest.fixture
def no_module(host):
    """The module's file deleted by mistake, its lines still in every stack."""
    host.run(["mv", MODULE, "/root/pam_escort.so"])
    yield
    host.run(["mv", "/root/pam_escort.so", MODULE])


def test_without_the_module_everybody_else_logs_in(host, no_module):
    for name, command in OTHERS.items():
        timed(host, command.format(CANARY))
        assert host.exists(CANARY), name
        host.run(["rm", "-f", CANARY])


def test_without_the_module_the_kernel_decides(host, no_module, denied):
    product.approve(host, ACCOUNT)
    assert not host.ssh(NEVER_APPROVED, "touch", CANARY).ok
    assert not host.exists(CANARY)
    assert denied(account=NEVER_APPROVED)[0]["ESCORT_REASON"] == "no_approval"
    assert host.ssh(ACCOUNT, "touch", CANARY).ok
    host.run(["rm", "-f", CANARY])
    product.set_policy(host, product.policy("enforce").replace("admission: window", "admission: gate"))
    assert not host.ssh(ACCOUNT, "touch", CANARY).ok
    assert not host.exists(CANARY)
    assert denied(account=ACCOUNT)[0]["ESCORT_REASON"] == "ungated"


DAMAGE = {"cut": "format 1\ntimeout_ms 20", "newer": "format 2\n"}


def enters(host, account: str) -> bool:
    host.run(["rm", "-f", CANARY])
    host.run(["su", account, "-c", f"touch {CANARY}"], check=False)
    return host.exists(CANARY)


def test_a_damaged_principals_file(host):
    """Everybody but root is asked about: the answers are the same."""
    product.approve(host, ACCOUNT)
    for name, text in DAMAGE.items():
        host.write(PRINCIPALS, text)
        entered = [account for account in ("root", "alice", ACCOUNT, NEVER_APPROVED) if enters(host, account)]
        assert entered == ["root", "alice", ACCOUNT], name


def test_a_damaged_principals_file_and_nobody_to_ask(host):
    """Everybody passes the gate, root at once, and the kernel decides."""
    product.approve(host, ACCOUNT)
    with absent(host, "stopped"):
        host.write(PRINCIPALS, DAMAGE["cut"])
        entered = [account for account in ("root", "alice", ACCOUNT, NEVER_APPROVED) if enters(host, account)]
        assert entered == ["root", "alice", ACCOUNT]


def test_the_principals_file_is_everybodys_to_read_and_comes_back(host):
    host.run(["rm", PRINCIPALS])
    host.run("systemctl restart escortd")
    shown = host.run(["su", "alice", "-c", f"cat {PRINCIPALS}"]).out
    assert shown.startswith("format 1\n")
    assert f"name {ACCOUNT} enforce\n" in shown
    assert "pattern vendor-* enforce\n" in shown
