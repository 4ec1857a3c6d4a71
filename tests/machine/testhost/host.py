"""A test host: systemd-nspawn boots the image as its own machine in two or three seconds.

Everything it needs is private to it and ends with it: a mount namespace holds its pure cgroup v2 tree, its own
BPF filesystem (so its pins die with it), and its overlay on a tmpfs; one cgroup holds all its processes. It dies
with the process that started it, whatever ends that one.
"""

import contextlib
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path

from . import image
from .guest import Guest, Result, wait_for

# $1 host's cgroup, $2 lowerdir, $3 machine id, $4 folder for mounts. Runs in a new mount namespace.
_BOOT = r"""
umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$1" && echo 0 >"/sys/fs/cgroup/$1/cgroup.procs"
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
mount -t tmpfs -o mode=755 tmpfs "$4"
mkdir "$4/upper" "$4/work" "$4/root" "$4/bpf"
mount -t bpf -o mode=700 bpf "$4/bpf"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$4/upper,workdir=$4/work" "$4/root"
echo "$3" >"$4/root/etc/machine-id"
# Our starter holds the other end of stdin: when it is gone, however that came, so is the host.
exec 3<&0
{ cat >/dev/null; echo 1 >"/sys/fs/cgroup/$1/cgroup.kill"; } <&3 &
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=1
exec systemd-nspawn -q -D "$4/root" --boot --register=no --keep-unit --private-network --console=read-only \
    --capability=all --system-call-filter="bpf perf_event_open @keyring pidfd_getfd kcmp fanotify_init fanotify_mark" \
    --bind="$4/bpf:/sys/fs/bpf" --bind=/sys/kernel/tracing --hostname=escort-host </dev/null 3<&-
"""

# $1 leader, $2 a cgroup of the host: what runs by hand belongs to the host's tree, as a console's shell would.
_ENTER = 'echo 0 >"$2" && exec nsenter -t "$1" -a -- "${@:3}"'
_HANDS = "test.slice"


def _cgroup2() -> Path:
    """Where this machine has mounted the cgroup v2 hierarchy."""
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise RuntimeError("no cgroup v2 hierarchy is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified")


class Host(Guest):
    """`with Host() as host:` boots one and ends it at the end of the block."""

    def __init__(self) -> None:
        self.machine_id = uuid.uuid4().hex
        self.boot_seconds = 0.0
        self.leader = 0
        self._name = f"escort-host-{self.machine_id[:8]}"
        self._cgroup = _cgroup2() / self._name
        self._mounts = image.cache() / self._name
        self._log = image.cache() / f"{self._name}.log"
        self._nspawn: subprocess.Popen | None = None

    def __enter__(self) -> "Host":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def start(self) -> None:
        lower = ":".join(str(layer) for layer in image.layers())
        _forget_dead_hosts()
        begin = time.monotonic()
        self._mounts.mkdir()
        with open(self._log, "wb") as log:
            self._nspawn = subprocess.Popen(
                ["unshare", "-m", "--propagation", "private",
                 "bash", "-euc", _BOOT, "host", self._name, lower, self.machine_id, str(self._mounts)],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
        self.leader = wait_for(self._find_leader, 20, "the container's PID 1")
        wait_for(lambda: self._bus_answers() or self._nspawn_ended(), 30, "the host's systemd")
        # From here on the BPF filesystem is the host's alone: unmounted there, it is gone.
        subprocess.run(["nsenter", "-t", str(self._nspawn.pid), "-m", "umount", f"{self._mounts}/bpf"], check=True)
        (self._tree() / _HANDS).mkdir()
        state = self.run(["systemctl", "is-system-running", "--wait"], check=False, timeout=60)
        if state.out.strip() != "running":
            failed = self.run("systemctl --failed --no-legend", check=False)
            raise RuntimeError(f"the host came up {state.out.strip()}: {failed.out}")
        self.boot_seconds = time.monotonic() - begin

    def stop(self) -> None:
        if self._nspawn is not None:
            if self.leader:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.leader, signal.SIGKILL)
            else:
                self._nspawn.kill()
            with contextlib.suppress(FileNotFoundError):  # the guard, and what was entered by hand
                (self._cgroup / "cgroup.kill").write_text("1", encoding="ascii")
            self._nspawn.wait()
            self._nspawn.stdin.close()
            self._nspawn, self.leader = None, 0
        _remove_cgroup(self._cgroup)
        with contextlib.suppress(FileNotFoundError):
            self._mounts.rmdir()
        self._log.unlink(missing_ok=True)

    def enter_command(self) -> list[str]:
        """What to type on this machine to get a root shell in the host."""
        return ["nsenter", "-t", str(self.leader), "-a", "--", "bash", "-l"]

    def popen(self, command, **options) -> subprocess.Popen:
        argv = ["bash", "-c", command] if isinstance(command, str) else list(command)
        procs = self._tree() / _HANDS / "cgroup.procs"
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
                       "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.Popen(["bash", "-c", _ENTER, "enter", str(self.leader), str(procs), *argv],
                                env=environment, start_new_session=True, **options)

    def _tree(self) -> Path:
        """The host's cgroup root, seen from this machine."""
        return Path(f"/proc/{self.leader}/root/sys/fs/cgroup")

    def _bus_answers(self) -> bool:
        self._nspawn_ended()
        probe = ["nsenter", "-t", str(self.leader), "-a", "--", "systemctl", "--no-pager", "show", "-p", "Version"]
        return subprocess.run(probe, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0

    def _nspawn_ended(self) -> bool:
        if self._nspawn.poll() is None:
            return False
        raise RuntimeError(f"the host ended while booting:\n{self._log.read_text(errors='replace')}")

    def _find_leader(self) -> int:
        """The process that is PID 1 of the namespace below ours, once it is systemd."""
        self._nspawn_ended()
        for child in _children(self._nspawn.pid):
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{child}/status").read_text(encoding="ascii")
                fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
                if fields["Name"] == "systemd" and fields["NSpid"].split()[1:] == ["1"]:
                    return child
        return 0


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _remove_cgroup(top: Path) -> None:
    """Removes an emptied cgroup tree; the kernel needs a moment after the last process."""
    def removed() -> bool:
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        return not top.exists()
    wait_for(removed, 10, f"the end of {top}")


def _forget_dead_hosts() -> None:
    """Empty folders and logs of hosts whose starter was killed: everything else of them went with it."""
    for folder in image.cache().glob("escort-host-????????"):
        group = _cgroup2() / folder.name
        if group.exists() and "populated 1" in (group / "cgroup.events").read_text(encoding="ascii"):
            continue
        if time.time() - folder.stat().st_mtime < 60:  # may be one that is being started now
            continue
        if group.exists():
            _remove_cgroup(group)
        with contextlib.suppress(OSError):
            folder.rmdir()
        folder.with_name(f"{folder.name}.log").unlink(missing_ok=True)


__all__ = ["Host", "Result"]
