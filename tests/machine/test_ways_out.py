"""Ways out of an approved session, or past its end: whatever its processes have become, the end is the end of all.

Each test plays one way with a real program, ends the session, and looks for anything that is left or starts again.
"""

import re

import pytest
from conftest import CANARY
from testhost import native, product
from testhost.guest import wait_for

pytestmark = pytest.mark.once

ACCOUNT, UID = "azsupport", 1001
PROGRAM = f"{native.THERE}/ways_out"
ELSEWHERE = "/sys/fs/cgroup/elsewhere"
# At the start of a command line: the program itself, not what started it (sudo, a shell).
MARK = re.compile(r"(\[|/\S*/)?(ways_out|outlives)\b|sleep 71\d\d$|SCREEN|screen|tmux")


@pytest.fixture(scope="module", autouse=True)
def programs(host):
    native.send(host, "ways_out")
    host.run(f"cp /usr/bin/sleep {native.THERE}/outlives && mkdir -p {ELSEWHERE}")


@pytest.fixture(autouse=True)
def nothing_before(host):
    """Each test begins and ends without a marked process, or the next would count this one's."""
    yield
    for pid, _ in marked(host):
        host.run(["kill", "-KILL", pid], check=False)
    wait_for(lambda: not marked(host), 10, "a host without this test's processes")


def marked(host) -> list[tuple[str, str]]:
    """(pid, command line) of what the tests' programs have become. A zombie with live threads lives."""
    found = []
    for line in host.run(["ps", "-eo", "pid=,state=,nlwp=,args="]).out.splitlines():
        pid, state, threads, words = line.split(None, 3)
        if (state not in "ZX" or int(threads) > 1) and MARK.match(words):
            found.append((pid, words))
    return found


class Approved:
    """An approved session in which a way out was taken: at least `expected` marked processes."""

    def __init__(self, host, command: str, expected: int, lifetime: str = "1h") -> None:
        self.host = host
        self.approval = product.approve(host, ACCOUNT, lifetime)
        self.login = host.login(ACCOUNT, f"{command}; echo over $?; exec cat")
        self.said = ""
        wait_for(lambda: len(marked(host)) >= expected or self.login.over(), 30, f"{expected} processes of: {command}")
        if self.login.over():
            pytest.fail(f"{command}: {self.login.close()}")
        self.id = next(each["id"] for each in product.sessions(host, ACCOUNT) if each["approval"] == self.approval)


@pytest.fixture
def approved(host):
    opened = []

    def start(command: str, expected: int, lifetime: str = "1h") -> Approved:
        opened.append(Approved(host, command, expected, lifetime))
        return opened[-1]
    yield start
    for each in opened:
        each.login.close()


def nothing_left(host, what: str = "the end of everything") -> None:
    try:
        wait_for(lambda: not marked(host), 10, what)
    except TimeoutError:
        pytest.fail(f"alive: {marked(host)}")
    wait_for(lambda: not product.sessions(host, ACCOUNT), 10, "no session of the account")
    assert not host.processes(ACCOUNT)


def starts(way: str, argument: str = "") -> str:
    """In the background, deaf to hang-ups, without the session's terminal or pipes."""
    return f"(nohup setsid {PROGRAM} {way} {argument} </dev/null >/dev/null 2>&1 &)"


def as_root(way: str, argument: str = "") -> str:
    return f"(sudo nohup setsid {PROGRAM} {way} {argument} </dev/null >/dev/null 2>&1 &)"


