from __future__ import annotations

import pytest

from lispfast.cli.tables import duration, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.9, "0s"), (59.9, "59s"), (60, "1m00s"), (3599, "59m59s"), (3600, "1h00m"), (86399, "23h59m"),
     (86400, "1d00h"), (200_000, "2d07h")],
)  # fmt: skip
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_columns_are_as_wide_as_they_need_and_nothing_trails() -> None:
    assert table(("A", "Long head", "C"), [("wide cell", 1, None), ("x", "", "last")], "  ") == (
        "  A          Long head  C\n"
        "  wide cell  1          -\n"
        "  x          -          last\n"
    )  # fmt: skip


def test_a_row_has_a_line_for_each_value_of_a_tuple() -> None:
    assert table(("A", "B", "C"), [("x", ("one", "two"), "last"), ("y", (), None)]) == (
        "A  B    C\n"
        "x  one  last\n"
        "   two\n"
        "y  -    -\n"
    )  # fmt: skip


def test_without_rows_there_is_no_header_either() -> None:
    assert table(("A",), []) == ""
