"""What the virtual machine boots: a kernel of Debian's, an initramfs of one program, and the test hosts' root.

Each is made once into the cache folder and needs no network afterwards. A suite's kernel is the one it has at that time.
"""

import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

from testhost.image import build_once, digest, layers

HERE = Path(__file__).resolve().parent
PACKAGE = "linux-image-cloud-amd64"
SUITES = {"bookworm": "6.1.", "trixie": "6.12.", "sid": "7."}  # and what their kernels' versions begin with

MACHINE_ID = "0123456789abcdef0123456789abcdef"

# What the root lies on, the network, and what tests use: a disk in a file, a pair of interfaces.
# What these need is found; one that is missing is not needed there.
MODULES = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "virtio_net", "loop", "veth"]

# Network by hand, and a second sshd without PAM for root's commands: no logind session, no login uid, so that
# what drives the tests is no session itself; named ssh-..., since a service of another name would be the way in.
SETUP = rf"""
echo escort-vm >etc/hostname
printf '127.0.0.1 localhost escort-vm\n' >etc/hosts
echo {MACHINE_ID} >etc/machine-id
cat >etc/systemd/system/vm-net.service <<'U'
[Unit]
DefaultDependencies=no
Before=network.target ssh.service ssh-control.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0'
U
cat >etc/systemd/system/ssh-control.service <<'U'
[Service]
ExecStartPre=/bin/mkdir -p /run/sshd
ExecStart=/usr/sbin/sshd -D -f /dev/null -h /etc/ssh/ssh_host_ed25519_key -o UsePAM=no -o PermitRootLogin=yes \
    -o PasswordAuthentication=no -o UseDNS=no -o MaxSessions=100 -o PidFile=none -p 2222
U
mkdir -p etc/systemd/system/multi-user.target.wants
for unit in vm-net ssh-control; do ln -sf ../$unit.service etc/systemd/system/multi-user.target.wants/; done
"""

# $1 lowerdir, $2 scratch folder on a disk, $3 setup, $4 the image. In a mount namespace of its own.
_MAKE_DISK = r"""
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
(cd "$2/root" && eval "$3")
truncate -s 1500M "$4"
mke2fs -q -F -t ext4 -O ^has_journal,^metadata_csum -E root_owner=0:0 -m 0 -d "$2/root" "$4"
"""

_IMAGES = ("boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz")  # where packages have it, before forky and since

_DECOMPRESS = {b"\xfd7zX": ["xz", "-dc", "--single-stream"], b"\x28\xb5\x2f\xfd": ["zstd", "-dc"],
               b"\x02\x21\x4c\x18": ["lz4", "-dc"], b"\x1f\x8b": ["gzip", "-dc"]}


def _run(*command: str, cwd: Path | None = None) -> str:
    return subprocess.run(command, check=True, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True).stdout


def _decompressed(packed: bytes) -> bytes:
    """By its first four bytes; as it is when they say nothing. What follows the packed data is ignored."""
    tool = _DECOMPRESS.get(packed[:4])
    return subprocess.run(tool, input=packed, stdout=subprocess.PIPE, check=False).stdout if tool else packed


def _apt_of(suite: str, folder: Path) -> list[str]:
    """Options for apt to look into that suite alone, in a state of its own; the machine's is left as it is."""
    listed = _run("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages")
    mirror = next(line.split()[1] for line in listed.splitlines() if line.startswith("bookworm "))
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(
        f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} {suite} main\n", encoding="ascii")
    # As root apt hands a download to the user _apt, who can't write here.
    settings = {"APT::Sandbox::User": "root", "Dir::Etc::sourcelist": folder / "sources.list", "Dir::Etc::sourceparts": "-",
                "Dir::State::lists": folder / "lists", "Dir::State::status": folder / "status",
                "Dir::Cache": folder / "cache"}
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _unpack_kernel(suite: str, tree: Path) -> None:
    """The newest kernel of the suite, unpacked, and an index of its modules."""
    scratch = tree / "apt"
    scratch.mkdir()
    options = _apt_of(suite, scratch)
    _run("apt-get", *options, "update", "-qq")
    depends = _run("apt-cache", *options, "depends", "--recurse", "--important", PACKAGE)
    # One package; since forky -binary- holds the kernel, -modules- its modules, -base- the lists of them.
    packages = re.findall(r"^linux-(?:image|binary|modules|base)-\d\S*$", depends, re.MULTILINE)
    _run("apt-get", *options, "download", "-qq", *packages, cwd=scratch)
    for package in scratch.glob("*.deb"):
        _run("dpkg-deb", "--extract", str(package), str(tree))
    shutil.rmtree(scratch)
    if not (tree / "lib").exists():
        (tree / "lib").symlink_to("usr/lib")  # where depmod and modprobe look; newer packages hold /usr alone
    _run("depmod", "-b", str(tree), _version(tree))


