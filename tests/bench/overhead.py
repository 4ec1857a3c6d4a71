"""tools/bench overhead: what the agent costs everybody else, and what auditd costs for the nearest job.

A tenant's getppid loop and posix_spawn of /bin/true, with nothing attached and with each set of hooks in turn, again
and again on one host, at idle and beside a busy support session. Ratios to what was measured just before with nothing
attached, by processor time, which this machine's other load disturbs least, and by the clock. Asserts nothing.

With ESCORT_MACHINE_SUITE=bookworm in a virtual machine with that kernel, without auditd: on an emulated processor a
ratio is one of instructions.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "machine"))

from auditd import Auditd  # noqa: E402
from testhost import Guest, Host, product  # noqa: E402
from testhost.guest import wait_for  # noqa: E402
from testhost.machine import machine  # noqa: E402

ACCOUNT = "azsupport"
TENANT = "alice"
PACE = "/usr/local/bin/pace"
SETTINGS = "/etc/escortd/escortd.yaml"
PINS = "/sys/fs/bpf/escortd"
SLICES, CALLS, SPAWNS = 10, 4000, 4
ACTS = ("getppid", "spawn")
Slices = list[dict[str, float]]  # what pace printed
TARGETS = {"getppid": "at most 1.02", "spawn": "at most 1.01"}


def build_pace() -> Path:
    pace = REPO / "build" / "pace"
    pace.parent.mkdir(exist_ok=True)
    subprocess.run(["gcc", "-O2", "-static", "-o", pace, REPO / "tests/bench/pace.c"], check=True)
    return pace


class Bench:
    def __init__(self, host: Guest, audit: Auditd | None) -> None:
        self.host = host
        self.audit = audit
        self.on = "off"
        self.hooks: dict[str, str] = {}  # setting -> the set that the agent took

    def switch(self, mode: str) -> None:
        """off: no program attached, no rule of audit; auto, tracepoints: the agent, with this setting; auditd."""
        if self.on in ("auto", "tracepoints"):
            # As a removed package leaves it: no daemon, no pins, so nothing is attached.
            self.host.run(f"systemctl stop escortd && rm -rf {PINS}")
        if self.audit:
            self.audit.stop()
        if mode == "auditd":
            self.audit.start()
        elif mode != "off":
            self.host.write(SETTINGS, f"version: 1\nhooks: {mode}\n")
            self.host.run("systemctl start escortd")
            wait_for(lambda: self.host.ask("status")["tier"] == "kill", 10, "enforcement")
            self.hooks[mode] = self.host.ask("status")["hooks"]
        self.on = mode

    def pace(self) -> Slices:
        """By a login of the tenant's, so that audit's login uid is set."""
        done = self.host.ssh(TENANT, f"{PACE} {SLICES} {CALLS} {SPAWNS}", timeout=120)
        assert done.ok, done.err
        return json.loads(done.out)

    @contextlib.contextmanager
    def busy(self, wanted: bool):
        """A support session that execs and forks; with nothing attached, processes that do the same."""
        if not wanted:
            yield
            return
        if self.on in ("auto", "tracepoints"):
            login = self.host.login(ACCOUNT, f"{PACE} work")
        else:
            login = self.host.popen(["setpriv", "--reuid", ACCOUNT, "--clear-groups", PACE, "work"], text=True,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for(lambda: f"{PACE} work" in self.host.processes(ACCOUNT), 10, "the busy session")
        yield
        self.host.run(["pkill", "-U", ACCOUNT, "-x", "pace"], check=False)
        _ = login.close() if hasattr(login, "close") else login.communicate(timeout=10)


def middle(slices: Slices, key: str) -> float:
    return statistics.median(each[key] for each in slices)


def report(load: str, hooks: dict[str, str], taken: dict[str, list[tuple[Slices, Slices]]]) -> None:
    """taken: of each mode, round by round, what was measured just before with nothing attached, and with it."""
    for mode, rounds in taken.items():
        name = f"escortd, hooks: {mode}" if mode in hooks else mode
        name += f" ({hooks[mode]})" if mode == "auto" else ""
        for act in ACTS:
            cells = []
            for key in (act, f"{act}_wall"):
                # Of each pair, since the machine's load drifts.
                ratio = statistics.median(middle(on, key) / middle(off, key) for off, on in rounds)
                cells.append(f"{ratio:>8.3f}")
            off, on = (middle(sum((each[side] for each in rounds), []), act) for side in (0, 1))
            unit, scale = ("ns", 1) if act == "getppid" else ("us", 1000)
            shown = f"{off / scale:.0f} -> {on / scale:.0f} {unit}"
            target = TARGETS[act] if mode == "auto" else ""
            print(f"{load:<6} {name:<36} {act:<8} {shown:>18} {cells[0]} {cells[1]}   {target}", flush=True)

def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/bench overhead")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--modes", default="auto,tracepoints,auditd")
    options = parser.parse_args(words)
    pace = build_pace()
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(machine())
        modes, audit = options.modes.split(","), None
        if isinstance(host, Host):
            audit = Auditd(REPO / "build" / "auditd")
            stack.callback(audit.stop)
        else:
            modes = [mode for mode in modes if mode != "auditd"]
        product.install(host)
        product.found_broker(host)
        product.set_policy(host, product.policy("enforce"))
        product.approve(host, ACCOUNT, "8h")
        host.send(pace, PACE)
        host.run(["chmod", "755", PACE])
        # For the tenant's logins while the daemon is off: what is measured is the hooks.
        host.run("sed -i /pam_escort/d /etc/pam.d/common-*")
        bench = Bench(host, audit)
        bench.on = "auto"
        print(f"{'load':<6} {'':<36} {'act':<8} {'medians':>18} {'by CPU':>8} {'by clock':>8}   target")
        for load in ("idle", "busy"):
            taken: dict[str, list[tuple[Slices, Slices]]] = defaultdict(list)
            for turn in range(options.rounds):
                for mode in modes[turn % len(modes):] + modes[:turn % len(modes)]:
                    pair = []
                    for each in ("off", mode):
                        bench.switch(each)
                        with bench.busy(load == "busy"):
                            pair.append(bench.pace())
                    taken[mode].append((pair[0], pair[1]))
            report(load, bench.hooks, taken)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