# What a session does, and how many marked processes that makes.
WAYS = {
    # O1
    "setsid": (starts("stay"), 1),
    "double fork": (f"{PROGRAM} double_fork", 1),
    "disowned": (f"bash -c '{PROGRAM} stay & disown; exit' </dev/null >/dev/null 2>&1", 1),
    "tmux": ("tmux new-session -d 'sleep 7101'", 2),
    "screen": ("screen -d -m sleep 7102", 2),
    # O5
    "root": (as_root("stay"), 1),
    "root's double fork": (f"sudo {PROGRAM} double_fork", 1),
    "a third account": (f"(sudo su alice -c '{PROGRAM} double_fork' </dev/null >/dev/null 2>&1 &)", 1),
    "a third account's login": (f"(sudo su - alice -c '{PROGRAM} double_fork' </dev/null >/dev/null 2>&1 &)", 1),
    # O6
    "a user namespace": (starts("user_namespace"), 3),
    "namespaces": (as_root("namespaces"), 3),
    "unshare": (f"(sudo unshare -mpf --mount-proc {PROGRAM} stay </dev/null >/dev/null 2>&1 &)"
                f"; (sudo unshare -pf {PROGRAM} stay </dev/null >/dev/null 2>&1 &)", 2),
    "another cgroup": (f"sudo sh -c 'echo $$ >{ELSEWHERE}/cgroup.procs; exec {PROGRAM} double_fork'", 1),
    "a cgroup below": ("sudo sh -c 'd=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/below; mkdir $d;"
                       f" echo $$ >$d/cgroup.procs; exec {PROGRAM} double_fork'", 1),
    "born in another cgroup": (f"sudo {PROGRAM} into_cgroup {ELSEWHERE}", 1),
    # O7
    "vfork": (starts("vfork"), 2),
    "posix_spawn": (f"{PROGRAM} posix_spawn", 3),
    "threads": (starts("threads"), 1),
    "threads without a first one": (starts("leaderless"), 1),
    "a program in memory": (starts("memfd"), 1),
    "a deleted program": (starts("deleted"), 1),
    "another name": (starts("renamed"), 1),
    # O8
    "no login uid": (f"sudo sh -c 'echo 4294967295 >/proc/self/loginuid; exec {PROGRAM} double_fork'", 1),
    "alice's login uid": ("sudo sh -c 'echo 4294967295 >/proc/self/loginuid; echo 1000 >/proc/self/loginuid;"
                          f" exec {PROGRAM} double_fork'", 1),
    # O12
    "deaf to every signal": (starts("deaf"), 1),
    "stopped": (starts("stopped"), 1),
    "stopped by hand": (f"{starts('stay')}; sleep 0.2; pkill -STOP -u $USER ways_out; true", 1),
}


@pytest.mark.parametrize("command, expected", WAYS.values(), ids=WAYS.keys())
def test_nothing_survives_a_revocation(host, approved, denied, command, expected):
    session = approved(command, expected)
    product.revoke(host, session.approval)
    nothing_left(host)
    killed, = denied(event="session_killed", session=session.id)
    assert killed["ESCORT_REASON"] == "revoked"
    assert int(killed["ESCORT_PROCESSES"]) >= expected
    assert session.login.wait(10) != 0


EVERYTHING = "; ".join(command for command, _ in WAYS.values())
ALL = sum(expected for _, expected in WAYS.values())


def by_expiry(host, session: Approved) -> None:
    wait_for(lambda: not product.approvals_in_force(host, ACCOUNT), 90, "the expiry")


def by_hand(host, session: Approved) -> None:
    host.escortctl("kill", session.id, "--reason", "left the room")


@pytest.mark.parametrize("end, lifetime, reason", [(by_hand, "1h", "operator"), (by_expiry, "45s", "expired")],
                         ids=["kill", "expiry"])
def test_nothing_survives_of_all_ways_at_once(host, approved, denied, end, lifetime, reason):
    session = approved(EVERYTHING, ALL, lifetime)
    end(host, session)
    nothing_left(host)
    killed, = denied(event="session_killed", session=session.id)
    assert killed["ESCORT_REASON"] == reason
    if reason == "operator":  # at a deadline the kernel may have been first, with those that fork
        assert int(killed["ESCORT_PROCESSES"]) >= ALL


def test_a_tenant_in_a_cgroup_below_the_sessions_lives(host, approved):
    """cgroup.kill would take all that is below: only what is the session's may die."""
    session = approved(starts("stay"), 1)
    tenant = host.login("alice", "exec sleep 7777")
    pid = wait_for(lambda: host.run(["pgrep", "-u", "alice", "-f", "^sleep 7777"], check=False).out.strip(), 10,
                   "the tenant's process")
    support = marked(host)[0][0]
    below = "/sys/fs/cgroup" + host.read(f"/proc/{support}/cgroup").split("::")[1].strip() + "/below"
    host.run(f"mkdir {below} && echo {pid} >{below}/cgroup.procs")
    product.revoke(host, session.approval)
    nothing_left(host)
    assert host.alive(int(pid))
    tenant.close()


