"""What the agent needs goes away under it: enforcement goes on, and what could not be done is said (threats.md A6, A7).

Nothing here moves the machine's clock: the test host shares it (tests/vm does).
"""

import re
import subprocess
import time

import pytest
from conftest import CANARY
from testhost import guest, native, product
from testhost.guest import wait_for

pytestmark = pytest.mark.once

ACCOUNT = "azsupport"
NEVER_APPROVED = "vendor-new"
STATE = "/var/lib/escortd/state"
STORM = f"{native.THERE}/storm"


@pytest.fixture(scope="module")
def programs(host):
    native.send(host, "storm")


@pytest.fixture
def logins():
    """What is given to it is closed at the end."""
    opened = []
    yield opened.append
    for login in opened:
        login.close()


@pytest.fixture
def session(host, logins):
    """An approved session with processes that nobody waits for, and its approval."""
    def start(lifetime: str = "1h") -> str:
        approval = product.approve(host, ACCOUNT, lifetime)
        logins(host.login(ACCOUNT, "setsid sleep 7200 & sleep 7200 & exec cat"))
        wait_for(lambda: len(host.processes(ACCOUNT)) >= 3, 30, "the session's processes")
        return approval
    return start


def dead_at_birth(host) -> None:
    """By the kernel alone: no gate, no look-up, no daemon."""
    result = host.run(["setpriv", "--reuid", NEVER_APPROVED, "--clear-groups", "touch", CANARY], check=False)
    assert result.code in (137, -9), result
    assert not host.exists(CANARY)


def storm(host, how_many: int, account: str = NEVER_APPROVED) -> None:
    """So many sessions without an approval; each of them was killed."""
    uid = host.run(["id", "-u", account]).out.strip()
    out = host.run([STORM, uid, str(how_many)], timeout=120).out
    assert out == f"started {how_many} killed {how_many} lived 0\n"


def nothing_left(host) -> None:
    wait_for(lambda: not host.processes(ACCOUNT), 10, "the end of every process")
    wait_for(lambda: not product.sessions(host, ACCOUNT), 10, "the session's end in the daemon's table")


def rss_kib(host) -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", host.read(f"/proc/{product.main_pid(host)}/status"))[1])


def cpu_seconds(host, pid: str) -> float:
    fields = host.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def dropped(host, begin: int, word: str) -> int:
    """Events that were dropped since, as the journal says; `word` names the place."""
    return sum(int(entry["MESSAGE"].split()[0]) for entry in host.journal("events_dropped", after=begin)
               if word in entry["MESSAGE"])


@pytest.mark.parametrize("refusals, overflows", [(600, False), (8000, True)])
def test_journald_stopped(host, programs, session, refusals, overflows):
    """What it did not take is kept, up to a limit; beyond that refused starts are counted, and the rest is kept."""
    approval = session()
    begin = host.journal_end()
    units = "systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket systemd-journald.service"
    host.run(f"systemctl stop {units}", check=False)
    try:
        dead_at_birth(host)
        storm(host, refusals)
        product.revoke(host, approval)
        nothing_left(host)
        assert host.ask("status")["drops"] is not None
    finally:
        host.run("systemctl start systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service")
    def told() -> int:
        return len(host.journal("session_denied", after=begin, account=NEVER_APPROVED))
    if overflows:
        wait_for(lambda: dropped(host, begin, "journald"), 20, "what could not be logged, counted")
    wait_for(lambda: told() + dropped(host, begin, "journald") > refusals, 20, "every refusal in the journal, or counted")
    assert overflows or not dropped(host, begin, "journald")
    assert host.journal("session_killed", after=begin, account=ACCOUNT), "and the end of the approved session"
    before = told()
    dead_at_birth(host)
    wait_for(lambda: told() > before, 10, "the journal")


@pytest.fixture
def full_disk(host):
    """The state on a small disk of its own: fill() leaves no byte, free() gives them back."""
    class Disk:
        @staticmethod
        def fill() -> None:
            for size in ("64k", "1"):  # the last bytes of a page, too
                host.run(f"dd if=/dev/zero of={STATE}/filler-{size} bs={size} count=65536 2>&1", check=False)

        @staticmethod
        def free() -> None:
            host.run(f"rm -f {STATE}/filler-*")

    host.run(f"systemctl stop escortd && mkdir -p -m 700 /run/small && mount -t tmpfs -o size=2m,mode=700 tmpfs /run/small "
             f"&& cp -a {STATE}/. /run/small/ && mount --bind /run/small {STATE} && systemctl start escortd")
    yield Disk
    Disk.free()
    host.run(f"systemctl stop escortd && umount {STATE} && cp -a /run/small/. {STATE}/ && umount /run/small "
             "&& systemctl start escortd")


