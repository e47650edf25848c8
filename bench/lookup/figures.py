"""From samples to figures: medians, spreads, and what the targets make of them. Nothing here measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.lookup.cells import MIXES, STEPS, Cell

Samples = Mapping[str, Sequence[float | None]]
"""Of one cell: a figure's key -> what each round brought."""
Found = Mapping[Cell, Samples]

FIGURES = tuple(key for step in STEPS for key in step.keys)
MILLION, TEN_MILLION = 1_000_000, 10_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that is judged: how it comes out of a family's samples, and what it should be for IPv4 and IPv6."""

    name: str
    words: str
    value: Callable[[Found, int], list[float]]
    limits: tuple[float, float]
    at_most: bool = False

    def met(self, value: float, family: int) -> bool:
        """Whether a value meets it."""
        limit = self.limit(family)
        return value <= limit if self.at_most else value >= limit

    def limit(self, family: int) -> float:
        """What it should be at least, or at most."""
        return self.limits[0 if family == 4 else 1]


def ratio(ours: str, theirs: str, mix: str) -> Callable[[Found, int], list[float]]:
    """Of two figures of one cell of a million, round by round: both were measured one soon after the other."""

    def value(found: Found, family: int) -> list[float]:
        samples = found.get(Cell(family, MILLION, mix), {})
        pairs = zip(samples.get(ours, ()), samples.get(theirs, ()), strict=False)
        return [mine / other for mine, other in pairs if mine is not None and other]

    return value


def plain(key: str, mixes: Sequence[str] = ("mixed",)) -> Callable[[Found, int], list[float]]:
    """One figure of a million: the greater of the mixes."""

    def value(found: Found, family: int) -> list[float]:
        values = [column(found.get(Cell(family, MILLION, mix), {}), key) for mix in mixes]
        return max((each for each in values if each), key=median, default=[])

    return value


def kept(found: Found, family: int) -> list[float]:
    """What is left of the speed at a million in a table of ten million."""
    large, small = (
        column(found.get(Cell(family, size, "mixed"), {}), "lispfast_batch_mps") for size in (TEN_MILLION, MILLION)
    )
    return [value / median(small) for value in large] if small else []


TARGETS = (
    Target(
        "batch_vs_rte_fib_mixed",
        "batched lookup, 1 M mixed, hits, to rte_fib",
        ratio("lispfast_batch_mps", "rte_fib_mps", "mixed"),
        (1.2, 1.2),
    ),
    Target(
        "batch_vs_rte_fib_hosts",
        "batched lookup, 1 M host routes, to rte_fib",
        ratio("lispfast_batch_mps", "rte_fib_mps", "hosts"),
        (1.5, 1.5),
    ),
    Target("miss_vs_hit", "misses to hits, 1 M mixed", ratio("miss_batch_mps", "lispfast_batch_mps", "mixed"), (1, 1)),
    Target(
        "under_updates",
        "under 10,000 publications a second to quiet, 1 M mixed",
        ratio("batch_mps_under_updates", "lispfast_batch_mps", "mixed"),
        (0.9, 0.9),
    ),
    Target(
        "bytes_per_entry",
        "bytes an entry, 1 M, the greater of mixed and hosts",
        plain("bytes_per_entry", MIXES),
        (64, 96),
        at_most=True,
    ),
    Target("load_s", "load of 1 M mixed in one transaction, s", plain("load_s"), (1, 1), at_most=True),
    Target("ten_million_vs_one", "batched lookup, 10 M mixed to 1 M mixed", kept, (0.5, 0.5)),
    Target("commit_us", "commit of one mapping into 1 M mixed, µs", plain("commit_us"), (20, 20), at_most=True),
)


def column(samples: Samples, key: str) -> list[float]:
    """What there is of a figure."""
    return [value for value in samples.get(key, ()) if value is not None]


def cell_figures(samples: Samples, reasons: Mapping[str, str]) -> dict[str, Any]:
    """A cell of the report: each figure's median or None, least and most under "spread", and why there are none."""
    found: dict[str, Any] = {}
    spreads: dict[str, list[float]] = {}
    for key in FIGURES:
        values = column(samples, key)
        found[key] = median(values) if values else None
        if values:
            spreads[key] = [min(values), max(values)]
    return {**found, "spread": spreads, "reasons": dict(reasons)}


def targets(found: Found, family: int) -> dict[str, Any]:
    """Each target's median over the rounds with its spread, its limit and whether it is met; None where unmeasured."""
    judged: dict[str, Any] = {}
    for target in TARGETS:
        values = target.value(found, family)
        value = median(values) if values else None
        judged[target.name] = {
            "value": value,
            "min": min(values, default=None),
            "max": max(values, default=None),
            "target": target.limit(family),
            "limit": "at most" if target.at_most else "at least",
            "met": None if value is None else target.met(value, family),
        }
    return judged


def report(found: Found, reasons: Mapping[Cell, Mapping[str, str]], machine: Mapping[str, Any]) -> dict[str, Any]:
    """The whole report: family -> size -> mix -> figures, `targets` and `machine`."""
    whole: dict[str, Any] = {"v4": {}, "v6": {}}
    for cell, samples in found.items():
        sizes = whole[f"v{cell.family}"]
        sizes.setdefault(str(cell.size), {})[cell.mix] = cell_figures(samples, reasons.get(cell, {}))
    whole["targets"] = {f"v{family}": targets(found, family) for family in (4, 6) if whole[f"v{family}"]}
    return {**whole, "machine": dict(machine)}