def test_io_uring(host, approved):
    """Its poller and its worker are threads that the kernel has made."""
    probe = host.run(f"timeout -s KILL 1 {PROGRAM} io_uring", check=False)
    if probe.code == 77:
        pytest.skip("io_uring is refused here (a container's seccomp filter)")
    session = approved(starts("io_uring"), 1)
    pid, = [pid for pid, _ in marked(host)]
    workers = [name.strip() for name in host.run(f"cat /proc/{pid}/task/*/comm").out.split() if name.startswith("iou-")]
    for kind in ("iou-sqp", "iou-wrk"):
        assert any(name.startswith(kind) for name in workers), workers
    product.revoke(host, session.approval)
    nothing_left(host)


# --- what would start again ---

def later(host, seconds: float, what: str) -> None:
    """The job's time comes and passes; nothing may happen."""
    host.run(["sleep", str(seconds)])
    assert not host.exists(CANARY), what
    assert not marked(host), what
    assert not host.processes(ACCOUNT), what


@pytest.fixture
def jobs(host):
    """atd and cron stand still until the test lets them go; nothing of theirs is left behind."""
    host.run("systemctl stop atd cron")
    yield lambda: host.run("rm -f /run/crond.reboot && systemctl start atd cron")
    host.run(f"systemctl start atd cron; crontab -u {ACCOUNT} -r; atq | cut -f1 | xargs -r atrm", check=False)


JOBS = {"at": (f"echo touch {CANARY} | at now", "at"), "cron": (f"echo @reboot touch {CANARY} | crontab -", "cron")}


@pytest.mark.parametrize("command, entry", JOBS.values(), ids=JOBS.keys())
def test_a_job_left_behind_is_refused(host, approved, denied, jobs, command, entry):
    session = approved(f"{command}; {starts('stay')}", 1)
    product.revoke(host, session.approval)
    nothing_left(host)
    jobs()
    entries = denied(account=ACCOUNT, entry=entry)
    assert {line["ESCORT_REASON"] for line in entries} == {"revoked"}
    later(host, 1, "a job left behind")


@pytest.mark.parametrize("command, entry", JOBS.values(), ids=JOBS.keys())
def test_a_job_left_behind_does_not_ride_on_the_next_window(host, approved, denied, jobs, command, entry):
    session = approved(f"{command}; {starts('stay')}", 1)
    product.revoke(host, session.approval)
    nothing_left(host)
    product.approve(host, ACCOUNT)
    jobs()
    entries = denied(account=ACCOUNT, entry=entry)
    assert {line["ESCORT_REASON"] for line in entries} == {"entry_denied"}
    later(host, 1, "a job left behind")


MANAGED = {
    "a service": (f"systemd-run --user -q {PROGRAM} stay", 1),
    "one that restarts": (f"systemd-run --user -q -p Restart=always -p RestartSec=100ms {PROGRAM} stay", 1),
    "a scope": (f"(systemd-run --user -q --scope {PROGRAM} stay </dev/null >/dev/null 2>&1 &)", 1),
    "a timer": (f"systemd-run --user -q --on-active=8s touch {CANARY}; {starts('stay')}", 1),
    "D-Bus": ("mkdir -p ~/.local/share/dbus-1/services; printf '[D-BUS Service]\\nName=org.example.Out\\n"
              f"Exec={PROGRAM} stay\\n' >~/.local/share/dbus-1/services/org.example.Out.service;"
              " (dbus-send --session --dest=org.example.Out / a.b.C </dev/null >/dev/null 2>&1 &)", 1),
}


@pytest.mark.parametrize("command, expected", MANAGED.values(), ids=MANAGED.keys())
def test_nothing_survives_with_a_user_manager(host, approved, command, expected):
    product.set_policy(host, f"{product.policy('enforce').replace('admission: window', 'admission: gate')}"
                             "restrict: {user_manager: allow}\n")
    session = approved(f"export XDG_RUNTIME_DIR=/run/user/{UID} "
                       f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{UID}/bus; {command}", expected)
    product.revoke(host, session.approval)
    nothing_left(host)
    later(host, 9 if "--on-active" in command else 1, "what the manager would have started")
    host.run(f"rm -rf /home/{ACCOUNT}/.local; systemctl reset-failed 'user@{UID}.service'", check=False)
