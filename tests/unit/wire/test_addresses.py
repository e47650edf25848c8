from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given

from lispfast.model.errors import WireError
from lispfast.wire.addresses import (
    InstanceAddress,
    Lcaf,
    OtherAddress,
    WireAddress,
    decode_address,
    encode_address,
)
from lispfast.wire.cursor import Cursor

from . import strategies

V4 = IPv4Address("192.0.2.1")
V6 = IPv6Address("2001:db8::1")

FIGURES = [
    (None, "0000"),
    (V4, "0001 c0000201"),
    (V6, "0002 20010db8 00000000 00000000 00000001"),
    # RFC 8060 section 4.1: AFI, Rsvd1, Flags, Type 2, mask-len, Length, instance-ID, AFI, address.
    (InstanceAddress(0x0A0B0C, V4), "4003 0000 0200 000a 000a0b0c 0001 c0000201"),
    (InstanceAddress(7, None, 24), "4003 0000 0218 0006 00000007 0000"),
    (Lcaf(3, b"\0\0\0\1\0\0", 1, 2, 4), "4003 0102 0304 0006 00000001 0000"),
    (Lcaf(255, b"\0\x01\x02\x03x"), "4003 0000 ff00 0005 00010203 78"),
    (OtherAddress(17, b"phone\0"), "0011 70686f6e6500"),
    (OtherAddress(6, bytes(6)), "0006 000000000000"),
    (OtherAddress(18, b"\0\0\xfd\xe8"), "0012 0000fde8"),
]


@pytest.mark.parametrize(("address", "figure"), FIGURES)
def test_figures(address: WireAddress, figure: str) -> None:
    octets = bytes.fromhex(figure)
    assert encode_address(address) == octets
    cursor = Cursor(octets + b"behind")
    assert decode_address(cursor, "EID") == address
    assert cursor.rest() == b"behind"


@pytest.mark.parametrize(("address", "figure"), FIGURES)
def test_every_truncation_is_refused(address: WireAddress, figure: str) -> None:
    octets = bytes.fromhex(figure)
    for length in range(len(octets)):
        with pytest.raises(WireError):
            decode_address(Cursor(octets[:length]), "EID")


@given(strategies.addresses)
def test_round_trip(address: WireAddress) -> None:
    assert decode_address(Cursor(encode_address(address)), "EID") == address


@pytest.mark.parametrize("afi", [3, 5, 7680, 16388, 0xFFFF])
def test_an_unknown_family_is_refused_where_it_stands(afi: int) -> None:
    cursor = Cursor(b"head" + afi.to_bytes(2, "big") + bytes(20))
    cursor.take(4, "head")
    with pytest.raises(WireError, match="unknown AFI") as caught:
        decode_address(cursor, "ITR-RLOC")
    assert (caught.value.field, caught.value.offset) == ("ITR-RLOC", 4)


def test_an_instance_id_must_fill_its_length() -> None:
    with pytest.raises(WireError, match="too many"):
        decode_address(Cursor(bytes.fromhex("4003 0000 0200 000b 00000001 0001 c0000201 ff")), "EID")
    with pytest.raises(WireError, match="needs 4 bytes"):
        decode_address(Cursor(bytes.fromhex("4003 0000 0200 0009 00000001 0001 c0000201")), "EID")


def nested(levels: int) -> bytes:
    octets = encode_address(V4)
    for _ in range(levels):
        octets = encode_address(Lcaf(2, bytes(4) + octets))
    return octets


def test_nesting_is_bounded() -> None:
    assert isinstance(decode_address(Cursor(nested(4)), "EID"), InstanceAddress)
    with pytest.raises(WireError, match="nested"):
        decode_address(Cursor(nested(5)), "EID")
    with pytest.raises(WireError, match="nested"):
        decode_address(Cursor(nested(4000)), "EID")


@pytest.mark.parametrize(
    "address",
    [
        InstanceAddress(1 << 32, V4),
        InstanceAddress(1, V4, mask_len=256),
        Lcaf(256, b""),
        Lcaf(1, bytes(65536)),
        OtherAddress(6, bytes(5)),
        OtherAddress(17, b"no zero"),
        OtherAddress(17, b"two\0zeros\0"),
        OtherAddress(99, b""),
    ],
)
def test_what_could_not_be_read_back_is_not_written(address: WireAddress) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages differ by field
        encode_address(address)
