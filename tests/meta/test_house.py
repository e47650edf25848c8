"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lispfast.model.reasons import DataReason

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 60


def sources(*suffixes: str) -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    paths = [ROOT / name for name in listing.split("\0") if name.endswith(suffixes)]
    return [path for path in paths if path.exists()]


def test_a_file_fits_in_one_reading() -> None:
    files = sources(".py", ".pyx", ".pxd", ".c", ".h")
    assert files
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_a_function_fits_on_a_screen() -> None:
    long = []
    for path in sources(".py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}:{node.name}: {lines}")
    assert long == []


def test_drop_reasons_are_the_same_in_c_and_python() -> None:
    text = (ROOT / "lispfast/_native/reasons.def").read_text()
    names = re.findall(r'^LF_REASON\(\s*\w+\s*,\s*"([^"]+)"', text, re.MULTILINE)
    assert names == [reason.value for reason in DataReason]


def test_the_data_plane_knows_nothing_of_python() -> None:
    native = [path for path in sources(".c", ".h") if "_native" in path.parts]
    assert native
    assert [path.name for path in native if "Python.h" in path.read_text()] == []


@pytest.mark.parametrize("module", ["lispfast", "lispfast.cli.ctl"])
def test_light_imports_stay_light(module: str) -> None:
    code = f"import {module}, sys; print(*[m for m in ('pyroute2', 'cryptography', 'asyncio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, cwd=ROOT)
    assert done.stdout.split() == []
