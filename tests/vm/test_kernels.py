"""The other kernels of the matrix: the story, the gate and a freeze, with the hooks that each gets by itself."""

import pytest
from conftest import SUITE, machine
from testhost.story import Story
from vmimage import SUITES
from walk import gate_and_freeze

# sid's kernel is another every week: it is booted when it is asked for (ESCORT_VM_SUITE), not in every run.
OTHERS = [suite for suite in SUITES if suite not in (SUITE, "sid")]


@pytest.fixture(scope="module", params=OTHERS)
def vm(request):
    for booted in machine("enforce", request.param):
        assert booted.run(["uname", "-r"]).out.startswith(SUITES[request.param])
        yield booted


def test_story(vm):
    status = vm.ask("status")
    assert (status["tier"], status["hooks"]) == ("kill", "fentry")
    assert vm.ask("doctor")["proven"]
    Story(vm).play()


def test_the_gate_and_a_freeze(vm):
    gate_and_freeze(vm)
