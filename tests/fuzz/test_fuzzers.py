"""A fixed number of inputs, and the whole corpus, for every libFuzzer harness; `./run fuzz` runs them for long.

LISPFAST_FUZZ multiplies the inputs; LISPFAST_FUZZ_SEED chooses others.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import seeds
from fuzzers import CORPUS, HARNESSES, command, compile_harness, compile_plane, why_not

INPUTS = 100_000 * int(os.environ.get("LISPFAST_FUZZ", "1"))
SEED = os.environ.get("LISPFAST_FUZZ_SEED", "1")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    directory = tmp_path_factory.mktemp("fuzz")
    if reason := why_not(directory):
        pytest.skip(reason)
    return compile_plane(directory)


@pytest.mark.parametrize("name", HARNESSES)
def test_no_input_is_a_finding(plane: list[Path], name: str, tmp_path: Path) -> None:
    program = compile_harness(name, plane, tmp_path)
    arguments = command(program, tmp_path / "learned", f"-runs={INPUTS}", f"-seed={SEED}")
    done = subprocess.run(arguments, capture_output=True, text=True, errors="replace", timeout=110)
    assert done.returncode == 0, done.stderr[-6000:]


@pytest.mark.parametrize("name", HARNESSES)
def test_a_harness_has_a_corpus(name: str) -> None:
    kept = CORPUS / name.removeprefix("fuzz_")
    assert any(kept.iterdir())


@pytest.mark.parametrize("name", seeds.SEEDS)
def test_the_seeds_are_in_the_corpus(name: str) -> None:
    for label, data in seeds.SEEDS[name]():
        assert (CORPUS / name / label).read_bytes() == data
