from __future__ import annotations

import pytest
from rounds import MACHINE, one_round

from bench.throughput.figures import COMPETITORS, FIGURES, TARGETS, report, summary

IDLE = {"seconds": 60, "switches_before": 7, "switches_after": 7}


def test_medians_and_spreads() -> None:
    found = summary([one_round(vxlan=scale) for scale in (3.0, 1.0, 2.0)], "ipv4")
    assert found["vxlan"]["tcp1_gbps"] == 20.0
    assert found["spread"]["vxlan"]["tcp1_gbps"] == [10.0, 30.0]


def test_a_target_is_judged_by_the_median_of_the_ratios_and_not_by_the_ratio_of_the_medians() -> None:
    rounds = [one_round(1.0, 0.9), one_round(10.0, 5.0), one_round(2.0, 1.8)]
    ratio = summary(rounds, "ipv4")["ratios"]["tcp1_vs_vxlan"]
    assert ratio == {
        "median": pytest.approx(0.9),
        "min": pytest.approx(0.5),
        "max": pytest.approx(0.9),
        "target": 0.85,
        "limit": "at least",
        "met": True,
    }


def test_latency_is_what_is_added_to_the_bare_cable() -> None:
    entry = summary([one_round(lispfast=0.1)], "ipv4")["ratios"]["rtt_added_ms"]
    assert (entry["median"], entry["limit"], entry["met"]) == (pytest.approx(0.1 - 0.005), "at most", False)
    assert summary([one_round(lispfast=1.0)], "ipv4")["ratios"]["rtt_added_ms"]["met"] is True


def test_what_was_not_measured_is_left_out() -> None:
    rounds = [one_round(), one_round()]
    del rounds[0]["ipv4"]["vxlan"]["tcp1_gbps"]
    found = summary(rounds, "ipv4")
    assert found["spread"]["vxlan"]["tcp1_gbps"] == [10.0, 10.0]
    del rounds[1]["ipv4"]["vxlan"]
    del rounds[0]["ipv4"]["vxlan"]
    found = summary(rounds, "ipv4")
    assert "vxlan" not in found
    assert set(found["ratios"]) == {"rtt_added_ms"}
    assert summary([], "ipv6") == {"spread": {}, "ratios": {}}


def test_a_competitor_without_throughput_has_no_ratio() -> None:
    rounds = [one_round(vxlan=0.5)]
    rounds[0]["ipv4"]["vxlan"]["tcp1_gbps"] = 0.0
    assert "tcp1_vs_vxlan" not in summary(rounds, "ipv4")["ratios"]


def test_the_shape_of_the_report() -> None:
    found = report([one_round()], MACHINE, IDLE, ["a step"])
    keys = {figure.key for figure in FIGURES}
    for part in (found, found["ipv6"]):
        assert all(set(part[name]) == keys for name in COMPETITORS)
        assert set(part["ratios"]) == {target.name for target in TARGETS}
    assert set(found) == {*COMPETITORS, *["spread", "ratios", "ipv6", "idle", "machine", "failures", "rounds"]}
    assert found["idle"] == {**IDLE, "met": True}
    assert (found["machine"], found["failures"], found["rounds"]) == (MACHINE, ["a step"], [one_round()])
    assert report([], MACHINE, {**IDLE, "switches_after": 8}, [])["idle"]["met"] is False
    assert "idle" not in report([], MACHINE, None, [])
