"""Map-Notify and Map-Notify-Ack, types 4 and 5: one layout (RFC 9301 section 5.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from lispfast.model.units import Nonce
from lispfast.wire.auth_header import encode_auth, read_auth
from lispfast.wire.bits import count, flag, unsigned, within
from lispfast.wire.cursor import Cursor
from lispfast.wire.head import COUNT_MASK, encode_head, read_head
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.records import EidRecord, encode_records, read_records

# RFC 9301 section 5.7 reserves these bits; the first is the I-bit of every implementation.
IDENTITY_BIT = 0x08000000
RESERVED_MASK = 0x0FFFFF00


@dataclass(frozen=True, slots=True)
class Notification:
    """What types 4 and 5 share; use the subclasses.

    `identity` is the I-bit's. Some senders set the bit and end behind the records: then it stays in `reserved`.
    """

    nonce: Nonce
    records: tuple[EidRecord, ...]
    key_id: int = 0
    algorithm_id: int = 0
    auth_data: bytes = b""
    identity: XtrIdentity | None = None
    reserved: int = 0
    trailing: bytes = b""

    TYPE: ClassVar[int]

    def encode(self) -> bytes:
        """The UDP payload, with the MAC as it stands in `auth_data`; ValueError for what does not fit."""
        flags = flag(self.identity is not None, IDENTITY_BIT) | within(self.reserved, RESERVED_MASK, "reserved")
        return b"".join(
            (
                encode_head(self.TYPE, flags, count(self.records, "records")),
                unsigned(self.nonce, 8, "nonce"),
                encode_auth(self.key_id, self.algorithm_id, self.auth_data),
                encode_records(self.records),
                self.identity.encode() if self.identity else b"",
                self.trailing,
            )
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a UDP payload; WireError and nothing else for what cannot be read."""
        cursor = Cursor(payload)
        word = read_head(cursor, cls.TYPE)
        nonce = Nonce(cursor.unsigned(8, "nonce"))
        auth = read_auth(cursor)
        records = read_records(cursor, word & COUNT_MASK)
        identity = XtrIdentity.read(cursor) if word & IDENTITY_BIT and cursor.remaining else None
        return cls(
            nonce=nonce,
            records=records,
            key_id=auth.key_id,
            algorithm_id=auth.algorithm_id,
            auth_data=auth.auth_data,
            identity=identity,
            reserved=word & RESERVED_MASK & ~(IDENTITY_BIT if identity else 0),
            trailing=cursor.rest(),
        )


@dataclass(frozen=True, slots=True)
class MapNotify(Notification):
    """Acknowledges a Map-Register, or publishes a change unasked."""

    TYPE: ClassVar[int] = 4


@dataclass(frozen=True, slots=True)
class MapNotifyAck(Notification):
    """Acknowledges an unsolicited Map-Notify: its contents under our own MAC."""

    TYPE: ClassVar[int] = 5
