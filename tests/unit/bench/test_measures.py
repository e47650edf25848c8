from __future__ import annotations

import json

import pytest

from bench.micro.__main__ import read_times, rows
from bench.micro.callgrind import read_count
from bench.throughput.measures import TICKS, busy_seconds
from bench.throughput.world import EIDS, UNDERLAY, node_config
from lispfast.config import parse

STAT = "cpu  100 20 30 4000 500 6 7 80 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n"


def test_busy_is_neither_idle_nor_waiting_nor_stolen_and_a_guest_counts_once() -> None:
    assert busy_seconds(STAT) == (100 + 20 + 30 + 6 + 7) / TICKS


def test_callgrinds_count() -> None:
    assert read_count("events: Ir\nfn=(1)\n1 2\nsummary: 12345\n\ntotals: 12346\n") == 12345
    with pytest.raises(ValueError, match="summary"):
        read_count("events: Ir\n")


def test_nanoseconds_of_an_operation() -> None:
    answer = json.loads(
        '{"benchmarks": [{"extra_info": {"loop": "a/b", "operations": 100}, "stats": {"median": 5e-6}}]}'
    )
    assert read_times(answer) == {"a/b": pytest.approx(50.0)}


def test_a_loop_without_instructions_has_an_empty_cell() -> None:
    loops = {"a/b": {"operation": "a packet", "ns": 12.34, "instructions": None}}
    assert rows({"loops": loops})[1:] == [["a/b", "a packet", "12.3", ""]]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("extra", ["", "offload = off\n"])
def test_the_configuration_of_a_node_is_one(family: int, extra: str) -> None:
    loaded = parse(node_config(family, *EIDS[family], UNDERLAY[family][1]) + extra)
    assert loaded.problems == ()
    assert loaded.settings is not None
    assert loaded.settings.forwarding.offload is not bool(extra)
