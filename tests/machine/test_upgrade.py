"""From one installed version to the next, and back, with another ABI of the kernel programs: sessions live, processes
fork, and somebody keeps trying to get in."""

import re
import subprocess
import time

import pytest
from testhost import product
from testhost.guest import wait_for
from testhost.image import build_dir

pytestmark = pytest.mark.once

CANARY = "/tmp/canary"
# A session that forks all the time, and says so by a growing file.
FORKING = "while :; do /bin/echo x >>/tmp/grows; sleep 0.02; done"
# Enters the account without its gate again and again; the canary shows the first that got through.
INTRUDING = f"while :; do setpriv --reuid azsupport --clear-groups touch {CANARY}; echo x >>/tmp/tried; done"


@pytest.fixture
def next_package(tmp_path):
    """The package in dist/ with the next version's daemon."""
    old, tree, new = product.package(), tmp_path / "tree", tmp_path / "escortd-next.deb"
    subprocess.run(["dpkg-deb", "-R", old, tree], check=True)
    subprocess.run(["objcopy", "--strip-debug", build_dir() / "escortd-next", tree / "usr/sbin/escortd"], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*$", "Version: 99", control.read_text()))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, new], check=True, stdout=subprocess.DEVNULL)
    return new


def dpkg(host, package, path):
    host.send(package, path)
    host.run(f"DEBIAN_FRONTEND=noninteractive dpkg -i --force-downgrade {path}", timeout=120)


def abi_folders(host):
    return [name for name in host.run(["ls", "/sys/fs/bpf/escortd"]).out.split() if re.fullmatch(r"v\d+", name)]


def size(host, path):
    return int(host.run(f"stat -c %s {path} 2>/dev/null || echo 0").out)


def the_session(host, approval):
    """Beside those that are refused at this moment."""
    (session,) = (each for each in product.sessions(host, "azsupport") if each["approval"] == approval)
    return session


def test_sessions_live_and_nobody_gets_in_through_an_upgrade_and_back(host, next_package):
    host.run("rm -f /tmp/grows /tmp/tried")
    approval = product.approve(host, "azsupport")
    login = host.login("azsupport", FORKING)
    wait_for(lambda: size(host, "/tmp/grows") > 3, 15, "the session's file")
    before, folders = the_session(host, approval), abi_folders(host)
    begin = host.journal_end()
    intruder = host.popen(["bash", "-c", INTRUDING], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: size(host, "/tmp/tried") > 6, 15, "the first attempts")
        for package, version in ((next_package, "the next version"), (product.package(), "the version before")):
            dpkg(host, package, "/root/escortd-upgrade.deb")
            now = abi_folders(host)
            assert len(now) == 1 and now != folders, f"{version} has maps of its own alone: {now}"
            folders = now
            tried, grown = size(host, "/tmp/tried"), size(host, "/tmp/grows")
            wait_for(lambda: size(host, "/tmp/tried") > tried + 6, 15, "more attempts")
            wait_for(lambda: size(host, "/tmp/grows") > grown + 6, 15, "the session going on")
            assert the_session(host, approval)["id"] == before["id"] and not login.over()
            status = host.ask("status")
            assert status["healthy"] and status["tier"] == "kill", status
        assert not host.exists(CANARY), "somebody got in"
        assert size(host, "/tmp/tried") > 40
        assert not host.journal("tamper", after=begin)
        assert not host.journal("session_killed", after=begin, session=before["id"])
        product.revoke(host, approval)
        wait_for(login.over, 10, "the end of the session")
        grown = size(host, "/tmp/grows")
        time.sleep(0.3)
        assert size(host, "/tmp/grows") == grown
    finally:
        intruder.kill()
        intruder.wait()
        host.run("pkill -f '[t]ouch /tmp/canary|[t]mp/tried'", check=False)
        login.close()
        if build_dir().name == "asan":
            product.install(host)
