"""Map-Reply, type 2 (RFC 9301 section 5.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from lispfast.model.units import Nonce
from lispfast.wire.bits import count, flag, unsigned, within
from lispfast.wire.cursor import Cursor
from lispfast.wire.head import COUNT_MASK, encode_head, read_head
from lispfast.wire.lisp_sec import ReplyAuthentication
from lispfast.wire.records import EidRecord, encode_records, read_records

# From RFC 9301 section 5.4: the first word.
PROBE_BIT = 0x08000000
ECHO_NONCE_BIT = 0x04000000
SECURITY_BIT = 0x02000000
RESERVED_MASK = 0x01FFFF00


@dataclass(frozen=True, slots=True)
class MapReply:
    """Mappings for whoever asked with this nonce; negative ones are records without locators.

    `authentication` is the LISP-SEC data of the S-bit behind the records, None without the bit.
    """

    nonce: Nonce
    records: tuple[EidRecord, ...]
    probe: bool = False
    echo_nonce: bool = False
    authentication: ReplyAuthentication | None = None
    reserved: int = 0
    trailing: bytes = b""

    TYPE: ClassVar[int] = 2

    @property
    def security(self) -> bool:
        """The S-bit."""
        return self.authentication is not None

    def encode(self) -> bytes:
        """The UDP payload; ValueError for what does not fit."""
        flags = (
            flag(self.probe, PROBE_BIT)
            | flag(self.echo_nonce, ECHO_NONCE_BIT)
            | flag(self.security, SECURITY_BIT)
            | within(self.reserved, RESERVED_MASK, "reserved")
        )
        return b"".join(
            (
                encode_head(self.TYPE, flags, count(self.records, "records")),
                unsigned(self.nonce, 8, "nonce"),
                encode_records(self.records),
                self.authentication.encode() if self.authentication else b"",
                self.trailing,
            )
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a UDP payload; WireError and nothing else for what cannot be read, an unknown AD type included."""
        cursor = Cursor(payload)
        word = read_head(cursor, cls.TYPE)
        return cls(
            nonce=Nonce(cursor.unsigned(8, "nonce")),
            records=read_records(cursor, word & COUNT_MASK),
            probe=bool(word & PROBE_BIT),
            echo_nonce=bool(word & ECHO_NONCE_BIT),
            authentication=ReplyAuthentication.read(cursor) if word & SECURITY_BIT else None,
            reserved=word & RESERVED_MASK,
            trailing=cursor.rest(),
        )
