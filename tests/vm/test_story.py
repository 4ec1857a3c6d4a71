"""The demo's story on Debian 12's own kernel, with each set of hooks that this kernel can have."""

import pytest
from conftest import machine
from testhost import product
from testhost.story import Story

SETTINGS = "/etc/escortd/escortd.yaml"


@pytest.fixture(scope="module")
def vm():
    yield from machine("enforce")


def test_the_kernel_is_debians_own(vm):
    assert vm.run(["uname", "-r"]).out.startswith("6.1.")


HOOKS = [("auto", "fentry"), ("tracepoints", "tracepoints")]


@pytest.mark.parametrize("setting, hooks", HOOKS)
def test_story(vm, setting, hooks):
    vm.write(SETTINGS, f"version: 1\nhooks: {setting}\n")
    vm.run("systemctl restart escortd")
    status = vm.ask("status")
    assert status["hooks"] == hooks
    assert status["tier"] == "kill"
    Story(vm).play()


def test_the_gate_and_a_freeze(vm):
    """With the hooks of the test before: a login is labelled by pidfd, what goes round the gate dies, and a session
    stands still and goes on."""
    product.set_policy(vm, product.policy("gate_unbound"))
    refused = vm.ssh("azsupport", "touch", "/tmp/gate-canary", options=("-o", "LogLevel=INFO"))
    assert "No approved support session for azsupport" in refused.err
    product.approve(vm, "azsupport")
    assert not vm.run("setpriv --reuid azsupport --clear-groups touch /tmp/gate-canary", check=False).ok
    assert not vm.exists("/tmp/gate-canary")
    login = vm.login("azsupport", "cat")
    login.say("one")
    assert login.process.stdout.readline() == "one\n"
    session = vm.wait_for(lambda: product.sessions(vm, "azsupport"), 10, "the session")[0]
    shown = vm.ask("session", session["id"])
    assert {"gate", "key", "source"} <= {fact["name"] for fact in shown["facts"]}
    vm.escortctl("freeze", session["id"])
    tasks = [line for line in vm.run("ps -eo state=,comm= -U azsupport -u azsupport").out.splitlines() if "cat" in line]
    frozen = vm.run("cat /sys/fs/cgroup/user.slice/user-1001.slice/session-*.scope/cgroup.events", check=False).out
    assert "frozen 1" in frozen or all(line.startswith("T") for line in tasks), f"{tasks}\n{frozen}"
    vm.escortctl("thaw", session["id"])
    login.say("two")
    assert login.process.stdout.readline() == "two\n"
    vm.escortctl("kill", session["id"], "--reason", "the end of the test")
    vm.wait_for(login.over, 10, "the client's end")
