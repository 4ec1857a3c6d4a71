"""Whose session is it: under the PAM gate a session is that of the approval whose key and place it proves.

The engineers come from a network namespace with two addresses of each family (testhost/far.py), by real ssh.
"""

import select

import pytest
from conftest import CANARY
from testhost import product
from testhost.far import KEYS, NEAR, NEAR6, OTHER, OTHER6, PASSWORD, Far, facts, only_session, stays
from testhost.guest import wait_for

ACCOUNT = "azsupport"
PLACES = [f"{NEAR}/32", f"{NEAR6}/128"]  # of the approvals; the policy's are both networks, whole


@pytest.fixture(scope="module")
def far(host):
    with Far(host) as machine:
        yield machine


@pytest.fixture(autouse=True)
def gate(request, host, fresh):
    """The policy of the tests here; `unbound`, where a test asks for that, binds nothing."""
    host.run(["systemctl", "reset-failed"])  # what other tests left
    product.set_policy(host, product.policy("gate_unbound" if "unbound" in request.fixturenames else "gate"))


@pytest.fixture
def unbound(gate):
    """Asked for by name."""


@pytest.fixture
def logins():
    """What is in it is closed at the end."""
    opened = []
    yield opened
    for login in opened:
        login.close()


def answers(login, word: str) -> bool:
    """Whether a session that runs `cat` is alive; half a minute is given to a login that is still on its way."""
    login.say(word)
    ready, _, _ = select.select([login.process.stdout], [], [], 30)
    return bool(ready) and login.process.stdout.readline().strip() == word


def nothing_of_it(host, account: str = ACCOUNT) -> None:
    """No process, no session, no file: the refused login has left nothing."""
    wait_for(lambda: not host.processes(account), 5, "no process of the account")
    assert not product.sessions(host, account)
    assert not host.exists(CANARY)
    assert account not in host.run(["loginctl", "list-sessions", "--no-legend"]).out
    assert not host.run(["systemctl", "--failed", "--no-legend", "--plain"]).out.strip()


def refused(result, reason: str, account: str = ACCOUNT) -> None:
    """The person has read why."""
    assert not result.ok
    assert f"No approved support session for {account} on " in result.err
    assert f"({reason})" in result.err


# --- key and source ---

@pytest.mark.parametrize("source", [NEAR, NEAR6], ids=["ipv4", "ipv6"])
def test_the_approved_key_from_the_approved_place(host, far, broker, denied, source):
    approval = broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    assert far.ssh(ACCOUNT, "touch", CANARY, source=source).ok
    assert host.exists(CANARY)
    opened = denied(event="session_approved", account=ACCOUNT)[0]
    assert (opened["ESCORT_APPROVAL"], opened["ESCORT_ENGINEER"]) == (approval, "eng-a")
    assert (opened["ESCORT_SOURCE"], opened["ESCORT_ENTRY"]) == (source, "sshd")


@pytest.mark.parametrize("source", [OTHER, OTHER6], ids=["ipv4", "ipv6"])
def test_the_approved_key_from_another_place(host, far, broker, denied, source):
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    refused(far.ssh(ACCOUNT, "touch", CANARY, source=source), "source_mismatch")
    entry = denied(account=ACCOUNT)[0]
    assert (entry["ESCORT_REASON"], entry["ESCORT_SOURCE"]) == ("source_mismatch", source)
    nothing_of_it(host)


def test_a_place_outside_the_policys_networks(host, far, broker, denied):
    """The approval's and the policy's source must both match: here the approval's alone does."""
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=["127.0.0.0/8"])
    result = host.ssh(ACCOUNT, "touch", CANARY, options=["-o", "LogLevel=INFO", "-i", f"{KEYS}/a"])
    refused(result, "source_mismatch")
    nothing_of_it(host)


def test_another_key_of_the_same_account(host, far, broker, denied):
    begin = host.journal_end()
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    assert not far.ssh(ACCOUNT, "touch", CANARY, key="b").ok
    entry = denied(account=ACCOUNT)[0]
    assert not host.journal("session_approved", after=begin, account=ACCOUNT), "told before its key was known"
    assert entry["ESCORT_REASON"] == "key_mismatch"
    assert entry["ESCORT_PROVEN_KEY"] == far.fingerprint("b")
    nothing_of_it(host)


