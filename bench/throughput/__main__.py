"""`python -m bench.throughput`: measures, shows and stores; status 0 if every step could be measured."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.throughput.figures import COMPETITORS, FAMILIES
from bench.throughput.machine import facts
from bench.throughput.measures import PINGS
from bench.throughput.report import text
from bench.throughput.session import MEASURES, Plan, Session
from bench.throughput.world import keep_logs
from lispfast.lab import Lab, LabError

FAILED = 1
INTERRUPTED = 130
BUSY = 0.05  # ours: of the machine, from where figures suffer
UDPLOAD = Path(__file__).with_name("udpload.c")


def main() -> int:
    """Run it and return the exit status."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    options.out.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        *(options.rounds, options.seconds, options.idle_seconds, options.pings),
        *(options.only, options.family, options.measure),
    )
    begun = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f} s] {line}", flush=True)

    print(
        f"this takes about {max(plan.estimate() / 60, 1):.0f} minutes; nothing else should run on the machine meanwhile"
    )
    session = Session(plan, say, facts())
    if session.machine["busy_before"] > BUSY:
        print(f"warning: {session.machine['busy_before']:.0%} of the machine is busy with something else", flush=True)
    files = [options.out / "throughput.json", *([options.json] if options.json else [])]
    try:
        with Lab() as lab:
            try:
                session.run(lab, _compile(lab.directory), lambda: _store(session, files))
            finally:
                keep_logs(lab, options.out)
    except (LabError, OSError) as error:
        session.failures.append(str(error))
        print(f"FAILED: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted: everything is cleaned up", file=sys.stderr)
        return INTERRUPTED
    return _conclude(session, files, options.out)


def _conclude(session: Session, files: list[Path], out: Path) -> int:
    report = session.report()
    _write(report, files)
    print(f"\n{text(report)}\n")
    if any(session.rounds):
        from bench.throughput.chart import draw  # matplotlib takes a second, and only a run that succeeded needs it

        pictures = [out / "throughput.png", out / "throughput.svg"]
        draw(report, pictures)
        print(f"Chart: {' and '.join(map(str, pictures))}; figures: {' and '.join(map(str, files))}")
    for failure in session.failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return FAILED if session.failures else 0


def _store(session: Session, files: list[Path]) -> None:
    _write(session.report(), files)


def _write(report: object, files: list[Path]) -> None:
    for path in files:
        path.write_text(json.dumps(report, indent=2) + "\n")


def _compile(directory: Path) -> Path:
    program = directory / "udpload"
    command = [os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-o", str(program), str(UDPLOAD)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)}: {done.stderr}")
    return program


def _choice(known: Mapping[str, Any]) -> Callable[[str], list[Any]]:
    def read(words: str) -> list[Any]:
        chosen = words.split(",")
        if unknown := [word for word in chosen if word not in known]:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}: choose from {', '.join(known)}")
        return [value for word, value in known.items() if word in chosen]

    return read


def _seconds(word: str) -> int:
    if int(word) < 1:  # to iperf3 nothing would mean for ever, and it knows no parts of a second
        raise argparse.ArgumentTypeError("a second at least")
    return int(word)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run bench throughput", description="paths between two hosts, side by side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--out", type=Path, default=Path("bench-out"), metavar="DIR", help="for chart and figures")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often everything is measured (5)")
    parser.add_argument("--seconds", type=_seconds, default=5, metavar="S", help="length of each load (5)")
    parser.add_argument("--pings", type=int, default=PINGS, metavar="N", help="of each latency (1000)")
    parser.add_argument("--idle-seconds", type=float, default=60.0, metavar="S", help="an idle node is watched (60)")
    lists: dict[str, dict[str, Any]] = {
        "only": {name: name for name in COMPETITORS},
        "family": {str(number): number for number in FAMILIES},
        "measure": {name: name for name in MEASURES},
    }
    for name, known in lists.items():
        words = f"of {', '.join(known)}; all unless given"
        parser.add_argument(f"--{name}", type=_choice(known), default=list(known.values()), metavar="A,B", help=words)
    return parser.parse_args()


def _interrupt(number: int, _frame: object) -> None:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the clean-up is not to be interrupted
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
