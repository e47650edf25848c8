"""`lispctl decode`: a control message, given as hexadecimal digits, field by field. It asks no daemon."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from lispfast.wire.message import decode
from lispfast.wire.text import describe

# From the kernel.
MAX_DATAGRAM = 65535

# Ours.
MAX_TEXT = 1 << 20  # characters; a datagram with an offset, spaces and text beside each line has fewer

_OFFSET = re.compile(r"^\s*(?:0x)?[0-9A-Fa-f]{4,8}:[ \t]", re.MULTILINE)  # as tcpdump -x and xxd write them
_BETWEEN = re.compile(r"[\s:,-]|0[xX]")


class BadInputError(ValueError):
    """What was given is no message in hexadecimal digits."""


def read_hex(text: str) -> bytes:
    """The bytes of hexadecimal digits, with or without offsets, spaces, colons, dashes or 0x between them."""
    if len(text) > MAX_TEXT:
        raise BadInputError(f"more than {MAX_TEXT} characters: is it one message?")
    digits = _BETWEEN.sub("", _OFFSET.sub("", text))
    if not digits:
        raise BadInputError("nothing to decode: the UDP payload of a control message as hexadecimal digits")
    if wrong := re.search(r"[^0-9A-Fa-f]", digits):
        raise BadInputError(f"{wrong[0]!a} is no hexadecimal digit")
    if len(digits) % 2:
        raise BadInputError(f"{len(digits)} hexadecimal digits make no whole bytes")
    if len(digits) // 2 > MAX_DATAGRAM:
        raise BadInputError(f"{len(digits) // 2} bytes are more than a datagram has")
    return bytes.fromhex(digits)


def message(text: str) -> dict[str, Any]:
    """The message that the digits are, by field; BadInputError if they are none, WireError if it cannot be read."""
    return describe(decode(read_hex(text)))


def render(view: dict[str, Any]) -> str:
    """A field a line, what is inside of another indented."""
    return "".join(f"{line}\n" for line in _lines(view))


def _lines(fields: dict[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        yield from _field(name.replace("_", "-"), value)


def _field(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield f"{name}:"
        yield from _indented(_lines(value))
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        for number, one in enumerate(value, 1):
            yield from _field(f"{name} {number}", one)
    else:
        yield f"{name}: {_text(value)}"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _text(value: Any) -> str:
    """A value on one line; what comes from others is shown without anything that disturbs a terminal."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_text(one) for one in value) or "none"
    shown = "none" if value is None else str(value)
    return shown if shown.isprintable() else ascii(shown)
