"""Map-Request, type 1 (RFC 9301 section 5.2; the I-bit and the N-bit of RFC 9437)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from lispfast.model.units import Nonce
from lispfast.wire.addresses import WireAddress, decode_address, decode_eid, encode_address
from lispfast.wire.bits import count, flag, unsigned, within
from lispfast.wire.cursor import Cursor
from lispfast.wire.head import COUNT_MASK, encode_head, read_head
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.records import EidRecord

# From RFC 9301 section 5.2: the first word.
AUTHORITATIVE_BIT = 0x08000000
MAP_DATA_BIT = 0x04000000
PROBE_BIT = 0x02000000
SMR_BIT = 0x01000000
PITR_BIT = 0x00800000
SMR_INVOKED_BIT = 0x00400000
IDENTITY_BIT = 0x00100000  # RFC 9437 section 4
LOCAL_XTR_BIT = 0x00004000
DONT_REPLY_BIT = 0x00002000
ITR_RLOC_COUNT_SHIFT = 8
ITR_RLOC_COUNT_MASK = 0x1F
ITR_RLOCS_MAX = 32
RESERVED_MASK = 0x002F8000

NOTIFICATION_BIT = 0x80  # RFC 9437 section 4: N, in the reserved byte of a record


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """An EID-prefix that is asked for; `reserved` holds the N-bit (0x80) of a subscription."""

    eid: WireAddress
    mask_len: int
    reserved: int = 0

    def encode(self) -> bytes:
        """2 bytes and the address behind its AFI."""
        reserved = unsigned(self.reserved, 1, "record's reserved")
        return reserved + unsigned(self.mask_len, 1, "EID mask-len") + encode_address(self.eid)

    @classmethod
    def read(cls, cursor: Cursor) -> RequestRecord:
        """Read one at the cursor."""
        reserved, mask_len = cursor.take(2, "Map-Request record")
        return cls(decode_eid(cursor), mask_len, reserved)


@dataclass(frozen=True, slots=True)
class MapRequest:
    """Asks for mappings, probes a locator (`probe`) or solicits a request (`smr`).

    `itr_rlocs` are 1 to 32; `map_data` is the M-bit's record, `identity` the I-bit's; `reserved` bits keep their place.
    """

    nonce: Nonce
    source_eid: WireAddress
    itr_rlocs: tuple[WireAddress, ...]
    records: tuple[RequestRecord, ...]
    authoritative: bool = False
    probe: bool = False
    smr: bool = False
    pitr: bool = False
    smr_invoked: bool = False
    local_xtr: bool = False
    dont_reply: bool = False
    map_data: EidRecord | None = None
    identity: XtrIdentity | None = None
    reserved: int = 0
    trailing: bytes = b""

    TYPE: ClassVar[int] = 1

    def encode(self) -> bytes:
        """The UDP payload; ValueError for what does not fit, an empty `itr_rlocs` included."""
        if not 1 <= len(self.itr_rlocs) <= ITR_RLOCS_MAX:
            raise ValueError(f"{len(self.itr_rlocs)} ITR-RLOCs, 1 to {ITR_RLOCS_MAX} fit")
        flags = self._flags() | (len(self.itr_rlocs) - 1) << ITR_RLOC_COUNT_SHIFT
        return b"".join(
            (
                encode_head(self.TYPE, flags, count(self.records, "records")),
                unsigned(self.nonce, 8, "nonce"),
                encode_address(self.source_eid),
                *(encode_address(rloc) for rloc in self.itr_rlocs),
                *(record.encode() for record in self.records),
                self.map_data.encode() if self.map_data else b"",
                self.identity.encode(site_optional=True) if self.identity else b"",
                self.trailing,
            )
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read a UDP payload; WireError and nothing else for what cannot be read.

        An I-bit without its bytes is refused (RFC 9437 section 4); a message that ends behind the xTR-ID is not.
        """
        cursor = Cursor(payload)
        word = read_head(cursor, cls.TYPE)
        rloc_count = (word >> ITR_RLOC_COUNT_SHIFT & ITR_RLOC_COUNT_MASK) + 1
        return cls(
            nonce=Nonce(cursor.unsigned(8, "nonce")),
            source_eid=decode_address(cursor, "source EID"),
            itr_rlocs=tuple(decode_address(cursor, "ITR-RLOC") for _ in range(rloc_count)),
            records=tuple(RequestRecord.read(cursor) for _ in range(word & COUNT_MASK)),
            authoritative=bool(word & AUTHORITATIVE_BIT),
            probe=bool(word & PROBE_BIT),
            smr=bool(word & SMR_BIT),
            pitr=bool(word & PITR_BIT),
            smr_invoked=bool(word & SMR_INVOKED_BIT),
            local_xtr=bool(word & LOCAL_XTR_BIT),
            dont_reply=bool(word & DONT_REPLY_BIT),
            map_data=EidRecord.read(cursor) if word & MAP_DATA_BIT else None,
            identity=XtrIdentity.read(cursor, site_optional=True) if word & IDENTITY_BIT else None,
            reserved=word & RESERVED_MASK,
            trailing=cursor.rest(),
        )

    def _flags(self) -> int:
        return (
            flag(self.authoritative, AUTHORITATIVE_BIT)
            | flag(self.map_data is not None, MAP_DATA_BIT)
            | flag(self.probe, PROBE_BIT)
            | flag(self.smr, SMR_BIT)
            | flag(self.pitr, PITR_BIT)
            | flag(self.smr_invoked, SMR_INVOKED_BIT)
            | flag(self.identity is not None, IDENTITY_BIT)
            | flag(self.local_xtr, LOCAL_XTR_BIT)
            | flag(self.dont_reply, DONT_REPLY_BIT)
            | within(self.reserved, RESERVED_MASK, "reserved")
        )