def test_an_approval_that_names_no_key_proves_none(host, far, broker, denied):
    broker.approve(ACCOUNT, "eng-a", source=PLACES)
    assert not far.ssh(ACCOUNT, "touch", CANARY).ok
    assert denied(account=ACCOUNT)[0]["ESCORT_REASON"] == "unproven"
    nothing_of_it(host)


def test_a_password_proves_no_key(host, far, broker, denied):
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    assert not far.ssh(ACCOUNT, "touch", CANARY, key=None).ok
    assert denied(account=ACCOUNT)[0]["ESCORT_REASON"] == "unproven"
    nothing_of_it(host)


def test_a_password_is_as_good_where_no_key_is_bound(host, far, broker, unbound):
    broker.approve(ACCOUNT, "eng-a")
    assert far.ssh(ACCOUNT, "touch", CANARY, key=None).ok
    assert host.exists(CANARY)


def test_what_the_user_writes_into_the_environment_is_no_address(host, far, broker, denied, logins):
    """~/.ssh/environment lies about the connection, both ways; the kernel's socket doesn't."""
    def lie(address: str) -> None:
        lines = f"SSH_CLIENT={address} 1 22\nSSH_CONNECTION={address} 1 {Far.to(address)} 22\nPROBE=read\n"
        host.write("/home/azsupport/.ssh/environment", lines)
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    lie(NEAR)
    refused(far.ssh(ACCOUNT, "touch", CANARY, source=OTHER), "source_mismatch")
    nothing_of_it(host)
    lie(OTHER)
    logins.append(far.login(ACCOUNT, "printenv PROBE; exec cat"))
    assert logins[0].process.stdout.readline().strip() == "read", "sshd has not read the environment file"
    assert only_session(host, ACCOUNT)["source"] == NEAR


# --- certificates ---

def test_a_certificate_with_the_approved_key_id(host, far, broker, denied, logins):
    far.certify("c", "eng-c", ACCOUNT)
    broker.approve(ACCOUNT, "eng-c", key_ids=["eng-c"], source=PLACES)
    logins.append(far.login(ACCOUNT, "cat", key="c"))
    assert answers(logins[0], "here")
    known = facts(host, only_session(host, ACCOUNT)["id"])
    assert known["key_id"][0] == "eng-c"
    assert known["key"][0] == far.fingerprint("c"), "the certificate's plain key"


def test_a_certificate_with_another_key_id(host, far, broker, denied):
    far.certify("c", "eng-d", ACCOUNT)
    broker.approve(ACCOUNT, "eng-c", key_ids=["eng-c"], source=PLACES)
    assert not far.ssh(ACCOUNT, "touch", CANARY, key="c").ok
    assert denied(account=ACCOUNT)[0]["ESCORT_REASON"] == "key_mismatch"
    nothing_of_it(host)


def test_a_plain_key_has_no_key_id(host, far, broker, denied):
    broker.approve(ACCOUNT, "eng-a", key_ids=["eng-a"], source=PLACES)
    assert not far.ssh(ACCOUNT, "touch", CANARY).ok
    assert denied(account=ACCOUNT)[0]["ESCORT_REASON"] == "key_mismatch"
    nothing_of_it(host)


def test_a_certificate_of_a_ca_that_sshd_trusts_not(host, far, broker):
    """The plain key opens (it is authorized), and a stranger's certificate of it lends it no key id."""
    far.certify("b", "eng-c", ACCOUNT, ca="stranger_ca")
    broker.approve(ACCOUNT, "eng-c", key_ids=["eng-c"], source=PLACES)
    assert not far.ssh(ACCOUNT, "touch", CANARY, key="b").ok
    host.run(["rm", f"{KEYS}/b-cert.pub"])
    nothing_of_it(host)


# --- two engineers, one account ---

def test_two_engineers_at_once_one_of_them_approved(host, far, broker, denied, logins):
    approval = broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES, max_sessions=2)
    logins.append(far.login(ACCOUNT, "cat", key="a"))
    assert answers(logins[0], "first")
    assert not far.ssh(ACCOUNT, "touch", CANARY, key="b").ok
    assert {entry["ESCORT_REASON"] for entry in denied(account=ACCOUNT)} <= {"key_mismatch", "session_limit"}
    assert not host.exists(CANARY)
    assert answers(logins[0], "still here")
    assert only_session(host, ACCOUNT)["approval"] == approval


