"""A listed unit: its daemon goes on, what it runs for others needs an approval of the unit and ends with it."""

import json

import pytest
from conftest import CANARY
from testhost import product
from testhost.broker import Broker
from testhost.guest import wait_for

pytestmark = pytest.mark.once

UNIT = "runner.service"
ISSUER = "https://units.example.gov"
AGENT = "/usr/local/lib/runner.py"
SCRIPT = "/root/script"
SERVICE = f"""[Service]
Type=notify
ExecStart=/usr/bin/python3 {AGENT}
Restart=always
RestartSec=100ms
StartLimitIntervalSec=0
"""
ASK = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect('/run/runner.sock'); "
       "s.sendall(sys.stdin.buffer.read()+b'\\n'); print(s.makefile().readline())")
# The ways in which an agent runs what it was sent.
WAYS = {
    "a script": {"argv": [SCRIPT]},
    "sh script": {"argv": ["/bin/sh", SCRIPT]},
    "sh -c": {"argv": ["/bin/sh", "-c", f"touch {CANARY}"]},
    "a program": {"argv": ["/usr/bin/touch", CANARY]},
    "a program without a name": {"argv": ["touch", CANARY], "memfd": "/usr/bin/touch"},
    "its own interpreter": {"argv": ["/usr/bin/python3", "-c", f"open('{CANARY}', 'w')"]},
    "a listed program with other arguments": {"argv": ["/usr/bin/stat", "-c", "%i", "/"]},
    "a listed name for another program": {"argv": ["/usr/bin/id", CANARY], "memfd": "/usr/bin/touch"},
}


def ask(host, request: dict) -> int:
    return int(host.run(["python3", "-c", ASK], stdin=json.dumps(request)).out)


def pid(host, unit: str = UNIT) -> int:
    return int(host.run(["systemctl", "show", unit, "-p", "MainPID", "--value"]).out)


def started(host) -> int:
    host.run(f"systemctl restart {UNIT}")  # returns when it listens
    return pid(host)


@pytest.fixture(scope="module")
def runner(host):
    """The agent's files and unit."""
    host.write(AGENT, (product.FILES / "runner.py").read_text())
    host.write(SCRIPT, f"#!/bin/sh\ntouch {CANARY}\n", 0o755)
    host.write(f"/etc/systemd/system/{UNIT}", SERVICE)
    host.run("systemctl daemon-reload")
    yield
    host.run(f"systemctl stop {UNIT} && rm /etc/systemd/system/{UNIT} && systemctl daemon-reload")


@pytest.fixture
def agent(host, runner):
    """The agent running, listed; afterwards the same daemon, unless a test restarted it."""
    host.run(f"systemctl reset-failed {UNIT}", check=False)
    product.set_policy(host, product.policy("units"))
    return started(host)


@pytest.fixture
def broker(host):
    made = Broker(host, ISSUER)
    yield made
    made.withdraw()


def approve(broker) -> str:
    entry = broker.approval("", "eng-9") | {"unit": UNIT}
    del entry["account"]
    broker.approvals.append(entry)
    broker.publish()
    return entry["jti"]


def test_what_it_runs_without_an_approval_is_dead_at_birth(host, agent, denied):
    for name, request in WAYS.items():
        assert ask(host, request) == -9, name
        assert not host.exists(CANARY), name
    wait_for(lambda: len(denied(entry="unit")) == len(WAYS), 10, "an entry for each")
    entries = denied(entry="unit")
    assert {each["ESCORT_ACCOUNT"] for each in entries} == {UNIT}
    assert {each["ESCORT_REASON"] for each in entries} == {"no_approval"}, "the unit was never approved before"
    assert pid(host) == agent, "the daemon itself goes on"


def test_what_it_may_run_goes_on(host, agent):
    begin = host.journal_end()
    assert ask(host, {"argv": ["/usr/bin/id"]}) == 0
    assert ask(host, {"argv": ["/usr/bin/id", "-u"]}) == 0
    assert ask(host, {"argv": ["/usr/bin/stat", "-c", "%n", "/etc/passwd"]}) == 0
    assert ask(host, {"argv": ["/usr/bin/python3", AGENT, "--child"]}) == 42, "its own program"
    assert pid(host) == agent
    assert not host.journal("session_denied", after=begin)


