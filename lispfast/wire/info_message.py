"""Info-Request and Info-Reply, type 7 (draft-ermagan-lisp-nat-traversal-19 sections 4.1 and 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from lispfast.model.units import Minutes, Nonce
from lispfast.wire.addresses import WireAddress, decode_address, decode_eid, encode_address
from lispfast.wire.auth_header import encode_auth, read_auth
from lispfast.wire.bits import flag, unsigned, within
from lispfast.wire.cursor import Cursor
from lispfast.wire.head import encode_head, read_head

# From draft-ermagan-lisp-nat-traversal-19 section 4.1: the first word.
REPLY_BIT = 0x08000000
RESERVED_MASK = 0x07FFFFFF


@dataclass(frozen=True, slots=True)
class InfoMessage:
    """Asks how the sender looks from outside (`reply` False) or says it.

    `translation` is None in a request and the NAT-Traversal LCAF (type 7) in a reply; `reserved_eid` is the byte before
    the mask length.
    """

    nonce: Nonce
    reply: bool = False
    key_id: int = 0
    algorithm_id: int = 0
    auth_data: bytes = b""
    ttl: Minutes = Minutes(0)
    eid: WireAddress = None
    mask_len: int = 0
    translation: WireAddress = None
    reserved: int = 0
    reserved_eid: int = 0
    trailing: bytes = b""

    TYPE: ClassVar[int] = 7

    def encode(self) -> bytes:
        """The UDP payload, with the MAC as it stands in `auth_data`; ValueError for what does not fit."""
        flags = flag(self.reply, REPLY_BIT) | within(self.reserved, RESERVED_MASK, "reserved")
        return b"".join(
            (
                encode_head(self.TYPE, flags),
                unsigned(self.nonce, 8, "nonce"),
                encode_auth(self.key_id, self.algorithm_id, self.auth_data),
                unsigned(self.ttl, 4, "TTL"),
                unsigned(self.reserved_eid, 1, "reserved"),
                unsigned(self.mask_len, 1, "EID mask-len"),
                encode_address(self.eid),
                encode_address(self.translation),
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
        ttl = Minutes(cursor.unsigned(4, "TTL"))
        reserved_eid, mask_len = cursor.take(2, "EID mask-len")
        return cls(
            nonce=nonce,
            reply=bool(word & REPLY_BIT),
            key_id=auth.key_id,
            algorithm_id=auth.algorithm_id,
            auth_data=auth.auth_data,
            ttl=ttl,
            eid=decode_eid(cursor),
            mask_len=mask_len,
            translation=decode_address(cursor, "NAT-Traversal LCAF"),
            reserved=word & RESERVED_MASK,
            reserved_eid=reserved_eid,
            trailing=cursor.rest(),
        )
