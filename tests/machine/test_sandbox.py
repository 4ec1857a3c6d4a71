"""The daemon's sandbox on a real host: what it may still do is little, and everything that it must do goes on."""

import re

import pytest
from testhost import product
from testhost.guest import wait_for

pytestmark = pytest.mark.once

# agent/sandbox/capabilities.h, by capabilities(7)'s numbers.
KILL, DAC_OVERRIDE, SETUID, SYS_PTRACE, SYS_ADMIN, PERFMON, BPF = 5, 1, 7, 19, 21, 38, 39
KEPT = sum(1 << each for each in (KILL, DAC_OVERRIDE, SETUID, SYS_PTRACE, SYS_ADMIN, PERFMON, BPF))


def pid_of(host) -> int:
    return int(product.main_pid(host))


def helper_of(host) -> int:
    return int(host.run(f"pgrep -P {pid_of(host)} -f nss-helper").out)


def status_of(host, pid: int) -> dict[str, str]:
    lines = host.run(["cat", f"/proc/{pid}/status"]).out.splitlines()
    return dict(re.split(r":\s*", line, maxsplit=1) for line in lines)


@pytest.mark.parametrize("who, kept", [(pid_of, KEPT), (helper_of, 0)], ids=["daemon", "helper"])
def test_the_filter_is_on_and_capabilities_are_few(host, who, kept):
    status = status_of(host, who(host))
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "1"
    assert [int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == [kept, kept, 0, 0]
    assert who is helper_of or int(status["CapBnd"], 16) == kept


def test_its_own_filter_comes_on_top_of_the_units(host):
    # A process of the same unit that doesn't enter the sandbox has PID 1's filters alone.
    host.write("/run/systemd/system/escortd.service.d/probe.conf",
               "[Service]\nExecStartPre=cp /proc/self/status /run/escortd/outer\n")
    try:
        host.run("systemctl daemon-reload && systemctl restart escortd")
        outer = int(host.run("grep -oP 'Seccomp_filters:\\s*\\K.*' /run/escortd/outer").out)
    finally:
        host.run("rm -r /run/systemd/system/escortd.service.d /run/escortd/outer && systemctl daemon-reload")
    for who in (pid_of, helper_of):
        assert int(status_of(host, who(host))["Seccomp_filters"]) == outer + 1
    assert not [each for each in host.ask("status").get("degraded", []) if "sandbox" in str(each)]


def test_exposure_is_below_two_and_a_half(host):
    last = host.run("systemd-analyze security escortd --no-pager").out.strip().splitlines()[-1]
    print(last)
    assert float(re.search(r"escortd\.service: ([0-9.]+)", last)[1]) < 2.5


def test_the_host_is_read_only_for_it_but_for_its_own_folders(host):
    enter = f"nsenter -t {pid_of(host)} -m --"
    for path in ("/etc/escortd/x", "/usr/x", "/var/x", "/proc/sys/kernel/core_pattern"):
        assert not host.run(f"{enter} bash -c ': >>{path}'", check=False).ok, path
    for path in ("/var/lib/escortd/state/x", "/run/escortd/x", "/run/systemd/system/x"):
        assert host.run(f"{enter} bash -c ': >>{path}'").ok
        host.run(["rm", path])
    assert host.run(f"{enter} ls -A /home /root").out.split() == ["/home:", "/root:", ".ssh"]
    assert not host.run(f"{enter} bash -c ': >>/root/.ssh/x'", check=False).ok


def test_its_root_is_the_hosts_and_its_network_is_none(host):
    pid = pid_of(host)
    own, hosts = (host.run(f"stat -L -c '%d %i' {path}").out for path in (f"/proc/{pid}/root/", "/"))
    assert own == hosts
    links = host.run(f"nsenter -t {pid} -n cat /proc/net/dev").out.splitlines()[2:]
    assert [line.split(":")[0].strip() for line in links] == ["lo"]


def test_a_bpf_filesystem_taken_away_is_mounted_again_and_holds_all_it_held(host):
    product.approve(host, "azsupport")
    login = host.login("azsupport", "echo here; exec sleep 100")
    assert login.process.stdout.readline() == "here\n"  # until then its sshd is root
    (session,) = product.sessions(host, "azsupport")
    pins = "cd /sys/fs/bpf/escortd && find . -type f | sort"
    before, begin = host.run(pins).out, host.journal_end()
    host.run("umount -l /sys/fs/bpf")
    assert not host.ssh("vendor-new", "true").ok  # the daemon's own descriptors keep the programs attached
    wait_for(lambda: host.run(pins, check=False).out == before, 10, "the pins on a new filesystem")
    wait_for(lambda: host.ask("status")["healthy"], 5, "a healthy daemon")
    assert host.journal("tamper", after=begin)
    host.run("systemctl restart escortd")  # adopts them
    assert [each["id"] for each in product.sessions(host, "azsupport")] == [session["id"]] and not login.over()
    host.run(["rm", "-f", "/tmp/canary"])
    host.run("setpriv --reuid azsupport --clear-groups touch /tmp/canary", check=False)
    assert not host.exists("/tmp/canary")
    login.close()


def test_the_helper_is_started_again_from_inside(host):
    old = helper_of(host)
    host.run(["kill", "-9", str(old)])
    host.escortctl("reload")
    assert helper_of(host) != old
    assert host.ask("status")["healthy"] is True


def test_a_start_without_a_capability_says_which(host):
    host.write("/run/systemd/system/escortd.service.d/less.conf", "[Service]\nCapabilityBoundingSet=~CAP_KILL\n")
    try:
        host.run("systemctl daemon-reload && systemctl restart escortd")
        assert "cap_kill is missing" in host.escortctl("status", check=False).out.lower().replace("cap_cap", "cap")
    finally:
        host.run("rm -r /run/systemd/system/escortd.service.d && systemctl daemon-reload && systemctl restart escortd")
    assert host.ask("status")["healthy"] is True
