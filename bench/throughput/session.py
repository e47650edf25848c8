"""A whole run: which steps, in which order, how long it will take, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.throughput import figures
from bench.throughput.measures import PING_GAP, PINGS, Udp, idle, measures
from bench.throughput.world import Lane, build
from lispfast.lab import Lab, LabError

MEASURES = ("tcp1", "tcp4", "flood", "udp64", "rtt", "idle")

# Ours, for the estimate: seconds beside the load itself.
START_SECONDS = 0.5
SEARCH_SECONDS = 12.0
BUILD_SECONDS = {"veth": 0.3, "vxlan": 0.5, "lispfast_plain": 2.0, "lispfast": 2.0}
SETTLE_SECONDS = 15.0  # the kernel's last router solicitations and reports on a fresh interface are over by then


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. `seconds` is the length of each load, `idle_seconds` how long an idle node is watched."""

    rounds: int = 5
    seconds: float = 5.0
    idle_seconds: float = 60.0
    pings: int = PINGS
    competitors: Sequence[str] = figures.COMPETITORS
    families: Sequence[int] = tuple(figures.FAMILIES)
    measures: Sequence[str] = MEASURES

    def steps(self, number: int) -> Iterator[tuple[int, str, str]]:
        """A round's steps: family, measure, competitor.

        Each measure goes through all competitors before the next begins, and each round begins with another one.
        """
        turn = number % len(self.competitors)
        order = [*self.competitors[turn:], *self.competitors[:turn]]
        for family in self.families:
            for measure in self.measures:
                if measure != "idle":
                    yield from ((family, measure, competitor) for competitor in order)

    @property
    def watches_idle(self) -> bool:
        """Whether an idle node can be watched."""
        return "idle" in self.measures and any(name.startswith("lispfast") for name in self.competitors)

    def estimate(self) -> float:
        """How many seconds it will take, about."""
        one = {
            "tcp1": self.seconds + START_SECONDS,
            "tcp4": self.seconds + START_SECONDS,
            "flood": self.seconds + START_SECONDS,
            "udp64": self.seconds + SEARCH_SECONDS,
            "rtt": self.pings * PING_GAP + START_SECONDS,
        }
        total = sum(one[measure] for number in range(self.rounds) for _family, measure, _name in self.steps(number))
        total += sum(BUILD_SECONDS[name] for name in self.competitors) * len(self.families)
        return total + (self.idle_seconds + SETTLE_SECONDS if self.watches_idle else 0)


@dataclass(slots=True)
class Session:
    """A run under way and what it has so far; `say` gets a line for each step."""

    plan: Plan
    say: Callable[[str], None]
    machine: Mapping[str, Any]
    rounds: list[dict[str, dict[str, dict[str, float]]]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    idle: dict[str, Any] | None = None
    lanes: dict[tuple[int, str], Lane] = field(default_factory=dict)
    lane_facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self, lab: Lab, udpload: Path, keep: Callable[[], None]) -> None:
        """Build every lane, run every round, watch an idle node; `keep` is called after each round.

        A lane that cannot be built or goes another way, and a step that fails, are said and left out.
        """
        for family in self.plan.families:
            for competitor in self.plan.competitors:
                self._build(lab, competitor, family)
        actions = measures(Udp(udpload), self.plan.seconds, self.plan.pings)
        for number in range(self.plan.rounds):
            self.rounds.append({})
            for family, measure, competitor in self.plan.steps(number):
                if lane := self.lanes.get((family, competitor)):
                    self._step(number, lane, measure, actions[measure])
            keep()
        if self.plan.watches_idle:
            self._watch()
            keep()

    def _build(self, lab: Lab, competitor: str, family: int) -> None:
        try:
            lane = build(lab, competitor, family)
            lane.check()
            features = lane.features()
        except LabError as error:
            self._failed(f"{competitor} over IPv{family}", error)
            return
        self.lanes[family, competitor] = lane
        mtu = lane.mtu()
        self.lane_facts[lane.name] = {"mtu": mtu, **features}
        self.say(f"{lane.name}: {lane.address} by {lane.device}, MTU {mtu}")

    def _failed(self, where: str, error: LabError) -> None:
        self.failures.append(f"{where}: {error}")
        self.say(f"{where}: FAILED: {error}")

    def _step(self, number: int, lane: Lane, measure: str, action: Callable[[Lane], dict[str, float]]) -> None:
        where = f"round {number + 1} of {self.plan.rounds}, {lane.name}, {measure}"
        try:
            found = action(lane)
        except LabError as error:
            self._failed(where, error)
            return
        family = self.rounds[number].setdefault(figures.FAMILIES[lane.family], {})
        family.setdefault(lane.competitor, {}).update(found)
        self.say(f"{where}: {', '.join(f'{key} {value:.4g}' for key, value in found.items())}")

    def _watch(self) -> None:
        lane = next((lane for lane in reversed(self.lanes.values()) if lane.nodes), None)
        if lane is None:
            return
        self.say(f"an idle node, {lane.name}, for {self.plan.idle_seconds:g} s")
        time.sleep(SETTLE_SECONDS)
        self.idle = idle(lane.nodes[0], self.plan.idle_seconds)
        self.say(f"context switches of its data plane: {self.idle['switches_before']}, {self.idle['switches_after']}")

    def report(self) -> dict[str, Any]:
        """What there is so far, in the shape of the JSON file."""
        found = figures.report(self.rounds, self.machine, self.idle, self.failures)
        plan = self.plan
        found["settings"] = {"rounds": plan.rounds, "seconds": plan.seconds, "pings": plan.pings}
        found["settings"]["paths"] = self.lane_facts
        return found
