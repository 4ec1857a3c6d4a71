"""Another machine, seen from the host: a network namespace there with two addresses of each family, and keys of its own.

Nothing of it is known to the agent; sshd on the host sees connections from 10.77.0.2, 10.77.0.3, fd77::2 and fd77::3.
"""

import subprocess

from . import product
from .guest import Guest, Login, Result

KEYS = "/root/keys"
PASSWORD = "correct horse 7"
HERE, HERE6 = "10.77.0.1", "fd77::1"
NEAR, OTHER = "10.77.0.2", "10.77.0.3"
NEAR6, OTHER6 = "fd77::2", "fd77::3"
_SETTINGS = "/etc/ssh/sshd_config.d/00-far.conf"  # before tests.conf: sshd takes the first of each

# a and b: keys of two engineers, both in the accounts' authorized_keys. c: certified only.
_BUILD = f"""
set -e
mkdir -m 700 {KEYS}
cd {KEYS}
for key in a b c ca stranger_ca; do ssh-keygen -q -t ed25519 -N '' -C $key -f $key; done
for account in azsupport vendor-two; do
    cp /home/$account/.ssh/authorized_keys $account.before
    cat a.pub b.pub >>/home/$account/.ssh/authorized_keys
    echo "$account:{PASSWORD}" | chpasswd
done
printf '#!/bin/sh\\necho "{PASSWORD}"\\n' >askpass
chmod 700 askpass
printf '%s\\n' 'TrustedUserCAKeys {KEYS}/ca.pub' 'PasswordAuthentication yes' 'PermitUserEnvironment yes' >{_SETTINGS}
systemctl reload ssh
ip netns add far
ip link add near0 type veth peer name far0 netns far
ip addr add {HERE}/24 dev near0
ip addr add {HERE6}/64 dev near0 nodad
ip link set near0 up
ip -n far link set lo up
for address in {NEAR}/24 {OTHER}/24; do ip -n far addr add $address dev far0; done
for address in {NEAR6}/64 {OTHER6}/64; do ip -n far addr add $address dev far0 nodad; done
ip -n far link set far0 up
"""

_REMOVE = f"""
ip netns del far
ip link del near0 2>/dev/null
rm -f {_SETTINGS}
systemctl reload ssh
for account in azsupport vendor-two; do
    cat {KEYS}/$account.before >/home/$account/.ssh/authorized_keys
    usermod -p '!' $account
    rm -f /home/$account/.ssh/environment
done
rm -rf {KEYS}
"""


class Far:
    """`with Far(guest) as far:` builds it; the host is as before at the end of the block."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def __enter__(self) -> "Far":
        self.guest.run(_BUILD)
        return self

    def __exit__(self, *_) -> None:
        self.guest.run(_REMOVE, check=False)

    def fingerprint(self, key: str) -> str:
        return self.guest.run(["ssh-keygen", "-lf", f"{KEYS}/{key}.pub"]).out.split()[1]

    def certify(self, key: str, key_id: str, account: str, *, ca: str = "ca") -> None:
        """A certificate of `key` for the account, beside it as OpenSSH names it."""
        self.guest.run(["ssh-keygen", "-q", "-s", f"{KEYS}/{ca}", "-I", key_id, "-n", account, "-V", "-5m:+1h",
                        f"{KEYS}/{key}.pub"])

    def options(self, key: str | None, source: str) -> list[str]:
        """For ssh, sftp and scp. Without a key a password opens. INFO: a refusal's text is shown."""
        how = ["-o", "LogLevel=INFO", "-o", f"BindAddress={source}"]
        if key is None:
            return [*how, "-o", "BatchMode=no", "-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1"]
        return [*how, "-o", "IdentitiesOnly=yes", "-i", f"{KEYS}/{key}"]

    def run(self, program: str, *words: str, timeout: float = 30, stdin: str | None = None) -> Result:
        return self.guest.run([*self._there(), program, *words], check=False, timeout=timeout, stdin=stdin)

    def ssh(self, account: str, *command: str, key: str | None = "a", source: str = NEAR, options=()) -> Result:
        """Logs in from that address and runs a command."""
        return self.run("ssh", *self.options(key, source), *options, f"{account}@{self.to(source)}", *command)

    def login(self, account: str, *command: str, key: str | None = "a", source: str = NEAR, options=()) -> Login:
        """A session that stays open; close() it."""
        words = [*self._there(), "ssh", *self.options(key, source), *options, f"{account}@{self.to(source)}", *command]
        return stays(self.guest, words)

    @staticmethod
    def to(source: str) -> str:
        return HERE6 if ":" in source else HERE

    @staticmethod
    def _there() -> list[str]:
        asking = [f"SSH_ASKPASS={KEYS}/askpass", "SSH_ASKPASS_REQUIRE=force"]
        return ["ip", "netns", "exec", "far", "env", *asking]


def stays(guest: Guest, words: list[str]) -> Login:
    """A command of root's that stays, spoken to as a Login."""
    return Login(guest.popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, errors="replace"))


def facts(guest: Guest, session: str) -> dict[str, tuple[str, str]]:
    """What `session ID` shows of it: by name, the value and where it is known from."""
    shown = guest.ask("session", session)
    return {fact["name"]: (fact["value"], fact["from"]) for fact in shown["facts"]}


def only_session(guest: Guest, account: str) -> dict:
    found = product.sessions(guest, account)
    assert len(found) == 1, found
    return found[0]
