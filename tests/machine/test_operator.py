"""An operator's day: what ends sessions, freezes them and shuts doors by hand, and what says so beforehand."""

import contextlib
import time

import pytest
from conftest import CANARY
from testhost import product
from testhost.broker import ENDED
from testhost.guest import wait_for
from testhost.screen import Screen, grows, stands

ACCOUNT = "azsupport"
OTHER = "vendor-two"
COUNT = "/tmp/count"
COUNTING = "n=0; while n=$((n+1)); do echo $n >>/tmp/count; sleep 0.05; done"
SETTINGS = "/etc/escortd/escortd.yaml"
ASIDE = "/root/escortd.yaml.aside"


def policy(*rules: str, top: str = "") -> str:
    """files/operator.yaml with more lines below `require:`, and others at the top level."""
    return product.policy("operator") + "".join(f"  {rule}\n" for rule in rules) + top


def approve(host, *options: str, account: str = ACCOUNT, lifetime: str = "1h", engineer: str = "eng-42") -> str:
    return host.escortctl("approve", account, "--for", lifetime, "--engineer", engineer, "--key", product.KEY,
                          *options).out.split()[-1]


@pytest.fixture(autouse=True)
def governed(host, fresh):
    product.set_policy(host, policy())
    host.run(["rm", "-f", COUNT])


@pytest.fixture
def login(host):
    """A login that is there, with its screen; the command's first word must be echoed by it."""
    with contextlib.ExitStack() as stack:
        def open_one(command: str = "cat", *, terminal: bool = False, account: str = ACCOUNT):
            one = host.login(account, f"echo here; {command}", options=["-tt"] if terminal else [])
            stack.callback(one.close)
            screen = Screen(one)
            screen.shows("here", 20)
            return one, screen
        yield open_one


@pytest.fixture
def newcomer(host):
    """A support account with no past: one that had approvals before may be refused as `revoked`."""
    name = f"vendor-{time.monotonic_ns() % 10**9}"
    home = f"/home/{name}"
    host.run(f"useradd -m -s /bin/bash {name} && cp -a /home/{ACCOUNT}/.ssh {home}/ && chown -R {name}: {home}/.ssh")
    wait_for(lambda: host.escortctl("explain", name, "--json", check=False).out.startswith("{"), 10, "a new principal")
    yield name
    for approval in product.approvals_in_force(host, name):
        if approval.startswith("apr-"):
            product.revoke(host, approval)
    wait_for(lambda: not product.sessions(host, name), 10, "the end of its sessions")


def session(host, account: str = ACCOUNT) -> dict:
    """The account's only session; under `observe` it has a user manager too."""
    found = [each for each in product.sessions(host, account) if each["entry"] == "sshd"]
    assert len(found) == 1, found
    return found[0]


def alive(login, screen) -> None:
    """The session answers: its command is cat."""
    word = f"word-{time.monotonic_ns()}"
    login.say(word)
    screen.shows(word)


def count(host) -> int:
    return int(host.run(f"cat {COUNT} 2>/dev/null | wc -l").out)


def killed(denied, session_id: str) -> dict:
    return denied(event="session_killed", session=session_id)[0]


# --- frozen by hand ---

def test_freeze_and_thaw_by_hand(host, denied, login):
    approve(host)
    _, screen = login(COUNTING, terminal=True)
    session_id = session(host)["id"]
    host.escortctl("freeze", session_id, "--reason", "wait for me")
    stands(lambda: count(host))
    screen.shows("session frozen: by an operator of this host (wait for me)")
    entry = denied(event="session_frozen", session=session_id)[0]
    assert entry["ESCORT_OPERATOR"]
    acts = denied(event="operator_act", session=session_id)
    assert "wait for me" in acts[0]["MESSAGE"]
    assert host.ask("status")["frozen"] == 1
    # It stays so while the daemon is away, and when it is back.
    stood = count(host)
    host.run("systemctl stop escortd")
    stands(lambda: count(host))
    host.run("systemctl start escortd")
    assert session(host)["frozen"]
    assert stands(lambda: count(host)) == stood
    host.escortctl("thaw", session_id)
    grows(lambda: count(host))
    assert denied(event="session_thawed", session=session_id)
    screen.shows("session goes on")
    assert not session(host)["frozen"]
    again = host.escortctl("thaw", session_id, check=False)
    assert again.code == 1
    assert "not frozen by hand" in again.err


