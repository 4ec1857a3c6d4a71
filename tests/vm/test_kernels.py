"""The other kernels of the matrix: the story, the gate and a freeze, with the hooks that each gets by itself."""

import pytest
from conftest import SUITE, machine
from testhost import product
from testhost.story import Story
from vmimage import SUITES
from walk import gate_and_freeze

# sid's kernel is another every week: it is booted when it is asked for (ESCORT_VM_SUITE), not in every run.
OTHERS = [suite for suite in SUITES if suite not in (SUITE, "sid")]


@pytest.fixture(scope="module", params=OTHERS)
def vm(request):
    for booted in machine("enforce", request.param, restorable=True):
        assert booted.run(["uname", "-r"]).out.startswith(SUITES[request.param])
        yield booted


def test_story(vm):
    status = vm.ask("status")
    assert (status["tier"], status["hooks"]) == ("kill", "fentry")
    assert vm.ask("doctor")["proven"]
    Story(vm).play()


def test_the_gate_and_a_freeze(vm):
    gate_and_freeze(vm)


def test_a_restored_snapshot_grants_nothing(vm):
    """What was approved before ends, whoever asks; the list that was in force doesn't come back, a newer one counts."""
    product.set_policy(vm, product.policy("enforce"))
    product.approve(vm, "azsupport")
    login = vm.login("azsupport", "exec cat")
    vm.wait_for(lambda: product.sessions(vm, "azsupport"), 20, "the session")
    vm.restore_as_copy()
    login.close()
    vm.wait_for(lambda: "copy" in {each["what"] for each in vm.ask("status")["degraded"]}, 30, "its word")
    assert not product.approvals_in_force(vm, "azsupport")
    vm.wait_for(lambda: not vm.processes("azsupport"), 20, "the session's end")
    assert not vm.run("setpriv --reuid azsupport --clear-groups true", check=False).ok
    assert not vm.ssh("azsupport", "true").ok
    vm.run("systemctl restart escortd")
    assert not product.approvals_in_force(vm, "azsupport"), "nor after a restart"
    product.approve(vm, "azsupport")
    assert vm.ssh("azsupport", "true").ok
    assert "copy" not in {each["what"] for each in vm.ask("status")["degraded"]}
