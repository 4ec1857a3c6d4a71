"""A deadline holds while the daemon is masked and dead, and the session neither forks nor execs.

The wall clock is the machine's own: it is set in the virtual machine alone (tests/vm/test_deadlines.py).
"""

import contextlib
import time

import pytest
from testhost import guest, product
from testhost.guest import wait_for

pytestmark = pytest.mark.once

ACCOUNT = "azsupport"
LOOP = "exec -a deadline-loop bash -c 'while :; do :; done'"


def lifetime() -> int:
    """Seconds of an approval; the daemon is gone well before."""
    return 12 * guest.patience


def alive(host) -> list[str]:
    """Processes of the account, zombies aside."""
    return [line for line in host.run(["ps", "-o", "state=,args=", "-U", ACCOUNT], check=False).out.splitlines()
            if line and line[0] not in "ZX"]


@contextlib.contextmanager
def masked(host):
    """No daemon in here, and nobody starts one."""
    host.run("systemctl mask --now --runtime escortd; systemctl kill -s KILL escortd", check=False)
    assert host.run("pgrep -x escortd", check=False).out == ""
    try:
        yield
        assert host.run("pgrep -x escortd", check=False).out == "", "it was back before the end"
    finally:
        host.run("systemctl unmask --runtime escortd && systemctl start escortd")
        product.wait_for_daemon(host, timeout=30)


@contextlib.contextmanager
def login(host, *command: str, options=()):
    opened = host.login(ACCOUNT, *command, options=options)
    try:
        wait_for(lambda: product.sessions(host, ACCOUNT) and alive(host), 10, "the session")
        yield opened
    finally:
        opened.close()


def ends_in_time(host, approved: float) -> None:
    """Not before its end, and soon after it: twice a second the clock looks, a busy machine is slow."""
    assert alive(host), "it died before its end"
    wait_for(lambda: not alive(host), 22, "the end of every process")
    assert time.monotonic() - approved > lifetime() - 2


def test_a_shell_loop(host):
    approved = time.monotonic()
    product.approve(host, ACCOUNT, f"{lifetime()}s")
    with login(host, LOOP), masked(host):
        ends_in_time(host, approved)


def test_an_idle_tunnel(host):
    approved = time.monotonic()
    product.approve(host, ACCOUNT, f"{lifetime()}s")
    with login(host, options=("-N", "-L", "127.0.0.1:7099:127.0.0.1:22")), masked(host):
        ends_in_time(host, approved)


def test_a_frozen_session(host):
    approved = time.monotonic()
    product.approve(host, ACCOUNT, f"{lifetime()}s")
    with login(host, "exec sleep 1000"):
        host.escortctl("freeze", product.sessions(host, ACCOUNT)[0]["id"])
        with masked(host):
            ends_in_time(host, approved)


def test_a_bystander_and_another_session_live_on(host, tenant):
    approved = time.monotonic()
    product.approve(host, "vendor-two")
    other = host.login("vendor-two", "cat")
    other.say("one")
    assert other.process.stdout.readline() == "one\n"
    product.approve(host, ACCOUNT, f"{lifetime()}s")
    with login(host, LOOP), masked(host):
        ends_in_time(host, approved)
        time.sleep(2)  # four more ticks
        other.say("two")
        assert other.process.stdout.readline() == "two\n"
    other.close()
