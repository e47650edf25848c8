"""The Authentication Data of LISP-SEC in Encapsulated Control Messages and Map-Replies (RFC 9303 sections 6.1, 6.2).

Codecs only: IDs of algorithms are numbers here, those that nobody has assigned included, and keys and MACs are bytes.
An Authentication Data type other than LISP-SEC has an unknown layout, so the message around it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lispfast.model.errors import WireError
from lispfast.wire.bits import count, flag, unsigned, within
from lispfast.wire.cursor import Cursor
from lispfast.wire.map_request import RequestRecord

# From RFC 9303 sections 6.1 and 6.2.
LISP_SEC = 1  # the type of Authentication Data, in both messages
CANT_SIGN_BIT = 0x80
EID_AD_MIN = 4  # its length and its KDF ID: all that an ITR sends
EID_AD_HEAD = 8  # with the Record Count and the EID HMAC ID
PKT_AD_HEAD = 4


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A one-time key on its way: `data` is preamble and key, 24 bytes in every assigned wrapping."""

    key_id: int
    wrap_id: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedPrefixes:
    """The EID-prefixes that a Map-Server vouches for, with its MAC; `cant_sign` is the E-bit, `reserved` 7 bits."""

    records: tuple[RequestRecord, ...]
    hmac_id: int
    hmac: bytes
    cant_sign: bool = False
    reserved: int = 0

    def encode(self) -> bytes:
        """From the Record Count to the EID HMAC."""
        flags = flag(self.cant_sign, CANT_SIGN_BIT) | within(self.reserved, 0x7F, "reserved")
        head = bytes((count(self.records, "EID-AD records"), flags)) + unsigned(self.hmac_id, 2, "EID HMAC ID")
        return head + b"".join(record.encode() for record in self.records) + self.hmac


@dataclass(frozen=True, slots=True)
class EidData:
    """The EID-AD: `signed` is absent in what an ITR sends."""

    kdf_id: int
    signed: SignedPrefixes | None = None

    def encode(self) -> bytes:
        """From the EID-AD Length on."""
        body = self.signed.encode() if self.signed else b""
        return unsigned(EID_AD_MIN + len(body), 2, "EID-AD length") + unsigned(self.kdf_id, 2, "KDF ID") + body

    @classmethod
    def read(cls, cursor: Cursor) -> EidData:
        """Read one at the cursor. What its length leaves behind the records is the MAC."""
        start = cursor.position
        length = cursor.peek(2, "EID-AD length")
        if length < EID_AD_HEAD and length != EID_AD_MIN:
            raise WireError("EID-AD length", start, f"{length} does not cover its own fields")
        part = cursor.part(length, "EID-AD")
        part.take(2, "EID-AD length")
        kdf_id = part.unsigned(2, "KDF ID")
        if length == EID_AD_MIN:
            return cls(kdf_id)
        records, flags = part.take(2, "EID-AD record count")
        hmac_id = part.unsigned(2, "EID HMAC ID")
        read = tuple(RequestRecord.read(part) for _ in range(records))
        return cls(kdf_id, SignedPrefixes(read, hmac_id, part.rest(), bool(flags & CANT_SIGN_BIT), flags & 0x7F))


@dataclass(frozen=True, slots=True)
class RequestAuthentication:
    """What an Encapsulated Control Message with the S-bit carries; `requested_hmac_id` is what the ITR would like."""

    key: WrappedKey
    requested_hmac_id: int
    eid: EidData
    reserved: int = 0

    def encode(self) -> bytes:
        """From the ECM AD Type on; ValueError for what does not fit."""
        return b"".join(
            (
                unsigned(LISP_SEC, 1, "AD type"),
                unsigned(self.reserved, 1, "reserved"),
                unsigned(self.requested_hmac_id, 2, "requested HMAC ID"),
                unsigned(len(self.key.data), 2, "OTK length"),
                unsigned(self.key.key_id, 1, "Key ID"),
                unsigned(self.key.wrap_id, 1, "OTK wrapping ID"),
                self.key.data,
                self.eid.encode(),
            )
        )

    @classmethod
    def read(cls, cursor: Cursor) -> RequestAuthentication:
        """Read one at the cursor, which then stands at the inner IP header."""
        _read_type(cursor)
        reserved = cursor.unsigned(1, "reserved")
        hmac_id = cursor.unsigned(2, "requested HMAC ID")
        length = cursor.unsigned(2, "OTK length")
        key_id, wrap_id = cursor.take(2, "Key ID")
        key = WrappedKey(key_id, wrap_id, cursor.take(length, "OTK authentication data"))
        return cls(key, hmac_id, EidData.read(cursor), reserved)


@dataclass(frozen=True, slots=True)
class ReplyAuthentication:
    """What a Map-Reply with the S-bit carries behind its records; `reserved` are 24 bits."""

    eid: EidData
    hmac_id: int
    hmac: bytes
    reserved: int = 0

    def encode(self) -> bytes:
        """From the MR AD Type on; ValueError for what does not fit."""
        return b"".join(
            (
                unsigned(LISP_SEC, 1, "AD type"),
                unsigned(self.reserved, 3, "reserved"),
                self.eid.encode(),
                unsigned(PKT_AD_HEAD + len(self.hmac), 2, "PKT-AD length"),
                unsigned(self.hmac_id, 2, "PKT HMAC ID"),
                self.hmac,
            )
        )

    @classmethod
    def read(cls, cursor: Cursor) -> ReplyAuthentication:
        """Read one at the cursor."""
        _read_type(cursor)
        reserved = cursor.unsigned(3, "reserved")
        eid = EidData.read(cursor)
        start = cursor.position
        length = cursor.unsigned(2, "PKT-AD length")
        if length < PKT_AD_HEAD:
            raise WireError("PKT-AD length", start, f"{length} does not cover its own fields")
        hmac_id = cursor.unsigned(2, "PKT HMAC ID")
        return cls(eid, hmac_id, cursor.take(length - PKT_AD_HEAD, "PKT HMAC"), reserved)


def _read_type(cursor: Cursor) -> None:
    start = cursor.position
    kind = cursor.unsigned(1, "AD type")
    if kind != LISP_SEC:
        raise WireError("AD type", start, f"unknown type {kind}")
