"""What every test can count on: the marker `netns` skips where no network namespace can be made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TUN = Path("/dev/net/tun")


def no_namespaces() -> str | None:
    """Why the tests in network namespaces cannot run here; None if they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not TUN.is_char_device():
        return f"there is no {TUN}"
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("netns") is None:
        return
    reason = no_namespaces()
    if reason is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI the tests in network namespaces must run: {reason}", pytrace=False)
    pytest.skip(reason)
