"""A broker for tests: whole signed lists, leases, revocations and break-glass lists, put into the spool as a courier does.

It signs with the product's own `escortctl document sign` and waits until the daemon has judged what it sent. Its
lists are an issuer's of their own: they neither replace nor are replaced by those of product.approve().
"""

import json
import shlex
import time
import uuid

from . import product
from .guest import Guest, wait_for

ISSUER = "https://tests.example.gov"
EMERGENCY_ISSUER = "https://emergency.example.gov"
EMERGENCY_KEY = "/root/broker/emergency.key"
ENDED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"

# How a document reaches the host: $3 is its name in /root/broker. This one: without a courier.
INTO_SPOOL = f'mv "/root/broker/$3.jws" "{product.SPOOL}/$3.jws"'

# stdin: the document; $0 how to deliver it, $1 private key, $2 type, $3 its name in the spool, then what `sign` is given besides. Prints its
# SHA-256.
_SEND = """
set -e
cat >"/root/broker/$3.json"
escortctl document sign --key "$1" --type "$2" "${@:4}" --out "/root/broker/$3.jws" "/root/broker/$3.json" >/dev/null
sha256sum <"/root/broker/$3.jws"
eval "$0"
"""

# $1 a document's SHA-256. Prints the daemon's answer once it has judged it (5 s at most), a line of JSON. A lease that
# is renewed, and an event about what is over already, leave nothing in the journal.
_RESULT = r"""
import socket, sys
daemon = socket.socket(socket.AF_UNIX)
daemon.connect("/run/escortd/control.sock")
daemon.sendall(b'{"request": "document_result", "params": {"sha256": "%s"}}\n' % sys.argv[1].encode())
print(daemon.makefile().readline())
"""


def now() -> int:
    """Seconds since the epoch; a machine under test has this machine's clock."""
    return int(time.time())


