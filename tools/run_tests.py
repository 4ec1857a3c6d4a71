"""The parts of tools/test: each is one command whose cases are counted from its own report.

A part that crashes, runs nothing or can't be built counts as failed; a failing part doesn't stop the rest. They run
one after the other; beside them, on what they leave of the processors, what measures no time.
"""

import argparse
import contextlib
import functools
import os
import re
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
LOGS = REPO / "build" / "test"


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


@dataclass
class Part:
    name: str
    command: list[str]
    timeout: int  # seconds
    count: object  # (log text, report) -> Count
    preset: str = "gcc"
    targets: tuple[str, ...] = ()
    beside: bool = False  # runs along with the others at the lowest priority; measures no time


# Three hosts at once: they mostly wait. A file's tests stay together, since some follow from another's.
HOSTS = ("-n", "3", "--dist", "loadfile")


def doctest(log: str, _: Path) -> Count:
    """`[doctest] test cases: 12 | 11 passed | 1 failed | 0 skipped`, once a program."""
    total = Count()
    line = r"\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped"
    for found in re.finditer(line, re.sub(r"\x1b\[[0-9;]*m", "", log)):
        total += Count(*map(int, found.groups()))
    return total


def pytest(_: str, report: Path) -> Count:
    """JUnit's XML, written at the very end."""
    total = Count()
    if not report.exists():
        return total
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        failed = int(suite.get("failures")) + int(suite.get("errors"))
        skipped = int(suite.get("skipped"))
        total += Count(max(0, int(suite.get("tests")) - failed - skipped), failed, skipped)
    return total


def fuzz(log: str, _: Path) -> Count:
    """`N passed, N failed` of tools/fuzz: a case for each target."""
    found = re.search(r"^(\d+) passed, (\d+) failed$", log, re.MULTILINE)
    return Count(*map(int, found.groups())) if found else Count()


def one_case(_: str, __: Path) -> Count:
    return Count(passed=1)


def pytest_command(folder: str, *options: str) -> list[str]:
    return ["/usr/bin/python3", "-m", "pytest", "-q", f"tests/{folder}", *options]


def sanitized(preset: str) -> list[Part]:
    suffix = "" if preset == "gcc" else f" ({preset})"
    chosen_tests = () if preset == "gcc" else ("-m", "not once")
    return [Part(f"unit{suffix}", [f"build/{preset}/unit_tests"], 900, doctest, preset, ("unit_tests",)),
            Part(f"bpf{suffix}", [f"build/{preset}/bpf_tests"], 900, doctest, preset, ("bpf_tests",)),
            Part(f"machine{suffix}", pytest_command("machine", *HOSTS, *chosen_tests), 2400, pytest, preset,
                 ("escortd", "escort-courier", "escortctl", "escortd-next"))]


PARTS = [Part("style: format", ["tools/check-style", "format"], 120, one_case, beside=True),
         Part("style: tidy", ["tools/check-style", "tidy"], 3600, one_case, beside=True),
         # An input's time limit is one of wall clock (libFuzzer, -timeout): of what is left of the processors.
         Part("fuzz", ["env", "FUZZ_FLAGS=-timeout=100", "tools/fuzz"], 3600, fuzz, beside=True),
         *sanitized("gcc"),
         Part("demo", ["tools/demo"], 360, one_case),
         Part("vm", pytest_command("vm"), 1800, pytest),
         *sanitized("asan")]


# Left out when everything runs: a second run of the kernel programs' tests costs minutes.
ONCE = ("bpf (asan)",)

RUNNING: set[subprocess.Popen] = set()
PRINTING = threading.Lock()


@functools.cache
def package() -> int:
    """Makes what pytest's parts install, once. The exit code."""
    log = LOGS / "package.log"
    log.unlink(missing_ok=True)
    return run(["tools/package"], log, 600, dict(os.environ))


