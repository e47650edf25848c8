from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given

from lispfast.model.errors import WireError
from lispfast.wire.addresses import (
    NESTING_MAX,
    InstanceAddress,
    Lcaf,
    OtherAddress,
    WireAddress,
    decode_address,
    decode_eid,
    encode_address,
)
from lispfast.wire.cursor import Cursor
from lispfast.wire.lcaf_keys import Json
from lispfast.wire.lcaf_locators import AfiList

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
    (Lcaf(77, b"\0\0\0\1\0\0", 1, 2, 4), "4003 0102 4d04 0006 00000001 0000"),
    (Lcaf(0, b""), "4003 0000 0000 0000"),
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


def test_an_unknown_family_spoils_the_message_however_deep_it_lies() -> None:
    deep = Lcaf(1, encode_address(Lcaf(3, bytes(4) + b"\0\3")))
    with pytest.raises(WireError, match="unknown AFI 3") as caught:
        decode_address(Cursor(encode_address(deep)), "locator")
    assert caught.value.offset == len(encode_address(deep)) - 2


@pytest.mark.parametrize("payload", [b"", b"\0\1\2", b"\0\0\0\0", b"\0\1\2\3x"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_vendors_lcaf_spoils_the_message(payload: bytes, inside: bool) -> None:
    octets = encode_address(Lcaf(255, payload))
    if inside:
        octets = encode_address(AfiList((V4, Lcaf(255, payload))))
    with pytest.raises(WireError, match="unknown OUI"):
        decode_address(Cursor(octets), "locator")


@pytest.mark.parametrize("unreadable", ["0000000b 00000001 0001 c0000201 ff", "00000009 00000001 0001 c0000201"])
def test_an_instance_id_that_does_not_fill_its_length_is_kept_as_bytes(unreadable: str) -> None:
    octets = bytes.fromhex("4003 0000 02") + bytes.fromhex(unreadable)[1:]
    cursor = Cursor(octets)
    address = decode_address(cursor, "EID")
    assert isinstance(address, Lcaf)
    assert encode_address(address) == octets[: cursor.position]


def nested(levels: int) -> bytes:
    octets = encode_address(V4)
    for _ in range(levels):
        octets = encode_address(Lcaf(2, bytes(4) + octets))
    return octets


@pytest.mark.parametrize("levels", [1, 4, 5, 4000])
def test_nesting_is_bounded(levels: int) -> None:
    octets = nested(levels)
    address = decode_address(Cursor(octets), "EID")
    assert encode_address(address) == octets
    depth = 0
    while isinstance(address, InstanceAddress):
        address, depth = address.address, depth + 1
    assert depth == min(levels, NESTING_MAX)
    assert address == V4 or isinstance(address, Lcaf)


@pytest.mark.parametrize(
    "eid",
    [Lcaf(99, b"new"), InstanceAddress(7, Lcaf(99, b"new")), AfiList((Lcaf(99, b""), Lcaf(1, b"\0"))), Lcaf(1, b"\0")],
)
def test_an_eid_of_unknown_lcafs_only_is_refused(eid: WireAddress) -> None:
    octets = encode_address(eid)
    assert encode_address(decode_address(Cursor(octets), "locator")) == octets
    with pytest.raises(WireError, match="not recognised"):
        decode_eid(Cursor(octets))


@pytest.mark.parametrize(
    "eid", [None, V4, InstanceAddress(7, V6), AfiList((Lcaf(99, b""), V4)), AfiList(()), Json(b"{}")]
)
def test_an_eid_with_something_known_in_it_is_read(eid: WireAddress) -> None:
    assert decode_eid(Cursor(encode_address(eid))) == eid


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
