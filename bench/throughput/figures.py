"""From rounds to figures: medians, spreads, and ratios against targets. Nothing here measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

COMPETITORS = ("veth", "vxlan", "lispfast_plain", "lispfast")
FAMILIES = {4: "ipv4", 6: "ipv6"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the report: its key, its name for readers, its unit, decimals to show, and whether more is better."""

    key: str
    name: str
    unit: str
    decimals: int
    more_is_better: bool = True


FIGURES = (
    Figure("tcp1_gbps", "TCP, 1 stream", "Gbit/s", 2),
    Figure("tcp4_gbps", "TCP, 4 streams", "Gbit/s", 2),
    Figure("udp64_mpps", "64-byte UDP, under 1 % lost", "Mpps", 3),
    Figure("udp64_flood_mpps", "64-byte UDP, flooded", "Mpps", 3),
    Figure("rtt_ms", "Ping RTT", "ms", 3, more_is_better=False),
    Figure("cpu_s_per_gb", "CPU time for a GB", "s", 2, more_is_better=False),
)

Row = Mapping[str, float]
"""What one competitor reached in one round, by the keys above and others that are only kept."""
Round = Mapping[str, Mapping[str, Row]]
"""A round: family ("ipv4", "ipv6") -> competitor -> row."""


@dataclass(frozen=True, slots=True)
class Target:
    """A comparison of two competitors in one figure, and what it should come to."""

    name: str
    figure: str
    ours: str
    theirs: str
    compare: Callable[[float, float], float | None]
    target: float | None = None
    at_most: bool = False

    def met(self, value: float) -> bool | None:
        """Whether a value meets it; None where there is no target."""
        if self.target is None:
            return None
        return value <= self.target if self.at_most else value >= self.target


def ratio(ours: float, theirs: float) -> float | None:
    """Ours for one of theirs; None where they have none."""
    return ours / theirs if theirs else None


def added(ours: float, theirs: float) -> float:
    """What ours is more."""
    return ours - theirs


TARGETS = (
    Target("tcp1_vs_vxlan", "tcp1_gbps", "lispfast", "vxlan", ratio, 0.85),
    Target("tcp4_vs_vxlan", "tcp4_gbps", "lispfast", "vxlan", ratio, 0.50),
    Target("plain_tcp1_vs_vxlan", "tcp1_gbps", "lispfast_plain", "vxlan", ratio, 0.12),
    Target("udp64_vs_vxlan", "udp64_mpps", "lispfast", "vxlan", ratio, 1.0),
    Target("udp64_flood_vs_vxlan", "udp64_flood_mpps", "lispfast", "vxlan", ratio),
    Target("rtt_added_ms", "rtt_ms", "lispfast", "veth", added, 0.05, at_most=True),
    Target("cpu_vs_vxlan", "cpu_s_per_gb", "lispfast", "vxlan", ratio),
)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most of at least one value."""
    return {"median": median(values), "min": min(values), "max": max(values)}


def summary(rounds: Sequence[Round], family: str) -> dict[str, Any]:
    """A family's figures: competitor -> key -> median, the spread of each under "spread", and "ratios".

    A competitor or key that no round has is left out.
    """
    found: dict[str, Any] = {}
    spreads: dict[str, Any] = {}
    for competitor in COMPETITORS:
        for figure in FIGURES:
            if values := _column(rounds, family, competitor, figure.key):
                found.setdefault(competitor, {})[figure.key] = median(values)
                spreads.setdefault(competitor, {})[figure.key] = [min(values), max(values)]
    return {**found, "spread": spreads, "ratios": ratios(rounds, family)}


def ratios(rounds: Sequence[Round], family: str) -> dict[str, Any]:
    """Each comparison as the median of what the rounds give for it, with its spread, its target and whether it is met.

    Within a round both competitors were measured one after the other, so what slows the machine down slows both.
    """
    found: dict[str, Any] = {}
    for target in TARGETS:
        values = []
        for each in rounds:
            rows = each.get(family, {})
            ours = rows.get(target.ours, {}).get(target.figure)
            theirs = rows.get(target.theirs, {}).get(target.figure)
            if ours is not None and theirs is not None:
                value = target.compare(ours, theirs)
                values += [] if value is None else [value]
        if values:
            entry: dict[str, Any] = spread(values)
            if target.target is not None:
                limit = "at most" if target.at_most else "at least"
                entry |= {"target": target.target, "limit": limit, "met": target.met(entry["median"])}
            found[target.name] = entry
    return found


def report(
    rounds: Sequence[Round], machine: Mapping[str, Any], idle: Mapping[str, int] | None, failures: Sequence[str]
) -> dict[str, Any]:
    """The whole report, as it stands in the JSON file; IPv6 has the same shape under its own key."""
    ipv4, ipv6 = (summary(rounds, family) for family in FAMILIES.values())
    found: dict[str, Any] = {**ipv4, "ipv6": ipv6}
    if idle is not None:
        found["idle"] = {**idle, "met": idle["switches_before"] == idle["switches_after"]}
    return {**found, "machine": dict(machine), "failures": list(failures), "rounds": list(rounds)}


def _column(rounds: Sequence[Round], family: str, competitor: str, key: str) -> list[float]:
    rows = (each.get(family, {}).get(competitor, {}) for each in rounds)
    return [row[key] for row in rows if key in row]
