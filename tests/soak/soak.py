"""tools/soak: random acts (acts.py) for an hour, the daemon measured all along, a table at the end.

The daemon is killed at random in the first five minutes and in the last tenth; in between one daemon serves all the time,
and its memory and descriptors are judged from the sixth minute on (with less than ten minutes: from half of it on).
"""

import argparse
import random
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from acts import NEVER_APPROVED, Day
from testhost import Host, chaos, native, product

WARM_UP = 300  # seconds
GROWTH = 0.05


@dataclass
class Sample:
    second: float
    pid: int
    rss_kib: int
    fds: int
    cpu: float  # seconds so far
    remembered: int  # approvals that are over and not yet forgotten


def sample(host: Host, day: Day, begin: float) -> Sample:
    pid = chaos.pid_of_daemon(host)
    out = host.run(f"grep VmRSS /proc/{pid}/status; ls /proc/{pid}/fd | wc -l; cut -d')' -f2 /proc/{pid}/stat").out.splitlines()
    fields = out[2].split()
    return Sample(time.monotonic() - begin, pid, int(re.search(r"\d+", out[0])[0]), int(out[1]),
                  (int(fields[11]) + int(fields[12])) / 100, day.remembered())


def lost_lifecycle(host: Host, after: int) -> int:
    return sum(int(entry["MESSAGE"].split()[0]) for entry in host.journal("events_dropped", after=after)
               if "kernel programs" in entry["MESSAGE"])


def supervisors(host: Host, options: argparse.Namespace) -> list[subprocess.Popen]:
    """A tenant's, and one in a container whose uid is that of an account that is killed all the time."""
    how_long = [str(options.churn), str(options.minutes * 60)]
    uid = host.run(["id", "-u", NEVER_APPROVED]).out.strip()
    return [host.popen(["nice", "-n", "10", *command, *how_long], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
            for command in (["setpriv", "--reuid", "alice", "--clear-groups", native.SUPERVISOR],
                            native.in_container(uid))]


def run(host: Host, options: argparse.Namespace) -> tuple[Day, list[Sample], float, str]:
    """Acts until the time is over; the day, what was measured, the warm-up's end, what went wrong."""
    day, samples, wrong = Day(host, random.Random(options.seed)), [], ""
    length = options.minutes * 60
    warm, last_tenth = (WARM_UP if length >= 2 * WARM_UP else length / 2), length * 0.9
    begin = time.monotonic()
    try:
        while (now := time.monotonic() - begin) < length:
            kill = (now < warm or now > last_tenth) and day.dice.random() < 0.15
            day.play(day.killed_daemon) if kill else day.act()
            if not samples or time.monotonic() - begin - samples[-1].second > min(10, length / 40):
                samples.append(sample(host, day, begin))
    except (AssertionError, TimeoutError) as reason:
        wrong = f"{type(reason).__name__}: {reason}"
    return day, samples, warm, wrong


def judged(samples: list[Sample], warm: float) -> list[Sample]:
    """Those of the one daemon that served from the warm-up's end on."""
    later = [each for each in samples if each.second >= warm]
    pids = [each.pid for each in later]
    longest = max(set(pids), key=pids.count) if pids else 0
    return [each for each in later if each.pid == longest]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--churn", type=int, default=1_000_000, help="processes of a tenant's supervisor beside it, at most")
    parser.add_argument("--chaos", type=int, default=500, help="afterwards kill the daemon in so many kills")
    options = parser.parse_args()
    with Host() as host:
        product.install(host)
        product.found_broker(host)
        product.set_policy(host, product.policy("enforce"))
        native.send_supervisors(host)
        begin = host.journal_end()
        bystanders = supervisors(host, options)
        tenant = host.login("alice", "cat")
        day, samples, warm, wrong = run(host, options)
        rounds, dice = 0, random.Random(options.seed + 1)
        while rounds < options.chaos and not wrong:
            try:
                chaos.one_round(host, dice, sessions=1 + rounds % 2)
                rounds += 1
            except (AssertionError, TimeoutError) as reason:
                wrong = f"chaos, round {rounds}: {reason}; alive: {chaos.alive(host)}"
        host.run(["pkill", "-TERM", "-x", "supervisor"], check=False)
        counted = [each.communicate(timeout=60)[0].strip() for each in bystanders]
        tenant.say("still here")
        tenant_there = tenant.process.stdout.readline() == "still here\n"
        tenant.close()
        lost = lost_lifecycle(host, begin)
        starts = [entry for entry in host.journal("agent_started", after=begin)]
        log = host.run("journalctl -q -u escortd -o cat --no-pager", timeout=300).out
        crashes = len(re.findall(r"^.*(?:code=(?:dumped|exited)|code=killed, status=(?:[^9\n]|9[^/\n])).*$", log, re.MULTILINE))
    return report(options, day, judged(samples, warm), rounds, wrong, counted, tenant_there, lost, len(starts), crashes)


def report(options, day, steady, rounds, wrong, counted, tenant_there, lost, starts, crashes) -> int:
    rows, bad = [], []

    def row(name: str, value: str, good: bool = True) -> None:
        rows.append((name, value, "" if good else "NOT GOOD"))
        if not good:
            bad.append(name)

    part = max(1, len(steady) // 5)
    row("minutes, seed", f"{options.minutes:g}, {options.seed}")
    row("acts", ", ".join(f"{name} {count}" for name, count in sorted(day.done.items())))
    row("sessions killed at birth", str(day.denied))
    row("all acts ended as they must", wrong or "yes", not wrong)
    row("chaos rounds", f"{rounds} of {options.chaos}", rounds == options.chaos)
    if len(steady) >= 2:
        first = statistics.median(each.rss_kib for each in steady[:part])
        last = statistics.median(each.rss_kib for each in steady[-part:])
        row("RSS KiB, first and last fifth", f"{first:.0f} -> {last:.0f} ({(last / first - 1) * 100:+.1f} %)",
            last <= first * (1 + GROWTH))
        row("revoked and remembered, the same", " -> ".join(f"{statistics.median(each.remembered for each in some):.0f}"
                                                            for some in (steady[:part], steady[-part:])))
        low, high = min(each.fds for each in steady[:part]), min(each.fds for each in steady[-part:])
        row("descriptors, idle", f"{low} -> {high}", high <= low + 2)
        seconds = steady[-1].second - steady[0].second
        row("daemon's processor time", f"{(steady[-1].cpu - steady[0].cpu) / max(seconds, 1) * 100:.1f} % of a core")
    else:
        row("samples", str(len(steady)), False)
    row("lifecycle events lost", str(lost), lost == 0)
    for whose, line in zip(("tenant's processes", "a container's"), counted):
        row(whose, line, " wrong 0 " in line)
    row("tenant's session", "there" if tenant_there else "gone", tenant_there)
    row("daemon started", f"{starts} times, crashed {crashes}", crashes == 0)
    width = max(len(name) for name, _, _ in rows)
    for name, value, mark in rows:
        print(f"{name:{width}}  {value}  {mark}".rstrip())
    return 1 if bad else 0


sys.exit(main())
