"""Every test here runs in network namespaces of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lispfast.lab import Lab

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.netns)


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab without a host; everything that a test makes in it is gone afterwards."""
    with Lab() as fresh:
        yield fresh
