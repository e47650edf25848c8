"""`python -m lispfast.lab.demo`: runs the demo, shows and stores what it found; status 0 if every step was done."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import time
from pathlib import Path

from lispfast.lab.conditions import LabError
from lispfast.lab.demo.figures import Figures
from lispfast.lab.demo.story import Demo
from lispfast.lab.demo.timeline import render
from lispfast.lab.network import Lab
from lispfast.lab.node import DAEMON

FAILED = 1
INTERRUPTED = 130


def main() -> int:
    """Run it and return the exit status."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    options.out.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - begun:5.1f} s] {text}", flush=True)

    figures = Figures()
    try:
        with Lab() as lab:
            demo = Demo(lab, options.mib << 20, say, shlex.split(options.daemon) if options.daemon else DAEMON)
            figures = demo.figures
            try:
                demo.run(options.out / "move.pcap")
            except (LabError, OSError) as error:
                figures.failures.append(str(error))
            if figures.failures:
                _keep_logs(lab, options.out)
        _show(demo, options.out)
    except (LabError, OSError) as error:
        figures.failures.append(str(error))
    except KeyboardInterrupt:
        print("interrupted: everything is cleaned up", file=sys.stderr)
        return INTERRUPTED
    print("\nResults\n" + "\n".join(f"  {line}" for line in figures.table()))
    if options.json:
        options.json.write_text(json.dumps(figures.as_json(), indent=2) + "\n")
    for failure in figures.failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 0 if figures.ok else FAILED


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run demo", description="a mobile node that moves in front of you")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--out", type=Path, default=Path("demo-out"), metavar="DIR", help="for the picture (demo-out)")
    parser.add_argument("--mib", type=int, default=512, metavar="N", help="size of the download in MiB (512)")
    parser.add_argument("--daemon", metavar="COMMAND", help="run this instead of this checkout's lispd-fast")
    return parser.parse_args()


def _interrupt(number: int, _frame: object) -> None:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the clean-up is not to be interrupted
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _keep_logs(lab: Lab, out: Path) -> None:
    for log in lab.directory.glob("*/*.log"):
        (out / f"{log.parent.name}-{log.name}").write_bytes(log.read_bytes())
    print(f"the logs of every node are in {out}")


def _show(demo: Demo, out: Path) -> None:
    recording = demo.recording
    if recording is None:
        return
    print("\nThe move, in milliseconds since the link event, on one clock")
    print("\n".join(f"  {line}" for line in render(recording.moments, recording.handover.left)))
    from lispfast.lab.demo.picture import draw  # matplotlib takes a second, and only a run that succeeded needs it

    pictures = [out / "handover.png", out / "handover.svg"]
    draw(recording, pictures)
    print(f"\nPicture: {' and '.join(str(path) for path in pictures)}; capture: {out / 'move.pcap'}")


if __name__ == "__main__":
    sys.exit(main())