def test_disk_full(host, session, logins, broker, full_disk):
    """No document can be kept: none opens a door, what is revoked ends all the same, and it is taken later."""
    session()
    other = broker.approve("vendor-two")
    logins(host.login("vendor-two", "sleep 7300 & exec cat"))
    wait_for(lambda: product.sessions(host, "vendor-two"), 10, "the other session")
    begin = host.journal_end()
    full_disk.fill()
    dead_at_birth(host)
    assert host.processes(ACCOUNT)
    broker.approvals = [broker.approval(ACCOUNT)]
    broker.publish(revoked=(other,), expect="document_refused")
    wait_for(lambda: not host.processes("vendor-two"), 10, "the end of what is revoked")
    assert not product.approvals_in_force(host, "vendor-two")
    assert broker.approvals[0]["jti"] not in product.approvals_in_force(host, ACCOUNT)
    status = host.ask("status")
    assert status["healthy"] is False
    assert host.journal("agent_degraded", after=begin)
    assert host.processes(ACCOUNT), "an approved session lives through it"
    full_disk.free()
    wait_for(lambda: broker.approvals[0]["jti"] in product.approvals_in_force(host, ACCOUNT), 75, "taken at the next look")
    wait_for(lambda: host.ask("status")["healthy"], 5, "a healthy daemon")
    assert not host.ssh("vendor-two", "true").ok


def test_file_descriptors_used_up(host, programs, session):
    session("15s")
    pid = product.main_pid(host)
    used = len(host.run(["ls", f"/proc/{pid}/fd"]).out.split())
    before = host.run(["prlimit", f"--pid={pid}", "--nofile", "-o", "SOFT", "--noheadings"]).out.strip()
    host.run(["prlimit", f"--pid={pid}", f"--nofile={used}:"])
    try:
        dead_at_birth(host)
        storm(host, 50)
        idle = cpu_seconds(host, pid)
        asked = host.run(["timeout", "3", "escortctl", "status"], check=False)
        assert asked.code != 0
        spent = cpu_seconds(host, pid) - idle
        assert spent < 1.5, f"{spent} s of processor time in 3 s: it spins"
        wait_for(lambda: not host.processes(ACCOUNT), 30, "the end of a session past its deadline")
    finally:
        host.run(["prlimit", f"--pid={pid}", f"--nofile={before}:"])
    product.wait_for_daemon(host, healthy=True, timeout=10)
    assert product.main_pid(host) == pid, "it has lived through it"
    nothing_left(host)


def test_no_memory(host, programs, session):
    """The daemon may die of it; the kernel goes on, and the next one finds what there is."""
    approval = session()
    pid = product.main_pid(host)
    size = int(re.search(r"VmSize:\s+(\d+)", host.read(f"/proc/{pid}/status"))[1]) * 1024
    host.run(["prlimit", f"--pid={pid}", f"--as={size + (1 << 20)}:unlimited"])
    host.run(f"head -c 12000000 /dev/zero | tr '\\0' a >{product.SPOOL}/.big && mv {product.SPOOL}/.big {product.SPOOL}/big.jws")
    dead_at_birth(host)
    storm(host, 50)
    time.sleep(0.5)
    host.run(["prlimit", f"--pid={pid}", "--as=unlimited:unlimited"], check=False)
    product.wait_for_daemon(host, healthy=True)
    wait_for(lambda: not host.exists(f"{product.SPOOL}/big.jws"), 70, "the document judged")
    assert host.processes(ACCOUNT), "an approved session has lived through it"
    product.revoke(host, approval)
    nothing_left(host)