class Broker:
    """One issuer of approvals. Every change of them is a new whole list, in force when the method returns."""

    def __init__(self, guest: Guest, issuer: str = ISSUER, key: str = product.KEY, deliver: str = INTO_SPOOL) -> None:
        self.guest = guest
        self.issuer = issuer
        self.key = key
        self.approvals: list[dict] = []
        self.emergencies: list[dict] = []
        self.deliver = deliver
        self._seq = 0

    # --- documents ---

    def send(self, kind: str, claims: dict, *, key: str = "", expect: str = "document_accepted", force: bool = False) -> dict:
        """Signs, drops into the spool and waits until it is judged; the daemon's word. expect="": doesn't wait."""
        name = uuid.uuid4().hex
        command = ["bash", "-c", _SEND, self.deliver, key or self.key, kind, name]
        sha256 = self.guest.run(command + ["--force"] * force, stdin=json.dumps(claims)).out.split()[0]
        if not expect:
            return {}
        answer = json.loads(self.guest.run(["python3", "-c", _RESULT, sha256]).out)
        assert answer["ok"], f"{kind} {claims}: {answer}"
        judged = {"refused": "document_refused"}.get(answer["result"]["outcome"], "document_accepted")
        assert judged == expect, answer["result"]
        return answer["result"]

    def claims(self, **more) -> dict:
        return {"iss": self.issuer, "aud": f"host:{self.guest.machine_id}", "iat": now()} | more

    def publish(self, *, revoked: tuple[str, ...] = (), lifetime: int = 7200, **options) -> dict:
        """The whole list as it now is. options: those of send()."""
        claims = self.claims(exp=now() + lifetime, seq=self._next(), approvals=self.approvals)
        return self.send("approvals", claims | ({"revoked": list(revoked)} if revoked else {}), **options)

    # --- approvals ---

    def approval(self, account: str, engineer: str | dict = "eng-7", *, seconds: int = 3600, fingerprints=(), key_ids=(),
                 ticket: str | None = "INC0000007", escort: str | dict | None = None, **more) -> dict:
        """An approval as a document holds it, not published. more: its other claims (source, max_sessions, also ...)."""
        made = {"jti": f"apr-{uuid.uuid4().hex[:12]}", "account": account, "nbf": now() - 60, "exp": now() + seconds,
                "engineer": {"id": engineer} if isinstance(engineer, str) else engineer}
        if ticket is not None:
            made["ticket"] = {"system": "tests", "id": ticket}
        if escort is not None:
            made["escort"] = {"id": escort} if isinstance(escort, str) else escort
        ssh = {name: list(value) for name, value in (("fingerprints", fingerprints), ("key_ids", key_ids)) if value}
        return made | ({"ssh": ssh} if ssh else {}) | more

    def approve(self, account: str, engineer: str | dict = "eng-7", **fields) -> str:
        """Publishes one approval beside those that there are; its id."""
        made = self.approval(account, engineer, **fields)
        self.approvals.append(made)
        self.publish()
        return made["jti"]

    def revoke(self, jti: str) -> None:
        """By the list's `revoked`: it never grants again."""
        self.approvals = [each for each in self.approvals if each["jti"] != jti]
        self.publish(revoked=(jti,))

    def withdraw(self) -> None:
        """No approval of this broker is left, emergencies included."""
        if self.approvals:
            self.approvals = []
            self.publish()
        if self.emergencies:
            self.emergencies = []
            self._publish_emergencies()

    # --- escorts, events, emergencies ---

    def lease(self, approval: str, escort: str, seconds: int = 60, *, iat: int | None = None, **options) -> None:
        """The escort is there, for so long at most. Leases count whole seconds; seconds <= 0 ends presence.

        Of two within one second neither is newer, so this waits for the next one."""
        begin = now() if iat is None else iat
        if iat is None:
            begin = wait_for(lambda: now() if now() > self._leased else 0, 3, "the next second")
            self._leased = begin
        claims = self.claims(approval=approval, escort=escort) | {"iat": begin, "exp": begin + seconds}
        self.send("presence", claims, **options)

    _leased = 0  # iat of the last lease

    def set_event(self, identifier: str, jti: str = "", **options) -> str:
        """A CAEP session-revoked event for an approval's jti or a session's id; the event's own jti."""
        jti = jti or f"set-{uuid.uuid4().hex[:12]}"
        claims = {"iss": self.issuer, "jti": jti, "iat": now(), "aud": [f"host:{self.guest.machine_id}"],
                  "sub_id": {"format": "complex", "session": {"format": "opaque", "id": identifier}},
                  "events": {ENDED: {"event_timestamp": now()}}}
        self.send("revocation", claims, **options)
        return jti

    def breakglass(self, account: str, engineer: str | dict = "eng-9", *, reason: str = "broker down", **fields) -> str:
        """Publishes an emergency approval, signed by a key of breakglass.d (made and trusted when there is none)."""
        if not self.guest.exists(EMERGENCY_KEY):
            name = EMERGENCY_KEY.removesuffix(".key")
            self.guest.escortctl("keygen", name)
            self.guest.run(f"install -D -m 644 {shlex.quote(name)}.pem /etc/escortd/breakglass.d/emergency.pem")
            self.guest.escortctl("reload")
        made = self.approval(account, engineer, **({"ticket": None} | fields))
        made["emergency"] = {"authority": "CISO on duty", "reason": reason}
        self.emergencies.append(made)
        self._publish_emergencies()
        return made["jti"]

    # --- inside ---

    def _publish_emergencies(self) -> None:
        claims = self.claims(exp=now() + 7200, seq=self._next(), approvals=self.emergencies) | {"iss": EMERGENCY_ISSUER}
        self.send("breakglass", claims, key=EMERGENCY_KEY)

    def _next(self) -> int:
        """A sequence number above every one before, also those of earlier Brokers of this issuer."""
        self._seq = max(self._seq + 1, time.time_ns() // 1_000_000)
        return self._seq
