"""The frame of the LISP Canonical Address Format (RFC 8060 section 3), which every type of it shares.

The types are values: `lcaf_locators.py` has those that say more of a locator, `lcaf_keys.py` the others. Each holds
every bit of its body, reserved ones included, so that it encodes to the bytes that it came from. Addresses inside may
be of any family, LCAFs again; `addresses.py` tells the types apart and says what becomes of one that cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from lispfast.model.errors import WireError
from lispfast.wire.bits import unsigned
from lispfast.wire.cursor import Cursor

if TYPE_CHECKING:
    from lispfast.wire.addresses import WireAddress

AFI_LCAF = 16387  # RFC 8060 section 3

Writer = Callable[["WireAddress"], bytes]
"""Encodes an address behind its AFI."""


class LcafHeader(NamedTuple):
    """The three bytes of the header that are reserved for most types."""

    rsvd1: int = 0
    flags: int = 0
    rsvd2: int = 0


class Body:
    """A reader over the body of one LCAF; whatever reads past its end raises WireError."""

    __slots__ = ("_cursor", "_read", "field")

    def __init__(self, cursor: Cursor, field: str, read: Callable[[Cursor], WireAddress]) -> None:
        self._cursor = cursor
        self.field = field
        self._read = read

    @property
    def remaining(self) -> int:
        """Bytes not yet read."""
        return self._cursor.remaining

    @property
    def position(self) -> int:
        """Where the next byte stands in the message."""
        return self._cursor.position

    def unsigned(self, size: int) -> int:
        """A number of `size` bytes."""
        return self._cursor.unsigned(size, self.field)

    def take(self, count: int) -> bytes:
        """That many bytes."""
        return self._cursor.take(count, self.field)

    def rest(self) -> bytes:
        """All that is left."""
        return self._cursor.rest()

    def address(self) -> WireAddress:
        """An AFI and its address."""
        return self._read(self._cursor)

    def end(self) -> None:
        """WireError if anything is left."""
        if self.remaining:
            raise WireError(self.field, self._cursor.position, f"{self.remaining} bytes too many in an LCAF")


@dataclass(frozen=True, slots=True)
class Lcaf:
    """An LCAF of an unknown type, or one that cannot be read: `payload` are the bytes behind its length field."""

    type: int
    payload: bytes
    rsvd1: int = 0
    flags: int = 0
    rsvd2: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LcafValue:
    """What the known types have in common, except the Instance-ID, whose header has a meaning of its own.

    `body` encodes what follows the length field, and is a ValueError for what does not fit; `read` is its opposite.
    """

    header: LcafHeader = LcafHeader()

    TYPE: ClassVar[int]

    def body(self, address: Writer) -> bytes:
        """What follows the length field."""
        raise NotImplementedError

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        """The value of a body."""
        raise NotImplementedError


def encode_lcaf(kind: int, header: LcafHeader, body: bytes) -> bytes:
    """The AFI, the header and the body; ValueError for what does not fit."""
    octets = (unsigned(value, 1, "LCAF header") for value in (header.rsvd1, header.flags, kind, header.rsvd2))
    return AFI_LCAF.to_bytes(2, "big") + b"".join(octets) + unsigned(len(body), 2, "LCAF length") + body
