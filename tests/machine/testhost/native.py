"""Small C programs of tests/machine/files, built here without libraries and put onto the machine under test."""

import subprocess
import tempfile
from pathlib import Path

from .guest import Guest
from .image import REPO

FILES = REPO / "tests" / "machine" / "files"
THERE = "/usr/local/lib/tests"
SUPERVISOR = f"{THERE}/supervisor"
ROOT = "/srv/small-root"  # a container's: the supervisor alone is in it


def send(guest: Guest, *names: str, folder: str = THERE) -> None:
    """Each NAME.c as an executable FOLDER/NAME, for everybody."""
    with tempfile.TemporaryDirectory() as built:
        for name in names:
            program = Path(built) / name
            subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-pthread", "-o", str(program),
                            str(FILES / f"{name}.c")], check=True)
            guest.send(program, f"{folder}/{name}")
            guest.run(["chmod", "755", f"{folder}/{name}"])


def send_supervisors(guest: Guest) -> None:
    """The supervisor, for the host itself and for in_container()."""
    send(guest, "supervisor", "container")
    send(guest, "supervisor", folder=ROOT)


def in_container(uid: str) -> list[str]:
    """The supervisor's command, but for its arguments, in a container and under that uid."""
    return [f"{THERE}/container", uid, ROOT, "/supervisor"]
