"""`python -m bench.lookup`: measures, shows and stores; status 0 if everything of ours could be measured."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.lookup.build import BuildError, build
from bench.lookup.cells import CONTENDERS, FAMILIES, MIXES, SIZE_MAX, SIZES, Plan
from bench.lookup.report import show, text
from bench.lookup.session import Session
from bench.throughput.machine import facts

FAILED = 1
INTERRUPTED = 130
BUSY = 0.05  # ours: of the machine, from where figures suffer
HUGE = Path("/sys/kernel/mm/transparent_hugepage")
EPILOG = """rte_fib and rte_fib6 need DPDK: apt-get install -y libdpdk-dev pkg-config. pytricia and py-radix are
installed from PyPI into build/rivals. A rival that is not there has empty cells, with the reason."""


def main() -> int:
    """Run it and return the exit status."""
    options = _options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    options.out.mkdir(parents=True, exist_ok=True)
    plan = _plan(options)
    begun = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f} s] {line}", flush=True)

    print(f"this takes about {max(plan.estimate() / 60, 1):.0f} minutes; nothing else should run meanwhile", flush=True)
    machine = {**facts(), "huge_pages": huge_pages()}
    if machine["busy_before"] > BUSY:
        print(f"warning: {machine['busy_before']:.0%} of the machine is busy with something else", flush=True)
    files = [options.out / "lookup.json", *([options.json] if options.json else [])]
    try:
        with tempfile.TemporaryDirectory(prefix="lookup-", dir=options.out) as name:
            directory = Path(name).resolve()
            session = Session(plan, build(directory, list(plan.contenders)), machine, say)
            session.run(directory, lambda: _write(session.report(), files))
    except BuildError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return _conclude(session, files, options)


def _conclude(session: Session, files: Sequence[Path], options: argparse.Namespace) -> int:
    report = session.report()
    _write(report, files)
    print(f"\n{text(report)}\n")
    pictures = [options.out / "lookup.png", options.out / "lookup.svg"]
    if options.into:
        pictures.insert(0, options.into.with_name("lookup.png"))
    show(report, options.into, pictures)
    print(f"Chart: {' and '.join(map(str, pictures))}; figures: {' and '.join(map(str, files))}")
    for failure in session.failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return FAILED if session.failures else 0


def huge_pages() -> dict[str, str]:
    """What the kernel does with huge pages that nobody reserved: for a program's own memory, and for shared memory."""
    found = {}
    for name in ("enabled", "shmem_enabled"):
        try:
            found[name] = (HUGE / name).read_text().partition("[")[2].partition("]")[0]
        except OSError:
            found[name] = ""
    return found


def _write(report: dict[str, Any], files: Sequence[Path]) -> None:
    for path in files:
        path.write_text(json.dumps(report, indent=2) + "\n")


def _plan(options: argparse.Namespace) -> Plan:
    quick = {"rounds": 1, "seconds": 0.05, "hits": 1 << 18, "misses": 1 << 16} if options.quick else {}
    sizes = options.sizes or ((1_000, 100_000) if options.quick else SIZES)
    words: dict[str, Any] = {"rounds": options.rounds, "seconds": options.seconds, "limit": options.limit, **quick}
    return Plan(options.family, sizes, options.mix, options.only, **words)


def choice(known: Sequence[Any]) -> Callable[[str], tuple[Any, ...]]:
    """For argparse: some of these, separated by commas."""

    def read(words: str) -> tuple[Any, ...]:
        chosen = words.split(",")
        if unknown := [word for word in chosen if word not in map(str, known)]:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}: choose from {', '.join(map(str, known))}")
        return tuple(each for each in known if str(each) in chosen)

    return read


def sizes(words: str) -> tuple[int, ...]:
    """For argparse: numbers of prefixes, separated by commas."""
    found = tuple(sorted({int(word) for word in words.split(",")}))
    if not 1 <= found[0] <= found[-1] <= SIZE_MAX:
        raise argparse.ArgumentTypeError(f"a table has 1 to {SIZE_MAX} prefixes")
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run bench lookup", description="longest-prefix match, side by side", epilog=EPILOG
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--out", type=Path, default=Path("bench-out"), metavar="DIR", help="for chart and figures")
    parser.add_argument("--into", type=Path, metavar="DOCUMENT", help="put tables and chart into a document")
    parser.add_argument("--sizes", type=sizes, metavar="N,M", help=f"of the tables; {','.join(map(str, SIZES))}")
    for name, known in (("family", FAMILIES), ("mix", MIXES), ("only", CONTENDERS)):
        words = f"of {', '.join(map(str, known))}; all unless given"
        parser.add_argument(f"--{name}", type=choice(known), default=tuple(known), metavar="A,B", help=words)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often each is measured (3; 10 M: once)")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="least time of each measure (1)")
    parser.add_argument("--limit", type=float, default=900.0, metavar="S", help="most time of each program (900)")
    parser.add_argument("--quick", action="store_true", help="small tables and little time: to see that it works")
    return parser.parse_args()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