def test_thaw_does_not_stand_in_for_the_escort(host, denied, broker, login):
    product.set_policy(host, product.policy("escort"))
    approval = broker.approve(ACCOUNT, escort="esc-9")
    broker.lease(approval, "esc-9", 600)
    login(COUNTING)
    session_id = session(host)["id"]
    broker.lease(approval, "esc-9", 0)
    denied(event="session_frozen", session=session_id)
    refused = host.escortctl("thaw", session_id, check=False)
    assert refused.code == 1
    assert "lease" in refused.err
    # Frozen for both, taking one away isn't enough.
    host.escortctl("freeze", session_id)
    assert host.ask("thaw", session_id)["frozen"]
    stands(lambda: count(host))
    broker.lease(approval, "esc-9", 600)
    grows(lambda: count(host))


# --- limits in time ---

def test_idle_sessions_end_and_busy_ones_do_not(host, denied, login):
    # The kernel tells of a terminal's last input in steps of 8 s: less than that could not be asked.
    product.set_policy(host, policy("idle_timeout: 10s"))
    approve(host)
    approve(host, account=OTHER)
    begin = time.monotonic()
    login("cat")
    silent = session(host)["id"]
    typist, screen = login("cat", terminal=True, account=OTHER)
    typed = session(host, OTHER)["id"]
    while not host.journal("session_killed", session=silent):
        assert time.monotonic() < begin + 30
        alive(typist, screen)
        time.sleep(0.3)
    assert time.monotonic() - begin > 9
    assert killed(denied, silent)["ESCORT_REASON"] == "idle"
    assert session(host, OTHER)["id"] == typed
    stopped = time.monotonic()
    typist.wait(20)
    assert time.monotonic() - stopped < 14
    assert killed(denied, typed)["ESCORT_REASON"] == "idle"
    assert "session is ended: idle" in screen.close()


def test_max_duration(host, denied, login):
    product.set_policy(host, policy("max_duration: 1h"))
    approve(host, "--max-duration", "4s")
    one, screen = login("cat", terminal=True)
    opened = session(host)
    one.wait(20)
    entry = killed(denied, opened["id"])
    assert entry["ESCORT_REASON"] == "duration_exceeded"
    assert 3 <= int(entry["ESCORT_ENDED"]) - int(entry["ESCORT_STARTED"]) <= 6
    assert "session is ended: duration_exceeded" in screen.close()
    # The approval is still good, for a session of its own length.
    assert host.ssh(ACCOUNT, "true").ok


def test_the_terminal_is_told_before_the_end(host, denied, login):
    product.set_policy(host, policy(top="notify: {before_expiry: 5s}\n"))
    approve(host, lifetime="9s")
    one, screen = login("cat", terminal=True)
    opened = session(host)["id"]
    assert "ends in" not in screen.text()
    screen.shows("this session ends in")
    one.wait(15)
    text = screen.close()
    assert text.count("this session ends in") == 1
    assert "session is ended: expired" in text
    assert killed(denied, opened)["ESCORT_REASON"] == "expired"


def test_revocation_and_kill_say_why_before_the_end(host, denied, login):
    approval = approve(host)
    one, screen = login("cat", terminal=True)
    product.revoke(host, approval)
    one.wait()
    assert "session is ended: revoked" in screen.close()
    approve(host)
    other, screen = login("cat", terminal=True)
    host.escortctl("kill", session(host)["id"], "--reason", "fire drill")
    other.wait()
    assert "session is ended: by an operator of this host (fire drill)" in screen.close()


# --- session-revoked events ---

def test_an_event_about_an_approval(host, denied, broker, login):
    approval = broker.approve(ACCOUNT)
    one, _ = login()
    opened = session(host)["id"]
    event = broker.claims() | {
        "jti": f"set-{time.time_ns()}", "aud": [f"host:{host.machine_id}"],
        "sub_id": {"format": "complex", "session": {"format": "opaque", "id": approval}},
        "events": {ENDED: {"event_timestamp": int(time.time())}}}
    broker.send("revocation", event)
    one.wait(5)
    assert killed(denied, opened)["ESCORT_REASON"] == "revoked"
    assert not host.ssh(ACCOUNT, "touch", CANARY).ok
    assert not host.exists(CANARY)
    # Another approval is another matter, and the old event again doesn't touch it.
    broker.approve(ACCOUNT)
    two, screen = login()
    broker.send("revocation", event)
    broker.set_event(approval)
    alive(two, screen)


def test_an_event_about_a_session(host, denied, broker, login):
    approval = broker.approve(ACCOUNT)
    one, _ = login()
    opened = session(host)["id"]
    two, screen = login()
    broker.set_event(opened)
    one.wait(5)
    entry = killed(denied, opened)
    assert (entry["ESCORT_REASON"], entry["ESCORT_APPROVAL"]) == ("revoked", approval)
    alive(two, screen)
    assert host.ssh(ACCOUNT, "true").ok


