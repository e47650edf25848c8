"""Map-Register, type 3 (RFC 9301 section 5.6)."""

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

# From RFC 9301 section 5.6: the first word.
PROXY_REPLY_BIT = 0x08000000
SECURITY_BIT = 0x04000000
IDENTITY_BIT = 0x02000000
EID_NOTIFY_BIT = 0x00001000
USE_TTL_BIT = 0x00000800
MERGE_BIT = 0x00000400
WANT_MAP_NOTIFY_BIT = 0x00000100
RESERVED_MASK = 0x01FFE200


@dataclass(frozen=True, slots=True)
class MapRegister:
    """Registers EID-prefixes with a Map-Server; `identity` is the I-bit's, `auth_data` the MAC as it came."""

    nonce: Nonce
    records: tuple[EidRecord, ...]
    key_id: int = 0
    algorithm_id: int = 0
    auth_data: bytes = b""
    proxy_reply: bool = False
    want_map_notify: bool = False
    merge: bool = False
    use_ttl: bool = False
    eid_notify: bool = False
    security: bool = False
    identity: XtrIdentity | None = None
    reserved: int = 0
    trailing: bytes = b""

    TYPE: ClassVar[int] = 3

    def encode(self) -> bytes:
        """The UDP payload, with the MAC as it stands in `auth_data`; ValueError for what does not fit."""
        flags = (
            flag(self.proxy_reply, PROXY_REPLY_BIT)
            | flag(self.security, SECURITY_BIT)
            | flag(self.identity is not None, IDENTITY_BIT)
            | flag(self.eid_notify, EID_NOTIFY_BIT)
            | flag(self.use_ttl, USE_TTL_BIT)
            | flag(self.merge, MERGE_BIT)
            | flag(self.want_map_notify, WANT_MAP_NOTIFY_BIT)
            | within(self.reserved, RESERVED_MASK, "reserved")
        )
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
        return cls(
            nonce=nonce,
            records=read_records(cursor, word & COUNT_MASK),
            key_id=auth.key_id,
            algorithm_id=auth.algorithm_id,
            auth_data=auth.auth_data,
            proxy_reply=bool(word & PROXY_REPLY_BIT),
            want_map_notify=bool(word & WANT_MAP_NOTIFY_BIT),
            merge=bool(word & MERGE_BIT),
            use_ttl=bool(word & USE_TTL_BIT),
            eid_notify=bool(word & EID_NOTIFY_BIT),
            security=bool(word & SECURITY_BIT),
            identity=XtrIdentity.read(cursor) if word & IDENTITY_BIT else None,
            reserved=word & RESERVED_MASK,
            trailing=cursor.rest(),
        )
