"""Instructions of one operation, as callgrind counts them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from bench.micro.build import Loop

COUNT = re.compile(r"^summary: (\d+)$|^totals: (\d+)$", re.MULTILINE)

# Ours. Both are whole trains of packets, 44 and 64; the difference leaves out what comes before the loop.
FEW, MANY = 44 * 64, 44 * 64 * 6


def available() -> bool:
    """Whether valgrind is there."""
    return shutil.which("valgrind") is not None


def instructions(program: Path, loop: Loop) -> float:
    """Instructions of one operation: what more operations take more, a run of the program each."""
    return (_count(program, loop, MANY) - _count(program, loop, FEW)) / (MANY - FEW)


def _count(program: Path, loop: Loop, operations: int) -> int:
    out = program.with_name("callgrind.out")
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    subprocess.run([*command, str(program), str(loop.number), str(operations)], check=True, capture_output=True)
    return read_count(out.read_text())


def read_count(text: str) -> int:
    """The instructions of a whole run, from callgrind's output file; ValueError where it does not say."""
    if (found := COUNT.search(text)) is None:
        raise ValueError("callgrind's output has no summary")
    return int(found[1] or found[2])
