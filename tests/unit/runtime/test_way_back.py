"""A strict reverse-path filter is told with its remedy, any other is not worth a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from lispfast.runtime.way_back import strict_filters


@pytest.mark.parametrize(
    ("everywhere", "here", "told"), [("0", "0", 0), ("1", "0", 1), ("0", "1", 1), ("1", "2", 0), ("2", "1", 0)]
)
def test_the_higher_of_both_settings_counts(tmp_path: Path, everywhere: str, here: str, told: int) -> None:
    for name, value in (("all", everywhere), ("wlan0", here)):
        (tmp_path / "net/ipv4/conf" / name).mkdir(parents=True)
        (tmp_path / "net/ipv4/conf" / name / "rp_filter").write_text(f"{value}\n")
    problems = strict_filters(["wlan0"], tmp_path)
    assert len(problems) == told
    assert all("net.ipv4.conf.wlan0.rp_filter=2" in problem for problem in problems)


def test_an_interface_that_left_is_no_problem(tmp_path: Path) -> None:
    assert strict_filters(["wlan0"], tmp_path) == []
