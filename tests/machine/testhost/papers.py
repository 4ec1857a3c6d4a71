"""Signed documents that `escortctl approve` does not make: leases, session-revoked events, emergency lists.

Each is signed by escortctl, put into the spool by rename, and judged by the daemon when the call returns.
"""

import itertools
import json
import time

from . import product
from .guest import Guest

BREAKGLASS_KEY = "/root/broker/emergency.key"
BREAKGLASS_TRUST = "/etc/escortd/breakglass.d/emergency.pem"
_SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
_numbers = itertools.count(time.time_ns() // 1_000_000)

# $1 type, $2 key, $3 name, $4 spool. Prints the daemon's answer to document_result, a line of JSON.
_PUBLISH = r"""
cat >/root/claims.json
escortctl document sign --key "$2" --type "$1" --out "$4/.$3" /root/claims.json >/dev/null || exit
sha256=$(sha256sum "$4/.$3" | cut -d ' ' -f 1)
mv "$4/.$3" "$4/$3.jws"
exec python3 -c '
import socket, sys
daemon = socket.socket(socket.AF_UNIX)
daemon.connect("/run/escortd/control.sock")
daemon.sendall(sys.argv[1].encode() + b"\n")
print(daemon.makefile().readline())
' '{"request": "document_result", "params": {"sha256": "'"$sha256"'"}}'
"""


def publish(guest: Guest, kind: str, claims: dict, key: str = product.KEY) -> dict:
    """{outcome, word, text, ended} as the daemon judged it; sessions that it ended are dead by then."""
    name = f"papers-{next(_numbers)}"
    result = guest.run(["bash", "-uc", _PUBLISH, "publish", kind, key, name, product.SPOOL],
                       stdin=json.dumps(claims))
    return json.loads(result.out)["result"]


def accepted(guest: Guest, kind: str, claims: dict, key: str = product.KEY) -> dict:
    answer = publish(guest, kind, claims, key)
    assert answer["outcome"] == "accepted", answer
    return answer


def _local(guest: Guest, iat: int | None = None) -> dict:
    """What `escortctl approve` signs as; its own approvals are who it may lease and revoke for."""
    return {"iss": f"escortctl:{guest.machine_id}", "iat": int(time.time()) if iat is None else iat}


class Escort:
    """The escort of one approval, who comes and goes. The newest `iat` wins, so each lease has its own second."""

    def __init__(self, guest: Guest, approval: str, name: str) -> None:
        self.guest, self.approval, self.name = guest, approval, name
        self._iat = 0

    def present(self, seconds: int = 600) -> None:
        self._lease(seconds)

    def leave(self) -> None:
        """At once: a lease that is over when it is signed."""
        self._lease(0)

    def _lease(self, seconds: int) -> None:
        self._iat = max(int(time.time()), self._iat + 1)
        accepted(self.guest, "presence", _local(self.guest, self._iat) | {
            "aud": f"host:{self.guest.machine_id}", "exp": self._iat + seconds,
            "approval": self.approval, "escort": self.name})


def session_revoked(guest: Guest, which: str) -> dict:
    """A CAEP event about an approval's jti or a session's id; the claims, to send them again."""
    return _local(guest) | {
        "jti": f"set-{next(_numbers)}", "aud": [f"host:{guest.machine_id}"],
        "sub_id": {"format": "complex", "session": {"format": "opaque", "id": which}},
        "events": {_SESSION_REVOKED: {"event_timestamp": int(time.time())}}}


def found_breakglass(guest: Guest) -> None:
    """A key that may sign emergencies, and nothing else."""
    guest.escortctl("keygen", BREAKGLASS_KEY.removesuffix(".key"))
    guest.run(["install", "-D", "-m", "644", BREAKGLASS_KEY.removesuffix("key") + "pem", BREAKGLASS_TRUST])
    guest.escortctl("reload")


def forget_breakglass(guest: Guest) -> None:
    """What no trusted key signs any more grants nothing."""
    guest.run(["rm", "-f", BREAKGLASS_TRUST, BREAKGLASS_KEY, BREAKGLASS_KEY.removesuffix("key") + "pem"])
    guest.escortctl("reload")


def emergency(guest: Guest, account: str, **engineer) -> str:
    """An emergency approval of an hour, signed by the break-glass key; its id."""
    now, number = int(time.time()), next(_numbers)
    accepted(guest, "breakglass", {
        "iss": "https://emergency.example.gov", "aud": f"host:{guest.machine_id}",
        "iat": now, "exp": now + 3600, "seq": number,
        "approvals": [{"jti": f"brk-{number}", "account": account, "nbf": now, "exp": now + 3600,
                       "engineer": {"id": "eng-42"} | engineer,
                       "emergency": {"authority": "duty officer", "reason": "broker down"}}]}, BREAKGLASS_KEY)
    return f"brk-{number}"
