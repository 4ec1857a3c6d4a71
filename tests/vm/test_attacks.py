"""Where the kernel has trampolines: a session as root that reaches for the kernel, or for other people's processes."""

import contextlib

import pytest
from testhost import native, product
from testhost.guest import wait_for

ACCOUNT = "azsupport"
SAID = "/tmp/said"


@pytest.fixture(scope="module")
def vm(gated):
    native.send(gated, "attack")
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