def test_approved_it_runs_and_dies_with_the_approval(host, agent, broker, denied):
    jti = approve(broker)
    assert product.approvals_in_force(host, UNIT) == [jti]
    assert not product.sessions(host, UNIT), "the daemon itself is in no session"
    host.write("/root/long", "#!/bin/sh\nsetsid sh -c 'setsid sleep 7101 & sleep 7102' &\ntouch /tmp/canary\nexec sleep 7103\n",
               0o755)
    started_pid = ask(host, {"argv": ["/root/long"], "stay": True})
    marks = "pgrep -f '^sleep 710[123]$'"
    wait_for(lambda: len(host.run(marks, check=False).out.split()) == 3, 10, "the script's processes")
    assert host.exists(CANARY)
    session, = product.sessions(host, UNIT)
    assert (session["entry"], session["approval"], session["uid"]) == ("unit", jti, 0)
    broker.withdraw()  # the next list doesn't have it any more
    killed = denied("session_killed", session=session["id"])
    assert killed[0]["ESCORT_REASON"] == "revoked"
    wait_for(lambda: not host.run(marks, check=False).out, 5, "the end of every process")
    assert not host.alive(started_pid)
    assert pid(host) == agent
    assert ask(host, {"argv": ["/usr/bin/id"]}) == 0
    host.run(["rm", CANARY])
    assert ask(host, WAYS["a script"]) == -9
    assert not host.exists(CANARY)


@pytest.mark.parametrize("moved", [False, True])
def test_found_by_a_daemon_that_knows_nothing_of_it(host, agent, broker, denied, moved):
    """Its cgroup says whose it is. One that has left that, as root can, is nobody's, and ends."""
    jti = approve(broker)
    move = "mkdir -p /sys/fs/cgroup/elsewhere && echo $$ >/sys/fs/cgroup/elsewhere/cgroup.procs\n" if moved else ""
    host.write("/root/long", f"#!/bin/sh\n{move}exec sleep 7104\n", 0o755)
    ask(host, {"argv": ["/root/long"], "stay": True})
    session, = wait_for(lambda: product.sessions(host, UNIT), 10, "the session")
    wait_for(lambda: host.run("pgrep -f '^sleep 7104$'", check=False).ok, 10, "the script's process")
    host.run("systemctl stop escortd && rm /var/lib/escortd/state/sessions.json && systemctl start escortd")
    product.wait_for_daemon(host)
    if moved:
        killed = wait_for(lambda: host.journal("session_killed", session=session["id"]), 70, "its end, after the second look")
        assert killed[0]["ESCORT_REASON"] == "unproven"
        assert not host.run("pgrep -f '^sleep 7104$'", check=False).ok
    else:
        assert [each["id"] for each in product.sessions(host, UNIT) if each["approval"] == jti] == [session["id"]]


def test_approved_every_way_works(host, agent, broker):
    approve(broker)
    for name in ("a script", "sh script", "sh -c", "a program without a name"):
        assert ask(host, WAYS[name]) == 0, name
        assert host.exists(CANARY), name
        host.run(["rm", CANARY])


def test_an_approval_of_an_account_is_none_of_the_unit(host, agent, denied):
    product.approve(host, "azsupport")
    assert ask(host, WAYS["a script"]) == -9
    assert not host.exists(CANARY)


def test_restarted_it_lives(host, agent):
    begin = host.journal_end()
    assert started(host) != agent
    again = pid(host)
    host.run(f"systemctl kill -s KILL {UNIT}")
    wait_for(lambda: pid(host) not in (0, again), 10, "PID 1 to start it again")
    wait_for(lambda: host.run(["python3", "-c", ASK], stdin='{"argv": ["/usr/bin/id"]}', check=False).out.strip() == "0",
             10, "its answer")
    assert not host.journal("session_denied", after=begin)
    assert ask(host, WAYS["a script"]) == -9, "and it is as governed as before"


