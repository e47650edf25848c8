"""Compiles the loops with the data plane, as a library for ctypes or a program for callgrind; flags as in setup.py."""

from __future__ import annotations

import ctypes
import os
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "lispfast" / "_native"
# -iquote: some of our headers are called as some of the C library's.
FLAGS = ("-std=gnu11", "-O2", "-pthread", "-fvisibility=hidden", "-iquote", str(NATIVE))


class BuildError(Exception):
    """The compiler refused; its words are the text."""


def compile_loops(target: Path, *flags: str) -> Path:
    """Compile loops.c and every file of the data plane into `target`; BuildError where that fails."""
    sources = [str(HERE / "loops.c"), *sorted(str(path) for path in NATIVE.glob("*.c"))]
    command = [os.environ.get("CC", "cc"), *FLAGS, *flags, "-o", str(target), *sources]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildError(done.stderr.strip())
    return target


def program(directory: Path) -> Path:
    """`loops NUMBER OPERATIONS`."""
    return compile_loops(directory / "loops", "-g", "-DLF_LOOPS_MAIN")


@dataclass(frozen=True)
class Loop:
    """A loop: its number, its name PART/CASE, and what one operation of it is."""

    number: int
    name: str
    operation: str

    @property
    def part(self) -> str:
        """The part of the data plane that it is about."""
        return self.name.partition("/")[0]


class Loops:
    """The compiled loops."""

    def __init__(self, directory: Path) -> None:
        self._library = ctypes.CDLL(str(compile_loops(directory / "libloops.so", "-fPIC", "-shared")))
        for name, result, arguments in (
            ("setup", ctypes.c_bool, []),
            ("count", ctypes.c_size_t, []),
            ("name", ctypes.c_char_p, [ctypes.c_size_t]),
            ("operation", ctypes.c_char_p, [ctypes.c_size_t]),
            ("run", None, [ctypes.c_size_t, ctypes.c_size_t]),
        ):
            function = getattr(self._library, f"lf_loops_{name}")
            function.restype, function.argtypes = result, arguments
        if not self._library.lf_loops_setup():
            raise BuildError("a part of the data plane does not do what its loop is about")

    @cached_property
    def all(self) -> tuple[Loop, ...]:
        """Every loop."""
        library = self._library
        return tuple(
            Loop(number, library.lf_loops_name(number).decode(), library.lf_loops_operation(number).decode())
            for number in range(library.lf_loops_count())
        )

    def run(self, loop: Loop, operations: int) -> None:
        """Do so many operations."""
        self._library.lf_loops_run(loop.number, operations)
