"""Map-Referral, type 6 (RFC 8111 section 6.4): how a node of the delegated database tree says whom to ask next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from lispfast.model.units import Minutes, Nonce
from lispfast.wire.addresses import WireAddress, decode_eid, encode_address
from lispfast.wire.bits import count, flag, unsigned, within
from lispfast.wire.cursor import Cursor
from lispfast.wire.head import COUNT_MASK, encode_head, read_head
from lispfast.wire.records import ACTION_SHIFT, AUTHORITATIVE_BIT, VERSION_MASK, LocatorRecord

# From RFC 8111 section 6.4.
RESERVED_MASK = 0x0FFFFF00
INCOMPLETE_BIT = 0x0800
RECORD_RESERVED_MASK = 0x07FF
SIGNATURES_MAX = 15


@dataclass(frozen=True, slots=True)
class Signature:
    """One over the record that it stands in (section 6.4.1), not verified: DDT is asked by Map-Resolvers of others.

    `expiration` and `inception` are seconds since 1970, `reserved` the 24 bits behind the algorithm.
    """

    original_ttl: Minutes
    expiration: int
    inception: int
    key_tag: int
    algorithm: int
    signature: bytes
    reserved: int = 0

    def encode(self) -> bytes:
        """20 bytes and the signature."""
        times = (self.original_ttl, self.expiration, self.inception)
        return b"".join(
            (
                *(unsigned(time, 4, "signature time") for time in times),
                unsigned(self.key_tag, 2, "key tag"),
                unsigned(len(self.signature), 2, "signature length"),
                unsigned(self.algorithm, 1, "signature algorithm"),
                unsigned(self.reserved, 3, "reserved"),
                self.signature,
            )
        )

    @classmethod
    def read(cls, cursor: Cursor) -> Signature:
        """Read one at the cursor."""
        ttl, expiration, inception = (cursor.unsigned(4, "signature time") for _ in range(3))
        key_tag = cursor.unsigned(2, "key tag")
        length = cursor.unsigned(2, "signature length")
        algorithm = cursor.unsigned(1, "signature algorithm")
        reserved = cursor.unsigned(3, "reserved")
        data = cursor.take(length, "signature")
        return cls(Minutes(ttl), expiration, inception, key_tag, algorithm, data, reserved)


@dataclass(frozen=True, slots=True)
class ReferralRecord:
    """One referral: `referrals` are the nodes to ask, `action` is RFC 8111's (not that of a Map-Reply), 3 bits."""

    eid: WireAddress
    mask_len: int
    ttl: Minutes
    referrals: tuple[LocatorRecord, ...] = ()
    action: int = 0
    authoritative: bool = False
    incomplete: bool = False
    map_version: int = 0
    signatures: tuple[Signature, ...] = ()
    reserved: int = 0

    def encode(self) -> bytes:
        """The record with its referrals and signatures."""
        if len(self.signatures) > SIGNATURES_MAX:
            raise ValueError(f"{len(self.signatures)} signatures, at most {SIGNATURES_MAX} fit")
        word = within(self.action, 7, "action") << ACTION_SHIFT | within(
            self.reserved, RECORD_RESERVED_MASK, "reserved"
        )
        word |= flag(self.authoritative, AUTHORITATIVE_BIT) | flag(self.incomplete, INCOMPLETE_BIT)
        version = len(self.signatures) << 12 | within(self.map_version, VERSION_MASK, "version")
        return b"".join(
            (
                unsigned(self.ttl, 4, "record TTL"),
                unsigned(count(self.referrals, "referrals"), 1, "referral count"),
                unsigned(self.mask_len, 1, "EID mask-len"),
                unsigned(word, 2, "action"),
                unsigned(version, 2, "map-version"),
                encode_address(self.eid),
                *(referral.encode() for referral in self.referrals),
                *(signature.encode() for signature in self.signatures),
            )
        )

    @classmethod
    def read(cls, cursor: Cursor) -> ReferralRecord:
        """Read one at the cursor."""
        ttl = Minutes(cursor.unsigned(4, "record TTL"))
        referral_count = cursor.unsigned(1, "referral count")
        mask_len = cursor.unsigned(1, "EID mask-len")
        word = cursor.unsigned(2, "action")
        version = cursor.unsigned(2, "map-version")
        return cls(
            eid=decode_eid(cursor),
            mask_len=mask_len,
            ttl=ttl,
            referrals=tuple(LocatorRecord.read(cursor) for _ in range(referral_count)),
            action=word >> ACTION_SHIFT,
            authoritative=bool(word & AUTHORITATIVE_BIT),
            incomplete=bool(word & INCOMPLETE_BIT),
            map_version=version & VERSION_MASK,
            signatures=tuple(Signature.read(cursor) for _ in range(version >> 12)),
            reserved=word & RECORD_RESERVED_MASK,
        )


@dataclass(frozen=True, slots=True)
class MapReferral:
    """A DDT node's answer to a Map-Request that came with the D-bit of an Encapsulated Control Message."""

    nonce: Nonce
    records: tuple[ReferralRecord, ...]
    reserved: int = 0
    trailing: bytes = b""

    TYPE: ClassVar[int] = 6

    def encode(self) -> bytes:
        """The UDP payload; ValueError for what does not fit."""
        flags = within(self.reserved, RESERVED_MASK, "reserved")
        return b"".join(
            (
                encode_head(self.TYPE, flags, count(self.records, "records")),
                unsigned(self.nonce, 8, "nonce"),
                *(record.encode() for record in self.records),
                self.trailing,
            )
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a UDP payload; WireError and nothing else for what cannot be read."""
        cursor = Cursor(payload)
        word = read_head(cursor, cls.TYPE)
        return cls(
            nonce=Nonce(cursor.unsigned(8, "nonce")),
            records=tuple(ReferralRecord.read(cursor) for _ in range(word & COUNT_MASK)),
            reserved=word & RESERVED_MASK,
            trailing=cursor.rest(),
        )