def test_dbus_gone(host, session):
    """logind's answers are lacking; sessions are judged, and end, without them."""
    approval = session()
    host.run("systemctl stop dbus.socket dbus.service", check=False)
    try:
        dead_at_birth(host)
        shown = host.run(["su", ACCOUNT, "-c", f"touch {CANARY}"], check=False)
        assert shown.ok and host.exists(CANARY), shown
        host.run(["rm", CANARY])
        product.revoke(host, approval)
        nothing_left(host)
        assert not host.run(["su", ACCOUNT, "-c", f"touch {CANARY}"], check=False).ok
        assert not host.exists(CANARY)
    finally:
        host.run("systemctl start dbus.socket && systemctl restart systemd-logind", timeout=90)
    product.wait_for_daemon(host, healthy=True)
    assert host.ssh("alice", "true").ok


GARBAGE = r"""
import os, sys

for number in range(int(sys.argv[2])):
    path = f"{sys.argv[1]}/.garbage-{number}"
    with open(path, "wb") as file:
        file.write(b"eyJhbGciOiJFZERTQSJ9.%d.AAAA" % number if number % 2 else os.urandom(512))
    os.rename(path, f"{sys.argv[1]}/garbage-{number}.jws")
"""


def test_spool_flooded(host, session):
    """10,000 files of garbage: a valid document in between is judged in seconds, and memory stays bounded."""
    files = 10_000 // guest.patience
    session()
    before = rss_kib(host)
    host.write("/usr/local/lib/tests/garbage.py", GARBAGE)
    flood = host.popen(["python3", "/usr/local/lib/tests/garbage.py", product.SPOOL, str(files)], stdin=subprocess.DEVNULL)
    time.sleep(1)
    begin = time.monotonic()
    dead_at_birth(host)
    approval = product.approve(host, "vendor-two")
    approved_after = time.monotonic() - begin
    assert approval in product.approvals_in_force(host, "vendor-two")
    product.revoke(host, approval)
    assert host.escortctl("status", check=False).code == 0
    assert flood.wait(120) == 0
    wait_for(lambda: host.run(f"find {product.SPOOL} -name '*.jws' | head -1").out == "", 90, "an empty spool")
    assert approved_after < 15 * guest.patience, f"{approved_after:.1f} s"
    grown = rss_kib(host) - before
    assert grown < 16 * 1024, f"{grown} KiB more"
    assert host.processes(ACCOUNT)


def test_lifecycle_ring_flooded(host, programs, session):
    """Thousands of refused starts while nobody reads the ring: what was lost is counted, and nothing is alive."""
    approval = session()
    begin, before = host.journal_end(), host.ask("status")["counters"]["ring_full"]
    with product.stopped(host):
        storm(host, 2600)
    lost = wait_for(lambda: host.ask("status")["counters"]["ring_full"] - before, 20, "events that found no room")
    assert lost > 1000, "a start and an end each, and the ring holds 3,700"
    wait_for(lambda: dropped(host, begin, "kernel") >= lost, 20, "the journal's word of them")
    assert len(host.journal("session_denied", after=begin, account=NEVER_APPROVED)) > 100
    assert not product.sessions(host, NEVER_APPROVED)
    assert [each["approval"] for each in product.sessions(host, ACCOUNT)] == [approval]
    product.revoke(host, approval)
    nothing_left(host)
    dead_at_birth(host)


def test_an_attack_whose_event_was_lost(host, programs, logins, denied):
    """The kernel ends the session that signals the agent; that it was for this is found in the map."""
    product.approve(host, ACCOUNT)
    login = host.login(ACCOUNT, "exec sudo bash")
    logins(login)
    login.say("echo ready")
    assert login.process.stdout.readline() == "ready\n"
    session, = product.sessions(host, ACCOUNT)
    begin, pid = host.journal_end(), product.main_pid(host)
    with product.stopped(host):
        storm(host, 2600)
        login.say(f"kill -WINCH {pid}")
        wait_for(lambda: not host.processes(ACCOUNT), 10, "the session's end by the kernel")
    killed = denied("session_killed", session=session["id"])[0]
    assert killed["ESCORT_REASON"] == "restricted", killed
    assert [each for each in denied("tamper") if session["id"] in each["MESSAGE"] and "was lost" in each["MESSAGE"]]
    wait_for(lambda: dropped(host, begin, "kernel"), 20, "the journal's word of what was lost")


def test_exec_flood_in_a_session(host, denied):
    """threats.md A6: verdicts, and the session's own end, are not held up."""
    approval = product.approve(host, ACCOUNT)
    flood = "for i in 1 2; do (while :; do /bin/true; done) & done; wait"
    login = host.login(ACCOUNT, flood)
    wait_for(lambda: product.sessions(host, ACCOUNT), 10, "the session")
    begin = host.journal_end()
    time.sleep(5)
    dead_at_birth(host)
    denied(account=NEVER_APPROVED)
    product.revoke(host, approval)
    nothing_left(host)
    assert not dropped(host, begin, "kernel")
    login.close()


