from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.throughput.search import CHECKS_MAX, STEP_SECONDS, STEPS_MAX, TOLERANCE, TRIES, Trial, highest, holds, search

FULL_SECONDS = 5.0


class Wire:
    """A path that loses whatever is above its capacity, behind a sender that has a limit too."""

    def __init__(self, capacity: float, sender: float = 1e9, full: float | None = None) -> None:
        self.capacity, self.sender, self.full = capacity, sender, full if full is not None else capacity
        self.asked: list[tuple[float, float]] = []

    def load(self, rate: float, seconds: float) -> Trial:
        self.asked.append((rate, seconds))
        offered = min(rate or self.sender, self.sender) * seconds
        capacity = self.full if seconds == FULL_SECONDS else self.capacity
        return Trial(round(offered), round(min(offered, capacity * seconds)), seconds)


class FloodLoses(Wire):
    """Where it is the flood itself that makes the receiver lose."""

    def load(self, rate: float, seconds: float) -> Trial:
        return super().load(rate, seconds) if rate else Trial(100, 50, seconds)


@given(capacity=st.floats(1e3, 1e6), guess=st.floats(0.5, 2.0))
def test_it_finds_the_capacity_within_its_tolerance(capacity: float, guess: float) -> None:
    found = highest(lambda rate: rate <= capacity, capacity * guess)
    assert capacity / (1 + TOLERANCE) - 1 <= found <= capacity


@given(st.lists(st.booleans(), min_size=STEPS_MAX, max_size=STEPS_MAX))
def test_answers_that_make_no_sense_end_as_well(answers: list[bool]) -> None:
    left = iter(answers)
    assert highest(lambda _rate: next(left), 1000.0) >= 0


def test_nothing_good_is_nothing_found() -> None:
    assert highest(lambda _rate: False, 1000.0) == 0
    assert search(Wire(0.0).load, None, FULL_SECONDS) is None


def test_a_path_that_stands_a_flood_is_not_searched() -> None:
    wire = Wire(capacity=2e5, sender=1e5)
    trial = search(wire.load, None, FULL_SECONDS)
    assert trial is not None
    assert trial.received_rate == pytest.approx(1e5)
    assert wire.asked == [(0, STEP_SECONDS), (0, FULL_SECONDS)]


def test_the_figure_comes_from_the_full_time() -> None:
    wire = Wire(capacity=5e4, sender=1e5)
    trial = search(wire.load, None, FULL_SECONDS)
    assert trial is not None
    assert trial.seconds == FULL_SECONDS
    assert trial.received_rate == pytest.approx(5e4, rel=2 * TOLERANCE)
    assert trial.loss < 0.01
    assert len(wire.asked) <= 1 + TRIES * (STEPS_MAX + CHECKS_MAX)


def test_what_does_not_hold_for_the_full_time_is_lowered() -> None:
    wire = Wire(capacity=5e4, sender=1e5, full=4.7e4)
    trial = search(wire.load, None, FULL_SECONDS)
    assert trial is not None
    assert 4.2e4 < trial.received_rate <= 4.75e4
    assert search(Wire(capacity=5e4, sender=1e5, full=8e3).load, None, FULL_SECONDS) is None


def test_a_sender_that_cannot_keep_up_is_no_success() -> None:
    # Nothing is lost of what is sent, so loss alone would let the rates rise for ever.
    wire = FloodLoses(capacity=1e9, sender=1e5)
    trial = search(wire.load, 9e4, FULL_SECONDS)
    assert trial is not None
    assert trial.offered_rate == pytest.approx(1e5, rel=2 * TOLERANCE)
    assert max(rate for rate, _seconds in wire.asked) < 2e5


def test_a_trial_tells_loss_and_rates() -> None:
    trial = Trial(offered=1000, received=990, seconds=2.0)
    assert trial.loss == pytest.approx(0.01)
    assert not trial.good
    assert (trial.offered_rate, trial.received_rate) == (500.0, 495.0)
    assert Trial(1000, 991, 2.0).good
    nothing = Trial(0, 0, 0.0)
    assert (nothing.loss, nothing.good, nothing.offered_rate, nothing.received_rate) == (1.0, False, 0.0, 0.0)


def test_one_bad_moment_is_forgiven_and_two_are_not() -> None:
    bad, good = Trial(1000, 900, 1.0), Trial(1000, 1000, 1.0)
    for trials, expected in (([good], good), ([bad, good], good), ([bad, bad], None)):
        left = iter(trials)
        assert holds(lambda _rate, _seconds, left=left: next(left), 1000.0, 1.0) is expected  # type: ignore[misc]
