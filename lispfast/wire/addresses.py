"""AFI-encoded addresses and the LISP Canonical Address Format (RFC 9301 section 5.1, RFC 8060, RFC 9306).

An address whose AFI is not known has no known length, so the message around it is refused, and so is one with a
vendor's LCAF of an organisation that we do not know. Every other LCAF carries its length: one of an unknown type, or
whose body is not what its type says, or that lies too deep, is kept as bytes, and who uses the address leaves it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from lispfast.model.errors import WireError
from lispfast.wire.bits import unsigned
from lispfast.wire.cursor import Cursor
from lispfast.wire.lcaf import AFI_LCAF as AFI_LCAF
from lispfast.wire.lcaf import Body, LcafHeader, LcafValue, encode_lcaf
from lispfast.wire.lcaf import Lcaf as Lcaf
from lispfast.wire.lcaf_keys import (
    ApplicationData,
    Json,
    KeyValue,
    MulticastInfo,
    OpaqueKey,
    SourceDestination,
    VendorSpecific,
)
from lispfast.wire.lcaf_locators import (
    AfiList,
    AsNumber,
    EncapsulationFormat,
    ExplicitPath,
    GeoLocation,
    NatTraversal,
    NonceLocator,
    ReplicationList,
    SecurityKey,
)

# From the RFCs and the IANA registry "Address Family Numbers".
AFI_NONE = 0
AFI_IPV4 = 1
AFI_IPV6 = 2
AFI_DISTINGUISHED_NAME = 17  # a string that ends with a zero byte
FIXED_LENGTHS = {
    6: 6,  # 48-bit MAC, as RFC 8060 section 4.10.2 has it
    18: 4,  # autonomous system number
    16389: 6,  # 48-bit MAC
    16390: 8,  # 64-bit MAC
}
LCAF_INSTANCE_ID = 2  # RFC 8060 section 4.1
LCAF_TYPES: dict[int, type[LcafValue]] = {
    kind.TYPE: kind
    for kind in (
        AfiList,
        AsNumber,
        ApplicationData,
        GeoLocation,
        OpaqueKey,
        NatTraversal,
        NonceLocator,
        MulticastInfo,
        ExplicitPath,
        SecurityKey,
        SourceDestination,
        ReplicationList,
        Json,
        KeyValue,
        EncapsulationFormat,
    )
}

# Ours.
NESTING_MAX = 4  # LCAFs inside of one another: two have a use, and each level costs stack frames
KNOWN_OUIS: frozenset[int] = frozenset()  # of vendors whose format is spoken here: nobody's


class RefusedAddressError(WireError):
    """An address that spoils the whole message, however deep it lies."""


@dataclass(frozen=True, slots=True)
class InstanceAddress:
    """An address within an instance-ID (LCAF type 2). `mask_len` counts only where `address` is None: a range."""

    iid: int
    address: WireAddress
    mask_len: int = 0
    rsvd1: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class OtherAddress:
    """An address of a family that we can pass over but do not use: `data` are all its bytes, a last zero included."""

    afi: int
    data: bytes


WireAddress = None | IPv4Address | IPv6Address | InstanceAddress | LcafValue | Lcaf | OtherAddress
"""None is AFI 0, no address."""


def decode_address(cursor: Cursor, field: str) -> WireAddress:
    """Read an AFI and its address; WireError for an AFI or OUI that we do not know, or bytes that end too early."""
    return _decode(field, NESTING_MAX, cursor)


def decode_eid(cursor: Cursor) -> WireAddress:
    """Read an EID: WireError also for one of nothing but unknown LCAFs (RFC 9306 section 3)."""
    start = cursor.position
    address = decode_address(cursor, "EID")
    if _unrecognised(address):
        raise WireError("EID", start, "nothing but LCAFs that are not recognised")
    return address


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
            return encode_lcaf(LCAF_INSTANCE_ID, LcafHeader(address.rsvd1, address.flags, address.mask_len), body)
        case LcafValue():
            return encode_lcaf(address.TYPE, address.header, address.body(encode_address))
        case Lcaf():
            header = LcafHeader(address.rsvd1, address.flags, address.rsvd2)
            return encode_lcaf(address.type, header, address.payload)
        case OtherAddress():
            return unsigned(address.afi, 2, "AFI") + _checked(address)


def _checked(address: OtherAddress) -> bytes:
    if address.afi == AFI_DISTINGUISHED_NAME:
        sound = address.data.find(0) == len(address.data) - 1
    else:
        sound = FIXED_LENGTHS.get(address.afi) == len(address.data)
    if not sound:
        raise ValueError(f"{address.data!r} is no address of AFI {address.afi}")
    return address.data


def _decode(field: str, depth: int, cursor: Cursor) -> WireAddress:
    start = cursor.position
    afi = cursor.unsigned(2, field)
    if afi == AFI_IPV4:
        return IPv4Address(cursor.take(4, field))
    if afi == AFI_IPV6:
        return IPv6Address(cursor.take(16, field))
    if afi == AFI_NONE:
        return None
    if afi == AFI_LCAF:
        return _decode_lcaf(field, depth, cursor)
    if afi == AFI_DISTINGUISHED_NAME:
        return OtherAddress(afi, cursor.take_until_zero(field))
    if afi in FIXED_LENGTHS:
        return OtherAddress(afi, cursor.take(FIXED_LENGTHS[afi], field))
    raise RefusedAddressError(field, start, f"unknown AFI {afi}")


def _decode_lcaf(field: str, depth: int, cursor: Cursor) -> WireAddress:
    rsvd1, flags, kind, rsvd2 = cursor.take(4, field)
    length = cursor.unsigned(2, field)
    start = cursor.position
    part = cursor.part(length, field)
    if depth:
        body = Body(part, field, partial(_decode, field, depth - 1))
        try:
            value = _known(kind, LcafHeader(rsvd1, flags, rsvd2), body)
            if value is not None:
                body.end()
                return value
        except RefusedAddressError:
            raise
        except WireError:
            pass  # what cannot be read is not recognised
    cursor.position = start
    return Lcaf(kind, cursor.take(length, field), rsvd1, flags, rsvd2)


def _known(kind: int, header: LcafHeader, body: Body) -> InstanceAddress | LcafValue | None:
    """The value of a type that we know, None for another."""
    if kind == LCAF_INSTANCE_ID:
        return InstanceAddress(body.unsigned(4), body.address(), header.rsvd2, header.rsvd1, header.flags)
    if kind in LCAF_TYPES:
        return LCAF_TYPES[kind].read(body, header)
    if kind == VendorSpecific.TYPE:
        return _vendor(header, body)
    return None


def _vendor(header: LcafHeader, body: Body) -> VendorSpecific:
    """RFC 9306 section 4: an OUI that is not understood spoils the message."""
    value = VendorSpecific.read(body, header) if body.remaining >= VendorSpecific.HEAD else None
    if value is None or value.oui not in KNOWN_OUIS:
        oui = "none" if value is None else f"{value.oui:#08x}"
        raise RefusedAddressError(body.field, body.position, f"vendor-specific LCAF of an unknown OUI: {oui}")
    return value


def _unrecognised(address: WireAddress) -> bool:
    match address:
        case Lcaf():
            return True
        case InstanceAddress():
            return _unrecognised(address.address)
        case AfiList():
            return bool(address.addresses) and all(map(_unrecognised, address.addresses))
        case _:
            return False