def test_each_engineer_has_the_approval_of_the_own_key(host, far, broker, denied, logins):
    expected = {}
    for key in ("a", "b"):
        expected[f"eng-{key}"] = broker.approve(ACCOUNT, f"eng-{key}", fingerprints=[far.fingerprint(key)],
                                                source=PLACES)
    for key in ("b", "a"):
        logins.append(far.login(ACCOUNT, "cat", key=key))
        assert answers(logins[-1], key)
    assert {each["engineer"]: each["approval"] for each in product.sessions(host, ACCOUNT)} == expected
    # One approval taken back ends that engineer's session, and no other.
    broker.revoke(expected["eng-b"])
    logins[0].wait(10)
    told = denied(event="approval_revoked", approval=expected["eng-b"])[0]
    assert told["ESCORT_ACCOUNT"] == ACCOUNT
    assert "; 1 session under it must end" in told["MESSAGE"]
    assert answers(logins[1], "still here")
    assert only_session(host, ACCOUNT)["engineer"] == "eng-a"


def test_two_engineers_at_the_same_moment(host, far, broker, logins):
    """Before its key is known a login holds no approval that another one could need."""
    for key in ("a", "b"):
        broker.approve(ACCOUNT, f"eng-{key}", fingerprints=[far.fingerprint(key)], source=PLACES)
    for turn in range(4):
        pair = [far.login(ACCOUNT, "cat", key=key) for key in ("a", "b")]
        logins += pair
        assert [answers(login, f"turn {turn}") for login in pair] == [True, True], pair[0].close() + pair[1].close()
        for login in pair:
            login.close()
        wait_for(lambda: not product.sessions(host, ACCOUNT), 10, "the sessions' end")


# --- between the gate's phases ---

@pytest.fixture
def slow(host):
    """Two seconds pass in sshd between the gate's open phase, in which it labels, and its session phase, which has the key."""
    host.run("cp /etc/pam.d/sshd /root/sshd.pam && sed -i '1i session optional pam_exec.so quiet /bin/sleep 2' /etc/pam.d/sshd")
    yield
    host.run("mv /root/sshd.pam /etc/pam.d/sshd")


def test_a_login_whose_key_is_not_known_yet_uses_no_approval(host, far, broker, slow, logins):
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    logins.append(far.login(ACCOUNT, "cat", key="b"))
    wait_for(lambda: product.sessions(host, ACCOUNT), 10, "the login with the wrong key")
    logins.append(far.login(ACCOUNT, "cat", key="a"))
    assert answers(logins[1], "here"), logins[1].close()
    assert logins[0].wait(10) != 0


def test_a_new_list_while_a_login_proves_its_key(host, far, broker, slow, logins):
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    logins.append(far.login(ACCOUNT, "cat"))
    wait_for(lambda: product.sessions(host, ACCOUNT), 10, "the login")
    broker.approve("vendor-two", "eng-b")
    assert answers(logins[0], "here"), logins[0].close()


def test_a_key_that_is_never_asked_for(host, far, broker, denied, logins):
    """A stack whose session line is missing: what is bound to the key is not proven, and the session ends for that."""
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    host.run("cp /etc/pam.d/common-session /root/session.pam && sed -i /pam_escort/d /etc/pam.d/common-session")
    try:
        logins.append(far.login(ACCOUNT, "cat", key="b"))
        assert logins[0].wait(30) != 0
    finally:
        host.run("mv /root/session.pam /etc/pam.d/common-session")
    assert denied(account=ACCOUNT)[0]["ESCORT_REASON"] == "unproven"
    nothing_of_it(host)


def test_max_sessions(host, far, broker, denied, logins):
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    logins.append(far.login(ACCOUNT, "cat"))
    assert answers(logins[0], "first")
    refused(far.ssh(ACCOUNT, "touch", CANARY), "session_limit")
    assert denied(account=ACCOUNT)[0]["ESCORT_REASON"] == "session_limit"
    assert answers(logins[0], "still here")
    logins[0].close()
    wait_for(lambda: not product.sessions(host, ACCOUNT), 10, "the first session's end")
    assert far.ssh(ACCOUNT, "touch", CANARY).ok
    assert host.exists(CANARY)


# --- what is shown of it ---

