"""escortd on a machine under test: install it, set its policy, approve and revoke as a person would.

Every change is made through the product's own commands; nothing here knows how the agent works inside.
"""

import contextlib
import subprocess
import tempfile
from pathlib import Path

from .guest import Guest, Result, wait_for
from .image import REPO, build_dir

FILES = REPO / "tests" / "machine" / "files"
KEY = "/root/broker/local-broker.key"  # not below /etc/escortd: a broker's private key there is agent_degraded
POLICY = "/etc/escortd/policies.d/50-tests.yaml"
EXAMPLE = "/etc/escortd/policies.d/10-example.yaml"
SPOOL = "/var/lib/escortd/spool"


def package() -> Path:
    """The newest .deb of dist/; tools/package makes it."""
    found = sorted((REPO / "dist").glob("escortd_*.deb"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError("dist/escortd_*.deb: run tools/package first")
    return found[-1]


def install(guest: Guest) -> None:
    """The .deb as apt installs it; with ESCORT_BUILD=asan its programs are then replaced by the sanitised ones."""
    guest.install(package())
    if build_dir().name == "asan":
        guest.write("/etc/systemd/system/escortd.service.d/asan.conf", (FILES / "asan.conf").read_text())
        guest.run("systemctl stop escortd")
        for program, folder in (("escortd", "/usr/sbin"), ("escort-courier", "/usr/sbin"), ("escortctl", "/usr/bin")):
            _send_without_debug(guest, build_dir() / program, f"{folder}/{program}")
        guest.run("systemctl daemon-reload && systemctl start escortd")


def _send_without_debug(guest: Guest, program: Path, path: str) -> None:
    """A tenth of the bytes; the host has nothing that could read the rest."""
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["objcopy", "--strip-debug", str(program), stripped.name], check=True)
        guest.send(stripped.name, path)
    guest.run(["chmod", "755", path])


def main_pid(guest: Guest) -> str:
    return guest.run(["systemctl", "show", "-P", "MainPID", "escortd"]).out.strip()


@contextlib.contextmanager
def stopped(guest: Guest):
    """The daemon, by SIGSTOP, for as long as it takes: systemd would end it after its WatchdogSec=."""
    pid = main_pid(guest)
    guest.run("systemctl service-watchdogs no")
    guest.run(["kill", "-STOP", pid])
    try:
        yield
    finally:
        guest.run(["kill", "-CONT", pid])
        guest.run("systemctl service-watchdogs yes")


def wait_for_daemon(guest: Guest, *, healthy: bool = False, timeout: float = 20) -> None:
    """Until it answers, or until nothing of it is degraded."""
    wanted = (0,) if healthy else (0, 1)
    try:
        wait_for(lambda: guest.escortctl("status", check=False).code in wanted, timeout, "the daemon's answer")
    except TimeoutError as error:
        raise AssertionError(f"{error}: {guest.escortctl('status', check=False)}") from None


def found_broker(guest: Guest) -> None:
    """A key on the host that its daemon trusts: the embedded broker, for evaluation."""
    guest.run("mkdir -p -m 700 /root/broker")
    guest.escortctl("keygen", KEY.removesuffix(".key"))
    guest.run("cp /root/broker/local-broker.pem /etc/escortd/trust.d/")
    guest.escortctl("reload")


def set_policy(guest: Guest, text: str) -> None:
    """This policy alone is in force afterwards."""
    guest.write(POLICY, text)
    guest.escortctl("reload")


def policy(name: str) -> str:
    """A policy of tests/machine/files."""
    return (FILES / f"{name}.yaml").read_text(encoding="utf-8")


def approve(guest: Guest, account: str, lifetime: str = "1h") -> str:
    """Approves and returns the approval's id; the daemon has accepted it by then."""
    return sign(guest, account, lifetime).out.split()[-1]


def sign(guest: Guest, account: str, lifetime: str = "1h", **options) -> Result:
    """The same, whose answer may be any with check=False."""
    return guest.escortctl("approve", account, "--for", lifetime, "--ticket", "INC0000001",
                           "--engineer", "eng-42", "--key", KEY, **options)


def revoke(guest: Guest, approval: str) -> None:
    guest.escortctl("revoke", approval, "--key", KEY)


def approvals_in_force(guest: Guest, account: str) -> list[str]:
    return [each["id"] for each in guest.ask("approvals") if each["account"] == account and each["usable"]]


def sessions(guest: Guest, account: str) -> list[dict]:
    """The live sessions of an account."""
    return [each for each in guest.ask("sessions") if each["account"] == account]


def reset(guest: Guest) -> None:
    """No approval in force, no support session alive, the tests' policy."""
    for account in ("azsupport", "vendor-two"):
        for approval in approvals_in_force(guest, account):
            revoke(guest, approval)
    set_policy(guest, policy("enforce"))
    wait_for(lambda: not any(sessions(guest, account) for account in ("azsupport", "vendor-two")), 10,
             "the end of every support session")
