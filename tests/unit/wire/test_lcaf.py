from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lispfast.wire.addresses import LCAF_TYPES, RefusedAddressError, WireAddress, decode_address, encode_address
from lispfast.wire.cursor import Cursor
from lispfast.wire.lcaf import Lcaf, LcafHeader, LcafValue
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
    Angle,
    AsNumber,
    EncapsulationFormat,
    ExplicitPath,
    GeoLocation,
    NatTraversal,
    NonceLocator,
    PathHop,
    Replica,
    ReplicationList,
    SecurityKey,
)

from . import strategies

V4 = IPv4Address("192.0.2.1")
V6 = IPv6Address("2001:db8::1")
A4 = "0001 c0000201"
A6 = "0002 20010db8 00000000 00000000 00000001"

# The figures of RFC 8060: Rsvd1 and Flags, Type, Rsvd2, Length, then the body.
FIGURES: list[tuple[LcafValue, str]] = [
    (AfiList((V4, V6)), f"0000 01 00 0018 {A4} {A6}"),
    (AfiList((), header=LcafHeader(1, 2, 3)), "0102 01 03 0000"),
    (AsNumber(0x0A0B0C0D, V4), f"0000 03 00 000a 0a0b0c0d {A4}"),
    (
        ApplicationData(0xB8, 6, (1, 1023), (80, 443), V4),
        f"0000 04 00 0012 0000b8 06 0001 03ff 0050 01bb {A4}",
    ),
    (
        GeoLocation(Angle(True, 37, 24, 30), Angle(False, 122, 4, 5), -86, V4),
        f"0000 05 00 0012 8025 18 1e 007a 04 05 ffffffaa {A4}",
    ),
    (
        GeoLocation(Angle(False, 1), Angle(True, 2), None, None),
        "0000 05 00 000e 0001 00 00 8002 00 00 7fffffff 0000",
    ),
    (OpaqueKey(3, 5, b"01234567"), "0000 06 00 000b 03 0005 3031323334353637"),
    (
        NatTraversal(4342, 61000, V4, IPv4Address("10.0.0.2"), None, (V6,)),
        f"0000 07 00 0024 10f6 ee48 {A4} 0001 0a000002 0000 {A6}",
    ),
    (NonceLocator(0x123456, V4, 9), f"0000 08 00 000a 09 123456 {A4}"),
    (
        MulticastInfo(7, 24, 32, V4, IPv4Address("232.1.1.1"), 0xABCD, header=LcafHeader(rsvd2=1)),
        f"0000 09 01 0014 00000007 abcd 18 20 {A4} 0001 e8010101",
    ),
    (
        ExplicitPath((PathHop(V4, lookup=True), PathHop(V6, probe=True, strict=True, reserved=0xABC8))),
        f"0000 0a 00 001c 0004 {A4} abcb {A6}",
    ),
    (
        SecurityKey(3, (b"first", b""), V4, revoked=True, rsvd3=1, rsvd4=0xFE),
        f"0000 0b 00 0013 02 01 03 ff 0005 6669727374 0000 {A4}",
    ),
    (SourceDestination(24, 64, V4, V6, 1), f"0000 0c 00 001c 0001 18 40 {A4} {A6}"),
    (ReplicationList((Replica(0, V4), Replica(255, V6, 0xABCDEF))), f"0000 0d 00 0020 000000 00 {A4} abcdef ff {A6}"),
    (Json(b'{"a":1}', V4, header=LcafHeader(rsvd2=1)), f"0000 0e 01 000f 0007 7b2261223a317d {A4}"),
    (KeyValue(V4, V6), f"0000 0f 00 0018 {A4} {A6}"),
    (EncapsulationFormat(0x11, V4), f"0000 10 00 000a 00000011 {A4}"),
]


def read(octets: bytes) -> WireAddress:
    cursor = Cursor(octets + b"behind")
    address = decode_address(cursor, "locator")
    assert cursor.rest() == b"behind"
    return address


@pytest.mark.parametrize(("value", "figure"), FIGURES)
def test_figures(value: LcafValue, figure: str) -> None:
    octets = bytes.fromhex("4003" + figure)
    assert encode_address(value) == octets
    assert read(octets) == value


