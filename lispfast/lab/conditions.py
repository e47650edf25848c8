"""Waiting for something with a bound, and the error of the lab."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Ours.
POLL_SECONDS = 0.002  # fine enough for what we time by it, and still idle between two looks


class LabError(Exception):
    """A step of the lab failed; the text says which and what is known about it."""


def until(condition: Callable[[], T], timeout: float, what: str, poll: float = POLL_SECONDS) -> T:
    """Ask again and again until the answer is true, and return it.

    `timeout` and `poll` are seconds. LabError names `what` when the time is over.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise LabError(f"{what}: not within {timeout:g} s")
        time.sleep(poll)