# --- break-glass ---

STRICT = ("engineer: {location: {allow: [US]}}", "escort: {required: true}", "ticket: 'INC[0-9]{7}'", "approvers: {min: 1}")


def engineer_in(country: str) -> dict:
    return {"id": "eng-9", "location": {"country": country, "asserted_by": "facility", "at": int(time.time())}}


def test_break_glass_without_escort_ticket_and_approver(host, denied, newcomer, broker, login):
    product.set_policy(host, policy(*STRICT))
    approval = broker.breakglass(newcomer, engineer_in("US"))
    one, screen = login(account=newcomer)
    alive(one, screen)
    opened = session(host, newcomer)
    assert (opened["reason"], opened["approval"]) == ("break_glass", approval)
    entry = denied(event="break_glass_used", session=opened["id"])[0]
    assert entry["PRIORITY"] == "1"  # alert
    assert entry["ESCORT_APPROVAL"] == approval
    assert host.ask("status")["break_glass"] == {"approvals": 1, "sessions": 1}
    assert "break" in host.escortctl("status", check=False).out
    # `deny` shuts it out, the live session too.
    product.set_policy(host, policy(*STRICT, top="break_glass: deny\n"))
    one.wait(10)
    assert not host.ssh(newcomer, "touch", CANARY).ok
    assert not host.exists(CANARY)
    assert denied(account=newcomer, action="refuse")[-1]["ESCORT_REASON"] == "no_approval"


@pytest.mark.parametrize("publish", ["approve", "breakglass"])
def test_nobody_gets_in_from_a_denied_place(host, denied, newcomer, broker, publish):
    """threats.md I12; break-glass cures no place."""
    product.set_policy(host, policy(*STRICT))
    getattr(broker, publish)(newcomer, engineer_in("CA"))
    assert not host.ssh(newcomer, "touch", CANARY).ok
    assert not host.exists(CANARY)
    assert denied(account=newcomer)[0]["ESCORT_REASON"] == "location_denied"


def test_only_a_breakglass_key_signs_emergencies(host, broker):
    made = broker.approval(ACCOUNT, ticket=None) | {"emergency": {"authority": "CISO on duty", "reason": "none"}}
    now = int(time.time())
    broker.send("breakglass", broker.claims(exp=now + 3600, seq=now, approvals=[made]), expect="document_refused")
    assert not host.ssh(ACCOUNT, "touch", CANARY).ok
    assert not host.exists(CANARY)


# --- doors shut by hand ---

@pytest.mark.parametrize("kind", ["approval", "engineer", "account"])
def test_a_door_is_shut_and_opened_again(host, denied, newcomer, login, kind):
    shut = {"approval": approve(host, account=newcomer, engineer="eng-66"), "engineer": "eng-66", "account": newcomer}[kind]
    approve(host, account=OTHER)
    other, screen = login(account=OTHER)
    one, _ = login(account=newcomer)
    opened = session(host, newcomer)["id"]
    host.escortctl("deny", kind, shut)
    try:
        one.wait(10)
        assert killed(denied, opened)["ESCORT_REASON"] == "denied_locally"
        alive(other, screen)
        assert {"kind": kind, "id": shut} in host.ask("status")["denials"]
        if kind == "engineer":
            host.run("systemctl restart escortd")
        refused = host.ssh(newcomer, "touch", CANARY, options=["-o", "LogLevel=INFO"])
        assert not refused.ok
        assert "(denied_locally)" in refused.out + refused.err
        assert not host.exists(CANARY)
        assert host.escortctl("deny", kind, shut, check=False).code == 1
    finally:
        host.escortctl("undeny", kind, shut)
    assert host.ssh(newcomer, "true").ok
    assert not host.ask("status")["denials"]


# --- changes of policy and settings ---

def test_a_reload_judges_live_sessions_again_and_dry_run_says_so_first(host, denied, login):
    approve(host, "--ticket", "INC0000007")
    approve(host, "--ticket", "CHG0000007", account=OTHER, engineer="eng-43")
    one, screen = login()
    two, other_screen = login(account=OTHER)
    would_die = session(host, OTHER)["id"]
    host.write(product.POLICY, policy("ticket: 'INC[0-9]{7}'"))
    told = host.ask("reload", "--dry-run")
    assert [(each["id"], each["account"], each["engineer"], each["reason"]) for each in told["would_end"]] == \
        [(would_die, OTHER, "eng-43", "ticket_invalid")]
    assert would_die in host.escortctl("reload", "--dry-run").out
    alive(two, other_screen)
    assert "ticket" not in host.escortctl("policy", "show").out
    host.escortctl("reload")
    two.wait(10)
    assert killed(denied, would_die)["ESCORT_REASON"] == "ticket_invalid"
    alive(one, screen)


