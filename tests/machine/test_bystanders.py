"""Nobody else is hurt: tenants' processes, containers and root's daemons beside support sessions that are killed.

A supervisor (files/supervisor.c) knows what each of its processes must end with and counts every other end.
"""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from conftest import CANARY
from testhost import native, product
from testhost.guest import wait_for
from testhost.host import Host

pytestmark = pytest.mark.once

ACCOUNT = "azsupport"
CHURN = int(os.environ.get("ESCORT_CHURN", "50000"))  # processes
KILLED = int(os.environ.get("ESCORT_CHURN_KILLED", "1000"))  # sessions, beside them
AS_ALICE = ["setpriv", "--reuid", "alice", "--regid", "alice", "--clear-groups"]
BECOME = ["setpriv", "--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups"]


@pytest.fixture(scope="module")
def programs(host):
    native.send(host, "fileserver")
    native.send_supervisors(host)


@pytest.fixture
def few_pids(host):
    """The host's pids wrap around all the time; where that limit is the machine's own, nothing is changed."""
    before = host.read("/proc/sys/kernel/pid_max").strip()
    here = Path("/proc/sys/kernel/pid_max").read_text()
    host.run("echo 4000 >/proc/sys/kernel/pid_max")
    private = Path("/proc/sys/kernel/pid_max").read_text() == here
    if not private:
        host.run(f"echo {before} >/proc/sys/kernel/pid_max")
    yield private
    host.run(f"echo {before} >/proc/sys/kernel/pid_max")


@pytest.fixture
def started(host):
    """Programs that run beside a test; what is left of them at its end is ended."""
    running = []

    def start(*words: str) -> subprocess.Popen:
        running.append(host.popen(list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True))
        return running[-1]
    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def counts(process: subprocess.Popen, timeout: float = 90) -> dict[str, int]:
    """What the supervisor has counted, by name, and that its end is one that it chose."""
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, f"exit {process.returncode}\n{out}\n{err}"
    return {name: int(value) for name, value in re.findall(r"(\w+) (\d+)", out)}


def uid(host, account: str = ACCOUNT) -> str:
    return host.run(["id", "-u", account]).out.strip()


def killed(host, how_many: int) -> list[str]:
    """So many support sessions, each refused at its birth by the kernel; exit codes that are not those of a kill."""
    line = f"for i in $(seq {how_many}); do {' '.join(BECOME)} touch {CANARY}; echo $?; done"
    codes = host.run(line, timeout=how_many + 60).out.split()
    assert len(codes) == how_many
    return [code for code in codes if code != "137"]


def ended(host, *supervisors: subprocess.Popen) -> None:
    """They stop, with the pids that they have in the host, and none of their processes was hurt."""
    host.run(["pkill", "-TERM", "-x", "supervisor"], check=False)
    for each in supervisors:
        assert counts(each)["wrong"] == 0


