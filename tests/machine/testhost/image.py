"""What test hosts boot from: a Debian 12 root made once, and a layer above it with accounts and settings.

Both lie in the cache folder under a name that is the hash of what went into them, so a change here makes a new
one and an interrupted build leaves nothing that looks finished.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]

# The runtime dependencies of the package under test are here, since a test host has no network.
PACKAGES = [
    "systemd", "systemd-sysv", "libpam-systemd", "dbus", "dbus-user-session",
    "openssh-server", "openssh-sftp-server", "openssh-client", "sudo", "cron", "at",
    "procps", "psmisc", "iproute2", "util-linux", "netbase", "python3-minimal", "vim-tiny",
    "tmux", "screen", "systemd-container",  # ways out and in: servers left behind, machinectl shell
    "waagent",  # a real guest agent, for `principals.units`
    "libbpf1", "libelf1", "zlib1g", "libsystemd0", "libseccomp2", "libyaml-cpp0.7", "libssl3", "libfmt9",
    "libstdc++6", "libgcc-s1", "init-system-helpers", "libcurl4", "libnats3.4", "libcap-ng0", "libpam0g",
    "nginx-light", "nats-server", "openssl",  # brokers' servers; started by the tests that want them
]

# Accounts: azsupport (support; group cloud-support), vendor-two (a second support account), vendor-new (one that
# no test ever approves: what was once revoked is remembered), alice (a tenant).
# One key opens all of them; its private half is root's on the host, where the ssh client runs.
LAYER = r"""
set -eu
printf '127.0.0.1 localhost escort-host\n' >/etc/hosts
echo escort-host >/etc/hostname
: >/etc/fstab
: >/etc/resolv.conf
: >/etc/default/locale

groupadd -g 2000 cloud-support
useradd -m -s /bin/bash -u 1000 alice
useradd -m -s /bin/bash -u 1001 -G cloud-support azsupport
useradd -m -s /bin/bash -u 1002 vendor-two
useradd -m -s /bin/bash -u 1003 vendor-new
for account in alice azsupport vendor-two vendor-new; do echo "$account ALL=(ALL) NOPASSWD: ALL"; done >/etc/sudoers.d/tests
chmod 440 /etc/sudoers.d/tests

install -d -m 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -C tests -f /root/.ssh/id_ed25519
printf 'StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\nBatchMode yes\nConnectTimeout 60\n' \
    >/root/.ssh/config
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
for account in alice azsupport vendor-two vendor-new; do
    install -d -m 700 -o "$account" -g "$account" "/home/$account/.ssh"
    install -m 600 -o "$account" -g "$account" /root/.ssh/id_ed25519.pub "/home/$account/.ssh/authorized_keys"
done
printf 'UseDNS no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nMaxStartups 200:30:400\n' \
    >/etc/ssh/sshd_config.d/tests.conf
sed -i 's#^Subsystem.*#Subsystem sftp internal-sftp#' /etc/ssh/sshd_config

install -d /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=persistent\nRateLimitBurst=0\n' >/etc/systemd/journald.conf.d/tests.conf
for unit in walinuxagent.service nginx.service nats-server.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer \
            e2scrub_reap.service man-db.timer console-getty.service getty@tty1.service getty-static.service \
            serial-getty@ttyS0.service systemd-hwdb-update.service systemd-update-utmp.service \
            systemd-journal-catalog-update.service systemd-update-done.service ldconfig.service \
            systemd-firstboot.service systemd-random-seed.service systemd-pstore.service \
            dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount \
            modprobe@fuse.service modprobe@drm.service modprobe@efi_pstore.service modprobe@configfs.service \
            modprobe@dm_mod.service modprobe@loop.service systemd-remount-fs.service systemd-binfmt.service \
            systemd-sysctl.service systemd-modules-load.service; do
    ln -sf /dev/null "/etc/systemd/system/$unit"
done
"""


def cache() -> Path:
    folder = Path(os.environ.get("ESCORT_CACHE", REPO / ".cache"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def locked(name: str):
    """One builder of a thing at a time; a second one waits and then finds it finished."""
    with open(cache() / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def build_once(name: str, build) -> Path:
    """The folder `name` of the cache, made by build(folder) under another name first and then renamed."""
    target = cache() / name
    with locked(name):
        if target.is_dir():
            return target
        scratch = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=cache()))
        scratch.chmod(0o755)
        try:
            build(scratch)
            scratch.rename(target)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
    return target


def _debootstrap(folder: Path) -> None:
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=apt", "--mode=root",
         "--aptopt=Apt::Install-Recommends \"false\"", "--dpkgopt=force-unsafe-io",
         "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
         "--dpkgopt=path-exclude=/usr/share/info/*", "--dpkgopt=path-exclude=/usr/share/man/*",
         # The exclusions are the image's own, not what the package under test is installed with.
         "--customize-hook=rm -f \"$1\"/etc/dpkg/dpkg.cfg.d/99mmdebstrap",
         f"--include={','.join(PACKAGES)}", "bookworm", str(folder)],
        check=True, stdin=subprocess.DEVNULL)


def base() -> Path:
    return build_once(f"base-{digest(*PACKAGES)}", _debootstrap)


def layers() -> list[Path]:
    """The folders of the root, uppermost first, as overlayfs wants them in `lowerdir`."""
    lowest = base()

    def build(folder: Path) -> None:
        # An overlay in a mount namespace of its own: nothing stays mounted, whatever happens.
        upper, work, root = folder / "upper", folder / "work", folder / "root"
        for each in (upper, work, root):
            each.mkdir()
        subprocess.run(
            ["unshare", "-m", "--propagation", "private", "sh", "-euc",
             'mount -t overlay overlay -o "lowerdir=$0,upperdir=$1,workdir=$2" "$3" && exec chroot "$3" sh -euc "$4"',
             str(lowest), str(upper), str(work), str(root), LAYER],
            check=True, stdin=subprocess.DEVNULL)
        shutil.rmtree(work)
        root.rmdir()

    return [build_once(f"layer-{digest(*PACKAGES, LAYER)}", build) / "upper", lowest]


def build_dir() -> Path:
    """build/gcc or build/asan, as ESCORT_BUILD says."""
    name = os.environ.get("ESCORT_BUILD", "gcc")
    if name not in ("gcc", "asan"):
        raise ValueError(f"ESCORT_BUILD={name}: gcc or asan")
    return REPO / "build" / name
