"""Past the end of an approved session nothing of it survives, whatever it became in the meantime."""

import json
import subprocess

import pytest
from testhost import guest, product
from testhost.guest import wait_for

ACCOUNT = "azsupport"
# A process each that: left the session and ignores hang-ups; lost its parent; ignores what can be ignored; is root.
OUTLIVING = """
setsid nohup sleep 7001 >/dev/null 2>&1 </dev/null &
(setsid sh -c 'sleep 7002 & exit' >/dev/null 2>&1 </dev/null &)
setsid bash -c 'trap "" HUP TERM INT; sleep 7003 & wait; wait' >/dev/null 2>&1 </dev/null &
sudo setsid sleep 7004 >/dev/null 2>&1 </dev/null &
exec sleep 7005
"""
MARKS = [f"sleep 700{number}" for number in range(1, 6)]


def marked(host) -> list[str]:
    """The marks of the processes that live."""
    lines = host.run(["ps", "-eo", "state=,args="]).out.splitlines()
    return sorted({line[2:].strip() for line in lines if line[2:].strip() in MARKS and line[0] not in "ZX"})


@pytest.fixture
def session(host):
    """Opens an approved session with everything in it that tries to outlive it."""
    logins = []

    def start(lifetime: str) -> tuple[str, str]:
        approval = product.approve(host, ACCOUNT, lifetime)
        logins.append(host.login(ACCOUNT, OUTLIVING))
        wait_for(lambda: marked(host) == MARKS, 10, "the session's processes")
        found = product.sessions(host, ACCOUNT)
        assert [each["approval"] for each in found] == [approval]
        assert found[0]["processes"] >= len(MARKS)
        return approval, found[0]["id"]
    yield start
    for login in logins:
        login.close()


def all_dead(host, denied, session_id: str, reason: str) -> None:
    killed = denied(event="session_killed", session=session_id)
    wait_for(lambda: not marked(host), 5, "the end of every process")
    assert killed[0]["ESCORT_REASON"] == reason
    assert int(killed[0]["ESCORT_PROCESSES"]) >= len(MARKS)
    wait_for(lambda: not product.sessions(host, ACCOUNT), 5, "the session's end in the daemon's table")
    assert not host.processes(ACCOUNT)


def test_expiry(host, session, denied):
    _, session_id = session(f"{6 * guest.patience}s")
    wait_for(lambda: not marked(host), 15, "the expiry")
    all_dead(host, denied, session_id, "expired")


def test_revocation(host, session, denied):
    approval, session_id = session("1h")
    product.revoke(host, approval)
    all_dead(host, denied, session_id, "revoked")


def test_kill_by_hand(host, session, denied):
    approval, session_id = session("1h")
    host.escortctl("kill", session_id, "--reason", "left the room")
    all_dead(host, denied, session_id, "operator")
    acts = denied(event="operator_act", session=session_id)
    assert "left the room" in acts[0]["MESSAGE"]
    assert acts[0]["ESCORT_OPERATOR"]
    # The approval itself is still good: what was killed is that session.
    assert approval in product.approvals_in_force(host, ACCOUNT)
    assert host.ssh(ACCOUNT, "true").ok


def test_revocation_of_one_session_leaves_the_other_account_alone(host, session):
    product.approve(host, "vendor-two")
    other = host.login("vendor-two", "cat")
    approval, _ = session("1h")
    product.revoke(host, approval)
    wait_for(lambda: not marked(host), 5, "the end of every process")
    other.say("still here")
    assert other.process.stdout.readline() == "still here\n"
    other.close()


# A bounded bomb: at most 1,100 processes (RLIMIT_NPROC), each pausing between forks, all of them over after 60 s. $1: those
# that it makes itself.
BOMB = """
import os, signal, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
end = time.monotonic() + 60
def fork():
    try:
        return os.fork()
    except BlockingIOError:
        return -1
for _ in range(int(sys.argv[1])):
    if fork() == 0:
        break
    time.sleep(0.002)
while time.monotonic() < end:
    time.sleep(3)
    fork()
"""


