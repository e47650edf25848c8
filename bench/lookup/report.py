"""`python -m bench.lookup.report FILE [--markdown] [--into DOCUMENT] [--chart PICTURE]`: shows the figures of a run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.document import fill, table
from bench.lookup.cells import STEPS
from bench.lookup.figures import TARGETS
from bench.throughput.report import machine_words, plain

MARK = "lookup"
FAMILIES = {"v4": "IPv4", "v6": "IPv6"}
SPEEDS = {
    "lispfast_batch_mps": "lispfast",
    "miss_batch_mps": "its misses",
    "batch_mps_under_updates": "under updates",
    "lispfast_single_mps": "single",
    "rte_fib_mps": "rte_fib",
    "rte_fib_miss_mps": "its misses",
    "lispfast_python_mps": "lispfast, Python",
    "lispfast_python_single_mps": "single",
    "pytricia_mps": "pytricia",
    "pyradix_mps": "py-radix",
}
COSTS = {
    "bytes_per_entry": "lookup, B",
    "bytes_per_mapping_total": "mapping, B",
    "bytes_per_mapping_shared": "sets shared, B",
    "peak_rss_mb": "peak, MB",
    "load_s": "load, s",
    "load_shared_s": "sets shared, s",
    "load_tuples_s": "from tuples, s",
    "load_objects_s": "from objects, s",
    "commit_us": "commit, µs",
    "commit_p99_us": "99 %, µs",
    "rte_fib_bytes_per_entry": "rte_fib, B",
    "rte_fib_load_s": "load, s",
    "pytricia_bytes_per_entry": "pytricia, B",
    "pyradix_bytes_per_entry": "py-radix, B",
}


def cells(part: Mapping[str, Any]) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Size, mix and figures of each cell of a family."""
    for size, mixes in sorted(part.items(), key=lambda item: int(item[0])):
        for mix, figures in mixes.items():
            yield int(size), mix, figures


def rows(part: Mapping[str, Any], columns: Mapping[str, str]) -> list[list[str]]:
    """A table of one family: a row a cell; what no cell has is left out."""
    shown = [key for key in columns if any(figures.get(key) is not None for _size, _mix, figures in cells(part))]
    head = ["prefixes", *(columns[key] for key in shown)]
    body = [[f"{size:,} {mix}", *(number(figures.get(key)) for key in shown)] for size, mix, figures in cells(part)]
    return [head, *body]


def number(value: float | None) -> str:
    """Three digits that say something, nothing for what was not measured."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def target_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """A table of the targets, judged."""
    families = [family for family in FAMILIES if family in report.get("targets", {})]
    found = [["figure", *(word for family in families for word in ("target", FAMILIES[family]))]]
    for target in TARGETS:
        entries = [report["targets"][family][target.name] for family in families]
        words = [word for entry in entries for word in (f"{entry['limit']} {entry['target']:g}", _judged(entry))]
        found.append([target.words, *words])
    return found


def _judged(entry: Mapping[str, Any]) -> str:
    if entry["value"] is None:
        return "not measured"
    span = f" ({number(entry['min'])} to {number(entry['max'])})" if entry["max"] > entry["min"] else ""
    return f"{number(entry['value'])}{span}, {'met' if entry['met'] else '**missed**'}"


def reasons(report: Mapping[str, Any]) -> list[str]:
    """Why cells are empty, once for each reason."""
    where: dict[tuple[str, str], list[str]] = {}
    names = [step.name for step in STEPS]
    for family, words in FAMILIES.items():
        for size, mix, figures in cells(report.get(family, {})):
            for name in sorted(figures.get("reasons", {}), key=names.index):
                why = figures["reasons"][name]
                where.setdefault((name, why), []).append(f"{words} {size:,} {mix}")
    return [f"`{name}`: {why} ({', '.join(places)})" for (name, why), places in where.items() if why != "not asked for"]


def run_words(report: Mapping[str, Any]) -> str:
    """Where and how it was measured."""
    settings, machine = report["settings"], report["machine"]
    said = [machine_words(machine), f"medians of {settings['rounds']} rounds, one for 10 M"]
    if version := settings.get("rte_fib_version"):
        said += [f"{version}, lookups by {settings.get('rte_fib_type', '?')}"]
    return "; ".join(said) + "."


def _tables(report: Mapping[str, Any]) -> Iterator[tuple[str, list[list[str]]]]:
    for family, words in FAMILIES.items():
        if part := report.get(family):
            yield f"{words}, million lookups a second", rows(part, SPEEDS)
            yield f"{words}, memory and time", rows(part, COSTS)
    if report.get("targets"):
        yield "Targets", target_rows(report)


def markdown(report: Mapping[str, Any]) -> str:
    """The report as it stands in the documentation."""
    parts = [run_words(report)]
    for words, found in _tables(report):
        parts += [f"**{words}**", table(found)]
    if empty := reasons(report):
        parts += ["Empty cells: " + "; ".join(empty) + "."]
    parts += [f"Failed: {failure}" for failure in report.get("failures", ())]
    return "\n\n".join(parts) + "\n"


def text(report: Mapping[str, Any]) -> str:
    """The report for the terminal."""
    parts = [f"{words}\n{plain(found)}" for words, found in _tables(report)]
    return "\n\n".join([*parts, *reasons(report)])


def show(report: Mapping[str, Any], document: Path | None, pictures: Sequence[Path]) -> None:
    """Draw it, and put it into a document."""
    if pictures:
        from bench.lookup.chart import draw  # matplotlib takes a second

        draw(report, pictures)
    if document:
        picture = f"![Lookups a second against the size of the table]({pictures[0].name})\n\n" if pictures else ""
        fill(document, MARK, picture + markdown(report))


def main() -> None:
    """Show a report, or put it into a document."""
    parser = argparse.ArgumentParser(prog="bench.lookup.report", description="show the figures of a run")
    parser.add_argument("file", type=Path, help="what ./run bench lookup --json wrote")
    parser.add_argument("--markdown", action="store_true", help="as Markdown")
    parser.add_argument("--into", type=Path, metavar="DOCUMENT", help="between its two comments, as Markdown")
    parser.add_argument("--chart", type=Path, metavar="PICTURE", nargs="+", default=[], help="draw it")
    options = parser.parse_args()
    report = json.loads(options.file.read_text())
    show(report, options.into, options.chart)
    if not options.into:
        print(markdown(report) if options.markdown else text(report))


if __name__ == "__main__":
    main()
