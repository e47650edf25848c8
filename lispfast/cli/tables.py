"""Plain text for people: aligned columns and durations, no meaning by colour."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeAlias

Row: TypeAlias = Sequence[object]


def table(header: Row, rows: Sequence[Row], indent: str = "") -> str:
    """Left-aligned columns as wide as they need; None shows as a dash. Nothing at all without rows.

    A tuple in a row has a line for each of its values.
    """
    if not rows:
        return ""
    cells = [line for row in (header, *rows) for line in _lines(row)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "".join(f"{indent}{line}\n" for line in lines)


def duration(seconds: object) -> str:
    """`4s`, `1m02s`, `3h05m`, `2d04h`; a dash for None."""
    if not isinstance(seconds, int | float):
        return "-"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def _lines(row: Row) -> list[tuple[str, ...]]:
    columns = [[*map(_cell, value or ("-",))] if isinstance(value, tuple) else [_cell(value)] for value in row]
    return list(zip_longest(*columns, fillvalue=""))


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else str(value)