WATCHED = "version: 1\npolicy: watched\nmode: observe\nprincipals: {users: [vendor-two]}\nrequire: {admission: window}\n"
WATCHED_FILE = "/etc/escortd/policies.d/60-watched.yaml"
ROOM = 16384  # ESCORT_MAX_SESSIONS of abi.h


@pytest.fixture
def full_table(host, programs):
    """As many sessions as the kernel's table holds, all of an account that is only watched, and some that find no room."""
    tasks = int(host.read("/proc/sys/kernel/threads-max"))
    if tasks < ROOM + 1000:
        pytest.skip(f"so small a machine has no more than {tasks} tasks")
    host.write(WATCHED_FILE, WATCHED)
    product.set_policy(host, product.policy("enforce").replace('"vendor-*"', NEVER_APPROVED))
    uid = host.run(["id", "-u", "vendor-two"]).out.strip()
    crowd = host.popen([STORM, uid, str(ROOM + 100), "300"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert crowd.stdout.readline() == "ready\n"
    wait_for(lambda: host.ask("status")["sessions"] == ROOM, 60, "a full table")
    yield
    host.run(["rm", WATCHED_FILE])
    host.escortctl("reload", timeout=60)
    host.run(["pkill", "-KILL", "-x", "storm"], check=False)
    crowd.communicate(timeout=60)
    wait_for(lambda: host.ask("status")["sessions"] == 0, 60, "an empty table")


def test_sessions_whose_end_was_lost_are_not_live_for_ever(host, full_table):
    """More ends at once than the ring holds: their places are free again all the same."""
    begin = host.journal_end()
    with product.stopped(host):  # nobody reads the ring meanwhile
        host.run(["pkill", "-KILL", "-x", "storm"])
        wait_for(lambda: not host.processes("vendor-two"), 20, "the end of all processes")
    wait_for(lambda: host.ask("status")["sessions"] == 0, 60, "an empty table")
    # Else this test shows nothing.
    wait_for(lambda: [entry for entry in host.journal("events_dropped", after=begin) if "kernel programs" in entry["MESSAGE"]],
             30, "a word of the ends that were lost")


def test_a_daemon_that_starts_with_a_full_table(host, full_table):
    """It is ready long before systemd gives up on it (TimeoutStartSec), knows them all, and enforces."""
    host.run("systemctl restart escortd", timeout=60)
    wait_for(lambda: host.ask("status")["sessions"] == ROOM, 20, "all sessions")
    assert host.run("systemctl show escortd -P NRestarts").out.strip() == "0"
    dead_at_birth(host)


def test_as_many_sessions_as_the_table_holds(host, full_table, denied):
    """What finds no room is refused where it is governed; nobody else notices, and one list ends them all."""
    product.approve(host, ACCOUNT)
    refused = host.ssh(ACCOUNT, "touch", CANARY, options=("-o", "LogLevel=INFO"))
    assert "session_limit" in refused.err and not host.exists(CANARY)
    told = wait_for(lambda: denied(account=ACCOUNT), 20, "its refusal")[0]
    assert told["ESCORT_REASON"] == "session_limit" and told["MESSAGE"].startswith("A session denied: ")
    dead_at_birth(host)
    for account in ("alice", "vendor-two"):  # a tenant; one that is only watched, through the gate
        assert host.ssh(account, "true").ok
    assert "room" in {each["what"] for each in host.ask("status")["degraded"]}
    host.write(WATCHED_FILE, WATCHED.replace("observe", "enforce"))
    begin = time.monotonic()
    host.escortctl("reload", timeout=60)
    wait_for(lambda: not host.processes("vendor-two"), 60, "the end of all that were recorded")
    assert time.monotonic() - begin < 60  # not a figure: were each counted for each, it would be minutes
    wait_for(lambda: host.ask("status")["sessions"] == 0, 60, "an empty table")
    wait_for(lambda: not host.ask("status")["degraded"], 10, f"a healthy agent: {host.ask('status')['degraded']}")
    assert host.ssh(ACCOUNT, "true").ok
