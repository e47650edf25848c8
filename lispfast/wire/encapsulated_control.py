"""Encapsulated Control Message, type 8 (RFC 9301 section 5.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from lispfast.model.addresses import Endpoint
from lispfast.wire.bits import flag, within
from lispfast.wire.cursor import Cursor
from lispfast.wire.head import encode_head, read_head
from lispfast.wire.lisp_sec import RequestAuthentication
from lispfast.wire.packet import TTL, InnerDatagram, decode_packet, encode_packet

# From RFC 9301 sections 5.8 and 12.6: the first word.
SECURITY_BIT = 0x08000000
DDT_BIT = 0x04000000
TO_ETR_BIT = 0x02000000
TO_MS_BIT = 0x01000000
RESERVED_MASK = 0x00FFFFFF


@dataclass(frozen=True, slots=True)
class EncapsulatedControl:
    """A control message inside of an IP packet of its own; `packet` is all that follows, from the inner IP header.

    `authentication` is the LISP-SEC data of the S-bit between the two, None without the bit.
    """

    packet: bytes
    ddt: bool = False
    to_etr: bool = False
    to_ms: bool = False
    authentication: RequestAuthentication | None = None
    reserved: int = 0

    TYPE: ClassVar[int] = 8

    @property
    def security(self) -> bool:
        """The S-bit."""
        return self.authentication is not None

    def encode(self) -> bytes:
        """The UDP payload; ValueError for what does not fit."""
        flags = (
            flag(self.security, SECURITY_BIT)
            | flag(self.ddt, DDT_BIT)
            | flag(self.to_etr, TO_ETR_BIT)
            | flag(self.to_ms, TO_MS_BIT)
            | within(self.reserved, RESERVED_MASK, "reserved")
        )
        authentication = self.authentication.encode() if self.authentication else b""
        return encode_head(self.TYPE, flags) + authentication + self.packet

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a UDP payload; WireError and nothing else for what cannot be read, an unknown AD type included."""
        cursor = Cursor(payload)
        word = read_head(cursor, cls.TYPE)
        return cls(
            authentication=RequestAuthentication.read(cursor) if word & SECURITY_BIT else None,
            packet=cursor.rest(),
            ddt=bool(word & DDT_BIT),
            to_etr=bool(word & TO_ETR_BIT),
            to_ms=bool(word & TO_MS_BIT),
            reserved=word & RESERVED_MASK,
        )

    @classmethod
    def wrap(
        cls,
        source: Endpoint,
        destination: Endpoint,
        payload: bytes,
        *,
        ttl: int = TTL,
        ddt: bool = False,
        to_etr: bool = False,
        to_ms: bool = False,
        authentication: RequestAuthentication | None = None,
    ) -> Self:
        """Put a control message into a packet; ValueError as `packet.encode_packet` has it."""
        return cls(encode_packet(source, destination, payload, ttl), ddt, to_etr, to_ms, authentication)

    def inner(self) -> InnerDatagram:
        """The control message with the addresses inside; WireError, with an offset in `packet`, as `decode_packet`."""
        return decode_packet(self.packet)
