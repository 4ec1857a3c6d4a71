"""Small C programs of tests/machine/files, built here without libraries and put onto the machine under test."""

import subprocess
import tempfile
from pathlib import Path

from .guest import Guest
from .image import REPO

FILES = REPO / "tests" / "machine" / "files"
THERE = "/usr/local/lib/tests"


def send(guest: Guest, *names: str, folder: str = THERE) -> None:
    """Each NAME.c as an executable FOLDER/NAME, for everybody."""
    with tempfile.TemporaryDirectory() as built:
        for name in names:
            program = Path(built) / name
            subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-pthread", "-o", str(program),
                            str(FILES / f"{name}.c")], check=True)
            guest.send(program, f"{folder}/{name}")
            guest.run(["chmod", "755", f"{folder}/{name}"])
