"""Escorted sessions: they stand still while the escort is away, and go on where they stood."""

import contextlib
import hashlib
import random
import time

import pytest
from conftest import CANARY
from testhost import guest, product
from testhost.broker import Broker
from testhost.guest import wait_for
from testhost.screen import Screen, grows, stands

ACCOUNT = "azsupport"
COUNT = "/tmp/count"
# One that forks each time, and one that makes no system call a hook of the kernel programs would see.
COUNTING = "n=0; while n=$((n+1)); do echo $n >>/tmp/count; sleep 0.05; done"
COUNTING_QUIETLY = "mkfifo /tmp/quiet; exec 3<>/tmp/quiet; n=0; while n=$((n+1)); do echo $n >>/tmp/count; read -t 0.05 -u 3; done"


def policy(**changes: str) -> str:
    """files/escort.yaml with other values of require.escort: policy(grace="1s")."""
    text = product.policy("escort")
    for key, value in changes.items():
        kept = {"lease": "lease: 1h", "absent": "absent: freeze", "grace": "grace: 1h"}[key]
        assert kept in text
        text = text.replace(kept, f"{key}: {value}")
    return text


class Escort:
    """The escort of an approval, who comes and goes."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.broker, self.name = broker, name
        self.approval = broker.approve(ACCOUNT, "eng-42", escort=name)

    def present(self, seconds: int = 600) -> None:
        self.broker.lease(self.approval, self.name, seconds)

    def leave(self) -> None:
        """At once: by a lease that is over when it is signed."""
        self.broker.lease(self.approval, self.name, 0)


@pytest.fixture(autouse=True)
def escorted(host, fresh):
    product.set_policy(host, product.policy("escort"))
    host.run(["rm", "-f", COUNT, "/tmp/quiet"])


@pytest.fixture
def escort(broker):
    """The escort of a new approval, who is there."""
    def come(name: str = "esc-9", seconds: int = 600) -> Escort:
        one = Escort(broker, name)
        one.present(seconds)
        return one
    return come


@pytest.fixture
def login(host):
    """Logins that are closed at the end."""
    with contextlib.ExitStack() as stack:
        def open_one(*command: str, options=()):
            one = host.login(ACCOUNT, *command, options=options)
            stack.callback(one.close)
            return one
        yield open_one


def session_of(host, approval: str) -> dict:
    return wait_for(lambda: next((each for each in product.sessions(host, ACCOUNT) if each["approval"] == approval), None),
                    15, f"a session of {approval}")


def count(host) -> int:
    """How many lines the counter has written."""
    return int(host.run(f"cat {COUNT} 2>/dev/null | wc -l").out)


def frozen(host, denied, escort: Escort) -> dict:
    """The session of the escort's approval once it stands still; its entry in the journal."""
    entry = denied(event="session_frozen", approval=escort.approval)[0]
    assert entry["ESCORT_REASON"] == "escort_absent"
    assert session_of(host, escort.approval)["frozen"]
    return entry


# --- at the door ---

def test_no_login_before_the_escort_is_there(host, denied, broker):
    one = Escort(broker, "esc-9")
    refused = host.ssh(ACCOUNT, "touch", CANARY, options=["-o", "LogLevel=INFO"])
    assert not refused.ok
    assert "(escort_absent)" in refused.out + refused.err
    assert not host.exists(CANARY)
    assert denied(account=ACCOUNT, entry="sshd")[0]["ESCORT_REASON"] == "escort_absent"
    one.present()
    assert host.ssh(ACCOUNT, "true").ok
    one.leave()
    assert not host.ssh(ACCOUNT, "touch", CANARY).ok
    assert not host.exists(CANARY)


@pytest.mark.parametrize(("escort", "reason"), [("eng-42", "escort_is_engineer"), (None, "escort_missing")])
def test_an_approval_with_no_escort_of_use(host, denied, broker, escort, reason):
    broker.approve(ACCOUNT, "eng-42", escort=escort)
    refused = host.ssh(ACCOUNT, "touch", CANARY, options=["-o", "LogLevel=INFO"])
    assert not refused.ok
    assert f"({reason})" in refused.out + refused.err
    assert not host.exists(CANARY)
    assert denied(account=ACCOUNT, entry="sshd")[0]["ESCORT_REASON"] == reason


# --- away, and back ---

def test_a_running_program_stands_still_and_goes_on(host, denied, login, escort):
    one = escort()
    login(COUNTING)
    wait_for(lambda: count(host) > 3, 15, "the counter")
    one.leave()
    entry = frozen(host, denied, one)
    assert int(entry["ESCORT_PROCESSES"]) >= 2
    stood = stands(lambda: count(host))
    one.present()
    grows(lambda: count(host))
    thawed = denied(event="session_thawed", approval=one.approval)[0]
    assert thawed["ESCORT_SESSION"] == entry["ESCORT_SESSION"]
    assert not session_of(host, one.approval)["frozen"]
    numbers = [int(line) for line in host.read(COUNT).split()]
    assert numbers == list(range(1, len(numbers) + 1)), f"left something out after {stood}"


def test_a_lease_that_runs_out_freezes_by_itself(host, denied, login, escort):
    one = escort(seconds=6 * guest.patience)
    until = time.monotonic() + 6 * guest.patience
    login(COUNTING)
    wait_for(lambda: count(host) > 3, 15, "the counter")
    frozen(host, denied, one)
    assert time.monotonic() > until - 1.5, "before the lease was over"
    stands(lambda: count(host))


