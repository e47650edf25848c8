"""What is built: one Limited-API module, under a wheel tag that says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lispfast import _fastpath

from .native import NATIVE, ROOT


def test_the_module_is_abi3() -> None:
    assert _fastpath.__file__ is not None
    assert Path(_fastpath.__file__).name == "_fastpath.abi3.so"


def test_the_module_exports_its_init_alone() -> None:
    done = subprocess.run(
        ["nm", "-D", "--defined-only", str(_fastpath.__file__)], capture_output=True, text=True, check=True
    )
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["PyInit__fastpath"]


def test_the_wheel_says_so(tmp_path: Path) -> None:
    compiled = ROOT / "lispfast" / "_fastpath.c"
    before = compiled.read_bytes() if compiled.exists() else None
    command = [sys.executable, "setup.py", "-q", "build", "--build-base", str(tmp_path / "build"), "egg_info", "-e"]
    command += [str(tmp_path), "bdist_wheel", "--bdist-dir", str(tmp_path / "bdist"), "-d", str(tmp_path / "dist")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"CFLAGS": "-O0"})
    assert done.returncode == 0, done.stderr
    assert before is None or compiled.read_bytes() == before
    (wheel,) = (tmp_path / "dist").iterdir()
    assert wheel.name.split("-")[2:4] == ["cp311", "abi3"]


@pytest.mark.parametrize("header", sorted(NATIVE.glob("*.h")), ids=lambda path: path.name)
def test_a_header_stands_alone(header: Path) -> None:
    command = [
        "gcc",
        "-std=c11",
        "-fsyntax-only",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-include",
        str(header),
        "-xc",
        os.devnull,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