def test_fork_bomb(host, denied):
    product.approve(host, ACCOUNT)
    host.write("/usr/local/lib/bomb.py", BOMB)
    most = 1050 // guest.patience
    login = host.login(ACCOUNT, f"ulimit -u {most + 50}; exec python3 /usr/local/lib/bomb.py {most}")
    try:
        wait_for(lambda: len(host.run(["pgrep", "-U", ACCOUNT], check=False).out.split()) >= most - 50, 40, "the bomb")
        session_id = product.sessions(host, ACCOUNT)[0]["id"]
        host.escortctl("kill", session_id, "--reason", "fork bomb", timeout=50)
        wait_for(lambda: not host.run(["pgrep", "-U", ACCOUNT], check=False).out, 40, "the end of the bomb")
        killed = denied(event="session_killed", session=session_id)
        assert int(killed[0]["ESCORT_PROCESSES"]) >= most - 50
    finally:
        login.close()
        host.run(["pkill", "-KILL", "-f", "/usr/local/lib/bomb.py"], check=False)


# What isn't a device node in a container yet is made.
SLOW_DISK = """
set -e
[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
for number in 0 1 2 3 4 5 6 7 8 9; do [ -e /dev/loop$number ] || mknod /dev/loop$number b 7 $number; done
mkdir -p /mnt/slow
mount -o loop /var/tmp/disk /mnt/slow
chmod 777 /mnt/slow
fsfreeze --freeze /mnt/slow
"""


@pytest.fixture
def slow_disk(host, tmp_path):
    """A filesystem at /mnt/slow on which writers sleep, and can't be woken, until what this is is called."""
    subprocess.run(["mkfs.ext4", "-q", tmp_path / "disk", "2M"], check=True)
    host.send(tmp_path / "disk", "/var/tmp/disk")
    host.run(SLOW_DISK)
    thaw = ["fsfreeze", "--unfreeze", "/mnt/slow"]
    yield lambda: host.run(thaw)
    host.run(thaw, check=False)
    host.run("umount /mnt/slow && rm -r /mnt/slow /var/tmp/disk")


def test_a_process_that_cannot_be_woken_is_reported_and_dies_when_it_wakes(host, denied, slow_disk):
    def states() -> list[str]:
        return host.run(["ps", "-o", "state=,args=", "-u", ACCOUNT], check=False).out.splitlines()
    approval = product.approve(host, ACCOUNT)
    login = host.login(ACCOUNT, "touch /mnt/slow/file & sleep 7006 & exec cat")
    stuck = "D touch /mnt/slow/file"
    try:
        wait_for(lambda: stuck in states(), 10, "a process in uninterruptible sleep")
        session_id = product.sessions(host, ACCOUNT)[0]["id"]
        product.revoke(host, approval)
        wait_for(lambda: states() == [stuck], 5, "the end of all others")
        told = denied(event="agent_degraded")[0]["MESSAGE"]
        assert session_id in told and "killed, but not dead yet: 1 of its tasks, in uninterruptible sleep" in told
        assert states() == [stuck] and product.sessions(host, ACCOUNT)
        slow_disk()
        wait_for(lambda: not states(), 5, "its end as it woke")
    finally:
        login.close()
    assert denied(event="session_killed", session=session_id)[0]["ESCORT_REASON"] == "revoked"
    wait_for(lambda: not product.sessions(host, ACCOUNT), 5, "an empty table")


def test_status_counts_the_live_sessions(host):
    product.approve(host, ACCOUNT)
    login = host.login(ACCOUNT, "cat")
    wait_for(lambda: host.ask("status")["sessions"] == 1, 5, "a live session")
    shown = json.loads(host.escortctl("session", product.sessions(host, ACCOUNT)[0]["id"], "--json").out)
    assert shown["account"] == ACCOUNT
    assert shown["entry"] == "sshd"
    login.close()
    wait_for(lambda: host.ask("status")["sessions"] == 0, 5, "its end")