def test_each_fact_says_where_it_is_known_from(host, far, broker, logins):
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    logins.append(far.login(ACCOUNT, options=["-tt"]))
    logins[0].say("stty -echo; echo tty=$(tty) audit=$(cat /proc/self/sessionid) logind=$XDG_SESSION_ID")
    seen = {}
    while "logind" not in seen:
        line = logins[0].process.stdout.readline()
        assert line, "the session ended"
        seen = dict(word.split("=", 1) for word in line.split() if "=" in word and "$" not in line)
    session = only_session(host, ACCOUNT)["id"]
    known = wait_for(lambda: (found := facts(host, session)).get("scope") and found, 5, "logind's part")
    values = {name: value for name, (value, _) in known.items()}
    assert values["entry"] == "sshd"
    assert values["source"] == NEAR
    assert values["key"] == far.fingerprint("a")
    assert f"/dev/{values['tty'].removeprefix('/dev/')}" == seen["tty"]
    assert str(values["audit_session"]) == seen["audit"]
    assert values["logind_session"] == seen["logind"]
    assert values["scope"] == f"session-{seen['logind']}.scope"
    sources = {name: source for name, (_, source) in known.items()}
    assert all(sources.values()), f"of unknown origin: {sources}"
    assert sources["source"].startswith("socket of sshd")
    assert "SSH_AUTH_INFO_0" in sources["key"]
    assert sources["logind_session"] == "logind"
    assert sources["tty"].startswith("kernel")


# --- other ways in, under the gate ---

def test_a_way_in_that_has_no_source_or_no_key(host, far, broker, denied):
    """su with the account's password, from no ssh session: neither of the bound fields can be known."""
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    refused(su_with_password(host), "unproven")
    assert denied(account=ACCOUNT)[0]["ESCORT_ENTRY"] == "su"
    nothing_of_it(host)


def su_with_password(host):
    """By a tenant at the machine itself."""
    return host.run(["setpriv", "--reuid", "alice", "--regid", "alice", "--init-groups", "su", ACCOUNT, "-c",
                     f"touch {CANARY}"], check=False, stdin=f"{PASSWORD}\n")


def su_by_root(host):
    host.run(["su", ACCOUNT, "-c", f"touch {CANARY}"], check=False)


def sudo_to_root_then_su(host):
    host.ssh("alice", "sudo", "su", ACCOUNT, "-c", f"'touch {CANARY}'")


def setpriv(host):
    host.run(["setpriv", "--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups", "touch", CANARY], check=False)


def systemd_run(host):
    host.run(["systemd-run", "-q", "--wait", "--collect", f"--uid={ACCOUNT}", "touch", CANARY], check=False)


def cron(host):
    host.write("/etc/cron.d/support", f"@reboot {ACCOUNT} touch {CANARY}\n")
    host.run("rm -f /run/crond.reboot && systemctl restart cron")


@pytest.mark.parametrize("way, entry, reasons", [
    pytest.param(su_by_root, "su", "ungated", id="su_by_root"),
    pytest.param(sudo_to_root_then_su, "su", "ungated", id="sudo_to_root_then_su"),
    pytest.param(setpriv, "other", "entry_denied,ungated", id="setpriv"),
    pytest.param(systemd_run, "systemd", "entry_denied,ungated", id="systemd_run"),
    pytest.param(cron, "cron", "entry_denied,ungated", id="cron")])
def test_nobody_authenticated(host, far, broker, unbound, denied, way, entry, reasons):
    broker.approve(ACCOUNT, "eng-a")
    way(host)
    lines = denied(account=ACCOUNT, entry=entry)
    assert [line["ESCORT_REASONS"] for line in lines] == [reasons]
    nothing_of_it(host)


def test_su_with_the_accounts_password(host, far, broker, unbound, denied):
    refused(su_with_password(host), "revoked" if denied_before(host) else "no_approval")
    assert not host.exists(CANARY)
    broker.approve(ACCOUNT, "eng-a")
    assert su_with_password(host).ok
    assert host.exists(CANARY)
    assert denied(event="session_approved", account=ACCOUNT, entry="su")


def denied_before(host) -> bool:
    """Once an approval of the account was withdrawn, what has none is told that."""
    return host.ask("explain", ACCOUNT)["reason"] == "revoked"


