"""The daemon killed with SIGKILL at random points of a kill, 25 times here (ESCORT_CHAOS=500 in the soak).

The same seed plays the same times: ESCORT_SEED, printed when a round fails.
"""

import os
import random

from conftest import CANARY
from testhost import chaos

ROUNDS = int(os.environ.get("ESCORT_CHAOS", "25"))
SEED = int(os.environ.get("ESCORT_SEED", str(random.randrange(1 << 32))))


def test_nothing_that_should_be_dead_is_alive(host):
    dice = random.Random(SEED)
    for number in range(ROUNDS):
        try:
            chaos.one_round(host, dice, sessions=1 + number % 2)
        except (AssertionError, TimeoutError) as wrong:
            raise AssertionError(f"round {number} of ESCORT_SEED={SEED}: {wrong}; alive: {chaos.alive(host)}") from wrong
        if number % 5 == 0:
            assert not host.ssh("azsupport", "touch", CANARY).ok
            assert not host.exists(CANARY)
