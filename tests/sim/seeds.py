"""The seeds of a test's networks: another may be given, and who fails tells which it was.

`LISPFAST_SEED=7 ./run test TEST` runs it with that seed, whatever the test says.
"""

from __future__ import annotations

import os
from collections import deque

used: deque[int] = deque(maxlen=1)
"""Of the last network that was made."""


def choose(proposed: int) -> int:
    """The seed from the environment, else the proposed one; noted in `used`."""
    seed = int(os.environ.get("LISPFAST_SEED", proposed))
    used.append(seed)
    return seed


def how_to_replay(test: str) -> str:
    """What to type to see the last network's story once more."""
    return f"LISPFAST_SEED={used[-1]} ./run test '{test}'" if used else "no network was made"
