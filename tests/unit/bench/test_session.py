from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from bench.throughput.session import Plan, Session
from bench.throughput.world import Lane
from lispfast.lab import LabError


def session(**words: Any) -> tuple[Session, list[str]]:
    said: list[str] = []
    return Session(Plan(**words), said.append, {}), said


def lane(competitor: str = "veth", family: int = 4) -> Lane:
    return Lane(competitor, family, None, None)  # type: ignore[arg-type]


def test_a_round_measures_everything_once_and_competitors_next_to_each_other() -> None:
    plan = Plan()
    steps = list(plan.steps(0))
    assert set(Counter(steps).values()) == {1}
    assert len(steps) == 2 * 5 * 4
    for start in range(0, len(steps), 4):
        assert len({(family, measure) for family, measure, _name in steps[start : start + 4]}) == 1


def test_each_round_begins_with_another_competitor() -> None:
    plan = Plan()
    assert [next(plan.steps(number))[2] for number in range(5)] == [*plan.competitors, plan.competitors[0]]


def test_the_estimate_grows_with_what_is_asked_for() -> None:
    assert 20 * 60 < Plan().estimate() < 40 * 60
    assert Plan(rounds=1, seconds=1, competitors=["veth"], families=[4], measures=["tcp1"]).estimate() < 3
    assert Plan(measures=["idle"]).estimate() > 60
    assert not Plan(competitors=["veth", "vxlan"]).watches_idle


def test_a_step_that_fails_is_said_and_left_out() -> None:
    run, said = session(rounds=1)
    run.rounds.append({})

    def fail(_lane: Lane) -> dict[str, float]:
        raise LabError("no answer")

    run._step(0, lane(), "tcp1", lambda _lane: {"tcp1_gbps": 1.0})
    run._step(0, lane(), "rtt", fail)
    run._step(0, lane("vxlan", 6), "tcp1", lambda _lane: {"tcp1_gbps": 2.0})
    assert run.rounds == [{"ipv4": {"veth": {"tcp1_gbps": 1.0}}, "ipv6": {"vxlan": {"tcp1_gbps": 2.0}}}]
    assert run.failures == ["round 1 of 1, veth over IPv4, rtt: no answer"]
    assert "FAILED" in said[1]
    assert run.report()["veth"] == {"tcp1_gbps": 1.0}


def test_a_competitor_that_cannot_be_built_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(_lab: object, competitor: str, family: int) -> Lane:
        raise LabError(f"no {competitor}{family}")

    monkeypatch.setattr("bench.throughput.session.build", build)
    run, _said = session(rounds=1, competitors=["vxlan"], families=[4])
    kept: list[int] = []
    run.run(None, None, lambda: kept.append(1))  # type: ignore[arg-type]
    assert run.failures == ["vxlan over IPv4: no vxlan4"]
    assert (run.rounds, kept) == ([{}], [1])
