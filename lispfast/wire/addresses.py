"""AFI-encoded addresses and the LISP Canonical Address Format (RFC 9301 section 5.1, RFC 8060).

An address whose AFI is not known has no known length, so the message around it cannot be read and is refused. An LCAF
carries its length: an unknown type is kept as bytes, and who uses the address leaves it out (RFC 9306 section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from lispfast.model.errors import WireError
from lispfast.wire.bits import unsigned
from lispfast.wire.cursor import Cursor

# From the RFCs and the IANA registry "Address Family Numbers".
AFI_NONE = 0
AFI_IPV4 = 1
AFI_IPV6 = 2
AFI_LCAF = 16387  # RFC 8060 section 3
AFI_DISTINGUISHED_NAME = 17  # a string that ends with a zero byte
FIXED_LENGTHS = {
    6: 6,  # 48-bit MAC, as RFC 8060 section 4.10.2 has it
    18: 4,  # autonomous system number
    16389: 6,  # 48-bit MAC
    16390: 8,  # 64-bit MAC
}
LCAF_INSTANCE_ID = 2  # RFC 8060 section 4.1
LCAF_VENDOR = 255  # RFC 9306 section 4

# Ours.
NESTING_MAX = 4  # Instance-IDs inside of one another: one has a use, and each level costs a stack frame


@dataclass(frozen=True, slots=True)
class InstanceAddress:
    """An address within an instance-ID (LCAF type 2). `mask_len` counts only where `address` is None: a range."""

    iid: int
    address: WireAddress
    mask_len: int = 0
    rsvd1: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Lcaf:
    """Every other LCAF: `payload` are the bytes behind its length field, unread."""

    type: int
    payload: bytes
    rsvd1: int = 0
    flags: int = 0
    rsvd2: int = 0


@dataclass(frozen=True, slots=True)
class OtherAddress:
    """An address of a family that we can pass over but do not use: `data` are all its bytes, a last zero included."""

    afi: int
    data: bytes


WireAddress = None | IPv4Address | IPv6Address | InstanceAddress | Lcaf | OtherAddress
"""None is AFI 0, no address."""


def decode_address(cursor: Cursor, field: str) -> WireAddress:
    """Read an AFI and its address; WireError for an AFI that we do not know (RFC 9301 section 5.1)."""
    return _decode(cursor, field, NESTING_MAX)


def encode_address(address: WireAddress) -> bytes:
    """The AFI and the address; ValueError for fields that do not fit."""
    match address:
        case None:
            return bytes(2)
        case IPv4Address():
            return b"\x00\x01" + address.packed
        case IPv6Address():
            return b"\x00\x02" + address.packed
        case InstanceAddress():
            body = unsigned(address.iid, 4, "instance-ID") + encode_address(address.address)
            return _lcaf(LCAF_INSTANCE_ID, address.rsvd1, address.flags, address.mask_len, body)
        case Lcaf():
            return _lcaf(address.type, address.rsvd1, address.flags, address.rsvd2, address.payload)
        case OtherAddress():
            return unsigned(address.afi, 2, "AFI") + _checked(address)


def _lcaf(kind: int, rsvd1: int, flags: int, rsvd2: int, body: bytes) -> bytes:
    octets = (unsigned(value, 1, "LCAF header") for value in (rsvd1, flags, kind, rsvd2))
    return AFI_LCAF.to_bytes(2, "big") + b"".join(octets) + unsigned(len(body), 2, "LCAF length") + body


def _checked(address: OtherAddress) -> bytes:
    if address.afi == AFI_DISTINGUISHED_NAME:
        sound = address.data.find(0) == len(address.data) - 1
    else:
        sound = FIXED_LENGTHS.get(address.afi) == len(address.data)
    if not sound:
        raise ValueError(f"{address.data!r} is no address of AFI {address.afi}")
    return address.data


def _decode(cursor: Cursor, field: str, depth: int) -> WireAddress:
    start = cursor.position
    afi = cursor.unsigned(2, field)
    if afi == AFI_NONE:
        return None
    if afi == AFI_IPV4:
        return IPv4Address(cursor.take(4, field))
    if afi == AFI_IPV6:
        return IPv6Address(cursor.take(16, field))
    if afi == AFI_LCAF:
        return _decode_lcaf(cursor, field, depth)
    if afi == AFI_DISTINGUISHED_NAME:
        return OtherAddress(afi, cursor.take_until_zero(field))
    if afi in FIXED_LENGTHS:
        return OtherAddress(afi, cursor.take(FIXED_LENGTHS[afi], field))
    raise WireError(field, start, f"unknown AFI {afi}")


def _decode_lcaf(cursor: Cursor, field: str, depth: int) -> InstanceAddress | Lcaf:
    rsvd1, flags, kind, rsvd2 = cursor.take(4, field)
    length = cursor.unsigned(2, field)
    if kind != LCAF_INSTANCE_ID:
        return Lcaf(kind, cursor.take(length, field), rsvd1, flags, rsvd2)
    if depth == 0:
        raise WireError(field, cursor.position, f"instance-IDs nested deeper than {NESTING_MAX}")
    body = cursor.part(length, field)
    iid = body.unsigned(4, field)
    address = _decode(body, field, depth - 1)
    if body.remaining:
        raise WireError(field, body.position, f"{body.remaining} bytes too many in the instance-ID's LCAF")
    return InstanceAddress(iid, address, rsvd2, rsvd1, flags)
