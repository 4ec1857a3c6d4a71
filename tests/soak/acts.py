"""What happens in a soak: each act is a few seconds of somebody's day, and says what must hold when it is over."""

import json
import random

from testhost import chaos, product
from testhost.broker import Broker
from testhost.guest import Guest, wait_for

ACCOUNT = "azsupport"
NEVER_APPROVED = "vendor-new"
CANARY = "/tmp/canary"
LIFETIME = 180  # seconds of an approval: what is revoked is remembered until its end, so the memory of it levels off in a warm-up


class Day:
    """One host, one sequence of random acts. Raises AssertionError or TimeoutError when something is not as it must be."""

    def __init__(self, guest: Guest, dice: random.Random) -> None:
        self.guest = guest
        self.dice = dice
        self.broker = Broker(guest)
        self.done: dict[str, int] = {}
        self.denied = 0  # sessions killed at birth

    def act(self) -> None:
        weighted = [(self.denied_starts, 6), (self.approved_and_revoked, 4), (self.many_documents, 3), (self.garbage, 2),
                    (self.policies, 2), (self.expiry, 1), (self.exec_burst, 2)]
        acts, weights = zip(*weighted)
        self.play(self.dice.choices(acts, weights)[0])

    def play(self, act) -> None:
        act()
        self.done[act.__name__] = self.done.get(act.__name__, 0) + 1

    def remembered(self) -> int:
        """Approvals revoked or withdrawn that the daemon must still know of."""
        ledger = "/var/lib/escortd/state/ledger.json"
        return len(json.loads(self.guest.read(ledger))["revoked"]) if self.guest.exists(ledger) else 0

    def killed_daemon(self) -> None:
        chaos.one_round(self.guest, self.dice, sessions=self.dice.randint(1, 2))

    def denied_starts(self) -> None:
        count = self.dice.randint(1, 30)
        line = (f"for i in $(seq {count}); do setpriv --reuid {NEVER_APPROVED} --clear-groups touch {CANARY}; echo $?; done;"
                f" su {NEVER_APPROVED} -c 'touch {CANARY}'; ssh {NEVER_APPROVED}@127.0.0.1 touch {CANARY}; true")
        codes = self.guest.run(line).out.split()
        assert codes == ["137"] * count, codes
        assert not self.guest.exists(CANARY)
        self.denied += count + 2

    def approved_and_revoked(self) -> None:
        approval = product.approve(self.guest, ACCOUNT, f"{LIFETIME}s")
        logins = [self.guest.login(ACCOUNT, "setsid sleep 7400 & exec cat") for _ in range(self.dice.randint(1, 4))]
        try:
            wait_for(lambda: len(product.sessions(self.guest, ACCOUNT)) == len(logins), 30, "the sessions")
            product.revoke(self.guest, approval)
            self._all_dead()
        finally:
            for login in logins:
                login.close()

    def expiry(self) -> None:
        product.approve(self.guest, ACCOUNT, "6s")
        login = self.guest.login(ACCOUNT, "exec cat")
        try:
            wait_for(login.over, 30, "the expiry")
            self._all_dead()
        finally:
            login.close()

    def exec_burst(self) -> None:
        approval = product.approve(self.guest, ACCOUNT, f"{LIFETIME}s")
        login = self.guest.login(ACCOUNT, "for i in $(seq 400); do /bin/true; done; exec cat")
        try:
            wait_for(lambda: product.sessions(self.guest, ACCOUNT), 30, "the session")
            product.revoke(self.guest, approval)
            self._all_dead()
        finally:
            login.close()

    def many_documents(self) -> None:
        """Lists that grow and shrink, leases of theirs, all withdrawn."""
        for _ in range(self.dice.randint(2, 6)):
            self.broker.approvals.append(self.broker.approval("vendor-two", escort="esc-1", seconds=LIFETIME))
            self.broker.publish()
        self.broker.lease(self.broker.approvals[-1]["jti"], "esc-1", seconds=30)
        self.broker.withdraw()
        assert not product.approvals_in_force(self.guest, "vendor-two")

    def garbage(self) -> None:
        line = (f"for i in $(seq {self.dice.randint(5, 60)}); do head -c $((RANDOM % 3000)) /dev/urandom >{product.SPOOL}/.g$i &&"
                f" mv {product.SPOOL}/.g$i {product.SPOOL}/g$i.jws; done")
        self.guest.run(line)
        wait_for(lambda: not self.guest.run(f"find {product.SPOOL} -name 'g*.jws'").out, 30, "the garbage judged")

    def policies(self) -> None:
        product.set_policy(self.guest, product.policy(self.dice.choice(["enforce", "observe", "gate_unbound", "escort"])))
        self.guest.write(product.POLICY, product.policy("refused"))
        assert self.guest.escortctl("reload", check=False).code == 1
        product.set_policy(self.guest, product.policy("enforce"))

    def _all_dead(self) -> None:
        wait_for(lambda: not self.guest.processes(ACCOUNT), 20, "the end of every process")
        wait_for(lambda: not product.sessions(self.guest, ACCOUNT), 20, "an empty table")
