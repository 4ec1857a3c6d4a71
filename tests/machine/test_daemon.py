"""The daemon killed, restarted, asked by the wrong people; its journal explained."""

import pytest
from conftest import CANARY
from testhost import product
from testhost.guest import wait_for

ACCOUNT = "azsupport"
NEVER_APPROVED = "vendor-new"


def active(host) -> bool:
    return host.run(["systemctl", "is-active", "--quiet", "escortd"], check=False).ok


@pytest.fixture
def down(host):
    """The daemon killed with -9 and not started again until the test is over."""
    drop_in = "/run/systemd/system/escortd.service.d/stay-down.conf"
    host.write(drop_in, "[Service]\nRestart=no\n")
    host.run("systemctl daemon-reload && systemctl kill -s KILL escortd")
    wait_for(lambda: not active(host), 10, "the daemon's end")
    yield
    host.run(f"rm {drop_in} && systemctl daemon-reload && systemctl reset-failed escortd && systemctl start escortd")


def test_an_unapproved_login_dies_while_the_daemon_is_down(host, down):
    assert not active(host)
    assert not host.ssh(ACCOUNT, "touch", CANARY).ok
    assert not host.run(["su", ACCOUNT, "-c", f"touch {CANARY}"], check=False).ok
    assert not host.exists(CANARY)
    assert host.escortctl("status", check=False).code == 3
    assert not active(host)


def test_killed_with_9_it_comes_back(host):
    before = product.main_pid(host)
    host.run("systemctl kill -s KILL escortd")
    wait_for(lambda: product.main_pid(host) not in (before, "0") and
             host.escortctl("status", check=False).code == 0, 10, "the next daemon, and that it is well")
    assert not host.ssh(ACCOUNT, "touch", CANARY).ok
    assert not host.exists(CANARY)


def test_an_approved_session_lives_through_a_restart_and_dies_at_revocation(host, denied):
    approval = product.approve(host, ACCOUNT)
    login = host.login(ACCOUNT, "cat")
    wait_for(lambda: product.sessions(host, ACCOUNT), 5, "the session")
    host.run("systemctl restart escortd")
    login.say("still here")
    assert login.process.stdout.readline() == "still here\n"
    assert [each["approval"] for each in product.sessions(host, ACCOUNT)] == [approval]
    product.revoke(host, approval)
    denied(event="session_killed", account=ACCOUNT)
    assert login.wait(10) != 0
    login.close()


def test_a_session_from_before_the_start_is_found_and_killed(host, denied):
    host.run("systemctl stop escortd && rm -rf /sys/fs/bpf/escortd /run/escortd/principals")
    login = host.login(NEVER_APPROVED, "sleep 7777")
    wait_for(lambda: "sleep 7777" in host.processes(NEVER_APPROVED), 10, "a session that nobody watches")
    host.run("systemctl start escortd")
    assert denied(account=NEVER_APPROVED, entry="existing")[0]["ESCORT_REASON"] == "no_approval"
    wait_for(lambda: not host.processes(NEVER_APPROVED), 5, "its end")
    login.close()


def test_status_names_tier_policy_and_issuer(host):
    product.approve(host, ACCOUNT)
    status = host.ask("status")
    assert status["healthy"] is True
    assert status["tier"] == "kill"
    assert status["host_id"] == host.machine_id
    assert status["policy"]["sha256"]
    assert status["policy"]["error"] in (None, "")
    assert status["documents"][0]["seq"] > 0
    assert status["documents"][0]["expires"]


def test_a_tenant_may_not_command_the_daemon(host):
    for words in (["kill", "x-1", "--reason", "x"], ["reload"], ["sessions"], ["status"]):
        assert host.ssh("alice", "escortctl", *words).code == 4, words


def test_members_of_the_group_may_look_and_not_touch(host):
    look = host.run(["setpriv", "--reuid", "alice", "--regid", "alice", "--groups", "escortd", "escortctl", "status"],
                    check=False)
    assert look.code == 0, look.err
    touch = host.run(["setpriv", "--reuid", "alice", "--regid", "alice", "--groups", "escortd", "escortctl", "reload"],
                     check=False)
    assert touch.code == 4, touch.err


def test_wrong_usage_is_exit_2(host):
    assert host.escortctl("kill", check=False).code == 2
    assert host.escortctl("no-such-command", check=False).code == 2


def test_the_journal_explains_itself(host, denied):
    host.ssh(ACCOUNT, "true")
    entry = denied(account=ACCOUNT)[0]
    assert entry["SYSLOG_IDENTIFIER"] == "escortd"
    explained = host.run(["journalctl", "-q", "-x", "-o", "short", "--no-pager", "-n", "1", "-t", "escortd",
                          "ESCORT_EVENT=session_denied"]).out
    assert "░░ Subject:" in explained
    catalog = host.run(["journalctl", "--dump-catalog", entry["MESSAGE_ID"]]).out
    assert len(catalog.splitlines()) > 3


def test_every_event_in_the_journal_has_its_own_message_id_and_catalog_entry(host):
    by_event = {}
    for entry in host.journal():
        if "ESCORT_EVENT" in entry:
            by_event.setdefault(entry["ESCORT_EVENT"], set()).add(entry["MESSAGE_ID"])
    assert {"agent_started", "policy_loaded"} <= by_event.keys()
    ids = [message_id for found in by_event.values() for message_id in found]
    assert len(ids) == len(set(ids)) == len(by_event)
    known = host.run(["journalctl", "--list-catalog"]).out
    assert not [message_id for message_id in ids if message_id not in known]
