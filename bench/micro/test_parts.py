"""The parts of a packet's way, each alone; loops.c has what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.micro.build import Loop, Loops

OPERATIONS = 10_000  # of one call: enough that the way there from Python does not count

Measure = Callable[[Loop], None]


@pytest.fixture
def measure(benchmark: Any, loops: Loops) -> Measure:
    def run(loop: Loop) -> None:
        benchmark.group = loop.part
        benchmark.extra_info.update(loop=loop.name, operations=OPERATIONS)
        benchmark(loops.run, loop, OPERATIONS)

    return run


def test_parse(measure: Measure, loop: Loop) -> None:
    measure(loop)


def test_encapsulate(measure: Measure, loop: Loop) -> None:
    measure(loop)


def test_decapsulate(measure: Measure, loop: Loop) -> None:
    measure(loop)


def test_segment(measure: Measure, loop: Loop) -> None:
    measure(loop)


def test_coalesce(measure: Measure, loop: Loop) -> None:
    measure(loop)


def test_checksum(measure: Measure, loop: Loop) -> None:
    measure(loop)