def test_churn_with_pid_reuse_beside_killed_sessions(host, programs, few_pids, started, denied):
    """threats.md B1, B2: none of these processes ends otherwise than its supervisor asked, though the uid of those in
    the container is the one that is killed."""
    supervisor = started(*AS_ALICE, native.SUPERVISOR, str(CHURN), "600")
    inside = started(*native.in_container(uid(host)), str(CHURN // 5), "600")
    fileserver = started(f"{native.THERE}/fileserver", uid(host), str(max(20, KILLED // 20)))
    assert not killed(host, KILLED)
    assert not host.exists(CANARY)
    for each, how_many in ((supervisor, CHURN), (inside, CHURN // 5)):
        counted = counts(each, timeout=600)
        assert (counted["wrong"], counted["started"]) == (0, how_many)
        if few_pids and each is supervisor and CHURN > 8000:
            assert counted["reused"] > CHURN // 4, counted
    assert counts(fileserver)["rounds"] > 10
    assert len(denied(account=ACCOUNT)) >= KILLED, "each of those killed is told of"


def test_approved_sessions_killed_beside_tenants(host, programs, started):
    """Whole sessions, revoked: only their own processes are looked for."""
    supervisor = started(*AS_ALICE, native.SUPERVISOR, str(CHURN), "12")
    for _ in range(3):
        approval = product.approve(host, ACCOUNT)
        logins = [host.login(ACCOUNT, "for i in 1 2 3 4 5; do sleep 7100 & done; exec cat") for _ in range(2)]
        wait_for(lambda: len(product.sessions(host, ACCOUNT)) == 2, 10, "two sessions")
        product.revoke(host, approval)
        wait_for(lambda: not host.processes(ACCOUNT), 5, "the end of both")
        for login in logins:
            login.close()
    ended(host, supervisor)


@pytest.mark.parametrize("restarted", [False, True], ids=["", "daemon-restarted"])
@pytest.mark.parametrize("another_root", [True, False], ids=["another-root", "user-namespace"])
def test_a_containers_uid_is_no_account_of_the_host(host, programs, started, another_root, restarted):
    """threats.md B2; a restarted daemon looks at everything that is there again."""
    mapped = [f"{native.THERE}/container", "--user", uid(host), native.SUPERVISOR]
    inside = started(*(native.in_container(uid(host)) if another_root else mapped), "4000", "8")
    time.sleep(0.5)
    if restarted:
        host.run("systemctl restart escortd")
    assert killed(host, 6) == []
    counted = counts(inside)
    assert (counted["wrong"], counted["kept"]) == (0, 8)
    assert not [each for each in host.ask("sessions") if each["account"] == ACCOUNT]


def test_nobody_outside_of_the_agents_pid_namespace_is_judged(host):
    """threats.md B3: as the account's number, there before the agent starts, and started after it."""
    if not isinstance(host, Host):
        pytest.skip("a virtual machine has nothing outside that its kernel knows")
    number = uid(host)
    outside = ["setpriv", "--reuid", number, "--regid", number, "--clear-groups"]
    process = subprocess.Popen([*outside, "sleep", "60"])
    try:
        host.run("systemctl restart escortd")
        assert killed(host, 6) == []
        assert subprocess.run([*outside, "true"], check=False).returncode == 0
        assert process.poll() is None
        assert not [each for each in host.ask("sessions") if each["account"] == ACCOUNT]
    finally:
        process.kill()
        process.wait()


def test_an_effective_uid_is_no_session(host, programs, started):
    """A file server: seteuid, setresuid, setreuid and setfsuid to the account and back, as root."""
    begin = host.journal_end()
    server = started(f"{native.THERE}/fileserver", uid(host), "4")
    assert killed(host, 6) == []
    assert counts(server)["rounds"] > 10
    opened = host.journal("session_denied", after=begin, account=ACCOUNT)
    assert {entry["ESCORT_ENTRY"] for entry in opened} == {"other"}
    assert len(opened) == 6, "those that were killed, and no other"


def test_a_thread_that_takes_the_account_does_not_end_its_daemon(host, programs, started, denied):
    """threats.md B8: rpc.gssd's threads, by the raw call."""
    server = started(f"{native.THERE}/fileserver", uid(host), "4", "--threads")
    told = denied(account=ACCOUNT)
    assert counts(server)["rounds"] > 10
    assert {entry["ESCORT_ACTION"] for entry in told} == {"log"}
    wait_for(lambda: not product.sessions(host, ACCOUNT), 10, "no session that is left")


def becomes(host, unit: str, folder: str) -> bool:
    """A job of the unit, in that slice, becomes the account: does it live to its end?"""
    return host.run(["systemd-run", "-q", "--wait", f"--unit={unit}", f"--slice={folder}", *BECOME, "touch", CANARY],
                    check=False).ok


CORES = r"system-systemd\x2dcoredump.slice"


@pytest.mark.parametrize(("unit", "folder"), [("rpc-gssd", "system.slice"), ("sssd", "system.slice"), ("gssproxy", "system.slice"),
                                              ("systemd-coredump@1-2-3", CORES)])
def test_services_that_authenticate_the_account(host, unit, folder):
    """threats.md B8: exempt without being named in the policy; and who stores the core of what has crashed."""
    assert becomes(host, unit, folder)
    assert host.exists(CANARY)
    assert not product.sessions(host, ACCOUNT)


def test_such_a_services_name_elsewhere_is_none(host):
    for unit, folder in (("sssd", "user.slice"), ("systemd-coredump@1-2-3", "system.slice"), ("evil", CORES)):
        assert not becomes(host, unit, folder)
        assert not host.exists(CANARY)


def test_a_container_with_the_hosts_pids_is_none_of_the_host(host, programs):
    """threats.md B2: its user has the account's number alone. A chroot is the host's."""
    host.run(f"mkdir -p /srv/image/proc /srv/image/sys /srv/image/dev /srv/image/run && cp {native.SUPERVISOR} /srv/image/supervisor")
    contained = ["systemd-run", "-q", "--wait", "-p", "RootDirectory=/srv/image", "-p", "MountAPIVFS=yes", "-p", f"User={uid(host)}",
                 "-p", "KeyringMode=inherit",  # else PID 1 takes the uid in the host's own root first (setup_keyring())
                 "/supervisor", "20", "2"]
    assert host.run(contained, check=False).ok
    chroot = f"chroot --userspec={uid(host)}:0 /srv/image /supervisor 20 2; exit $?"
    assert host.run(chroot, check=False).code == 137
    assert not product.sessions(host, ACCOUNT)


# A daemon that asks PAM in an account's name and stays what it is: a print server does.
ASKS_PAM = """
import ctypes, sys, time
pam = ctypes.CDLL("libpam.so.0")
class Conversation(ctypes.Structure):
    _fields_ = [("talk", ctypes.c_void_p), ("data", ctypes.c_void_p)]
handle = ctypes.c_void_p()
assert pam.pam_start(b"other", sys.argv[1].encode(), ctypes.byref(Conversation()), ctypes.byref(handle)) == 0
assert pam.pam_setcred(handle, 2) == 0
open("/run/asked", "w").close()
time.sleep(60)
"""


def test_a_daemon_that_asks_pam_is_no_session_where_the_account_is_only_watched(host):
    """threats.md B6, B8: what `mode: observe` lets pass unseen is not killed by a later `enforce`."""
    host.write("/root/asks_pam.py", ASKS_PAM)
    product.set_policy(host, product.policy("observe"))
    host.run(["systemd-run", "-q", "--collect", "--unit=asks-pam", "python3", "/root/asks_pam.py", ACCOUNT])
    try:
        wait_for(lambda: host.exists("/run/asked"), 10, "its question")
        product.set_policy(host, product.policy("enforce"))
        time.sleep(1)
        assert host.run(["systemctl", "is-active", "asks-pam"], check=False).ok
        assert not product.sessions(host, ACCOUNT)
    finally:
        host.run("systemctl stop asks-pam; rm -f /run/asked", check=False)


def test_a_login_uid_alone_is_no_session(host, programs, started):
    """threats.md B9: what support once restarted by hand goes on, through every restart of the daemon."""
    line = f"echo {uid(host)} >/proc/self/loginuid && exec {native.SUPERVISOR} 3000 8"
    daemon = started("bash", "-c", line)
    time.sleep(0.3)
    for signal in ("TERM", "KILL"):
        host.run(f"systemctl kill -s {signal} escortd")
        product.wait_for_daemon(host, healthy=True, timeout=10)
    assert killed(host, 4) == []
    assert counts(daemon)["wrong"] == 0


def test_everybody_through_a_bad_day_of_the_agent(host, programs, started, tenant):
    """threats.md B6: policies refused and only watched, the daemon restarted, killed, attached from nothing."""
    supervisor = started(*AS_ALICE, native.SUPERVISOR, str(CHURN), "40")
    inside = started(*native.in_container(uid(host)), "100000", "40")
    server = started(f"{native.THERE}/fileserver", uid(host), "6")
    product_steps = [lambda: product.set_policy(host, product.policy("observe")),
                     lambda: host.write(product.POLICY, product.policy("refused")),
                     lambda: host.escortctl("reload", check=False),
                     lambda: host.run("systemctl restart escortd"),
                     lambda: host.run("systemctl kill -s KILL escortd"),
                     lambda: product.set_policy(host, product.policy("enforce")),
                     lambda: host.run("systemctl stop escortd && rm -rf /sys/fs/bpf/escortd"),
                     lambda: host.run("systemctl start escortd")]
    for number, step in enumerate(product_steps):
        step()
        down = number == len(product_steps) - 2
        wait_for(lambda: down or host.escortctl("status", check=False).code in (0, 1), 20, "the daemon up again")
        assert host.ssh("alice", "true").ok
        tenant.say("still here")
        assert tenant.process.stdout.readline() == "still here\n"
    assert counts(server)["rounds"] > 10
    ended(host, supervisor, inside)
    assert killed(host, 4) == []
