"""The demo's story on a kernel of Debian's own, with each set of hooks that it can have."""

import pytest
from conftest import SUITE, machine
from testhost.story import Story
from vmimage import SUITES
from walk import gate_and_freeze

SETTINGS = "/etc/escortd/escortd.yaml"


@pytest.fixture(scope="module")
def vm():
    yield from machine("enforce")


def test_the_kernel_is_debians_own(vm):
    assert vm.run(["uname", "-r"]).out.startswith(SUITES[SUITE])


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
    """With the hooks of the test before."""
    gate_and_freeze(vm)
