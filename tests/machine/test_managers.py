"""The account's systemd --user: none by default, and with `allow` never longer than an approved session."""

import time

import pytest
from conftest import CANARY
from testhost import product
from testhost.guest import wait_for

pytestmark = pytest.mark.once

ACCOUNT, UID = "azsupport", 1001
MANAGER = f"user@{UID}.service"
LEFT_BEHIND = "/usr/bin/sleep 7201"


def managers(host) -> list[str]:
    return [line for line in host.processes(ACCOUNT) if "systemd --user" in line]


def in_managers(host) -> list[dict]:
    return [each for each in product.sessions(host, ACCOUNT) if each["entry"] == "systemd"]


def failed(host) -> str:
    """The account's units that have."""
    return host.run(f"systemctl --failed --no-legend | grep {UID}", check=False).out


def policy(user_manager: str, require: str = "") -> str:
    """The tests' policy under the gate."""
    text = product.policy("enforce").replace("admission: window", f"admission: gate{require}")
    return f"{text}restrict: {{user_manager: {user_manager}}}\n"


@pytest.fixture(autouse=True)
def clean(host):
    """Nothing of a test before it: neither a flag of logind's nor a manager that was killed."""
    host.run(f"systemctl reset-failed {MANAGER}", check=False)
    yield
    host.run(["rm", "-f", f"/var/lib/systemd/linger/{ACCOUNT}"])
    host.run(f"systemctl reset-failed {MANAGER}", check=False)


def test_denied_the_login_works_without_one(host):
    product.set_policy(host, policy("deny"))
    product.approve(host, ACCOUNT)
    times = {}
    for _ in range(3):
        for account in ("alice", ACCOUNT):  # hers is there: a tenant's session is open
            begin = time.monotonic()
            result = host.ssh(account, 'test -d "$XDG_RUNTIME_DIR" && stat -c %u "$XDG_RUNTIME_DIR"')
            times.setdefault(account, []).append(time.monotonic() - begin)
            assert result.out.strip() == ("1000" if account == "alice" else str(UID)), result
    assert not managers(host)
    assert not failed(host)
    # pam_systemd waits for a manager that isn't coming until its call times out: 25 s and more.
    theirs, hers = min(times[ACCOUNT]), min(times["alice"])
    assert theirs < hers + 15, f"{theirs:.2f} s, a tenant {hers:.2f} s"


def test_denied_nobody_can_start_it(host):
    product.set_policy(host, policy("deny"))
    product.approve(host, ACCOUNT)
    login = host.login(ACCOUNT, "cat")
    wait_for(lambda: product.sessions(host, ACCOUNT), 10, "the session")
    assert not host.run(f"systemctl start {MANAGER}", check=False).ok
    assert not host.ssh(ACCOUNT, f"systemd-run --user -q --wait touch {CANARY}").ok
    assert not host.ssh(ACCOUNT, f"sudo systemctl start {MANAGER}").ok
    assert not host.exists(CANARY)
    assert not managers(host)
    assert not failed(host)
    assert login.process.poll() is None
    login.close()


def test_denied_while_one_runs(host):
    """A policy that takes it away ends the one that runs."""
    product.set_policy(host, policy("allow"))
    product.approve(host, ACCOUNT)
    login = host.login(ACCOUNT, "cat")
    wait_for(lambda: managers(host), 10, "a user manager")
    product.set_policy(host, policy("deny"))
    wait_for(lambda: not managers(host), 10, "its end")
    assert not host.run(f"systemctl start {MANAGER}", check=False).ok
    assert login.process.poll() is None
    login.close()


@pytest.fixture
def managed(host):
    """An approved session that has left something behind with its user manager; the approval, and the client."""
    product.set_policy(host, policy("allow"))
    approval = product.approve(host, ACCOUNT)
    login = host.login(ACCOUNT, f"systemd-run --user -q {LEFT_BEHIND} && touch {CANARY} && cat")
    wait_for(lambda: host.exists(CANARY), 20, "the job in the user manager")
    assert LEFT_BEHIND in host.processes(ACCOUNT)
    yield approval, login
    login.close()


