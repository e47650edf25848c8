"""One program over one cell, in bounds of memory and time."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

LOOK_SECONDS = 0.05  # ours: how often a program's memory is looked at
SPARE = 1 << 30  # ours: bytes of the machine's memory that a program has to leave
TAIL = 300  # characters of an error

Figures = dict[str, float | str]


class ProcessError(Exception):
    """The program has no figures; its words are the reason."""


def room() -> int:
    """Bytes that a program may take now."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _colon, value = line.partition(":")
        if name == "MemAvailable":
            return max(int(value.split()[0]) * 1024 - SPARE, 0)
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def run(command: list[str], memory: int, seconds: float, environment: Mapping[str, str] | None = None) -> Figures:
    """Its figures. ProcessError where it gives a reason or fails, takes more memory (in bytes) or more time."""
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=errors, env={**os.environ, **(environment or {})}
        )
        try:
            excess = _watch(process, memory, seconds)
        finally:
            process.kill()
            process.wait()
        for stream in (said, errors):
            stream.seek(0)
        figures = read(said.read())
        if excess:
            raise ProcessError(excess)
        if "reason" in figures:
            raise ProcessError(str(figures["reason"]))
        if process.returncode < 0:
            raise ProcessError(f"ended by {signal.Signals(-process.returncode).name}")
        if process.returncode > 0:
            raise ProcessError(f"status {process.returncode}: {errors.read().strip()[-TAIL:]}".rstrip(": "))
    return figures


def _watch(process: subprocess.Popen[bytes], memory: int, seconds: float) -> str:
    """Wait for its end; what it has too much of, if it does not end by itself."""
    begun = time.monotonic()
    while True:
        try:
            process.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() - begun > seconds:
                return f"takes more than {seconds:.0f} s"
            if resident(process.pid) > memory:
                return f"takes more than {memory / 2**30:.1f} GiB"
        else:
            return ""


def resident(pid: int) -> int:
    """Bytes of memory that a process has, but for files; 0 where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return sum(int(fields.get(name, "0 kB").split()[0]) for name in ("RssAnon", "RssShmem")) * 1024


def read(text: str) -> Figures:
    """Lines NAME=VALUE; others are left out."""
    figures: Figures = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.isidentifier():
            try:
                figures[name] = float(value)
            except ValueError:
                figures[name] = value
    return figures
