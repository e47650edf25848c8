from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lispfast.lab.download import Sample, longest_stall, throughput

MS = 1_000_000
SAMPLES = [Sample(at * MS, received) for at, received in [(0, 10), (1, 20), (9, 20), (11, 30), (13, 40), (40, 50)]]


def test_the_longest_stall_near_the_move() -> None:
    assert longest_stall(SAMPLES, 0, 20 * MS) == 27.0
    assert longest_stall(SAMPLES, 10 * MS, 12 * MS) == 2.0
    assert longest_stall([], 0, 1) == 0.0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 1000)), min_size=2, max_size=40), st.integers(1, 100))
def test_throughput_loses_no_byte(steps: list[tuple[int, int]], width: int) -> None:
    at = received = 0
    samples = []
    for wait, count in steps:
        at, received = at + wait, received + count
        samples.append(Sample(at, received))
    bins = throughput(samples, width)
    total = sum(rate * width / 8e9 for _at, rate in bins)
    assert round(total, 3) == samples[-1].received - samples[0].received
    assert all(later[0] - earlier[0] == width for earlier, later in pairwise(bins))


def test_no_throughput_without_two_samples() -> None:
    assert throughput([Sample(1, 1)], 10) == []
