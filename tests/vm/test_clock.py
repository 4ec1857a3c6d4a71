"""The wall clock set a year back and a year forward (threats.md A4): only in a machine that has a clock of its own."""

import pytest
from conftest import machine
from testhost import product

ACCOUNT = "azsupport"
CANARY = "/tmp/clock-canary"
YEAR = 365 * 24 * 3600


@pytest.fixture(scope="module")
def vm():
    """One of its own: once its clock was a year ahead, what it has saved forbids it to go back."""
    yield from machine("enforce")


def step(vm, seconds: int) -> None:
    vm.run(["date", "-s", f"@{int(vm.run(['date', '+%s']).out) + seconds}"])


def tampered(vm) -> list[str]:
    """Whatever the journal's own clock says: all of this boot."""
    return [entry["MESSAGE"] for entry in vm.journal("tamper") if "clock" in entry["MESSAGE"]]


def refused(vm) -> None:
    assert not vm.ssh(ACCOUNT, "touch", CANARY).ok
    assert not vm.exists(CANARY)


def test_set_back_it_gives_no_time(vm):
    product.approve(vm, ACCOUNT, "60s")
    login = vm.login(ACCOUNT, "cat")
    login.say("one")
    assert login.process.stdout.readline() == "one\n"
    step(vm, -YEAR)
    try:
        vm.wait_for(lambda: tampered(vm), 5, "tamper")
        login.say("two")
        assert login.process.stdout.readline() == "two\n", "the session lives on, until its deadline by CLOCK_BOOTTIME"
        vm.wait_for(login.over, 40, "the end of its minute")
        refused(vm)
        vm.run("systemctl restart escortd")
        refused(vm)
    finally:
        login.close()
        step(vm, YEAR)


def test_set_forward_everything_has_expired(vm):
    approval = product.approve(vm, ACCOUNT, "1h")
    login = vm.login(ACCOUNT, "cat")
    login.say("one")
    assert login.process.stdout.readline() == "one\n"
    before = len(tampered(vm))
    step(vm, YEAR)
    vm.wait_for(lambda: len(tampered(vm)) > before, 5, "tamper")
    vm.wait_for(login.over, 10, "the end of a session whose approval has expired")
    login.close()
    refused(vm)
    step(vm, -YEAR)
    refused(vm)  # what has expired does not come back
    assert approval not in product.approvals_in_force(vm, ACCOUNT)
    assert vm.ssh("alice", "true").ok
