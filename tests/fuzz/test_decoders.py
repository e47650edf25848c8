"""A fixed number of inputs for every target of decoders.py; `./run fuzz` runs them for long.

LISPFAST_FUZZ multiplies the inputs; LISPFAST_FUZZ_SEED chooses others.
"""

from __future__ import annotations

import os
import subprocess
from itertools import islice
from pathlib import Path

import decoders
import pytest
from fuzzers import python_command, write_corpus

SCALE = int(os.environ.get("LISPFAST_FUZZ", "1"))
SEED = int(os.environ.get("LISPFAST_FUZZ_SEED", "1"))
# A configuration takes milliseconds where a message takes microseconds.
INPUTS = {name: SCALE * (500 if name == "configuration" else 5_000) for name in decoders.TARGETS}


@pytest.mark.parametrize("name", decoders.TARGETS)
def test_no_mutation_is_a_finding(name: str) -> None:
    target, seeds = decoders.TARGETS[name], decoders.corpus(name)
    assert seeds
    for data in [*seeds, *islice(decoders.mutations(seeds, SEED), INPUTS[name])]:
        try:
            target(data)
        except Exception as error:
            pytest.fail(f"{error!r} from {data!r}")


@pytest.mark.skipif(not decoders.HAS_ATHERIS, reason="atheris is not made for this platform")
@pytest.mark.parametrize("name", decoders.TARGETS)
def test_no_input_of_atheris_is_a_finding(name: str, tmp_path: Path) -> None:
    corpus = write_corpus(name, tmp_path / "corpus")
    arguments = python_command(name, tmp_path / "learned", corpus, f"-runs={INPUTS[name]}", f"-seed={SEED}")
    done = subprocess.run(arguments, capture_output=True, text=True, errors="replace", timeout=110)
    assert done.returncode == 0, done.stderr[-6000:]
    assert f"Done {INPUTS[name]} runs" in done.stderr


def test_the_mutator_gets_behind_the_heads() -> None:
    """Some inputs are read, some refused."""
    read = 0
    for data in islice(decoders.mutations(decoders.corpus("message"), SEED), 500):
        try:
            decoders.decode(data)
        except decoders.WireError:
            continue
        read += 1
    assert 50 < read < 450
