"""The first 32-bit word of a message: the type in its high nibble, flags, and often a count in its low byte."""

from __future__ import annotations

from lispfast.model.errors import WireError
from lispfast.wire.cursor import Cursor

TYPE_SHIFT = 28  # RFC 9301 section 5.1
COUNT_MASK = 0xFF


def read_head(cursor: Cursor, kind: int) -> int:
    """The first word of a message that must be of that type."""
    start = cursor.position
    word = cursor.unsigned(4, "first word")
    if word >> TYPE_SHIFT != kind:
        raise WireError("type", start, f"{word >> TYPE_SHIFT} where {kind} belongs")
    return word


def encode_head(kind: int, flags: int, count: int = 0) -> bytes:
    """The first word; `flags` stand in their place."""
    return (kind << TYPE_SHIFT | flags | count).to_bytes(4, "big")
