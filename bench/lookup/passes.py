"""What measure.h is for C: passes by the clock, resident memory, figures as lines NAME=VALUE."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NoReturn

PASSES_MIN = 3  # ours
KEYS_MAX = 1 << 20  # ours: as objects, four million take too long to make


def rate(once: Callable[[], Sequence[object]], seconds: float) -> float:
    """Million lookups a second: the median of passes, of which each returns its answers."""
    taken: list[float] = []
    begun = time.perf_counter()
    while len(taken) < PASSES_MIN or time.perf_counter() - begun < seconds:
        before = time.perf_counter()
        answers = once()
        taken.append((time.perf_counter() - before) / len(answers))
        del answers
    return 1e-6 / median(taken)


def resident(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _colon, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise KeyError(field)


def check(answers: Sequence[object], expected: Sequence[object]) -> None:
    """End the program where an answer is not the one expected."""
    if len(answers) != len(expected):
        refuse(f"{len(answers)} answers for {len(expected)} keys")
    for number, (answer, wanted) in enumerate(zip(answers, expected, strict=True)):
        if answer != wanted:
            refuse(f"wrong answer for key {number}: {answer} for {wanted}")


def say(name: str, value: float) -> None:
    """One figure."""
    print(f"{name}={value:.9g}", flush=True)


def refuse(why: str) -> NoReturn:
    """No figures, and why."""
    print(f"reason={why}", flush=True)
    sys.exit(1)
