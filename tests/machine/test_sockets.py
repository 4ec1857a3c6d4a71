"""What comes cut, doubled, oversized or from the wrong hands on the daemon's sockets changes nothing and hurts nobody."""

import json

import pytest
from testhost import product
from testhost.guest import wait_for

GATE = {"a principal": "refuse", "a tenant": "ignore", "nobody": "ignore", "beside 40 who say nothing": "refuse"}
CONTROL = {"good": "ok", "in pieces": "ok", "cut": "closed", "the answer not taken": "closed"}
CONNECT = "import socket,sys; socket.socket(socket.AF_UNIX, int(sys.argv[2])).connect(sys.argv[1])"


def daemon(host) -> tuple[int, int]:
    """Its pid, and how many descriptors it has open."""
    pid = int(product.main_pid(host))
    return pid, len(host.run(["ls", f"/proc/{pid}/fd"]).out.split())


@pytest.fixture(scope="module")
def before(host):
    product.reset(host)
    return daemon(host)


@pytest.fixture(scope="module")
def outcomes(host, before):
    host.write("/root/odd_words.py", (product.FILES / "odd_words.py").read_text())
    return json.loads(host.run(["python3", "/root/odd_words.py"], timeout=120).out)


def test_the_gate(outcomes):
    # The first is answered, and the connection is over; its end may be faster than the answer.
    assert outcomes["gate"].pop("two at once") in ("refuse", "closed")
    expected = {case: GATE.get(case, "closed") for case in outcomes["gate"]}
    assert outcomes["gate"] == expected


def test_the_control_socket(outcomes):
    expected = {case: CONTROL.get(case, "failed 2") for case in outcomes["control"]}
    assert outcomes["control"] == expected


def test_the_daemon_is_as_before(host, before, outcomes):
    wait_for(lambda: daemon(host) == before, 10, f"the same daemon with no more descriptors than {before}")
    assert host.ask("status")["healthy"] is True
    product.approve(host, "azsupport")
    assert host.ssh("azsupport", "true").ok
    assert not host.ssh("vendor-new", "true").ok


def test_nobody_but_root_reaches_them(host):
    for path, kind in (("/run/escortd/gate.sock", "5"), ("/run/escortd/control.sock", "1")):
        for account in ("alice", "nobody"):
            words = ["setpriv", "--reuid", account, "--regid", "nogroup", "--clear-groups", "python3", "-c", CONNECT, path, kind]
            result = host.run(words, check=False)
            assert "PermissionError" in result.err, (account, path, result)
    # A member of the agent's group may look at it, but asks the gate nothing.
    words = ["setpriv", "--reuid", "alice", "--regid", "alice", "--groups", "escortd", "python3", "-c", CONNECT]
    assert host.run([*words, "/run/escortd/control.sock", "1"], check=False).ok
    assert "PermissionError" in host.run([*words, "/run/escortd/gate.sock", "5"], check=False).err
