"""Where the kernel has trampolines: a session as root that reaches for the kernel, or for other people's processes."""

import contextlib
import json

import pytest
from testhost import native, product
from testhost.guest import wait_for

ACCOUNT = "azsupport"
SAID = "/tmp/said"


@pytest.fixture(scope="module")
def vm(gated):
    native.send(gated, "attack")
    native.send(gated, "compat")
    return gated


@pytest.fixture
def tenant(vm):
    login = vm.login("alice", "echo $$; exec cat")
    pid = login.process.stdout.readline().strip()
    yield pid
    login.say("still here")
    assert login.process.stdout.readline() == "still here\n", "the tenant's process was hurt"
    login.close()


@contextlib.contextmanager
def attacking(vm, words: str):
    """The session that does it once, as root."""
    vm.run(["rm", "-f", SAID])
    approval = product.approve(vm, ACCOUNT)
    login = vm.login(ACCOUNT, f"sudo {native.THERE}/attack {words} >{SAID}.part; sudo mv {SAID}.part {SAID}; exec cat")
    try:
        yield login
    finally:
        login.close()
        product.revoke(vm, approval)  # or whoever comes next gets in on it
        vm.wait_for(lambda: not product.sessions(vm, ACCOUNT), 20, "the session's end")


@pytest.mark.parametrize("way", ["attach", "seize", "read", "mem"])
def test_attaching_to_a_process_outside(vm, tenant, way):
    begin = vm.journal_end()
    with attacking(vm, f"{way} {tenant}") as login:
        vm.wait_for(login.over, 30, "the end of the session")
        told = vm.wait_for(lambda: vm.journal("tamper", after=begin), 20, "tamper")
        assert "attached to a process outside of the session" in told[0]["MESSAGE"]
    assert not vm.exists(SAID)


def test_attaching_to_another_session_of_the_account(vm):
    """As the account itself, which needs no root for it: each session is judged by its own approval."""
    vm.run("sysctl -q kernel.yama.ptrace_scope=0", check=False)  # or that refuses it
    begin, approval = vm.journal_end(), product.approve(vm, ACCOUNT)
    one = vm.login(ACCOUNT, "echo $$; exec cat")
    pid = one.process.stdout.readline().strip()
    other = vm.login(ACCOUNT, f"{native.THERE}/attack attach {pid}; exec cat")
    try:
        vm.wait_for(other.over, 30, "the end of the session")
        told = vm.wait_for(lambda: vm.journal("tamper", after=begin), 20, "tamper")
        assert "attached to a process outside of the session" in told[0]["MESSAGE"]
        one.say("still here")
        assert one.process.stdout.readline() == "still here\n"
    finally:
        product.revoke(vm, approval)
        one.close()
        other.close()
        vm.wait_for(lambda: not product.sessions(vm, ACCOUNT), 20, "the sessions' end")


@pytest.mark.parametrize("way", ["module", "module-file", "kexec"])
def test_loading_code_into_the_kernel(vm, way):
    begin = vm.journal_end()
    with attacking(vm, way) as login:
        vm.wait_for(login.over, 30, "the end of the session")
        told = vm.wait_for(lambda: vm.journal("tamper", after=begin), 20, "tamper")
        assert "loaded a module, or a next kernel" in told[0]["MESSAGE"]
    assert not vm.exists(SAID)


def test_the_hosts_own_root_may(vm, tenant):
    begin = vm.journal_end()
    for way, said in ((f"attach {tenant}", "done"), (f"mem {tenant}", "done"), ("module-file", "Exec format error")):
        assert vm.run(f"{native.THERE}/attack {way}", check=False).out.strip() == said
    with attacking(vm, "read $$"):  # its own
        wait_for(lambda: vm.exists(SAID), 30, "what came of it")
        assert vm.read(SAID).strip() == "done"
    assert not vm.journal("tamper", after=begin)


def test_opening_a_map_of_the_agent(vm, tenant):
    """threats.md A2: with a descriptor of it a label could be taken off, a window opened."""
    begin = vm.journal_end()
    pin = vm.run("ls -d /sys/fs/bpf/escortd/*/labels /sys/fs/bpf/escortd/labels 2>/dev/null | head -1").out.strip()
    with attacking(vm, f"map {pin}") as login:
        vm.wait_for(login.over, 30, "the end of the session")
        told = vm.wait_for(lambda: vm.journal("tamper", after=begin), 20, "tamper")
        assert "opened a map of the agent's kernel programs" in told[0]["MESSAGE"]
    assert not vm.exists(SAID)


def test_trampolines_switched_off(vm):
    """The hooks are attached and don't run any more: it is seen, and the daemon takes others."""
    def hooks() -> str:
        status = vm.escortctl("status", "--json", check=False)
        return json.loads(status.out)["hooks"] if status.out else ""

    begin = vm.journal_end()
    approval = product.approve(vm, ACCOUNT)
    login = vm.login(ACCOUNT, "sudo sysctl -w kernel.ftrace_enabled=0; sudo sleep 100")
    try:
        vm.wait_for(lambda: vm.journal("tamper", after=begin), 20, "tamper")
        assert "kernel.ftrace_enabled is 0" in vm.journal("tamper", after=begin)[0]["MESSAGE"]
        vm.wait_for(login.over, 20, "the end of the session")
        vm.wait_for(lambda: hooks() in ("capability", "tracepoints"), 20, "other hooks")
        assert vm.ask("doctor")["proven"]
    finally:
        login.close()
        vm.run("sysctl -w kernel.ftrace_enabled=1; systemctl restart escortd", timeout=60)
        product.revoke(vm, approval)
    assert vm.ask("status")["hooks"] == "fentry"


def test_becoming_the_account_by_a_32_bit_call(vm):
    """threats.md I13; hooks that are not by system call see it."""
    uid = vm.run(["id", "-u", ACCOUNT]).out.strip()
    begin = vm.journal_end()
    done = vm.run(f"{native.THERE}/compat become {uid} /tmp/compat-canary; echo $?", check=False)
    assert done.out.split()[-1] == "137", done
    assert not vm.exists("/tmp/compat-canary")
    assert vm.wait_for(lambda: vm.journal("session_denied", after=begin, account=ACCOUNT), 20, "its refusal")
    # The same program as somebody else: it does what it should.
    other = vm.run(["id", "-u", "alice"]).out.strip()
    assert vm.run(f"{native.THERE}/compat become {other} /tmp/compat-alice", check=False).code == 0


def test_what_a_32_bit_fork_makes_ends_with_the_session(vm):
    """threats.md O7."""
    approval = product.approve(vm, ACCOUNT)
    login = vm.login(ACCOUNT, f"setsid {native.THERE}/compat fork & exec cat")
    count = "pgrep -xc compat"
    vm.wait_for(lambda: vm.run(count, check=False).out.strip() == "2", 20, "both processes")
    product.revoke(vm, approval)
    vm.wait_for(lambda: vm.run(count, check=False).out.strip() == "0", 20, "the end of both")
    login.close()
