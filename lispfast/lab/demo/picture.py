"""Draws the demo's picture: throughput over time, and the move through the eyes of the probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display is there
from matplotlib import pyplot
from matplotlib.ticker import MaxNLocator

from lispfast.lab.demo.internet import LTE, WIFI
from lispfast.lab.demo.story import Recording
from lispfast.lab.demo.timeline import Moment
from lispfast.lab.download import throughput

# Ours.
BIN_NS = 50_000_000  # fine enough to show the dip, coarse enough not to show the queue's breathing
BEFORE_MS, AFTER_MS = 40.0, 60.0  # of the lower panel, around the move
OLD, NEW, GAP, INK, FAINT = "#2b6cb0", "#dd6b20", "#c53030", "#2d3748", "#a0aec0"
BADGE = {"boxstyle": "circle,pad=0.25", "facecolor": INK, "edgecolor": "none"}
VEIL = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that gets a number in the lower panel: who saw it, a word of what it was, and what to call it."""

    where: str
    word: str
    label: str


# Each the first of its kind at or after the link event.
MARKS = (
    Mark("phone", "link event", "Wi-Fi link goes down"),
    Mark("phone", "usable", "LTE address and route usable"),
    Mark("phone daemon", "interface=wwan0", "source locator changed"),
    Mark("router capture", "Map-Register,", "Map-Register"),
    Mark("router capture", "Map-Notify,", "Map-Notify"),
    Mark("router capture", "SMR,", "SMR"),
    Mark("router capture", "encapsulated SMR-invoked", "SMR-invoked Map-Request"),
    Mark("router capture", "Map-Reply,", "Map-Reply"),
    Mark("phone", "first probe", "first probe by LTE"),
)


def draw(recording: Recording, files: Sequence[Path]) -> None:
    """Draw it into each of the files; their endings say the format."""
    pyplot.rcParams.update({"font.size": 10, "axes.edgecolor": FAINT, "axes.labelcolor": INK, "svg.hashsalt": "demo"})
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(11, 7.6), height_ratios=(1.1, 1))
    figure.set_layout_engine("constrained", hspace=0.06, h_pad=0.08, w_pad=0.1)
    figure.suptitle("One TCP connection from Wi-Fi to LTE over LISP", fontsize=15, color=INK, fontweight="bold")
    _draw_throughput(upper, recording)
    _tell(upper, recording.facts)
    _draw_move(lower, recording)
    for axes in (upper, lower):
        axes.grid(True, color="#edf2f7", linewidth=1)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK)
    for path in files:
        figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _draw_throughput(axes: Any, recording: Recording) -> None:
    start = recording.samples[0].at
    moved = (recording.handover.left - start) / 1e9
    bins = throughput(recording.samples, BIN_NS)[:-1]  # the last one was not over
    times = [(at - start) / 1e9 for at, _rate in bins]
    rates = [rate / 1e6 for _at, rate in bins]
    end = times[-1] if times else 1.0
    split = next((number for number, at in enumerate(times) if at >= moved), len(times))
    for color, part in ((OLD, slice(0, split + 1)), (NEW, slice(split, None))):
        axes.fill_between(times[part], rates[part], color=color, alpha=0.18, linewidth=0)
        axes.plot(times[part], rates[part], color=color, linewidth=1.6)
    top = max([*rates, WIFI.rate_mbit]) * 1.14
    for access, name, color, begin, stop in ((WIFI, "Wi-Fi", OLD, 0.0, moved), (LTE, "LTE", NEW, moved, end)):
        axes.hlines(access.rate_mbit, begin, stop, color=color, linestyle=(0, (5, 4)), linewidth=1)
        text = f"{name}: {access.rate_mbit} Mbit/s"
        axes.text(begin + end * 0.01, access.rate_mbit + top * 0.015, text, color=color, va="bottom")
    axes.axvline(moved, color=INK, linewidth=1.2)
    label = f"the phone moves\n{moved:.1f} s into the download"
    axes.annotate(label, (moved, top * 0.9), (8, 0), textcoords="offset points", color=INK, va="top")
    axes.set(xlim=(0, end), ylim=(0, top), xlabel="seconds since the first byte", ylabel="received by curl, Mbit/s")
    axes.set_title(f"Download of {recording.bytes >> 20} MiB, means over {BIN_NS // 10**6} ms", loc="left", color=INK)


def _draw_move(axes: Any, recording: Recording) -> None:
    move = recording.handover
    first, last = -BEFORE_MS, (move.first_new - move.left) / 1e6 + AFTER_MS
    for color, by_new, name in ((OLD, False, "probe received by Wi-Fi"), (NEW, True, "probe received by LTE")):
        points = [
            ((at - move.left) / 1e6, delay)
            for at, delay, new in recording.probes
            if new is by_new and first <= (at - move.left) / 1e6 <= last
        ]
        axes.plot(*zip(*points, strict=True), "o", ms=4, color=color, label=name) if points else None
    begin, end = (max(move.last_old, move.usable) - move.left) / 1e6, (move.first_new - move.left) / 1e6
    axes.axvspan(begin, end, color=GAP, alpha=0.10, linewidth=0)
    delays = [delay for at, delay, _new in recording.probes if first <= (at - move.left) / 1e6 <= last]
    top = max(delays, default=1.0) * 1.45
    words = f"gap {move.gap_ms:.1f} ms\n{move.lost_in_move} probes lost"
    middle = (end + (move.last_old - move.left) / 1e6) / 2
    axes.text(middle, top * 0.5, words, color=GAP, ha="center", va="center", fontweight="bold", bbox=VEIL)
    found = _marks(recording.moments, move.left)
    for number, (at, _label) in enumerate(found, start=1):
        axes.axvline(at, color=FAINT, linewidth=0.8, zorder=1)
        height = top * (0.96 - 0.075 * ((number - 1) % 4))
        axes.text(at, height, str(number), fontsize=8, color="white", ha="center", va="center", bbox=BADGE, zorder=5)
    listing = "\n".join(f"{number}  {at:6.1f} ms  {label}" for number, (at, label) in enumerate(found, start=1))
    axes.text(1.015, 0.98, listing, transform=axes.transAxes, va="top", fontsize=9, color=INK, linespacing=1.7)
    axes.legend(loc="lower left", bbox_to_anchor=(1.0, -0.02), frameon=False, fontsize=9, labelcolor=INK)
    axes.set(xlim=(first, last), ylim=(0, top), xlabel="milliseconds since the link event")
    axes.set_ylabel("one-way delay, ms")
    axes.xaxis.set_major_locator(MaxNLocator(12))
    axes.set_title("The move, by a probe each millisecond", loc="left", color=INK)


def _tell(axes: Any, facts: Sequence[tuple[str, str]]) -> None:
    for number, (value, name) in enumerate(facts):
        height = 0.96 - 0.19 * number
        axes.text(1.02, height, value, transform=axes.transAxes, fontsize=15, color=INK, fontweight="bold", va="top")
        axes.text(1.02, height - 0.085, name, transform=axes.transAxes, fontsize=9, color="#718096", va="top")


def _marks(moments: Sequence[Moment], zero: int) -> list[tuple[float, str]]:
    found = []
    for mark in MARKS:
        for moment in moments:
            if moment.at >= zero and moment.where == mark.where and mark.word in moment.what:
                found.append(((moment.at - zero) / 1e6, mark.label))
                break
    return sorted(found)
