"""A virtual machine with a kernel of Debian's that speaks the test host's words (testhost.Guest)."""

import shlex
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from testhost.guest import Guest, Login
from testhost.image import layers
from vmimage import MACHINE_ID, disk, kernel

_KERNEL_LINE = ("console=ttyS0 root=/dev/vda rw net.ifnames=0 mitigations=off panic=-1 tsc=reliable no_timer_check "
                "quiet loglevel=4 systemd.show_status=0")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Vm(Guest):
    """`with Vm() as vm:` boots one; what it writes is gone at the end of the block."""

    slow = 4  # an emulated processor, on a machine that may be busy
    machine_id = MACHINE_ID

    def __init__(self, suite: str, *, restorable: bool = False) -> None:
        """restorable: restore_as_copy() works; its disk is a file of its own."""
        self._restorable = restorable
        self._suite = suite
        self.boot_seconds = 0.0
        self._port = _free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="escort-vm-")
        self._qemu: subprocess.Popen | None = None

    def __enter__(self) -> "Vm":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def start(self) -> None:
        kernel(self._suite), disk()  # made before the time is taken
        begin = time.monotonic()
        if self._restorable:
            subprocess.run(["cp", "--sparse=always", disk(), self._path("disk.img")], check=True)
        self._run_qemu()
        self.wait_for(self._answers, 60, "the virtual machine's sshd")
        state = self.run(["systemctl", "is-system-running", "--wait"], check=False).out.strip()
        if state != "running":
            failed = self.run("systemctl --failed --no-legend", check=False).out
            raise RuntimeError(f"the virtual machine came up {state}: {failed}\n{self.console()}")
        self.boot_seconds = time.monotonic() - begin

    def _run_qemu(self, *options: str) -> None:
        booted = kernel(self._suite)
        if self._restorable:
            drive = str(self._path("disk.img"))
            options += ("-device", f"vmgenid,guid={uuid.uuid4()}", "-monitor", f"unix:{self._path('monitor')},server,nowait")
        else:
            drive = f"{disk()},snapshot=on"
        with open(self._path("qemu.log"), "wb") as log:
            # It dies with the one who started it. An emulated processor: nested KVM is not the same on every machine.
            self._qemu = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-nodefaults", "-no-user-config",
                 "-display", "none", "-no-reboot", "-M", "pc", "-accel", "tcg,thread=multi",
                 "-cpu", "max", "-smp", "2", "-m", "1024", "-serial", f"file:{self._path('console.log')}",
                 "-kernel", str(booted / "vmlinux"), "-initrd", str(booted / "initrd.img"), "-append", _KERNEL_LINE,
                 "-drive", f"file={drive},format=raw,if=none,id=d0,cache=unsafe",
                 "-device", "virtio-blk-pci,drive=d0",
                 "-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{self._port}-:2222",
                 "-device", "virtio-net-pci,netdev=n0,romfile=", *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def restore_as_copy(self) -> None:
        """As from a snapshot of this moment: the memory and the disk as they are, another VM generation id."""
        frozen = self._path("memory")
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self._path("monitor")))
            said = monitor.makefile("rw")
            print(f'migrate -d "exec:cat >{frozen}"', file=said, flush=True)
            for _ in range(600):
                print("info migrate", file=said, flush=True)
                time.sleep(0.2)
                if "Migration status: completed" in monitor.recv(1 << 20).decode(errors="replace"):
                    break
            else:
                raise TimeoutError("the machine's memory was not written")
        self._end_qemu()
        self._path("control").unlink(missing_ok=True)  # its connection has gone
        self._run_qemu("-incoming", f"exec:cat {frozen}")
        self.wait_for(self._answers, 60, "the restored machine's sshd")

    def stop(self) -> None:
        self._end_qemu()
        self._folder.cleanup()

    def _end_qemu(self) -> None:
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu.wait()
            self._qemu = None

    def console(self) -> str:
        log = self._path("console.log")
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""

    def popen(self, command, **options) -> subprocess.Popen:
        # Of what a signal has ended sshd tells no code: the shell outlives it and says 128 and the signal.
        line = (command if isinstance(command, str) else shlex.join(command)) + "\nexit"
        return self._ssh(line, ("-o", "ControlMaster=auto", "-o", "ControlPersist=60",
                                "-o", f"ControlPath={self._path('control')}"), **options)

    def login(self, user: str, *command: str, options=()) -> Login:
        """By a connection of its own: when it is closed its command dies with the server's process for it."""
        how = list(options) or ([] if command else ["-tt"])
        line = shlex.join(["exec", "setpriv", "--pdeathsig", "KILL", "ssh", *how, f"{user}@127.0.0.1", *command])
        return Login(self._ssh(line, ("-S", "none"),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"))

    def _ssh(self, line: str, connection: tuple[str, ...], **options) -> subprocess.Popen:
        key = layers()[0] / "root" / ".ssh" / "id_ed25519"
        return subprocess.Popen(
            ["ssh", "-q", "-F", "none", "-i", str(key), "-p", str(self._port), "-o", "StrictHostKeyChecking=no",
             "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
             "-o", "ConnectTimeout=30", *connection, "root@127.0.0.1", f"bash -c {shlex.quote(line)}"],
            start_new_session=True, **options)

    def _path(self, name: str) -> Path:
        return Path(self._folder.name) / name

    def _answers(self) -> bool:
        """qemu accepts connections long before the guest does: only a banner is an answer."""
        if self._qemu.poll() is not None:
            raise RuntimeError(f"qemu ended:\n{self._path('qemu.log').read_text(errors='replace')}\n{self.console()}")
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=2) as probe:
                probe.settimeout(2)
                return probe.recv(4) == b"SSH-"
        except OSError:
            return False
