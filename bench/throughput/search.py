"""The search for the highest rate that a path carries with hardly any loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# Ours.
LOSS_MAX = 0.01
TOLERANCE = 0.03  # what two runs at the same rate differ by anyhow
STRIDE = 1.25  # between two steps while one end of the range is still open
STEPS_MAX = 12
STEP_SECONDS = 1.0
CHECKS_MAX = 6
TRIES = 2  # of a rate: one bad moment of the machine is not the path's capacity
BACK = 0.96  # from a rate that did not hold for the full time to the next; squared each time: down to 0.28 in all


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one load: datagrams that the sender asked for, those that the receiver counted, and its seconds."""

    offered: int
    received: int
    seconds: float

    @property
    def loss(self) -> float:
        """The lost share; 1 where nothing was sent."""
        return 1 - self.received / self.offered if self.offered else 1.0

    @property
    def good(self) -> bool:
        """Whether hardly anything was lost."""
        return self.loss < LOSS_MAX

    @property
    def offered_rate(self) -> float:
        """Datagrams a second that were sent."""
        return self.offered / self.seconds if self.seconds > 0 else 0.0

    @property
    def received_rate(self) -> float:
        """Datagrams a second that arrived."""
        return self.received / self.seconds if self.seconds > 0 else 0.0


Load = Callable[[float, float], Trial]
"""Offers so many datagrams a second, with 0 as many as go, for so many seconds."""


def highest(good: Callable[[float], bool], guess: float) -> float:
    """The highest rate that `good` says yes to, within TOLERANCE: from a guess by strides, then by bisection.

    0 where no rate was good. At most STEPS_MAX questions.
    """
    low, high = 0.0, None
    rate = guess
    for _step in range(STEPS_MAX):
        if good(rate):
            low = rate
        else:
            high = rate
        if high is None:
            rate = low * STRIDE
        elif low == 0:
            rate = high / STRIDE
        elif high - low > TOLERANCE * low:
            rate = (low + high) / 2
        else:
            break
    return low


def holds(load: Load, rate: float, seconds: float) -> Trial | None:
    """The first of TRIES trials at this rate that loses hardly anything; None where none does."""
    trials = (load(rate, seconds) for _try in range(TRIES))
    return next((trial for trial in trials if trial.good), None)


def search(load: Load, guess: float | None, seconds: float, step_seconds: float = STEP_SECONDS) -> Trial | None:
    """The trial over the full `seconds` at the highest rate that holds for them; None where none was found.

    Without a `guess` the search begins at what comes of a flood.
    """
    flood = load(0, step_seconds)
    if flood.good:  # then nothing higher can be offered
        trial = load(0, seconds)
        if trial.good:
            return trial

    def good(rate: float) -> bool:
        # A sender that cannot keep up would make every higher rate look as good as the last one.
        held = holds(load, rate, step_seconds)
        return held is not None and held.offered_rate > rate * (1 - TOLERANCE)

    rate = highest(good, max(guess or flood.received_rate, 1.0))
    back = BACK
    for _check in range(CHECKS_MAX if rate else 0):
        if held := holds(load, rate, seconds):
            return held
        rate *= back
        back *= back
    return None
