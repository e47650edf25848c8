"""Draws lookups a second against the size of the table: a panel a family, a line a contender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display is there
from matplotlib import pyplot
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from bench.lookup.cells import MIXES
from bench.lookup.report import FAMILIES, cells

# Ours.
LINES = {
    "lispfast_batch_mps": ("lispfast, batched", "#dd6b20", "o"),
    "batch_mps_under_updates": ("the same under updates", "#f6ad55", "v"),
    "lispfast_single_mps": ("lispfast, single", "#9c4221", "s"),
    "rte_fib_mps": ("DPDK rte_fib, rte_fib6", "#2b6cb0", "o"),
    "lispfast_python_mps": ("lispfast from Python, in bulk", "#38a169", "o"),
    "pytricia_mps": ("pytricia", "#805ad5", "D"),
    "pyradix_mps": ("py-radix", "#b83280", "D"),
}
STYLES: dict[str, Any] = {"mixed": "-", "hosts": ":"}
NAMES = {"mixed": "mixed lengths", "hosts": "host routes alone"}
INK, FAINT = "#2d3748", "#a0aec0"


def draw(report: Mapping[str, Any], files: Sequence[Path]) -> None:
    """Draw it into each of the files; their endings say the format."""
    pyplot.rcParams.update({"font.size": 10, "axes.edgecolor": FAINT, "axes.labelcolor": INK, "svg.hashsalt": "bench"})
    figure, panels = pyplot.subplots(1, 2, figsize=(13, 6), sharey=True)
    figure.set_layout_engine("constrained", h_pad=0.12, w_pad=0.1, rect=(0, 0.03, 1, 0.82))
    figure.suptitle("Longest-prefix match, keys that hit", fontsize=15, color=INK, fontweight="bold", y=0.98)
    shown: set[str] = set()
    for axes, (family, words) in zip(panels, FAMILIES.items(), strict=True):
        shown |= _panel(axes, report.get(family, {}))
        axes.set_title(words, loc="left", color=INK, fontsize=11, fontweight="bold")
    panels[0].set_ylabel("million lookups a second")
    handles: list[Any] = [
        Line2D([], [], color=LINES[key][1], marker=LINES[key][2], label=LINES[key][0]) for key in LINES
    ]
    handles = [handle for key, handle in zip(LINES, handles, strict=True) if key in shown]
    handles += [Line2D([], [], color=INK, linestyle=STYLES[mix], label=NAMES[mix]) for mix in MIXES]
    figure.legend(
        handles=handles, loc="upper center", ncols=5, frameon=False, bbox_to_anchor=(0.5, 0.94), labelcolor=INK
    )
    figure.text(0.012, 0.012, _caption(report), color="#718096", fontsize=8.5)
    for path in files:
        figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _panel(axes: Any, part: Mapping[str, Any]) -> set[str]:
    shown = set()
    for key, (_name, color, marker) in LINES.items():
        for mix in MIXES:
            points = [
                (size, figures[key])
                for size, each, figures in cells(part)
                if each == mix and figures.get(key) is not None
            ]
            if points:
                shown.add(key)
                axes.plot(*zip(*points, strict=True), color=color, marker=marker, markersize=5, linestyle=STYLES[mix])
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(_number))
    axes.set_xlabel("prefixes in the table")
    axes.grid(True, which="major", color="#edf2f7", linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK)
    return shown


def _number(value: float, _place: int) -> str:
    """1,000 and 0.1 rather than powers of ten."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _caption(report: Mapping[str, Any]) -> str:
    machine, settings = report.get("machine", {}), report.get("settings", {})
    words = [f"{machine.get('cpu', '')}, {machine.get('cores', '?')} cores, one of them looking up"]
    words += [f"rounds: {settings.get('rounds', '?')}; both axes are logarithmic", str(machine.get("date", ""))[:10]]
    return "; ".join(words)