def test_a_reload_keeps_what_was_proven_at_the_start(host, login):
    key = host.run("ssh-keygen -lf /root/.ssh/id_ed25519.pub").out.split()[1]
    approve(host, "--source", "127.0.0.0/8", "--key-fingerprint", key)
    one, screen = login()
    product.set_policy(host, policy("bind: [source, ssh_key]"))
    alive(one, screen)
    assert session(host)["verdict"] == "approved"


def test_a_dry_run_of_a_refused_set_prints_why(host):
    host.write(product.POLICY, product.policy("refused"))
    refused = host.escortctl("reload", "--dry-run", check=False)
    assert refused.code == 1
    assert f"{product.POLICY}:6:3: error:" in refused.out + refused.err


def test_mode_override_only_logs(host, denied, login):
    host.run(f"cp -p {SETTINGS} {ASIDE} && printf 'mode_override: observe\\n' >>{SETTINGS}")
    try:
        host.run("systemctl restart escortd")
        assert host.ask("status")["mode_override"] == "observe"
        assert host.ssh("vendor-new", "touch", CANARY).ok
        assert host.exists(CANARY)
        seen = denied(account="vendor-new", verdict="observed")[0]
        assert seen["ESCORT_REASON"] == "no_approval"
        approval = approve(host)
        one, screen = login()
        product.revoke(host, approval)
        host.escortctl("deny", "account", ACCOUNT)
        alive(one, screen)
        host.escortctl("undeny", "account", ACCOUNT)
        opened = session(host)["id"]
        # Ways in past the gate: the kernel programs let them too.
        assert host.run(["setpriv", "--reuid", ACCOUNT, "--clear-groups", "true"], check=False).ok
    finally:
        host.run(f"mv {ASIDE} {SETTINGS} && systemctl restart escortd")
    # Without the override it is what the policy says, for who is there too.
    one.wait(10)
    assert killed(denied, opened)
    assert not host.ssh(ACCOUNT, "true").ok


# --- explain ---

def test_explain_names_each_rule_and_where_it_stands(host):
    text = policy("source: ['203.0.113.0/24']", "bind: [source, ssh_key]", "ticket: 'INC[0-9]{7}'")
    product.set_policy(host, text)
    line = {key: next(number for number, each in enumerate(text.splitlines(), 1) if each.strip().startswith(key))
            for key in ("source:", "bind:", "ticket:")}
    approval = approve(host, "--ticket", "INC0000007", "--source", "203.0.113.7/32", "--key-fingerprint",
                       "SHA256:" + "A" * 43, "--key-id", "eng-42", lifetime="1h")

    def ask(*words: str) -> dict:
        answer = host.ask("explain", ACCOUNT, *words)
        answer["rules"] = {rule["rule"]: rule for rule in answer["rules"]}
        return answer
    key = ("--key", "SHA256:" + "A" * 43)
    good = ask("--from", "203.0.113.7", *key)
    assert (good["verdict"], good["approval"]) == ("approved", approval)
    assert {rule["outcome"] for name, rule in good["rules"].items() if name.startswith("require")} == {"pass"}
    for rule, place in (("require.source", "source:"), ("require.bind.ssh_key", "bind:"), ("require.ticket", "ticket:")):
        assert good["rules"][rule]["from"].startswith(f"{product.POLICY}:{line[place]}:"), good["rules"][rule]
    assert ask("--from", "203.0.113.7", "--key-id", "eng-42")["verdict"] == "approved"
    elsewhere = ask("--from", "203.0.113.8", *key)
    assert (elsewhere["verdict"], elsewhere["reason"]) == ("denied", "source_mismatch")
    assert elsewhere["rules"]["approval.source"]["outcome"] == "fail"
    assert approval in elsewhere["rules"]["approval.source"]["from"]
    assert ask("--from", "203.0.113.7", "--key", "SHA256:" + "B" * 43)["reason"] == "key_mismatch"
    assert ask("--from", "203.0.113.7", *key, "--at", str(int(time.time()) + 7200))["reason"] == "expired"
    printed = host.escortctl("explain", ACCOUNT, "--from", "203.0.113.8", *key, check=False)
    assert printed.code == 1
    assert f"{product.POLICY}:{line['source:']}" in printed.out
