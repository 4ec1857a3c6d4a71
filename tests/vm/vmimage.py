"""What the virtual machine boots: Debian's own kernel, an initramfs of one program, and the test hosts' root.

All of it is made once into the cache folder and needs no network afterwards.
"""

import os
import shutil
import struct
import subprocess
from pathlib import Path

from testhost.image import build_once, digest, layers

HERE = Path(__file__).resolve().parent
KERNEL = "linux-image-cloud-amd64"  # Debian 12: 6.1

# In the order of loading; what is missing is built into the kernel.
MODULES = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk",
           "crc16", "mbcache", "jbd2", "crc32c_generic", "ext4", "failover", "net_failover", "virtio_net"]

# Network by hand, and a second sshd without PAM for root's commands: no logind session, no login uid, so that
# what drives the tests is no session itself.
SETUP = r"""
echo escort-vm >etc/hostname
printf '127.0.0.1 localhost escort-vm\n' >etc/hosts
echo 0123456789abcdef0123456789abcdef >etc/machine-id
cat >etc/systemd/system/vm-net.service <<'U'
[Unit]
DefaultDependencies=no
Before=network.target ssh.service control-ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0'
U
cat >etc/systemd/system/control-ssh.service <<'U'
[Service]
ExecStartPre=/bin/mkdir -p /run/sshd
ExecStart=/usr/sbin/sshd -D -f /dev/null -h /etc/ssh/ssh_host_ed25519_key -o UsePAM=no -o PermitRootLogin=yes \
    -o PasswordAuthentication=no -o UseDNS=no -o MaxSessions=100 -o PidFile=none -p 2222
U
mkdir -p etc/systemd/system/multi-user.target.wants
for unit in vm-net control-ssh; do ln -sf ../$unit.service etc/systemd/system/multi-user.target.wants/; done
"""

# $1 lowerdir, $2 scratch folder on a disk, $3 setup, $4 the image. In a mount namespace of its own.
_MAKE_DISK = r"""
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
(cd "$2/root" && eval "$3")
truncate -s 1500M "$4"
mke2fs -q -F -t ext4 -O ^has_journal,^metadata_csum -E root_owner=0:0 -m 0 -d "$2/root" "$4"
"""


def _run(*command: str, cwd: Path | None = None) -> str:
    return subprocess.run(command, check=True, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True).stdout


def _module(tree: Path, name: str) -> Path | None:
    return next(tree.glob(f"lib/modules/**/{name}.ko"), None)


def _unpack_kernel(tree: Path) -> None:
    depends = _run("apt-cache", "depends", KERNEL)
    if "Depends: linux-image-" not in depends:
        _run("apt-get", "update", "-qq")
        depends = _run("apt-cache", "depends", KERNEL)
    package = next(line.split()[-1] for line in depends.splitlines() if "Depends: linux-image-" in line)
    # As root apt hands the download to the user _apt, who can't write here.
    _run("apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", package, cwd=tree)
    deb = next(tree.glob("*.deb"))
    _run("dpkg-deb", "--extract", str(deb), str(tree))
    deb.unlink()


def _uncompressed(bz_image: bytes) -> bytes:
    """The ELF kernel inside a bzImage (Linux x86 boot protocol 2.08: payload_offset, payload_length): qemu starts
    it directly, and nothing has to be decompressed by an emulated processor."""
    offset, length = struct.unpack_from("<II", bz_image, 0x248)
    start = ((bz_image[0x1F1] or 4) + 1) * 512 + offset
    payload = bz_image[start:start + length - 4]  # the last four bytes are the size
    tools = {b"\xfd7zX": ["xz", "-dc", "--single-stream"], b"\x28\xb5\x2f\xfd": ["zstd", "-dc"],
             b"\x02\x21\x4c\x18": ["lz4", "-dc"], b"\x1f\x8b": ["gzip", "-dc"]}
    tool = next(command for magic, command in tools.items() if payload.startswith(magic))
    return subprocess.run(tool, input=payload, stdout=subprocess.PIPE, check=False).stdout


def _make_initramfs(tree: Path, folder: Path) -> None:
    root = folder / "initramfs"
    for name in ("dev", "root", "m"):
        (root / name).mkdir(parents=True)
    _run("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s", "-o", str(root / "init"), str(HERE / "init.c"))
    os.mknod(root / "dev" / "console", 0o600 | 0o020000, os.makedev(5, 1))
    found = [module for name in MODULES if (module := _module(tree, name))]
    for module in found:
        shutil.copy(module, root / "m")
    (root / "modules").write_text("".join(f"/m/{module.name}\n" for module in found), encoding="ascii")
    with open(folder / "initrd.img", "wb") as out:
        subprocess.run("find . | cpio -o -H newc --quiet", shell=True, cwd=root, stdout=out, check=True)
    shutil.rmtree(root)


def _build(folder: Path) -> None:
    tree = folder / "kernel"
    tree.mkdir()
    _unpack_kernel(tree)
    (folder / "vmlinux").write_bytes(_uncompressed(next(tree.glob("boot/vmlinuz-*")).read_bytes()))
    _make_initramfs(tree, folder)
    shutil.rmtree(tree)
    scratch = folder / "scratch"
    scratch.mkdir()
    _run("unshare", "-m", "--propagation", "private", "bash", "-euc", _MAKE_DISK, "disk",
         ":".join(str(layer) for layer in layers()), str(scratch), SETUP, str(folder / "disk.img"))
    shutil.rmtree(scratch)


def vm_files() -> Path:
    """The folder with vmlinux, initrd.img and disk.img."""
    parts = [*map(str, layers()), KERNEL, SETUP, _MAKE_DISK, *MODULES, (HERE / "init.c").read_text(encoding="ascii")]
    return build_once(f"vm-{digest(*parts)}", _build)
