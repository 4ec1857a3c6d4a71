"""A systemd host for black-box tests: a container with OpenSSH, logind, journald, cron, sudo and accounts.

image.py builds what it boots from, host.py boots and enters it, guest.py is what tests and the story say to it
(the virtual machine of tests/vm speaks the same words).
"""

from .guest import Guest, Login, Result
from .host import Host

__all__ = ["Guest", "Host", "Login", "Result"]
