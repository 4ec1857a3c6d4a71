"""What a login prints, while it prints it."""

import os
import threading
import time

from .guest import Login, wait_for


class Screen:
    """Reads a login's output until its end; shows() waits for a text, text() is all of it so far."""

    def __init__(self, login: Login) -> None:
        self._descriptor = login.process.stdout.fileno()
        self._parts: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._descriptor, 65536)
            except OSError:
                return
            if not part:
                return
            self._parts.append(part)

    def text(self) -> str:
        return b"".join(self._parts).decode(errors="replace")

    def shows(self, text: str, timeout: float = 10) -> str:
        try:
            wait_for(lambda: text in self.text(), timeout, f"{text!r} on the screen")
        except TimeoutError as error:
            raise AssertionError(f"{error}; there is: {self.text()!r}") from None
        return self.text()

    def close(self) -> str:
        """Once the login is over: everything that it printed."""
        self._reader.join(10)
        return self.text()


def grows(read, timeout: float = 10) -> None:
    """read() turns out bigger than it is now."""
    before = read()
    wait_for(lambda: read() > before, timeout, f"more than {before}")


def stands(read, what: str = "it", seconds: float = 0.6, settle: float = 0) -> int:
    """read() is the same after a while, in which it would have grown many times, at the latest `settle` seconds from
    now; that value."""
    deadline = time.monotonic() + settle
    while True:
        before = read()
        time.sleep(seconds)
        after = read()
        if after == before:
            return before
        assert time.monotonic() < deadline, f"{what}: goes on, {before} -> {after}"
