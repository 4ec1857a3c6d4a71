"""The daemon killed at random points of a kill: at the end nothing that should be dead is alive."""

import random
import time

from . import product
from .guest import Guest, wait_for

ACCOUNT = "azsupport"
# Six processes: one that left the session, one without a parent, one that is root, some that fork on.
SESSION = ("setsid nohup sleep 7401 >/dev/null 2>&1 </dev/null & (setsid sleep 7402 >/dev/null 2>&1 </dev/null &); "
           "sudo setsid sleep 7403 >/dev/null 2>&1 </dev/null & (while :; do sleep 0.3; done) & exec cat")
MARKS = ("sleep 7401", "sleep 7402", "sleep 7403")

# $1 the approval, $2 a key, $3 seconds. The signed list is in the spool, then the daemon is killed so much later.
_REVOKE_AND_KILL = r"""
pid=$(systemctl show -P MainPID escortd)
escortctl revoke "$1" --key "$2" >/dev/null 2>&1 &
sleep "$3"
kill -KILL "$pid"
wait
exit 0
"""


def alive(guest: Guest) -> list[str]:
    """What lives of the account's sessions, whatever uid it has taken."""
    lines = guest.run(["ps", "-eo", "state=,user=,args="]).out.splitlines()
    found = []
    for line in lines:
        state, user, command = line.split(None, 2)
        if state not in "ZX" and (user == ACCOUNT or command.startswith(MARKS)):
            found.append(command)
    return found


def pid_of_daemon(guest: Guest) -> int:
    return int(guest.run(["systemctl", "show", "-P", "MainPID", "escortd"]).out)


def answers(guest: Guest) -> bool:
    return guest.escortctl("status", check=False).code in (0, 1)


def one_round(guest: Guest, dice: random.Random, sessions: int = 1) -> dict:
    """Sessions opened, their approval revoked, the daemon killed 0 to 30 ms into that (revoke itself takes some 20 to
    sign and to hand over: the time counts from its start, so up to 60), and all dead once it is back."""
    approval = product.approve(guest, ACCOUNT)
    logins = [guest.login(ACCOUNT, SESSION) for _ in range(sessions)]
    try:
        wait_for(lambda: len([each for each in alive(guest) if each in MARKS]) == sessions * len(MARKS), 20,
                 "the sessions' processes")
        before, after = pid_of_daemon(guest), dice.uniform(0, 0.06)
        guest.run(["bash", "-c", _REVOKE_AND_KILL, "chaos", approval, product.KEY, f"{after:.4f}"])
        begin = time.monotonic()
        wait_for(lambda: pid_of_daemon(guest) not in (0, before) and answers(guest), 30, "the next daemon")
        back = time.monotonic() - begin
        # Killed before the list was handed over: it is revoked now.
        if approval in product.approvals_in_force(guest, ACCOUNT):
            product.revoke(guest, approval)
        wait_for(lambda: not alive(guest), 10, f"the end of everything, daemon killed after {after * 1000:.1f} ms")
        wait_for(lambda: not product.sessions(guest, ACCOUNT), 10, "no session in the daemon's table")
        return {"after_ms": after * 1000, "back_s": back, "dead_s": time.monotonic() - begin}
    finally:
        for login in logins:
            login.close()
