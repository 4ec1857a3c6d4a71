"""With the daemon masked a session ends all the same. Debian 12's and 13's kernels have no timer that could do it:
samples end what runs, PID 1 what sleeps."""

import contextlib

import pytest
from conftest import SUITE
from testhost import product
from testhost.guest import wait_for

ACCOUNT = "azsupport"
LIFETIME = 40  # seconds of an approval: an emulated processor is slow
LOOP = "exec bash -c 'while :; do :; done'"
YEAR = 31_536_000
CLOCKS = {"bookworm": "samples", "trixie": "samples", "sid": "task_work"}


@pytest.fixture(scope="module")
def vm(gated):
    return gated


@contextlib.contextmanager
def masked(vm):
    vm.run("systemctl mask --now --runtime escortd; systemctl kill -s KILL escortd", check=False)
    assert vm.run("pgrep -x escortd", check=False).out == ""
    try:
        yield
    finally:
        vm.run("systemctl unmask --runtime escortd && systemctl start escortd")
        vm.wait_for(lambda: vm.escortctl("status", check=False).code in (0, 1), 30, "the daemon's answer")


@contextlib.contextmanager
def session(vm, *command: str, options=()):
    product.approve(vm, ACCOUNT, f"{LIFETIME}s")
    login = vm.login(ACCOUNT, *command, options=options)
    try:
        vm.wait_for(lambda: product.sessions(vm, ACCOUNT) and alive(vm), 20, "the session")
        yield
    finally:
        login.close()


def alive(vm) -> bool:
    return bool(vm.run(f"ps -o state= -U {ACCOUNT} | grep -v '[ZX]'", check=False).out)


def test_which_clock(vm):
    assert vm.ask("doctor")["clock"] == CLOCKS[SUITE]


def test_a_shell_loop(vm):
    with session(vm, LOOP), masked(vm):
        assert alive(vm)
        wait_for(lambda: not alive(vm), LIFETIME + 20, "the loop's end")


def test_an_idle_tunnel(vm):
    """By the kernel's own clock where it reaches what sleeps, else by PID 1."""
    with session(vm, options=("-N", "-L", "127.0.0.1:7099:127.0.0.1:22")):
        scopes = vm.run("systemctl show 'session-*.scope' -p RuntimeMaxUSec --value").out.split()
        assert scopes and any(limit != "infinity" for limit in scopes) == (CLOCKS[SUITE] != "task_work"), scopes
        with masked(vm):
            assert alive(vm)
            wait_for(lambda: not alive(vm), LIFETIME + 30, "the tunnel's end")


@pytest.mark.parametrize("step", [-YEAR, YEAR])
def test_the_wall_clock_set(vm, step):
    with session(vm, LOOP), masked(vm):
        vm.run(f"date -s @$(( $(date +%s) + {step} ))")
        try:
            assert alive(vm)
            wait_for(lambda: not alive(vm), LIFETIME + 20, "the loop's end")
        finally:
            vm.run(f"date -s @$(( $(date +%s) - {step} ))")
