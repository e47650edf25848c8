from __future__ import annotations

import json
from typing import Any

import pytest

from lispfast.lab.demo.figures import Figures

GOOD: dict[str, Any] = {
    "registered_ms": 123.4567,
    "first_ping_ms": 4.5,
    "first_packets_lost": 0,
    "ping_v4_ok": True,
    "ping_v6_ok": True,
    "bytes": 1 << 29,
    "sha256_ok": True,
    "gbps": 0.4321,
    "gap_ms": 20.0,
    "lost": 25,
    "tcp_stall_ms": 210.0,
    "routes_restored": True,
}


def test_the_json_has_exactly_the_promised_form() -> None:
    answer = json.loads(json.dumps(Figures(**GOOD).as_json()))
    assert answer == {
        "registered_ms": 123.457,
        "first_ping_ms": 4.5,
        "first_packets_lost": 0,
        "ping_v4_ok": True,
        "ping_v6_ok": True,
        "download": {"bytes": 536870912, "sha256_ok": True, "gbps": 0.432},
        "handover": {"gap_ms": 20.0, "lost": 25, "tcp_stall_ms": 210.0},
        "routes_restored": True,
        "ok": True,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"registered_ms": None},
        {"first_ping_ms": None},
        {"first_packets_lost": 1},
        {"ping_v4_ok": False},
        {"ping_v6_ok": False},
        {"sha256_ok": False},
        {"gap_ms": None},
        {"lost": None},
        {"tcp_stall_ms": None},
        {"routes_restored": False},
        {"failures": ["a step"]},
    ],
)
def test_one_step_that_failed_is_enough(change: dict[str, Any]) -> None:
    assert not Figures(**(GOOD | change)).ok


def test_the_table_tells_what_is_missing_and_what_is_over_its_target() -> None:
    good = "\n".join(Figures(**GOOD).table())
    assert "FAILED" not in good
    assert "OVER" not in good
    assert "20.0 ms (within the 100 ms aimed at)" in good
    assert "OVER the 100 ms" in "\n".join(Figures(**(GOOD | {"gap_ms": 101.0})).table())
    empty = "\n".join(Figures().table())
    assert "not measured" in empty
    assert "FAILED" in empty
