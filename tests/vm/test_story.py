"""The demo's story on Debian 12's own kernel, with each set of hooks that this kernel can have."""

import pytest
from testhost import product
from testhost.story import Story
from vm import Vm

SETTINGS = "/etc/escortd/escortd.yaml"


@pytest.fixture(scope="module")
def vm():
    with Vm() as machine:
        machine.install(product.package())
        product.found_broker(machine)
        yield machine


def test_the_kernel_is_debians_own(vm):
    assert vm.run(["uname", "-r"]).out.startswith("6.1.")


@pytest.mark.parametrize("setting, hooks", [("auto", "fentry"), ("tracepoints", "tracepoints")])
def test_story(vm, setting, hooks):
    vm.write(SETTINGS, f"version: 1\nhooks: {setting}\n")
    vm.run("systemctl restart escortd")
    status = vm.ask("status")
    assert status["hooks"] == hooks
    assert status["tier"] == "kill"
    Story(vm).play()
