"""Map-Referral, type 6 (RFC 8111 section 6.4): the head is read, the records are not; no role here has use for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from lispfast.model.units import Nonce
from lispfast.wire.bits import unsigned, within
from lispfast.wire.cursor import Cursor
from lispfast.wire.head import COUNT_MASK, encode_head, read_head

RESERVED_MASK = 0x0FFFFF00  # RFC 8111 section 6.4


@dataclass(frozen=True, slots=True)
class MapReferral:
    """A DDT node's referral; `body` are its `record_count` records, unread."""

    nonce: Nonce
    record_count: int
    body: bytes = b""
    reserved: int = 0

    TYPE: ClassVar[int] = 6

    def encode(self) -> bytes:
        """The UDP payload; ValueError for what does not fit."""
        head = encode_head(
            self.TYPE,
            within(self.reserved, RESERVED_MASK, "reserved"),
            within(self.record_count, COUNT_MASK, "record count"),
        )
        return head + unsigned(self.nonce, 8, "nonce") + self.body

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a UDP payload; WireError and nothing else for what cannot be read."""
        cursor = Cursor(payload)
        word = read_head(cursor, cls.TYPE)
        nonce = Nonce(cursor.unsigned(8, "nonce"))
        return cls(nonce, word & COUNT_MASK, cursor.rest(), word & RESERVED_MASK)