def test_sudo_by_a_tenant(host, far, broker, unbound, denied):
    broker.approve(ACCOUNT, "eng-a")
    assert host.ssh("alice", "sudo", "-u", ACCOUNT, "touch", CANARY).ok
    assert host.exists(CANARY)
    assert denied(event="session_approved", account=ACCOUNT, entry="sudo")


def test_login_on_a_terminal(host, far, broker, unbound, denied, logins):
    approval = broker.approve(ACCOUNT, "eng-a")
    logins.append(terminal_login(host))
    read_until(logins[0], f"{ACCOUNT}@escort-host")  # login(1) drops what is typed before its shell asks
    logins[0].say(f"touch {CANARY}; exec cat")
    wait_for(lambda: host.exists(CANARY), 20, "the canary")
    session = only_session(host, ACCOUNT)
    assert (session["entry"], session["approval"]) == ("login", approval)
    assert session["tty"]


def test_login_on_a_terminal_without_an_approval(host, far, unbound, denied, logins):
    logins.append(terminal_login(host, "vendor-two"))
    logins[0].wait(30)
    shown = logins[0].process.stdout.read()
    assert "No approved support session for vendor-two" in shown
    assert denied(account="vendor-two")[0]["ESCORT_ENTRY"] == "login"
    nothing_of_it(host, "vendor-two")


def terminal_login(host, account: str = ACCOUNT):
    """login(1), as a getty starts it, on a pty of the host; the password is given when it is asked for."""
    login = stays(host, ["script", "-qefc", f"login {account}", "/dev/null"])
    read_until(login, "assword:")
    login.say(PASSWORD)
    return login


def read_until(login, text: str) -> None:
    """Past `text` of what it prints."""
    shown = ""
    while text not in shown:
        more = login.process.stdout.read(1)
        assert more, f"ended without {text!r}: {shown}"
        shown += more


# --- what a refusal leaves ---

@pytest.mark.parametrize("key", ["a", "b"], ids=["refused_before_the_key", "refused_for_the_key"])
def test_a_refused_connection_without_a_command_leaves_nothing(host, far, broker, denied, logins, key):
    """ssh -N: no program is started; sshd itself would be the session."""
    source = OTHER if key == "a" else NEAR
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    login = far.login(ACCOUNT, key=key, source=source, options=["-N"])
    logins.append(login)
    assert login.wait(20) != 0
    assert denied(account=ACCOUNT)[0]["ESCORT_REASON"] == ("source_mismatch" if key == "a" else "key_mismatch")
    nothing_of_it(host)
    assert "sshd: azsupport" not in host.run(["ps", "-eo", "args="]).out


@pytest.mark.parametrize("how", ["command", "shell", "sftp", "no command"])
def test_the_person_reads_why(far, how):
    account = "vendor-new"  # its key is root's own; no test ever approves it
    options = [*far.options("a", NEAR), "-i", "/root/.ssh/id_ed25519"]
    there = f"{account}@{Far.to(NEAR)}"
    if how == "sftp":
        result = far.run("sftp", "-b", "/dev/null", *options, there)
    else:
        result = far.run("ssh", *options, *{"command": [], "shell": ["-tt"], "no command": ["-N"]}[how], there,
                         *(["true"] if how == "command" else []))
    refused(result, "no_approval", account)
    assert "; reference " in result.err


def test_an_approved_login_after_many_refused_ones(host, far, broker, denied):
    """threats.md B7: refused logins start no user manager and no logind session, which could use up a start limit."""
    begin = host.journal_end()
    for _ in range(10):
        assert not far.ssh(ACCOUNT, "touch", CANARY).ok
    nothing_of_it(host)
    started = host.run(["journalctl", "-q", "-o", "cat", "--no-pager", f"--since=@{(begin + 1) / 1e6:.6f}", "-t", "systemd",
                        "-g", "User Manager for UID 1001|Session .* of User azsupport|user-runtime-dir@1001"], check=False).out
    assert not started
    broker.approve(ACCOUNT, "eng-a", fingerprints=[far.fingerprint("a")], source=PLACES)
    result = far.ssh(ACCOUNT, "echo $XDG_RUNTIME_DIR; test -d $XDG_RUNTIME_DIR && test -w $XDG_RUNTIME_DIR")
    assert result.ok
    assert result.out.strip() == "/run/user/1001"
    assert not host.run(["systemctl", "--failed", "--no-legend", "--plain"]).out.strip()
