"""`python -m bench.wire`: what each control message costs to read and to write, in one table."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench.document import fill, table
from bench.throughput.machine import facts
from bench.throughput.report import machine_words, plain
from bench.wire.measure import ROUNDS, cost, inner_cost
from bench.wire.messages import MESSAGES
from lispfast.wire.encapsulated_control import EncapsulatedControl

MARK = "wire"
HEAD = ["message", "bytes", "decode, µs", "encode, µs", "decode/s", "encode/s"]
OPENING = "opening an ECM's packet"
QUICK_ROUNDS = 3


def main() -> int:
    """Measure, show and store; status 0 if it worked."""
    parser = argparse.ArgumentParser(prog="run bench wire", description="what the codecs of the control plane cost")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--into", type=Path, metavar="DOCUMENT", help="put the table into a document")
    parser.add_argument("--quick", action="store_true", help="little time for each: to see that it works")
    options = parser.parse_args()
    report = measure(QUICK_ROUNDS if options.quick else ROUNDS)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    if options.into:
        fill(options.into, MARK, f"{machine_words(report['machine'])}.\n\n{table(rows(report))}")
    print(plain(rows(report)))
    return 0


def measure(rounds: int) -> dict[str, Any]:
    """In microseconds: {"machine", "messages": {name: {"size", "decode", "encode", "describe"}}, "opening"}."""
    messages = {name: cost(message, rounds)._asdict() for name, message in MESSAGES.items()}
    wrapped = MESSAGES["ECM"]
    assert isinstance(wrapped, EncapsulatedControl)
    return {"machine": facts(), "messages": messages, "opening": inner_cost(wrapped.packet, rounds)}


def rows(report: dict[str, Any]) -> list[list[str]]:
    """The table of a report."""
    lines = [HEAD]
    for name, each in report["messages"].items():
        times = [each["decode"], each["encode"]]
        lines.append([name, str(each["size"]), *(f"{time:.1f}" for time in times), *map(_rate, times)])
    return [*lines, [OPENING, "", f"{report['opening']:.1f}", "", _rate(report["opening"]), ""]]


def _rate(microseconds: float) -> str:
    """Messages in a second, to three digits."""
    rate = 1e6 / microseconds
    digits = max(len(str(int(rate))) - 3, 0)
    return f"{round(rate, -digits):,.0f}"


if __name__ == "__main__":
    sys.exit(main())
