"""Debian's auditd on this machine, unpacked but not installed: the peer whose overhead the agent's is compared with.

Audit rules can be set from the machine's first PID namespace only, so it runs beside the test hosts, not in one. Its
rules see logins to a test host all the same: they go by the login uid. A kernel that has once had audit enabled gives
every new task an audit context; the rule never,task, which stop() leaves behind, takes that away again.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

PACKAGES = ("auditd", "libauparse0", "libaudit1", "libwrap0", "libnsl2", "libtirpc3")
RULE = "always,exit -S execve -S setuid -S setresuid -F auid>=1000 -F auid!=unset".split()


class Auditd:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen | None = None
        if not (folder / "sbin/auditd").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=folder, check=True, capture_output=True)
            for package in folder.glob("*.deb"):
                subprocess.run(["dpkg", "-x", package, folder], check=True)
        settings = (folder / "etc/audit/auditd.conf").read_text(encoding="utf-8").splitlines()
        # As Debian ships it, but that it never stops for a full disk of this machine.
        keep = [line for line in settings if not line.startswith(("log_file", "plugin_dir", "log_group", "space_left",
                                                                  "admin_space_left", "disk_", "use_libwrap"))]
        (folder / "conf").mkdir(exist_ok=True)
        (folder / "plugins").mkdir(exist_ok=True)
        (folder / "conf/auditd.conf").write_text("\n".join(keep + [
            f"log_file = {folder}/audit.log", f"plugin_dir = {folder}/plugins", "log_group = root",
            "space_left = 2", "space_left_action = IGNORE", "admin_space_left = 1", "admin_space_left_action = IGNORE",
            "disk_full_action = IGNORE", "disk_error_action = IGNORE"]) + "\n", encoding="utf-8")
        (folder / "conf/auditd.conf").chmod(0o640)

    def _environment(self) -> dict[str, str]:
        libraries = (self.folder / part / "x86_64-linux-gnu" for part in ("lib", "usr/lib"))
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}

    def _control(self, *words: str) -> str:
        done = subprocess.run([self.folder / "sbin/auditctl", *words], env=self._environment(), check=True,
                              capture_output=True, text=True)
        return done.stdout

    def start(self) -> None:
        self.process = subprocess.Popen([self.folder / "sbin/auditd", "-n", "-s", "enable", "-c", self.folder / "conf"],
                                        env=self._environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 5
        while f"pid {self.process.pid}" not in self._control("-s"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("auditd doesn't start")
            time.sleep(0.05)
        self._control("-D")
        self._control("-a", *RULE)

    def stop(self) -> None:
        """Nothing is audited afterwards; does nothing when it was never started."""
        if self.process is None:
            return
        self._control("-D")
        self._control("-a", "never,task")
        self._control("-e", "0")
        self.process.terminate()
        self.process.wait(10)
        self.process = None