def chosen() -> list[Part]:
    parser = argparse.ArgumentParser(prog="tools/test")
    for name in ("unit", "bpf", "machine", "vm", "style", "fuzz", "demo", "asan"):
        parser.add_argument(f"--{name}", action="store_true")
    flags = vars(parser.parse_args())
    wanted = {name for name, given in flags.items() if given} - {"asan"}
    if not wanted and not flags["asan"]:
        return [part for part in PARTS if part.name not in ONCE]
    if flags["asan"] and not wanted & {"unit", "bpf", "machine"}:
        wanted |= {"unit", "bpf", "machine"}

    def fits(part: Part) -> bool:
        word = re.split(r"\W", part.name)[0]
        return word in wanted and (word not in ("unit", "bpf", "machine")
                                   or (part.preset == "asan") == flags["asan"])
    return [part for part in PARTS if fits(part)]


def run(command: list[str], log: Path, timeout: int, environment: dict[str, str]) -> int:
    """The exit code; -9 after the time limit, when the whole process group is ended."""
    with open(log, "ab") as out:
        process = subprocess.Popen(command, cwd=REPO, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   env=environment, start_new_session=True)
        RUNNING.add(process)
        try:
            return process.wait(timeout)
        except BaseException as reason:
            # SIGTERM first: a test host is ended by the one who started it.
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if not isinstance(reason, subprocess.TimeoutExpired):
                raise
            out.write(f"\nnot done within {timeout} s\n".encode())
            return -9
        finally:
            RUNNING.discard(process)


# Runs a command at the lowest priority, in its session's scheduling group and as that group (sched(7), autogroup).
LEFTOVERS = ["bash", "-c", 'echo 19 >/proc/self/autogroup || true; exec nice -n 19 "$@"', "leftovers"]


def play(part: Part) -> Count:
    slug = re.sub(r"\W+", "-", part.name).strip("-")
    log, report = LOGS / f"{slug}.log", LOGS / f"{slug}.xml"
    for old in (log, report):
        old.unlink(missing_ok=True)
    begin = time.monotonic()
    environment = os.environ | {"ESCORT_BUILD": part.preset, "PYTHONDONTWRITEBYTECODE": "1",
                                "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1",
                                "PYTEST_ADDOPTS": f"--junitxml={report}"}
    code = 0
    if part.targets:
        code = run(["bash", "-c", '. tools/lib.sh && build "$@"', "build", part.preset, *part.targets], log, 1800,
                   environment)
    if code == 0 and part.count is pytest:
        code = package()
        if code:
            with open(log, "ab") as out:
                out.write((LOGS / "package.log").read_bytes())
    if code == 0:
        code = run([*(LEFTOVERS if part.beside else ()), *part.command], log, part.timeout, environment)
    text = log.read_text(encoding="utf-8", errors="replace")
    count = part.count(text, report) if code == 0 or part.count is not one_case else Count()
    if count.failed == 0 and (code != 0 or count.passed == 0):
        count.failed = 1  # crashed, timed out, not built, or ran nothing
    verdict = "ok  " if count.failed == 0 else "FAIL"
    with PRINTING:
        print(f"{verdict} {part.name:16} {count.passed:4} passed {count.failed:3} failed "
              f"{time.monotonic() - begin:6.1f} s", flush=True)
        if count.failed:
            print("".join(f"     | {line}\n" for line in text.splitlines()[-150:]), end="", flush=True)
    return count


def stop(*_) -> None:
    for process in RUNNING.copy():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    sys.exit(143)


def main() -> int:
    signal.signal(signal.SIGTERM, stop)
    parts = chosen()
    LOGS.mkdir(parents=True, exist_ok=True)
    leftovers = ThreadPoolExecutor(max_workers=1)
    try:
        beside = [leftovers.submit(play, part) for part in parts if part.beside]
        total = sum((play(part) for part in parts if not part.beside), Count())
        total = sum((each.result() for each in beside), total)
    finally:
        leftovers.shutdown(cancel_futures=True)
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}")
    return 1 if total.failed else 0


sys.exit(main())
