"""What a test says to a machine under test, whether it is a container (host.py) or a virtual machine (tests/vm)."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Result:
    """A finished command."""

    command: str
    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0


class Failed(AssertionError):
    """A command that had to succeed did not."""

    def __init__(self, result: Result) -> None:
        super().__init__(f"{result.command}\nexit {result.code}\n{result.out}\n{result.err}")
        self.result = result


patience = 1  # wait_for() and logins take so many times their time limit


def wait_for(predicate, timeout: float, what: str):
    """The first true value of predicate(), asked again and again for `timeout` seconds."""
    deadline = time.monotonic() + timeout * patience
    pause = 0.01
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.3, 0.1)


class Login:
    """An ssh client that stays; its standard input is kept open."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process

    def say(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()

    def over(self) -> bool:
        return self.process.poll() is not None

    def wait(self, timeout: float = 10) -> int:
        return self.process.wait(timeout * patience)

    def close(self) -> tuple[str, str]:
        """Ends the client if it still runs; everything it printed."""
        if not self.over():
            end_group(self.process)
        return self.process.communicate(timeout=10 * patience)


def end_group(process: subprocess.Popen) -> None:
    """SIGKILL for a process started with start_new_session, and for what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()  # where it leads no group


class Guest:
    """Root's hands on a machine under test. A subclass says how a command gets there (popen)."""

    slow = 1  # every time limit is multiplied by this

    def popen(self, command, **options) -> subprocess.Popen:
        raise NotImplementedError

    def run(self, command, *, check: bool = True, timeout: float = 60, stdin: str | None = None) -> Result:
        """Runs a list of words, or a line of shell, as root."""
        shown = command if isinstance(command, str) else shlex.join(command)
        process = self.popen(command, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        try:
            out, err = process.communicate(stdin, timeout=timeout * self.slow)
        except subprocess.TimeoutExpired:
            end_group(process)
            out, err = process.communicate()
            raise Failed(Result(shown, -1, out, f"{err}\nnot done within {timeout * self.slow} s")) from None
        result = Result(shown, process.returncode, out, err)
        if check and not result.ok:
            raise Failed(result)
        return result

    def wait_for(self, predicate, timeout: float, what: str):
        return wait_for(predicate, timeout * self.slow, what)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A whole file, put there by rename, its folder made."""
        quoted, temporary = shlex.quote(path), shlex.quote(f"{path}.new~")
        self.run(f"install -D -m {mode:o} /dev/stdin {temporary} && mv {temporary} {quoted}", stdin=text)

    def read(self, path: str) -> str:
        return self.run(["cat", path]).out

    def exists(self, path: str) -> bool:
        return self.run(["test", "-e", path], check=False).ok

    def send(self, source, path: str) -> None:
        """Copies a file of this machine to `path` there."""
        quoted, temporary = shlex.quote(path), shlex.quote(f"{path}.new~")
        with open(source, "rb") as content:
            process = self.popen(f"mkdir -p $(dirname {quoted}) && cat >{temporary} && mv {temporary} {quoted}",
                                 stdin=content, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            _, err = process.communicate(timeout=120)
        if process.returncode != 0:
            raise Failed(Result(f"send {source}", process.returncode, "", err.decode(errors="replace")))

    # --- the real ssh client, run there, to there ---

    def ssh(self, user: str, *command: str, options=(), timeout: float = 30, stdin: str | None = None) -> Result:
        """Logs in and runs a command; the exit code is ssh's own. Never raises for a refused login."""
        return self.run(["ssh", *options, f"{user}@127.0.0.1", *command], check=False, timeout=timeout, stdin=stdin)

    def login(self, user: str, *command: str, options=()) -> Login:
        """A session that stays open; without a command a shell on a terminal."""
        how = list(options) or ([] if command else ["-tt"])
        return Login(self.popen(["ssh", *how, f"{user}@127.0.0.1", *command], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"))

    # --- processes ---

    def alive(self, pid: int) -> bool:
        """Whether a process is there and not a zombie that nobody has reaped yet."""
        state = self.run(["ps", "-o", "state=", "-p", str(pid)], check=False).out.strip()
        return state not in ("", "Z", "X")

    def processes(self, account: str) -> list[str]:
        """The command lines of an account's live processes. ps shows "[NAME]" where there is none any more: on its way
        out a process has lost its memory before it is a zombie."""
        lines = self.run(["ps", "-o", "state=,args=", "-U", account, "-u", account], check=False).out.splitlines()
        commands = [line[2:].strip() for line in lines if line[:1] not in ("Z", "X")]
        return [each for each in commands if not (each.startswith("[") and each.endswith("]"))]

    # --- the agent ---

    def journal(self, event: str | None = None, *, after: int = 0, **fields: str) -> list[dict]:
        """escortd's entries, oldest first; journal(event="session_denied", account="azsupport").

        Not --after-cursor: systemd 252's skips one more entry when the cursor's own doesn't fit the filter."""
        command = ["journalctl", "-q", "-t", "escortd", "-o", "json", "--no-pager", f"--since=@{after // 1_000_000}"]
        if event:
            command.append(f"ESCORT_EVENT={event}")
        command += [f"ESCORT_{name.upper()}={value}" for name, value in fields.items()]
        entries = map(json.loads, self.run(command).out.splitlines())
        return [entry for entry in entries if int(entry["__REALTIME_TIMESTAMP"]) > after]

    def journal_end(self) -> int:
        """When the journal's last entry was written (microseconds), to look only at what comes after."""
        entries = self.run(["journalctl", "-q", "-n", "1", "-o", "json", "--no-pager"]).out.splitlines()
        return int(json.loads(entries[-1])["__REALTIME_TIMESTAMP"])

    def escortctl(self, *words: str, check: bool = True, timeout: float = 70) -> Result:
        return self.run(["escortctl", *words], check=check, timeout=timeout)

    def ask(self, *words: str):
        """The JSON that escortctl answers, whatever its exit code says."""
        return json.loads(self.escortctl(*words, "--json", check=False).out)

    def install(self, package) -> None:
        """Installs a .deb by apt; its dependencies are in the image."""
        self.send(package, "/root/escortd.deb")
        self.run("DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends /root/escortd.deb",
                 timeout=180)
