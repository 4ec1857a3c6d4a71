"""The packages themselves: what linters say, what they hold, and that nothing stays when they go."""

import subprocess

import pytest
from testhost import Host, product
from testhost.image import REPO

pytestmark = pytest.mark.once


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def rpm():
    return max((REPO / "dist").glob("escortd-*.rpm"), key=lambda path: path.stat().st_mtime)


def files_of_deb() -> set[str]:
    lines = output("dpkg-deb", "--contents", str(product.package())).splitlines()
    return {line.split(maxsplit=5)[5].removeprefix(".") for line in lines if not line.startswith("d")}


def test_lintian_has_nothing_to_say():
    found = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0",
                            str(product.package())], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
    assert found.stdout == ""


def test_rpmlint_has_nothing_to_say():
    found = subprocess.run(["rpmlint", "-c", str(REPO / "packaging" / "rpm" / "rpmlint.toml"), str(rpm())],
                           capture_output=True, text=True, check=False)
    assert "0 errors, 0 warnings" in found.stdout, found.stdout


def test_both_packages_hold_the_same():
    only_debian = {"/usr/share/lintian/overrides/escortd", "/usr/share/pam-configs/escort",
                   "/usr/lib/x86_64-linux-gnu/security/pam_escort.so"}
    only_rpm = {"/usr/lib64/security/pam_escort.so"}
    files_of_rpm = set(output("rpm", "-qlp", "--noartifact", str(rpm())).splitlines())
    directories = {path for path in files_of_rpm if any(other.startswith(f"{path}/") for other in files_of_rpm)}
    assert files_of_rpm - directories - only_rpm == files_of_deb() - only_debian


def test_settings_are_kept_on_upgrade_of_the_rpm():
    assert set(output("rpm", "-qp", "--configfiles", str(rpm())).split()) == {
        "/etc/escortd/escortd.yaml", "/etc/escortd/policies.d/10-example.yaml"}


@pytest.fixture(scope="module")
def bare():
    with Host() as machine:
        yield machine


def test_fresh_install_runs_and_is_healthy_in_observe_mode(bare):
    bare.install(product.package())
    assert bare.run(["systemctl", "is-active", "escortd"]).out == "active\n"
    assert bare.run(["systemctl", "is-enabled", "escortd", "escort-courier"]).out == "enabled\nenabled\n"
    assert bare.run(["systemctl", "show", "-P", "Result", "escort-courier"]).out == "success\n", "no sources: nothing to do"
    assert bare.escortctl("status", check=False).code == 0
    assert bare.run("dpkg --verify escortd").out == ""
    modes = bare.run("cd / && stat -c '%n %a' etc/escortd/policies.d etc/escortd/trust.d etc/escortd/breakglass.d "
                     "var/lib/escortd var/lib/escortd/spool var/lib/escortd/outbox var/lib/escortd/state run/escortd").out.split("\n")
    assert modes[:8] == ["etc/escortd/policies.d 755", "etc/escortd/trust.d 755", "etc/escortd/breakglass.d 755",
                         "var/lib/escortd 755", "var/lib/escortd/spool 1770", "var/lib/escortd/outbox 750", "var/lib/escortd/state 700",
                         "run/escortd 755"]
    assert bare.ssh("azsupport", "true").ok


def test_again_over_itself_restarts_the_daemon(bare):
    before = product.main_pid(bare)
    bare.run("DEBIAN_FRONTEND=noninteractive apt-get install -y -q --reinstall /root/escortd.deb", timeout=180)
    assert product.main_pid(bare) != before
    assert bare.escortctl("status", check=False).code == 0


def test_removal_takes_the_kernel_programs_along_and_keeps_settings_and_state(bare):
    assert bare.exists("/sys/fs/bpf/escortd")
    product.found_broker(bare)
    product.set_policy(bare, product.policy("enforce"))
    assert not bare.ssh("azsupport", "true").ok
    bare.run("apt-get remove -y -q escortd", timeout=180)
    assert not bare.exists("/sys/fs/bpf/escortd")
    assert bare.ssh("azsupport", "true").ok
    assert bare.exists("/etc/escortd/escortd.yaml")
    assert bare.exists("/var/lib/escortd/state")


def test_purge_leaves_only_what_the_administrator_brought(bare):
    bare.run("apt-get purge -y -q escortd", timeout=180)
    assert not bare.exists("/var/lib/escortd")
    assert not bare.exists("/run/escortd")
    left = bare.run("find /etc/escortd -type f | sort").out.split()
    assert left == [product.POLICY,
                    "/etc/escortd/trust.d/local-broker.pem"]
    assert bare.run("systemctl is-system-running", check=False).out == "running\n"
