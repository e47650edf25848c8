"""Compiles the programs of this benchmark and sets up the Python rivals; what cannot be had says why."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NATIVE = ROOT / "lispfast" / "_native"
RIVALS = ROOT / "build" / "rivals"
REQUIREMENTS = HERE / "requirements.txt"
# As setup.py has them. -iquote: some of our headers are called as some of the C library's.
FLAGS = ("-std=gnu11", "-O2", "-pthread", "-fvisibility=hidden", "-iquote", str(NATIVE))
COMMON = ("cell.c", "measure.c")
OURS = ("ours.c", "packing.c", *COMMON)
SOURCES = {
    "make": ("make.c", "draw.c"),
    "speed": ("speed.c", "publications.c", *OURS),
    "load": ("load.c", *OURS),
    "structure": ("structure.c", *COMMON),
    "fib": ("fib.c", "groups.c", "draw.c", *COMMON),
}
WITH_NATIVE = ("speed", "load", "structure")
DPDK_ABSENT = "DPDK's libraries are not there: apt-get install libdpdk-dev pkg-config"
MODULES = {"pytricia": "pytricia", "pyradix": "radix"}


class BuildError(Exception):
    """Something needed by every cell cannot be built; its words are the text."""


@dataclass
class Tools:
    """What there is to measure with: programs by name, a Python for each tree, and why the others are missing."""

    programs: dict[str, Path] = field(default_factory=dict)
    pythons: dict[str, Path] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def build(directory: Path, wanted: list[str]) -> Tools:
    """Everything that the contenders in `wanted` need; BuildError where ours cannot be built."""
    tools = Tools()
    objects = _objects(directory / "native") if "lispfast" in wanted else []
    for name in ("make", *(WITH_NATIVE if "lispfast" in wanted else ())):
        if why := _compile(directory / name, name, *(objects if name in WITH_NATIVE else [])):
            raise BuildError(f"{name}: {why}")
        tools.programs[name] = directory / name
    if "rte_fib" in wanted:
        if why := _compile_fib(directory / "fib"):
            tools.absent["rte_fib"] = why
        else:
            tools.programs["fib"] = directory / "fib"
    for name in (name for name in MODULES if name in wanted):
        if why := _install(name):
            tools.absent[name] = why
        else:
            tools.pythons[name] = RIVALS / "bin" / "python"
    return tools


def _objects(directory: Path) -> list[str]:
    """The data plane, compiled once for all programs."""
    directory.mkdir()
    sources = sorted(NATIVE.glob("*.c"))
    command = [os.environ.get("CC", "cc"), *FLAGS, "-c", *map(str, sources)]
    if why := _run(command, directory):
        raise BuildError(f"the data plane: {why}")
    return [str(directory / f"{source.stem}.o") for source in sources]


def _compile(target: Path, name: str, *more: str) -> str:
    """Why it does not compile, or nothing."""
    sources = [str(HERE / source) for source in SOURCES[name]]
    return _run([os.environ.get("CC", "cc"), *FLAGS, "-o", str(target), *sources, *more])


def _compile_fib(target: Path) -> str:
    try:
        found = [
            subprocess.run(["pkg-config", option, "libdpdk"], capture_output=True, text=True, check=True).stdout
            for option in ("--cflags", "--libs")
        ]
    except (OSError, subprocess.CalledProcessError):
        return DPDK_ABSENT
    return _compile(target, "fib", *(word for words in found for word in shlex.split(words)))


def _install(name: str) -> str:
    """One rival into the environment of its own, which is made the first time; why not, or nothing."""
    python = RIVALS / "bin" / "python"
    if not python.exists() and (why := _run([sys.executable, "-m", "venv", "--clear", str(RIVALS)])):
        return why
    if not _run([str(python), "-c", f"import {MODULES[name]}"]):
        return ""
    pin = requirement(REQUIREMENTS.read_text(), name)
    return _run([str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", pin])


def requirement(text: str, name: str) -> str:
    """The pinned line of a rival; pyradix is called py-radix there."""
    for line in text.splitlines():
        if line.partition("==")[0].replace("-", "") == name:
            return line
    raise BuildError(f"no {name} in {REQUIREMENTS.name}")


def _run(command: list[str], directory: Path | None = None) -> str:
    """The error of a command that failed, else nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=directory)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()
    return next((line for line in said if "error" in line.lower()), said[-1])