def test_one_that_ran_before_it_was_listed(host, runner, denied):
    before = started(host)
    assert ask(host, WAYS["sh -c"]) == 0, "not listed yet"
    host.run(["rm", CANARY])
    product.set_policy(host, product.policy("units"))
    assert ask(host, {"argv": ["/usr/bin/id"]}) == 0
    assert ask(host, {"argv": ["/usr/bin/python3", AGENT, "--child"]}) == 42
    assert ask(host, WAYS["sh -c"]) == -9
    assert not host.exists(CANARY)
    host.run("systemctl restart escortd")
    assert ask(host, WAYS["a script"]) == -9
    assert not host.exists(CANARY)
    assert pid(host) == before


def test_observed_it_is_told_and_left_alone(host, runner, denied):
    product.set_policy(host, product.policy("units").replace("mode: enforce", "mode: observe"))
    started(host)
    assert ask(host, WAYS["a script"]) == 0
    assert host.exists(CANARY)
    told = denied(verdict="observed", account=UNIT)
    assert [each["ESCORT_ENTRY"] for each in told] == ["unit"]


def test_the_same_name_elsewhere_is_another_unit(host, agent):
    """By its place, /system.slice/UNIT: a unit of that name in another slice is none of the policy's business."""
    begin = host.journal_end()
    host.run(f"systemd-run -q --wait --slice=other.slice --unit=elsewhere-{UNIT} touch {CANARY}")
    assert host.exists(CANARY)
    assert not host.journal("session_denied", after=begin)


WAAGENT = "walinuxagent.service"
# It wants to run on a virtual machine of Azure's, and to have been provisioned there; the fabric answers on lo.
FABRIC = f"""
set -e
install -D /dev/stdin /etc/systemd/system/{WAAGENT}.d/tests.conf <<<$'[Unit]\\nConditionVirtualization='
install -D /dev/null /var/lib/waagent/provisioned
ip addr add 168.63.129.16/32 dev lo
ip addr add 169.254.169.254/32 dev lo
ip link add fabric0 type veth peer name fabric1
ip addr add 10.9.9.2/24 dev fabric0
ip link set fabric0 up
ip link set fabric1 up
ip route add default via 10.9.9.1 dev fabric0
ip route add 168.63.129.16/32 dev fabric0
systemctl unmask -q {WAAGENT}
systemd-run -q --unit=fabric python3 /usr/local/lib/fabric.py
"""
NO_FABRIC = f"""
systemctl stop {WAAGENT} fabric
systemctl mask -q {WAAGENT}
ip link del fabric0
ip addr del 168.63.129.16/32 dev lo
ip addr del 169.254.169.254/32 dev lo
"""


@pytest.fixture
def fabric(host):
    host.write("/usr/local/lib/fabric.py", (product.FILES / "fabric.py").read_text())
    host.run(FABRIC)
    yield
    host.run(NO_FABRIC)


def test_debians_waagent_with_the_ready_list(host, fabric):
    """From its start to its first goal state it runs what it needs to, and nothing of it is hurt."""
    text = (product.REPO / "policies" / "guest-agents-azure.yaml").read_text(encoding="utf-8")
    product.set_policy(host, text.replace("mode: observe", "mode: enforce"))
    begin = host.journal_end()
    host.run(f"systemctl start {WAAGENT}")
    daemon = pid(host, WAAGENT)

    def said(line: str) -> bool:
        return host.run(["grep", "-q", line, "/var/log/waagent.log"], check=False).ok
    wait_for(lambda: said("ExtHandler.*is running as the goal state agent"), 60, "its longer half")
    wait_for(lambda: said("ExtHandler.*Fetch goal state completed"), 30, "its goal state")
    hurt = [host.ask("session", each["ESCORT_SESSION"])["exe"] for each in host.journal(account=WAAGENT, after=begin)]
    assert not hurt, hurt
    assert not product.sessions(host, WAAGENT)
    assert pid(host, WAAGENT) == daemon
