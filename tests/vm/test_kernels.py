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


SLICE = "/sys/fs/cgroup/small.slice"
DROP_IN = "/etc/systemd/system/escortd.service.d/slice.conf"


@pytest.fixture
def no_memory_for_labels(vm):
    """Exhausted: what the kernel programs allocate is charged to the cgroup in which the maps were made, a slice that gets
    no byte more; the daemon, which has adopted them, is in another."""
    if vm.run(["uname", "-r"]).out.startswith(SUITES["bookworm"]):
        pytest.skip("6.1 gives atomic allocations what they ask for, over the limit (try_charge_memcg)")
    vm.write(DROP_IN, f"[Service]\nSlice={SLICE.rsplit('/', 1)[1]}\n")
    vm.run("systemctl stop escortd; rm -rf /sys/fs/bpf/escortd; systemctl daemon-reload; systemctl start escortd small.slice")
    vm.run(f"rm {DROP_IN}; systemctl daemon-reload; systemctl restart escortd; echo 0 >{SLICE}/memory.max")
    yield
    vm.run(f"echo max >{SLICE}/memory.max")


def test_tasks_that_get_no_label_of_their_own_end_with_the_session(vm, no_memory_for_labels):
    """threats.md A7. What a processor has in store is used up first; from then on the labels are in a map of their own."""
    product.set_policy(vm, product.policy("enforce"))
    approval = product.approve(vm, "azsupport")
    login = vm.login("azsupport", "for i in $(seq 400); do setsid sleep 7500 & done; sudo setsid sleep 7501 & exec cat")
    count = "pgrep -xc sleep"
    vm.wait_for(lambda: vm.run(count, check=False).out.strip() == "401", 60, "its processes")
    assert vm.ask("status")["counters"]["label_orphaned"] > 100
    session, = product.sessions(vm, "azsupport")
    assert session["processes"] > 400, "one session, and all of it"
    # Nothing is in store for those, either.
    assert not vm.run("setpriv --reuid vendor-new --clear-groups touch /tmp/canary", check=False).ok
    assert not vm.exists("/tmp/canary")
    assert vm.ssh("alice", "true").ok
    vm.run("systemctl restart escortd")
    product.revoke(vm, approval)
    vm.wait_for(lambda: vm.run(count, check=False).out.strip() == "0", 20, "the end of all of them")
    vm.wait_for(lambda: not product.sessions(vm, "azsupport"), 20, "an empty table")
    login.close()


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
