"""One host for the whole suite (it boots in a second or two), put back to the same state before each test."""

import os
import re

import pytest
from testhost import Guest, product
from testhost.broker import Broker
from testhost.guest import wait_for
from testhost.machine import machine

CANARY = "/tmp/canary"


@pytest.fixture(scope="session")
def host():
    """A booted host with escortd installed, its embedded broker's key trusted."""
    with machine() as booted:
        product.install(booted)
        product.found_broker(booted)
        if hooks := os.environ.get("ESCORT_HOOKS"):
            booted.write("/etc/escortd/escortd.yaml", f"version: 1\nhooks: {hooks}\n")
            booted.run("systemctl restart escortd")
            assert booted.ask("status")["hooks"] == hooks
        yield booted
        _leave_with_a_clean_record(booted)


@pytest.fixture(scope="session")
def hooks(host):
    """Which set of hooks the kernel programs are attached by: what is seen depends on it (docs/threat-model.md)."""
    return host.ask("status")["hooks"]


@pytest.fixture(scope="session")
def tenant(host):
    """A tenant user's session that stays open through all tests."""
    login = host.login("alice", "cat")
    yield login
    login.close()


@pytest.fixture(autouse=True)
def fresh(request):
    """Before: no approval, no support session, the tests' policy, no canary. After: the tenant is still there."""
    if "host" not in request.fixturenames:
        yield
        return
    host, tenant = request.getfixturevalue("host"), request.getfixturevalue("tenant")
    product.reset(host)
    host.run(["rm", "-f", CANARY, "/etc/cron.d/support"])
    yield
    word = f"after {request.node.name}"
    tenant.say(word)
    assert tenant.process.stdout.readline().strip() == word, "the tenant's session was touched"


def _leave_with_a_clean_record(guest: Guest) -> None:
    """The daemon ends by itself, with exit 0, and no sanitizer had anything to say (leaks are found at the end)."""
    guest.run("systemctl stop escortd", timeout=60)
    state = guest.run("systemctl show escortd -p Result -p ExecMainStatus").out.split()
    log = guest.run(["journalctl", "-q", "-u", "escortd", "-u", "escort-courier", "-o", "cat", "--no-pager"]).out
    reports = re.findall(r"^.*(?:Sanitizer|runtime error).*$", log, re.MULTILINE)
    assert not reports, f"sanitizer reports: {reports}\n{log[-4000:]}"
    assert state == ["Result=success", "ExecMainStatus=0"], f"{state}\n{log[-4000:]}"


@pytest.fixture
def denied(host):
    """Waits for entries, session_denied unless told, that came since the test began; fields by name."""
    begin = host.journal_end()

    def wait(event: str = "session_denied", **fields: str) -> list[dict]:
        return wait_for(lambda: host.journal(event, after=begin, **fields), 10, f"{event} {fields}")
    return wait


@pytest.fixture
def broker(host):
    """One whose approvals are withdrawn at the end. Files of tests whose documents go another way have their own."""
    one = Broker(host)
    yield one
    one.withdraw()
