"""`python -m bench.throughput.report FILE [--markdown] [--into DOCUMENT]`: shows the figures of a run for readers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.document import fill, table
from bench.throughput.figures import COMPETITORS, FAMILIES, FIGURES, TARGETS, Figure

MARK = "throughput"
FAMILY_NAMES = {"ipv4": "IPv4", "ipv6": "IPv6"}
TARGET_NAMES = {
    "tcp1_vs_vxlan": "TCP, 1 stream, lispfast to kernel VXLAN",
    "tcp4_vs_vxlan": "TCP, 4 streams, lispfast to kernel VXLAN",
    "plain_tcp1_vs_vxlan": "TCP, 1 stream, offloads off to kernel VXLAN",
    "udp64_vs_vxlan": "64-byte UDP, lispfast to kernel VXLAN",
    "udp64_flood_vs_vxlan": "the same, flooded",
    "rtt_added_ms": "ping RTT that lispfast adds to bare veth, ms",
    "cpu_vs_vxlan": "CPU time for a GB, lispfast to kernel VXLAN",
}


def of_family(report: Mapping[str, Any], family: str) -> Mapping[str, Any]:
    """The part of a report that is about "ipv4" or "ipv6"."""
    part: Mapping[str, Any] = report.get("ipv6", {}) if family == "ipv6" else report
    return part


def figure_rows(part: Mapping[str, Any]) -> list[list[str]]:
    """A table of one family: a row a competitor, median and (least to most); figures that nobody has are left out."""
    names = [name for name in COMPETITORS if name in part]
    shown = [figure for figure in FIGURES if any(figure.key in part[name] for name in names)]
    head = ["path", *(f"{figure.name}, {figure.unit}" for figure in shown)]
    return [head, *([f"`{name}`", *(_cell(part, name, figure) for figure in shown)] for name in names)]


def _cell(part: Mapping[str, Any], name: str, figure: Figure) -> str:
    value = part[name].get(figure.key)
    if value is None:
        return ""
    least, most = part["spread"][name][figure.key]
    digits = figure.decimals
    return f"{value:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"


def target_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """A table of the comparisons, those with a target judged."""
    rows = [["comparison", "target", *(FAMILY_NAMES[family] for family in FAMILIES.values())]]
    for target in TARGETS:
        found = [of_family(report, family).get("ratios", {}).get(target.name) for family in FAMILIES.values()]
        if any(found):
            limit = "at most" if target.at_most else "at least"
            wanted = "" if target.target is None else f"{limit} {target.target:g}"
            rows.append([TARGET_NAMES[target.name], wanted, *map(_judged, found)])
    if idle := report.get("idle"):
        went = f"{idle['switches_after'] - idle['switches_before']}{_verdict(idle['met'])}"
        rows.append([f"context switches of an idle data plane in {idle['seconds']:g} s", "none", went, ""])
    return rows


def _judged(entry: Mapping[str, Any] | None) -> str:
    if not entry:
        return ""
    return f"{entry['median']:.3f} ({entry['min']:.3f} to {entry['max']:.3f}){_verdict(entry.get('met'))}"


def _verdict(met: bool | None) -> str:
    return {None: "", True: ", met", False: ", **missed**"}[met]


def machine_words(machine: Mapping[str, Any]) -> str:
    """Where it was measured."""
    return (
        f"Measured {machine['date'][:10]} on {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gib']:g} GiB, Linux {machine['kernel']}, {machine['compiler']}, commit {machine['commit']}; "
        f"{machine['busy_before']:.0%} of the machine busy with other things before"
    )


def run_words(report: Mapping[str, Any]) -> str:
    """Where and how it was measured."""
    rounds, seconds = len(report["rounds"]), report.get("settings", {}).get("seconds", 0)
    machine = report["machine"]
    return f"{machine_words(machine)}; {rounds} rounds of {seconds:g} s, {machine['iperf3']}."


def markdown(report: Mapping[str, Any]) -> str:
    """The report as it stands in the documentation."""
    parts = [run_words(report)]
    for family in FAMILIES.values():
        rows = figure_rows(of_family(report, family))
        if len(rows) > 1:
            parts += [f"**{FAMILY_NAMES[family]} underlay**, median (least to most)", table(rows)]
    rows = target_rows(report)
    if len(rows) > 1:
        parts += ["**Side by side**, the median of what each round gives (least to most)", table(rows)]
    parts += [f"Not measured: {failure}" for failure in report.get("failures", ())]
    return "\n\n".join(parts) + "\n"


def plain(rows: Sequence[Sequence[str]]) -> str:
    """A table for the terminal."""
    rows = [[cell.replace("**", "").replace("`", "") for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def turned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Rows as columns: a terminal is not as wide as a page."""
    return [list(column) for column in zip(*rows, strict=True)]


def text(report: Mapping[str, Any]) -> str:
    """The report for the terminal."""
    parts = []
    for family in FAMILIES.values():
        rows = figure_rows(of_family(report, family))
        if len(rows) > 1:
            parts += [f"{FAMILY_NAMES[family]} underlay: median (least to most)\n{plain(turned(rows))}"]
    rows = target_rows(report)
    if len(rows) > 1:
        parts += [f"Side by side: the median of what each round gives\n{plain(rows)}"]
    return "\n\n".join(parts)


def main() -> None:
    """Show a report, or put it into a document."""
    parser = argparse.ArgumentParser(prog="bench.throughput.report", description="show the figures of a run")
    parser.add_argument("file", type=Path, help="what ./run bench throughput --json wrote")
    parser.add_argument("--markdown", action="store_true", help="as Markdown")
    parser.add_argument("--into", type=Path, metavar="DOCUMENT", help="between its two comments, as Markdown")
    parser.add_argument("--chart", type=Path, metavar="PICTURE", nargs="+", help="draw it, beside the document")
    options = parser.parse_args()
    report = json.loads(options.file.read_text())
    if options.chart:
        from bench.throughput.chart import draw  # matplotlib takes a second

        draw(report, options.chart)
    if options.into:
        picture = f"![The figures below as bars]({options.chart[0].name})\n\n" if options.chart else ""
        fill(options.into, MARK, picture + markdown(report))
    else:
        print(markdown(report) if options.markdown else text(report))


if __name__ == "__main__":
    main()
