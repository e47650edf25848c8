"""What the machine is that the figures come from."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.throughput.measures import busy_seconds

ROOT = Path(__file__).resolve().parents[2]
LOOK_SECONDS = 1.0  # ours: long enough to see who else is at work


def facts() -> dict[str, Any]:
    """Model, cores, memory, kernel, versions, and the share of the machine that others use."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "iperf3": _first_line("iperf3", "--version"),
        "compiler": _first_line(os.environ.get("CC", "cc"), "--version"),
        "commit": _first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "busy_before": round(_background(), 3),
    }


def _background() -> float:
    busy, begun = busy_seconds(), time.monotonic()
    time.sleep(LOOK_SECONDS)
    return (busy_seconds() - busy) / (time.monotonic() - begun) / (os.cpu_count() or 1)


def _cpu() -> str:
    names = ("model name", "Hardware", "cpu model")
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _colon, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return platform.processor() or platform.machine()


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.partition("\n")[0].strip()
