"""Which machine the tests and figures of this run are about: a container on this kernel, or a virtual machine."""

import os
import sys

from . import guest
from .guest import Guest
from .host import Host
from .image import REPO


def machine() -> Guest:
    """A container on this machine's kernel; with ESCORT_MACHINE_SUITE a virtual machine with a kernel of Debian's (tests/vm)."""
    suite = os.environ.get("ESCORT_MACHINE_SUITE")
    if not suite:
        return Host()
    sys.path.insert(0, str(REPO / "tests" / "vm"))
    from vm import Vm
    guest.patience = Vm.slow
    return Vm(suite)
