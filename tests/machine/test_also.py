"""A session that turns into another support account: only into one that its approval names in `also`, and under that account's policy too."""

import pytest
from conftest import CANARY
from testhost import native, product
from testhost.guest import wait_for
from testhost.screen import Screen

ACCOUNT, OTHER = "azsupport", "vendor-two"
OTHERS_FILE = "/etc/escortd/policies.d/60-others.yaml"
NEVER_APPROVED = "vendor-new"


@pytest.fixture(autouse=True)
def governed(host, fresh):
    product.set_policy(host, f"version: 1\npolicy: tests\nmode: enforce\nprincipals: {{users: [azsupport, {NEVER_APPROVED}]}}\n"
                             "require: {admission: gate}\n")
    yield
    host.run(["rm", "-f", OTHERS_FILE])
    host.escortctl("reload")


@pytest.fixture
def shell(host, broker):
    """Opens an approved session of the account: its shell runs what it is told, a line each."""
    opened = []

    def start(**approval) -> "Shell":
        opened.append(Shell(host, broker.approve(ACCOUNT, **approval)))
        return opened[-1]
    yield start
    for each in opened:
        each.login.close()


class Shell:
    def __init__(self, host, approval: str) -> None:
        self.approval = approval
        self.login = host.login(ACCOUNT, "echo here; bash")
        self.screen = Screen(self.login)
        self.screen.shows("here", 20)

    def says(self, command: str, word: str) -> None:
        self.login.say(command)
        self.screen.shows(word, 20)


def others(host, rules: str, mode: str = "enforce") -> None:
    """The policy of the account that sessions turn into."""
    host.write(OTHERS_FILE, f"version: 1\npolicy: others\nmode: {mode}\nprincipals: {{users: [{OTHER}]}}\n"
                            f"require: {{{rules}}}\n")
    host.escortctl("reload")


def become(word: str = "there") -> str:
    return f"sudo su {OTHER} -c 'touch {CANARY}; echo {word}; cat'"


def test_only_those_that_its_approval_names(host, shell, denied):
    others(host, "admission: gate")
    first = shell()
    first.says(f"{become()}; echo back", "back")
    assert not host.exists(CANARY) and "there" not in first.screen.text()
    told = denied(account=OTHER)[0]
    assert told["ESCORT_REASON"] == "no_approval", told
    assert not host.processes(OTHER)


def test_by_no_way_past_the_gate(host, shell, denied):
    """Root in the session needs no PAM to become whom it likes: the kernel ends it there."""
    others(host, "admission: gate")
    first = shell()
    first.login.say(f"sudo setpriv --reuid={OTHER} --clear-groups touch {CANARY}")
    assert denied(event="session_killed", approval=first.approval)[0]["ESCORT_REASON"] == "no_approval"
    assert not host.exists(CANARY)


def test_it_stays_one_session_and_ends_as_one(host, shell, broker):
    others(host, "admission: gate")
    first = shell(also=[OTHER])
    first.says(become(), "there")
    assert host.exists(CANARY)
    found = product.sessions(host, ACCOUNT)
    assert [each["approval"] for each in found] == [first.approval] and not product.sessions(host, OTHER)
    broker.revoke(first.approval)
    wait_for(lambda: not host.processes(OTHER) and not host.processes(ACCOUNT), 10, "the end of both accounts' processes")


def test_a_program_that_sets_the_uid_it_has_already_is_no_way_in(host, shell):
    others(host, "admission: gate")
    first = shell(also=[OTHER])
    first.says(f"sudo su {OTHER} -c 'python3 -c \"import os; os.setuid(os.getuid())\"; sleep 1; echo there; cat'", "there")
    found = product.sessions(host, ACCOUNT)
    assert [(each["approval"], each["verdict"]) for each in found] == [(first.approval, "approved")]


def test_the_other_policy_denies(host, shell, denied):
    others(host, "admission: gate, source: [198.51.100.0/24]")
    first = shell(also=[OTHER])
    first.login.say(become())
    assert denied(event="session_killed", approval=first.approval)[0]["ESCORT_REASON"] == "source_mismatch"
    assert not host.processes(OTHER)


@pytest.mark.parametrize("rule, reason", [("max_duration: 6s", "duration_exceeded"), ("idle_timeout: 4s", "idle")])
def test_the_other_policy_ends_it_in_its_time(host, shell, denied, rule, reason):
    """Nothing else happens meanwhile for which it would be judged again."""
    others(host, f"admission: gate, {rule}")
    first = shell(also=[OTHER])
    first.says(become(), "there")
    assert denied(event="session_killed", approval=first.approval)[0]["ESCORT_REASON"] == reason
    assert not host.processes(OTHER) and not host.processes(ACCOUNT)


def test_a_policy_that_only_watches_ends_nothing(host, shell):
    others(host, "admission: gate, max_duration: 1s", mode="observe")
    first = shell()
    first.says(become(), "there")
    first.says("still", "still")
    assert [each["approval"] for each in product.sessions(host, ACCOUNT)] == [first.approval]


def test_becoming_another_is_found_where_its_event_was_lost(host, shell, denied):
    """The ring is full when it happens: what the other policy forbids is found by looking at the tasks."""
    native.send(host, "storm")
    others(host, "admission: window, source: [198.51.100.0/24]")
    first = shell(also=[OTHER])
    first.says("sudo bash\necho root-$UID", "root-0")  # PAM asks the daemon, and gets no answer while it stands
    uid = host.run(["id", "-u", NEVER_APPROVED]).out.strip()
    with product.stopped(host):  # nobody reads the ring meanwhile
        host.run([f"{native.THERE}/storm", uid, "2600"], timeout=60)
        first.login.say(f"setpriv --reuid={OTHER} --clear-groups sleep 7200")
        wait_for(lambda: host.processes(OTHER), 20, "the other account's process")
    told = denied(event="session_killed", approval=first.approval)[0]
    assert told["ESCORT_REASON"] == "source_mismatch", told
    assert not host.processes(OTHER)
