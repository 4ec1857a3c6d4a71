"""escortctl doctor: proof on a good host, and none where the daemon is down (without programs: test_gate_down.py)."""

import json

import pytest
from testhost import product

# What doctor plays nothing for: it would have to attach to a process, load code into the kernel, attack our own maps or
# restore a snapshot of the machine.
RARE = ("escort_attach", "escort_load_data", "escort_read_file", "escort_own_map", "escort_restored")
TIME_LIMIT = 10  # seconds; the daemon itself gives its children 2


def doctor(host) -> tuple[int, dict]:
    result = host.escortctl("doctor", "--json", check=False, timeout=TIME_LIMIT)
    return result.code, json.loads(result.out)


def rows(answer: dict, part: str) -> dict[str, dict]:
    return {row["name"]: row for row in answer["checks"] if row["part"] == part}


def test_a_good_host_is_proven(host, denied):
    code, answer = doctor(host)
    assert code == 0, answer
    assert answer["proven"] is True
    assert answer["tier"] == "kill"
    hooks = rows(answer, "hook")
    assert {"escort_newtask", "escort_exec", "escort_exit"} < hooks.keys()
    for name, row in hooks.items():
        rare = name.startswith("escort_sample") or name in RARE
        assert row["state"] == "proven" or rare, row
    canaries = rows(answer, "canary")
    assert {f"canary by {call}" for call in ("setuid", "setreuid", "setresuid")} < canaries.keys()
    for name, row in canaries.items():
        assert row["state"] == ("proven" if name.startswith("canary") else "ok"), row
    assert rows(answer, "host")["PAM gate"]["state"] == "ok"
    assert rows(answer, "host")["gate socket"]["state"] == "ok"
    assert rows(answer, "agent")["private keys"]["state"] == "ok"
    open_rows = {row["id"] for row in answer["threats_open"]}
    assert {"O9", "O10", "A1"} <= open_rows


def test_it_leaves_nothing_behind(host):
    before, degraded = host.journal_end(), host.ask("status")["degraded"]
    children = host.run("pgrep -c -P $(systemctl show escortd -p MainPID --value)", check=False).out
    for _ in range(3):
        assert doctor(host)[0] == 0
    assert host.run("pgrep -c -P $(systemctl show escortd -p MainPID --value)", check=False).out == children
    assert not host.journal("session_denied", after=before)
    assert not host.journal("session_killed", after=before)
    assert host.ask("sessions") == []
    assert not host.journal("tamper", after=before)
    assert host.ask("status")["degraded"] == degraded


def test_everybody_who_asks_at_once_is_answered(host):
    answers = host.run("cd $(mktemp -d); for n in 1 2 3 4; do escortctl doctor --json >$n & done; wait; cat ?",
                       timeout=TIME_LIMIT * 2).out
    assert [json.loads(line)["proven"] for line in answers.splitlines()] == [True] * 4


def test_it_is_roots(host):
    asked = host.run(["setpriv", "--reuid", "alice", "--regid", "alice", "--groups", "escortd", "escortctl", "doctor"],
                     check=False)
    assert asked.code == 4, asked.err


@pytest.fixture
def stopped(host):
    host.run("systemctl stop escortd")
    yield
    host.run("systemctl start escortd")
    product.wait_for_daemon(host, timeout=10)


def test_without_the_daemon_it_says_what_it_can(host, stopped):
    code, answer = doctor(host)
    assert code == 3
    assert answer["proven"] is False
    assert rows(answer, "kernel")["BTF"]["state"] == "ok"
    assert rows(answer, "host")["pinned programs"]["state"] == "ok"
    assert rows(answer, "host")["gate socket"]["state"] == "missing"
    assert rows(answer, "agent")["daemon"]["hint"]


def test_a_stack_without_the_gate_is_named(host):
    host.run("cp /etc/pam.d/sshd /root/sshd.pam && sed -i '/common-account/d' /etc/pam.d/sshd")
    try:
        gate = rows(doctor(host)[1], "host")["PAM gate"]
    finally:
        host.run("mv /root/sshd.pam /etc/pam.d/sshd")
    assert gate["state"] == "missing"
    assert gate["detail"] == "not in front of sshd"