def test_every_type_has_a_figure() -> None:
    assert {value.TYPE for value, _ in FIGURES} == set(LCAF_TYPES)


def test_what_is_said_with_a_bit() -> None:
    assert [Json(b"", header=LcafHeader(rsvd2=rsvd2)).binary for rsvd2 in (0, 1, 2, 3)] == [False, True, False, True]
    assert [EncapsulationFormat(bits, V4).takes_lisp for bits in (0, 1, 2, 0x7E, 0x7F)] == [0, 1, 0, 0, 1]


@given(strategies.lcafs(strategies.plain) | strategies.lcafs(strategies.lcafs(strategies.plain)))
def test_every_value_comes_back_as_itself(value: LcafValue) -> None:
    assert read(encode_address(value)) == value


@settings(max_examples=500)
@given(st.sampled_from([*LCAF_TYPES, 2, 0, 17, 99]), st.binary(max_size=60), st.binary(min_size=3, max_size=3))
def test_every_readable_lcaf_comes_back_as_the_same_bytes(kind: int, body: bytes, header: bytes) -> None:
    octets = b"\x40\x03" + header[:2] + bytes((kind, header[2])) + len(body).to_bytes(2, "big") + body
    try:
        address = decode_address(Cursor(octets), "locator")
    except RefusedAddressError:
        return
    assert encode_address(address) == octets


@settings(max_examples=300)
@given(strategies.lcafs(strategies.lcafs(strategies.plain)), st.data())
def test_a_changed_lcaf_comes_back_as_the_same_bytes(value: LcafValue, data: st.DataObject) -> None:
    octets = bytearray(encode_address(value))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(8, len(octets) - 1)) if len(octets) > 8 else 2] = data.draw(st.integers(0, 255))
    try:
        address = decode_address(Cursor(bytes(octets)), "locator")
    except RefusedAddressError:
        return
    assert encode_address(address) == octets


@pytest.mark.parametrize(("value", "figure"), FIGURES)
def test_a_body_cut_short_or_too_long_is_never_another_value_of_other_bytes(value: LcafValue, figure: str) -> None:
    whole = bytes.fromhex("4003" + figure)
    for body in [whole[8:][:length] for length in range(len(whole) - 8)] + [whole[8:] + b"\0"]:
        octets = whole[:6] + len(body).to_bytes(2, "big") + body
        assert encode_address(read(octets)) == octets
    assert isinstance(read(whole[:6] + b"\0\1\0"), Lcaf | OpaqueKey)


def test_a_body_that_its_type_cannot_hold_is_kept_as_bytes() -> None:
    octets = encode_address(Lcaf(3, bytes(4) + b"\0\0" + b"more", 1, 2, 3))
    assert read(octets) == Lcaf(3, bytes(6) + b"more", 1, 2, 3)


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(SecurityKey(1, (b"secret",), V4))


@pytest.mark.parametrize(
    "value",
    [
        AsNumber(1 << 32, V4),
        AsNumber(1, V4, header=LcafHeader(flags=256)),
        ApplicationData(1 << 24, 0, (0, 0), (0, 0), None),
        ApplicationData(0, 0, (0, 1 << 16), (0, 0), None),
        GeoLocation(Angle(True, 1 << 15), Angle(True, 0), None, None),
        GeoLocation(Angle(True, 0), Angle(True, 0), 1 << 31, None),
        OpaqueKey(256, 0, b""),
        NatTraversal(1 << 16, 0, None, None, None),
        NonceLocator(1 << 24, None),
        MulticastInfo(1, 256, 0, None, None),
        ExplicitPath((PathHop(None, reserved=1),)),
        SecurityKey(0, (b"",) * 256, None),
        SecurityKey(0, (), None, rsvd4=1),
        SourceDestination(0, 0, None, None, 1 << 16),
        ReplicationList((Replica(256, None),)),
        Json(bytes(1 << 16)),
        AfiList((V6,) * 4000),
        EncapsulationFormat(-1, None),
        VendorSpecific(1 << 24),
    ],
)
def test_what_does_not_fit_is_not_written(value: LcafValue) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages differ by field
        encode_address(value)