def test_allowed_it_is_shown_and_belongs_to_nobodys_count(host, managed):
    shown, = in_managers(host)
    assert (shown["verdict"], shown["approval"]) == ("approved", None)
    approval, _ = managed
    others = [each for each in product.sessions(host, ACCOUNT) if each["entry"] != "systemd"]
    assert [each["approval"] for each in others] == [approval]


def by_hand(host, approval: str) -> None:
    session, = [each for each in product.sessions(host, ACCOUNT) if each["approval"] == approval]
    host.escortctl("kill", session["id"], "--reason", "left the room")


ENDS = {"kill": by_hand, "revocation": product.revoke}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_allowed_it_dies_with_the_session(host, managed, end):
    approval, login = managed
    end(host, approval)
    wait_for(lambda: not host.processes(ACCOUNT), 5, "the end of the session, its manager and what that had started")
    assert login.wait(10) != 0
    wait_for(lambda: not product.sessions(host, ACCOUNT), 5, "an empty table")


def test_allowed_it_ends_with_a_logout(host, managed):
    _, login = managed
    login.close()
    wait_for(lambda: not host.processes(ACCOUNT), 10, "the end of the manager and what it had started")
    # And the next session has one again.
    host.run(["rm", CANARY])
    assert host.ssh(ACCOUNT, f"systemd-run --user -q --wait touch {CANARY}").ok
    assert host.exists(CANARY)


def test_allowed_it_does_not_count_in_max_sessions(host):
    product.set_policy(host, policy("allow", "\n  max_sessions: 2"))
    product.approve(host, ACCOUNT)
    one = host.login(ACCOUNT, "cat")
    wait_for(lambda: in_managers(host), 10, "a user manager")
    two = host.login(ACCOUNT, "cat")
    wait_for(lambda: len(product.sessions(host, ACCOUNT)) == 3, 10, "two sessions and the manager")
    third = host.ssh(ACCOUNT, "true", options=["-o", "LogLevel=INFO"])
    assert not third.ok
    assert "session_limit" in third.out + third.err
    for login in (one, two):
        assert login.process.poll() is None
        login.close()


@pytest.mark.parametrize("user_manager", ["allow", "deny"])
def test_with_linger_it_does_not_start_without_a_session(host, user_manager):
    """Approved, but nobody is there: `loginctl enable-linger` left behind starts nothing."""
    product.set_policy(host, policy(user_manager))
    product.approve(host, ACCOUNT)
    assert not managers(host)
    host.run(f"loginctl enable-linger {ACCOUNT}", check=False)
    host.run(f"systemctl start {MANAGER}", check=False)
    assert host.run(f"systemctl show {MANAGER} -p ActiveState --value").out.strip() in ("inactive", "failed")
    assert not managers(host)
    host.run(f"loginctl disable-linger {ACCOUNT}", check=False)


def test_tenants_keep_theirs(host):
    assert host.ssh("alice", f"systemd-run --user -q --wait touch {CANARY}").ok
    assert host.exists(CANARY)


def logind_known(host) -> None:
    """A session that is opened now gets its logind session's id."""
    login = host.login(ACCOUNT, "echo $XDG_SESSION_ID; cat")
    here = login.process.stdout.readline().strip()
    assert here
    wait_for(lambda: [each["logind_session"] for each in product.sessions(host, ACCOUNT)] == [here], 10,
             f"logind's session {here}")
    login.close()
    wait_for(lambda: not product.sessions(host, ACCOUNT), 10, "its end")


def test_logind_and_dbus_restarted(host):
    """Nobody's session is touched, and what opens later is still found in logind."""
    product.approve(host, ACCOUNT)
    logind_known(host)
    stays = host.login(ACCOUNT, "cat")
    wait_for(lambda: product.sessions(host, ACCOUNT), 10, "the session")
    mark = host.journal_end()
    for service in ("systemd-logind", "dbus"):
        host.run(f"systemctl restart {service}")
        wait_for(lambda: host.run("loginctl list-sessions --no-legend", check=False).ok, 20, "logind")
    stays.say("still here")
    assert stays.process.stdout.readline() == "still here\n"
    assert not host.journal("session_killed", after=mark)
    stays.close()
    wait_for(lambda: not product.sessions(host, ACCOUNT), 10, "its end")
    logind_known(host)
    assert host.ask("status")["healthy"] is True
