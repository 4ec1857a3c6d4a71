import os
import sys
from pathlib import Path

import pytest

# The test host's package: the virtual machine is another Guest of it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "machine"))

from testhost import product  # noqa: E402
from vm import Vm  # noqa: E402

# Whose kernel these tests boot (vmimage.SUITES); test_kernels.py boots others beside it.
SUITE = os.environ.get("ESCORT_VM_SUITE", "bookworm")


def machine(policy: str, suite: str = SUITE, **options):
    """A virtual machine with escortd, its broker's key trusted and one of the tests' policies in force; a fixture's body."""
    with Vm(suite, **options) as booted:
        booted.install(product.package())
        product.found_broker(booted)
        product.set_policy(booted, product.policy(policy))
        yield booted


@pytest.fixture(scope="session")
def gated():
    """One for all who need a policy of the gate; whoever sets its clock sets it back."""
    yield from machine("gate_unbound")
