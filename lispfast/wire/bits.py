"""Fields for encoding. A value that does not fit is a mistake of our own caller: ValueError, never a cut-off."""

from __future__ import annotations

from collections.abc import Sized

COUNT_MAX = 255  # RFC 9301 sections 5.2 and 5.4: record and locator counts are 8 bits


def unsigned(value: int, size: int, field: str) -> bytes:
    """The number in `size` bytes, big-endian."""
    if not 0 <= value < 1 << 8 * size:
        raise ValueError(f"{field} {value} does not fit {size} bytes")
    return value.to_bytes(size, "big")


def within(value: int, mask: int, field: str) -> int:
    """The value, which may set no bit outside of the mask."""
    if value & ~mask:
        raise ValueError(f"{field} {value:#x} has bits outside of {mask:#x}")
    return value


def flag(condition: bool, bit: int) -> int:
    """The bit if the condition holds."""
    return bit if condition else 0


def count(items: Sized, field: str) -> int:
    """How many there are, at most 255."""
    if len(items) > COUNT_MAX:
        raise ValueError(f"{len(items)} of {field}, at most {COUNT_MAX} fit")
    return len(items)
