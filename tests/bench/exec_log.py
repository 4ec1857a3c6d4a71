"""tools/bench execs: an approved session that execs as fast as it can, with each exec recorded.

Prints the daemon's processor time, what of the records was lost or over the budget (both counted), and that no
lifecycle event was. A second run's budget is a tenth, to show what is over it. Asserts nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "machine"))

from testhost import Host, product  # noqa: E402

ACCOUNT = "azsupport"
EXECS = "/usr/local/bin/exec_log"
TICK = os.sysconf("SC_CLK_TCK")
COUNTERS = ("exec_recorded", "exec_over_budget", "activity_full", "ring_full")


def build_execs() -> Path:
    execs = REPO / "build" / "exec_log"
    execs.parent.mkdir(exist_ok=True)
    subprocess.run(["gcc", "-O2", "-static", "-o", execs, REPO / "tests/bench/exec_log.c"], check=True)
    return execs


def daemon_seconds(host: Host) -> float:
    """Processor time of the daemon so far, user and system."""
    pid = host.run(["systemctl", "show", "-p", "MainPID", "--value", "escortd"]).out.strip()
    fields = host.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def run(host: Host, count: int, every_us: int, budget: int, arguments: bool) -> None:
    record = f"record: {{exec_per_minute: {budget}, arguments: {str(arguments).lower()}}}\n"
    product.set_policy(host, product.policy("enforce") + record)
    before, spent, end = host.ask("status")["counters"], daemon_seconds(host), host.journal_end()
    one = f"{EXECS} {count // 2} {2 * every_us}"  # two processes: each alone makes some 1,700 a second
    login = host.ssh(ACCOUNT, f"{one} & {one}; wait", timeout=600)
    assert login.ok, login.err
    answers = [json.loads(line) for line in login.out.splitlines()]
    seconds = max(each["seconds"] for each in answers)
    time.sleep(2)  # the ring is empty again
    spent = daemon_seconds(host) - spent
    after = host.ask("status")["counters"]
    counted = {name: after.get(name, 0) - before.get(name, 0) for name in COUNTERS}
    written = len(host.journal("session_exec", after=end))
    rate = sum(each["execs"] for each in answers) / seconds
    print(f"{rate:>7.0f}/s {budget:>7} {100 * spent / seconds:>9.1f} % "
          f"{counted['exec_recorded']:>9} {written:>9} {counted['exec_over_budget']:>9} {counted['activity_full']:>9} "
          f"{counted['ring_full']:>10}", flush=True)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/bench execs")
    parser.add_argument("--count", type=int, default=20_000)
    options = parser.parse_args(words)
    execs = build_execs()
    with Host() as host:
        product.install(host)
        product.found_broker(host)
        host.send(execs, EXECS)
        host.run(["chmod", "755", EXECS])
        product.set_policy(host, product.policy("enforce"))
        product.approve(host, ACCOUNT)
        print("target: 2,000 execs a second; no lifecycle event lost; lost records counted; daemon below 20 % of a core")
        print(f"{'execs':>9} {'budget':>7} {'daemon':>11} {'recorded':>9} {'journal':>9} {'over':>9} {'no room':>9} "
              f"{'lifecycle':>10}")
        run(host, options.count, 500, 60_000, False)
        run(host, options.count, 500, 60_000, True)
        run(host, options.count, 500, 6_000, False)
        run(host, options.count, 0, 60_000, False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
