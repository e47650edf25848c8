"""`python -m bench.micro`: time and instructions of one operation of each part, in one table."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.document import fill, table
from bench.micro import callgrind
from bench.micro.build import BuildError, Loop, Loops, program
from bench.throughput.machine import facts
from bench.throughput.report import machine_words, plain

HERE = Path(__file__).parent
MARK = "micro"
HEAD = ["part", "one operation", "ns", "instructions"]


def main() -> int:
    """Measure, show and store; status 0 if it worked."""
    parser = argparse.ArgumentParser(prog="run bench micro", description="what the parts of the data plane cost")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--into", type=Path, metavar="DOCUMENT", help="put the table into a document")
    parser.add_argument("--quick", action="store_true", help="little time for each: to see that it works")
    parser.add_argument("--no-callgrind", action="store_true", help="time only")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="lispfast-bench-") as directory:
            report = measure(Path(directory), options.quick, not options.no_callgrind)
    except (BuildError, subprocess.CalledProcessError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    if options.into:
        fill(options.into, MARK, f"{machine_words(report['machine'])}.\n\n{table(rows(report))}")
    print(plain(rows(report)))
    return 0


def measure(directory: Path, quick: bool, count: bool) -> dict[str, Any]:
    """The report: {"machine", "loops": {name: {"operation", "ns", "instructions"}}}; None where nothing was counted."""
    loops = Loops(directory).all
    times = _times(directory, quick)
    if count and not callgrind.available():
        print("valgrind is not there: no instructions are counted", file=sys.stderr)
    counts = _counts(directory, loops) if count and callgrind.available() else {}
    found = {
        loop.name: {"operation": loop.operation, "ns": times[loop.name], "instructions": counts.get(loop.name)}
        for loop in loops
    }
    return {"machine": facts(), "loops": found}


def _times(directory: Path, quick: bool) -> dict[str, float]:
    """Nanoseconds of one operation: the median over pytest-benchmark's rounds."""
    out = directory / "benchmark.json"
    command = [sys.executable, "-m", "pytest", str(HERE), "-q", "-p", "no:cacheprovider", "--no-header"]
    command += ["--benchmark-quiet", f"--benchmark-json={out}", f"--benchmark-max-time={0.02 if quick else 0.5}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parents[1])
    if done.returncode != 0:
        raise BuildError(done.stdout + done.stderr)
    return read_times(json.loads(out.read_text()))


def read_times(answer: dict[str, Any]) -> dict[str, float]:
    """Nanoseconds of one operation by the loop's name, from pytest-benchmark's report."""
    return {
        each["extra_info"]["loop"]: each["stats"]["median"] / each["extra_info"]["operations"] * 1e9
        for each in answer["benchmarks"]
    }


def _counts(directory: Path, loops: tuple[Loop, ...]) -> dict[str, float]:
    path = program(directory)
    return {loop.name: callgrind.instructions(path, loop) for loop in loops}


def rows(report: dict[str, Any]) -> list[list[str]]:
    """The table of a report."""
    lines = [HEAD]
    for name, each in report["loops"].items():
        counted = each["instructions"]
        lines.append([name, each["operation"], f"{each['ns']:.1f}", "" if counted is None else f"{counted:.0f}"])
    return lines


if __name__ == "__main__":
    sys.exit(main())