def _version(tree: Path) -> str:
    return next(tree.glob("lib/modules/*")).name


def _elf_of(bz_image: bytes) -> bytes:
    """The ELF kernel inside a bzImage (Linux x86 boot protocol 2.08: payload_offset, payload_length): qemu starts
    it directly, and nothing has to be decompressed by an emulated processor."""
    offset, length = struct.unpack_from("<II", bz_image, 0x248)
    start = ((bz_image[0x1F1] or 4) + 1) * 512 + offset
    elf = _decompressed(bz_image[start:start + length - 4])  # the last four bytes are the size
    if not elf.startswith(b"\x7fELF"):
        raise RuntimeError("the kernel is packed in a way that is not known here")
    return elf


def _modules(tree: Path) -> list[Path]:
    """The files to load, in their order."""
    files = []
    for name in MODULES:
        command = ["modprobe", "--quiet", "--show-depends", "-C", "/dev/null", "-d", str(tree), "-S", _version(tree), name]
        shown = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True).stdout
        files += [Path(line.split()[1]) for line in shown.splitlines() if line.startswith("insmod ")]
    return list(dict.fromkeys(files))


def _make_initramfs(tree: Path, folder: Path) -> None:
    root = folder / "initramfs"
    for name in ("dev", "root", "m"):
        (root / name).mkdir(parents=True)
    _run("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s", "-o", str(root / "init"), str(HERE / "init.c"))
    os.mknod(root / "dev" / "console", 0o600 | 0o020000, os.makedev(5, 1))
    names = []
    for module in _modules(tree):
        names.append(f"/m/{module.name.split('.')[0]}.ko\n")
        (root / names[-1].strip("/\n")).write_bytes(_decompressed(module.read_bytes()))
    (root / "modules").write_text("".join(names), encoding="ascii")
    with open(folder / "initrd.img", "wb") as out:
        subprocess.run("find . | cpio -o -H newc --quiet", shell=True, cwd=root, stdout=out, check=True)
    shutil.rmtree(root)


def kernel(suite: str) -> Path:
    """The folder with vmlinux and initrd.img of that suite's kernel."""
    def build(folder: Path) -> None:
        tree = folder / "kernel"
        tree.mkdir()
        _unpack_kernel(suite, tree)
        (folder / "vmlinux").write_bytes(_elf_of(next(image for place in _IMAGES for image in tree.glob(place)).read_bytes()))
        _make_initramfs(tree, folder)
        shutil.rmtree(tree)

    parts = [suite, PACKAGE, *MODULES, (HERE / "init.c").read_text(encoding="ascii")]
    return build_once(f"vm-kernel-{suite}-{digest(*parts)}", build)


def disk() -> Path:
    """The image of the root, for every kernel."""
    def build(folder: Path) -> None:
        scratch = folder / "scratch"
        scratch.mkdir()
        _run("unshare", "-m", "--propagation", "private", "bash", "-euc", _MAKE_DISK, "disk",
             ":".join(str(layer) for layer in layers()), str(scratch), SETUP, str(folder / "disk.img"))
        shutil.rmtree(scratch)

    return build_once(f"vm-disk-{digest(*map(str, layers()), SETUP, _MAKE_DISK)}", build) / "disk.img"
