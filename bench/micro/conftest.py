from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from bench.micro.build import BuildError, Loops


def pytest_configure(config: pytest.Config) -> None:
    with tempfile.TemporaryDirectory() as directory:
        try:
            config.stash[LOOPS] = Loops(Path(directory))  # the library stays mapped when its file goes
        except BuildError as error:
            raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test_PART gets the loops of its part, one at a time."""
    if "loop" in metafunc.fixturenames:
        part = metafunc.function.__name__.removeprefix("test_")
        loops = [loop for loop in metafunc.config.stash[LOOPS].all if loop.part == part]
        metafunc.parametrize("loop", loops, ids=[loop.name for loop in loops])


LOOPS = pytest.StashKey[Loops]()


@pytest.fixture(scope="session")
def loops(pytestconfig: pytest.Config) -> Loops:
    return pytestconfig.stash[LOOPS]
