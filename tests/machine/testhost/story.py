"""The story that the demo shows and that the virtual machine's kernel must hold too.

Each step says what it does and what came out; the first one that is not what it should be raises Wrong.
"""

import json
import time

from . import product
from .guest import Guest, Login
from .product import FILES

CANARY = "/tmp/canary"
# Three processes of the session: itself, one that left its session and ignores hang-ups, one whose parent is gone.
STAYING = "setsid nohup sleep 7001 >/dev/null 2>&1 </dev/null & (setsid sleep 7002 >/dev/null 2>&1 </dev/null &); sleep 7003"


class Wrong(AssertionError):
    """A step of the story was not what it should be."""


class Story:
    def __init__(self, guest: Guest, out=print) -> None:
        self.guest = guest
        self.out = out
        self.steps = 0

    def play(self) -> None:
        product.set_policy(self.guest, product.policy("enforce"))
        tenant = self._tenant_logs_in()
        try:
            self._refused_without_approval()
            self._tenant_answers(tenant)
            approval = self._approved_login_works()
            self._tenant_answers(tenant)
            self._revoked_session_dies(approval)
            self._refused_again()
            self._tenant_answers(tenant, "is untouched throughout")
        finally:
            tenant.close()

    def _step(self, text: str) -> None:
        self.steps += 1
        self.out(f"\n[{self.steps}] {text}")

    def _seen(self, text: str) -> None:
        self.out(f"      {text}")

    def _must(self, holds: bool, what: str) -> None:
        if not holds:
            raise Wrong(what)
        self._seen(f"ok  {what}")

    def _tenant_logs_in(self) -> Login:
        self._step("alice, a tenant's user, logs in by ssh and stays: nothing here may touch her")
        tenant = self.guest.login("alice", "cat")
        self._tenant_answers(tenant, "has a session")
        return tenant

    def _tenant_answers(self, tenant: Login, what: str = "is untouched") -> None:
        word = f"still here after step {self.steps}"
        tenant.say(word)
        self._must(tenant.process.stdout.readline().strip() == word, f"alice's session answers: she {what}")

    def _refused_without_approval(self) -> None:
        self._step("azsupport logs in without an approval: ssh azsupport@host touch /tmp/canary")
        self._login_is_refused()

    def _refused_again(self) -> None:
        self._step("azsupport logs in again, now that the approval is gone")
        self._login_is_refused()

    def _login_is_refused(self) -> None:
        told = self.guest.journal_end()
        begin = time.monotonic()
        login = self.guest.ssh("azsupport", "touch", CANARY)
        self._seen(f"ssh exit {login.code} after {(time.monotonic() - begin) * 1000:.0f} ms")
        self._must(login.code != 0, "the login is refused")
        self._must(not self.guest.exists(CANARY), "the canary file is absent: no instruction of theirs ran")
        lines = self.guest.wait_for(lambda: self.guest.journal("session_denied", after=told, account="azsupport"),
                                    10, "the journal's session_denied")
        self._must(all(line["ESCORT_VERDICT"] == "denied" for line in lines), "the journal says denied:")
        self._seen(f"    {lines[0]['MESSAGE']}")

    def _approved_login_works(self) -> str:
        self._step("escortctl approve azsupport --for 1h --ticket INC0000001 --engineer eng-42")
        begin = time.monotonic()
        approval = product.approve(self.guest, "azsupport")
        self._seen(f"approval {approval} in force after {(time.monotonic() - begin) * 1000:.0f} ms")
        login = self.guest.ssh("azsupport", "touch", CANARY)
        self._must(login.ok, "the same login works")
        self._must(self.guest.exists(CANARY), "the canary file is there")
        self.guest.run(["rm", CANARY])
        return approval

    def _revoked_session_dies(self, approval: str) -> None:
        self._step("azsupport opens a session with a `setsid nohup` child and an orphan; then: escortctl revoke")
        session = self.guest.login("azsupport", STAYING)
        pids = self.guest.wait_for(lambda: (found := self._sleeps()) and len(found) == 3 and found, 10,
                        "the session's three processes")
        self._seen(f"processes {' '.join(pids)} are alive")
        self.guest.write("/root/until_dead.py", (FILES / "until_dead.py").read_text(encoding="utf-8"))
        begin = self.guest.journal_end()
        answer = json.loads(self.guest.run(["python3", "/root/until_dead.py", *pids, "--", "escortctl", "revoke",
                                            approval, "--key", product.KEY]).out)
        self._must(answer["code"] == 0, "the approval is revoked")
        self._must(answer["alive"] == 0, f"all of it is dead {answer['ms']} ms after the command began")
        self.guest.wait_for(session.over, 10, "the end of the ssh client")
        killed = self.guest.wait_for(lambda: self.guest.journal("session_killed", after=begin, account="azsupport"),
                          10, "the journal's session_killed")
        self._seen(f"    {killed[0]['MESSAGE']}")
        self._must(not self._sleeps(), "no process of the session is left")

    def _sleeps(self) -> list[str]:
        """The pids of the session's processes that are still there."""
        return self.guest.run(["pgrep", "-U", "azsupport", "-x", "sleep"], check=False).out.split()
