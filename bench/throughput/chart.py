"""Draws the figures as bars: a panel a figure, the underlay's families side by side, medians with least and most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display is there
from matplotlib import pyplot
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.throughput.figures import COMPETITORS, FIGURES, Figure

# Ours.
COLORS = {"veth": "#a0aec0", "vxlan": "#2b6cb0", "lispfast_plain": "#f6ad55", "lispfast": "#dd6b20"}
NAMES = {
    "veth": "bare veth, no tunnel",
    "vxlan": "kernel VXLAN",
    "lispfast_plain": "lispfast, offloads off",
    "lispfast": "lispfast",
}
INK, FAINT = "#2d3748", "#a0aec0"
WIDTH = 0.8  # of a group of bars
HEADROOM = 1.18  # for the numbers on top


def draw(report: Mapping[str, Any], files: Sequence[Path]) -> None:
    """Draw it into each of the files; their endings say the format."""
    pyplot.rcParams.update({"font.size": 10, "axes.edgecolor": FAINT, "axes.labelcolor": INK, "svg.hashsalt": "bench"})
    figure, panels = pyplot.subplots(2, 3, figsize=(13, 8))
    figure.set_layout_engine("constrained", h_pad=0.12, w_pad=0.1, hspace=0.05, rect=(0, 0.03, 1, 0.86))
    figure.suptitle(
        "Between two hosts: no tunnel, kernel VXLAN, lispfast", fontsize=15, color=INK, fontweight="bold", y=0.98
    )
    families = [(name, part) for name, part in (("IPv4", report), ("IPv6", report.get("ipv6", {}))) if _measured(part)]
    for axes, what in zip(panels.flat, FIGURES, strict=True):
        _panel(axes, what, families)
    shown = [name for name in COMPETITORS if any(name in part for _family, part in families)]
    handles: list[Any] = [Patch(color=COLORS[name], label=NAMES[name]) for name in shown]
    handles.append(
        Line2D([], [], color=INK, marker="_", markersize=9, markeredgewidth=1, linewidth=1, label="least to most")
    )
    figure.legend(
        handles=handles, loc="upper center", ncols=5, frameon=False, bbox_to_anchor=(0.5, 0.95), labelcolor=INK
    )
    figure.text(0.012, 0.012, _caption(report), color="#718096", fontsize=8.5)
    for path in files:
        figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _measured(part: Mapping[str, Any]) -> bool:
    return any(name in part for name in COMPETITORS)


def _panel(axes: Any, what: Figure, families: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    top = 0.0
    for group, (_family, part) in enumerate(families):
        present = [name for name in COMPETITORS if what.key in part.get(name, {})]
        for number, name in enumerate(present):
            width = WIDTH / len(present)
            at = group - WIDTH / 2 + width * (number + 0.5)
            value = part[name][what.key]
            least, most = part["spread"][name][what.key]
            axes.bar(at, value, width * 0.92, color=COLORS[name])
            if most > least:
                axes.errorbar(
                    at, value, [[value - least], [most - value]], color=INK, capsize=3, linewidth=1, capthick=1
                )
            label = f"{value:.{_decimals(what, value)}f}"
            axes.annotate(label, (at, most), (0, 3), textcoords="offset points", ha="center", fontsize=8, color=INK)
            top = max(top, most)
    better = "more" if what.more_is_better else "less"
    axes.set_title(what.name, loc="left", color=INK, fontsize=11, fontweight="bold")
    axes.set_title(f"{better} is better", loc="right", color="#718096", fontsize=8.5)
    axes.set(ylabel=what.unit, ylim=(0, top * HEADROOM or 1), xlim=(-0.55, max(len(families), 1) - 0.45))
    axes.set_xticks(range(len(families)), [f"{family} underlay" for family, _part in families])
    axes.grid(True, axis="y", color="#edf2f7", linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, bottom=False)


def _decimals(what: Figure, value: float) -> int:
    return min(what.decimals, 1) if value >= 10 else what.decimals


def _caption(report: Mapping[str, Any]) -> str:
    machine = report.get("machine", {})
    rounds = len(report.get("rounds", ()))
    words = [f"{machine.get('cpu', '')}, {machine.get('cores', '?')} cores, Linux {machine.get('kernel', '?')}"]
    words += [f"medians of {rounds} round{'s' * (rounds != 1)} of {report.get('settings', {}).get('seconds', '?')} s"]
    words += [str(machine.get("date", ""))[:10]]
    return "; ".join(words)
