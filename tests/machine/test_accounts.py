"""Accounts that become support, and stop being it, while the agent runs."""

import time

import pytest
from conftest import CANARY
from testhost import product
from testhost.broker import Broker
from testhost.guest import wait_for

GROUP = "cloud-support"
FRESH, FRESH_UID = "alice-two", 1100
PRINCIPALS = "/run/escortd/principals"
SOON = 5  # seconds: how long a change of the group may take to count


def make(host, account: str, uid: int) -> None:
    """An account as adduser makes it, opened by the tests' key."""
    host.run(f"useradd -m -s /bin/bash -u {uid} {account} && install -d -m 700 -o {account} /home/{account}/.ssh && "
             f"install -m 600 -o {account} /root/.ssh/id_ed25519.pub /home/{account}/.ssh/authorized_keys")


def remove(host, account: str) -> None:
    manager = f"user@{host.run(['id', '-u', account]).out.strip()}.service"
    host.run(f"systemctl stop {manager}; pkill -KILL -U {account}; userdel -rf {account}; systemctl reset-failed {manager}",
             check=False)
    wait_for(lambda: f"name {account} " not in host.read(PRINCIPALS), 10, f"the end of {account}")


@pytest.fixture
def fresh_account(host):
    """A tenant so far."""
    make(host, FRESH, FRESH_UID)
    yield FRESH
    remove(host, FRESH)


@pytest.fixture
def broker(host):
    made = Broker(host, "https://accounts.example.gov")
    yield made
    made.withdraw()


def enters(host, account: str) -> bool:
    host.run(["rm", "-f", CANARY])
    host.ssh(account, "touch", CANARY)
    return host.exists(CANARY)


def test_added_to_the_group_it_counts(host, fresh_account, denied):
    assert enters(host, FRESH), "a tenant"
    login = host.login(FRESH, "sleep 7301")
    wait_for(lambda: "sleep 7301" in host.processes(FRESH), 10, "a tenant's session")
    assert not product.sessions(host, FRESH)
    begin = time.monotonic()
    host.run(["usermod", "-aG", GROUP, FRESH])
    wait_for(lambda: f"name {FRESH} enforce" in host.read(PRINCIPALS), SOON, "the gate to know it")
    # What it had open is a support session from now on, and has no approval.
    wait_for(lambda: "sleep 7301" not in host.processes(FRESH), SOON, "the end of what it had open")
    assert time.monotonic() - begin < SOON
    assert denied(account=FRESH)[0]["ESCORT_ENTRY"] == "existing"
    login.close()
    assert not enters(host, FRESH)


def test_removed_from_the_group_it_is_released(host, fresh_account, broker):
    host.run(["usermod", "-aG", GROUP, FRESH])
    wait_for(lambda: f"name {FRESH} enforce" in host.read(PRINCIPALS), SOON, "the gate to know it")
    broker.approve(FRESH)
    login = host.login(FRESH, "cat")
    wait_for(lambda: [each["verdict"] for each in product.sessions(host, FRESH)] == ["approved"], 10, "its session")
    host.run(["gpasswd", "-d", FRESH, GROUP])
    wait_for(lambda: f"name {FRESH} " not in host.read(PRINCIPALS), SOON, "the gate to forget it")
    broker.withdraw()  # of no meaning to a tenant
    login.say("still here")
    assert login.process.stdout.readline() == "still here\n"
    assert enters(host, FRESH)
    login.close()


def test_as_primary_group(host, denied):
    host.run(f"useradd -m -s /bin/bash -u {FRESH_UID} -g {GROUP} {FRESH}")
    try:
        wait_for(lambda: f"name {FRESH} enforce" in host.read(PRINCIPALS), SOON, "the gate to know it")
        assert not host.run(["su", FRESH, "-c", f"touch {CANARY}"], check=False).ok
        assert not host.exists(CANARY)
    finally:
        remove(host, FRESH)


def test_a_new_account_of_a_pattern_is_refused_at_once(host, denied):
    """By its name at the gate, by its number that nobody knows in the kernel: no waiting for a look-up."""
    for way in ("gate", "kernel"):
        account = f"vendor-{way}"
        make(host, account, 1101 if way == "gate" else 1102)
        try:
            if way == "gate":
                result = host.ssh(account, "touch", CANARY, options=["-o", "LogLevel=INFO"])
                assert f"No approved support session for {account} " in result.out + result.err
            else:  # past PAM
                host.run(f"setpriv --reuid {account} --regid {account} --init-groups sh -c 'sleep 1; touch {CANARY}'",
                         check=False)
            assert not host.exists(CANARY), way
            assert denied(account=account)[0]["ESCORT_REASON"] == "no_approval"
        finally:
            remove(host, account)


def test_a_new_account_of_a_range_of_uids(host, broker, denied):
    product.set_policy(host, product.policy("enforce").replace("  groups:", '  uids: ["60000-60009"]\n  groups:'))
    make(host, "by-number", 60001)
    make(host, "next-number", 60010)
    try:
        assert not enters(host, "by-number")
        assert denied(uid="60001")[0]["ESCORT_REASON"] == "no_approval"
        assert enters(host, "next-number"), "one above the range"
        wait_for(lambda: "name by-number enforce" in host.read(PRINCIPALS), SOON, "its name")
        broker.approve("by-number")
        assert enters(host, "by-number")
    finally:
        remove(host, "by-number")
        remove(host, "next-number")


def test_a_group_that_is_not_there_yet(host, fresh_account):
    """It is said, and what is known is governed all the same; once it is there it counts."""
    product.set_policy(host, product.policy("enforce").replace("[cloud-support]", "[cloud-support, later-group]"))
    status = host.ask("status")
    assert "later-group" in str(status["degraded"]), status
    assert not enters(host, "azsupport")
    assert enters(host, FRESH)
    host.run(f"groupadd later-group && usermod -aG later-group {FRESH}")
    try:
        wait_for(lambda: f"name {FRESH} enforce" in host.read(PRINCIPALS), SOON, "the new group to count")
        assert not enters(host, FRESH)
    finally:
        host.run("groupdel later-group")


def test_who_is_nobody_is_asked_for_again_once_accounts_are(host):
    """A directory that lists nobody may have put him into a support group since."""
    def asked() -> int:
        host.run("setpriv --reuid alice --clear-groups true")
        return host.ask("status")["counters"].get("unknown_uid", 0)
    time.sleep(2)  # what the test before has changed is through
    wait_for(lambda: asked() == asked(), 10, "alice known as nobody")
    before = asked()
    host.run(["touch", "/etc/group"])
    wait_for(lambda: asked() > before, 10, "the question once more")