def test_an_editor_keeps_what_was_typed(host, denied, login, escort):
    one = escort()
    editor = login("TERM=vt100 vi /tmp/letter; echo vi ended $?", options=["-tt"])
    screen = Screen(editor)
    host.run(["rm", "-f", "/tmp/letter"])
    screen.shows("~")
    editor.say("i")
    editor.say("first")
    screen.shows("first")
    one.leave()
    frozen(host, denied, one)
    screen.shows("session frozen: escort absent")
    editor.say("second")
    one.present()
    screen.shows("session goes on")
    editor.say("third\x1b:wq\r")
    screen.shows("vi ended 0")
    assert editor.wait() == 0
    assert host.read("/tmp/letter").split() == ["first", "second", "third"]


def test_a_network_copy_goes_on_where_it_stood(host, denied, escort):
    size = 3_000_000 * guest.patience
    content = random.Random(7).randbytes(size)
    host.run(["python3", "-c", f"import random; open('/tmp/original', 'wb').write(random.Random(7).randbytes({size}))"])
    host.run(["rm", "-f", "/root/copy"])
    one = escort()
    copy = host.popen(["scp", "-q", "-l", "8000", f"{ACCOUNT}@127.0.0.1:/tmp/original", "/root/copy"])  # 1 MB/s

    def copied() -> int:
        return int(host.run("stat -c %s /root/copy 2>/dev/null || echo 0").out)
    wait_for(lambda: copied() > 200_000, 20, "the copy's start")
    one.leave()
    frozen(host, denied, one)
    assert stands(copied, settle=5) < len(content)  # what was on its way comes
    assert copy.poll() is None
    one.present()
    assert copy.wait(30) == 0
    assert host.run(["sha256sum", "/root/copy"]).out.split()[0] == hashlib.sha256(content).hexdigest()


# --- away for good ---

def test_past_the_grace_it_is_killed(host, denied, login, escort):
    product.set_policy(host, policy(grace="3s"))
    one = escort()
    on_terminal = login(COUNTING, options=["-tt"])
    screen = Screen(on_terminal)
    wait_for(lambda: count(host) > 3, 15, "the counter")
    session_id = session_of(host, one.approval)["id"]
    one.leave()
    still = denied(event="session_frozen", session=session_id)[0]
    killed = denied(event="session_killed", session=session_id)[0]
    assert killed["ESCORT_REASON"] == "escort_absent"
    assert 1 < (int(killed["__REALTIME_TIMESTAMP"]) - int(still["__REALTIME_TIMESTAMP"])) / 1e6 < 5
    on_terminal.wait()
    assert "session frozen: escort absent" in screen.close()
    wait_for(lambda: not host.processes(ACCOUNT), 5, "the end of every process")


def test_absent_may_mean_killed(host, denied, login, escort):
    product.set_policy(host, policy(absent="kill"))
    one = escort()
    running = login(COUNTING)
    wait_for(lambda: count(host) > 3, 15, "the counter")
    one.leave()
    killed = denied(event="session_killed", account=ACCOUNT)[0]
    assert killed["ESCORT_REASON"] == "escort_absent"
    # Who it was is told of its end too.
    assert (killed["ESCORT_APPROVAL"], killed["ESCORT_ENGINEER"]) == (one.approval, "eng-42")
    running.wait()
    assert not host.processes(ACCOUNT)
    assert not host.journal("session_frozen", session=killed["ESCORT_SESSION"])


# --- nobody else gets it going ---

# $pids and $group are the frozen session's. Each act ends with 0, so that what was tried was done.
THAWING = {
    "signal": "kill -CONT $pids",
    "root's signal": "sudo kill -CONT $pids",
    "cgroup.freeze": "! sh -c 'echo 0 >$0/cgroup.freeze' $group",  # not his to write
    "root's cgroup.freeze": "sudo sh -c 'echo 0 >$0/cgroup.freeze' $group",
    "systemd": "sudo systemctl thaw ${group##*/}",
    "another cgroup": """sudo sh -c 'mkdir -p /sys/fs/cgroup/away; for pid; do echo $pid >/sys/fs/cgroup/away/cgroup.procs; done' move $pids""",
}
LITTLE = 3  # steps of 0.05 s that it may make before it is stopped again


def test_another_session_of_the_account_cannot_thaw_it(host, denied, login, escort):
    one = escort("esc-9")
    login(COUNTING_QUIETLY)
    wait_for(lambda: count(host) > 3, 15, "the counter")
    one.leave()
    frozen(host, denied, one)
    pids = " ".join(host.run(["pgrep", "-f", "^bash -c mkfifo"]).out.split())
    group = host.run(f"sed -n s/^0:://p /proc/{pids.split()[0]}/cgroup").out.strip()
    escort("esc-8")
    other = login("bash 2>&1")
    screen = Screen(other)
    other.say(f"pids='{pids}'; group=/sys/fs/cgroup{group}")
    before = stood = count(host)
    for number, (how, act) in enumerate(THAWING.items()):
        other.say(f"{act}; echo done-{number} $?")
        assert f"done-{number} 0\n" in screen.shows(f"done-{number} "), how
        stood = stands(lambda: count(host), how, settle=5)  # the daemon may be slow to see it; it counts what ran
        assert stood - before <= LITTLE, f"{how}: {stood - before} steps"
        before = stood
    one.present()
    grows(lambda: count(host))
