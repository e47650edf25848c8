from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given

from lispfast.model.errors import WireError
from lispfast.wire.addresses import InstanceAddress
from lispfast.wire.cursor import Cursor
from lispfast.wire.lisp_sec import EidData, ReplyAuthentication, RequestAuthentication, SignedPrefixes, WrappedKey
from lispfast.wire.map_request import RequestRecord

from . import strategies

KEY = WrappedKey(3, 2, bytes(range(24)))

# RFC 9303 section 6.1: type 1, HMAC 2; OTK of 24 bytes, key 3, wrapping 2; an EID-AD of a KDF ID alone.
FROM_AN_ITR = bytes.fromhex("01 00 0002 0018 03 02") + bytes(range(24)) + bytes.fromhex("0004 0002")
# The E-bit, HMAC 1, 10.1.0.0/16 and a MAC of 12 bytes.
EID_AD = bytes.fromhex("001c 0001 01 80 0001 00 10 0001 0a010000") + b"m" * 12
SIGNED = SignedPrefixes((RequestRecord(IPv4Address("10.1.0.0"), 16),), 1, b"m" * 12, cant_sign=True)
# Section 6.2: type 1, the EID-AD, and a MAC of 16 bytes over the whole.
REPLY = bytes.fromhex("01 000000") + EID_AD + bytes.fromhex("0014 0002") + b"p" * 16


def read_request(octets: bytes) -> RequestAuthentication:
    return RequestAuthentication.read(Cursor(octets))


def test_the_figure_of_a_map_request() -> None:
    assert RequestAuthentication(KEY, 2, EidData(2)).encode() == FROM_AN_ITR
    assert read_request(FROM_AN_ITR) == RequestAuthentication(KEY, 2, EidData(2))


def test_the_figure_of_a_map_server() -> None:
    octets = FROM_AN_ITR[:-4] + EID_AD
    message = RequestAuthentication(KEY, 2, EidData(1, SIGNED))
    assert message.encode() == octets
    assert read_request(octets) == message


def test_the_figure_of_a_map_reply() -> None:
    message = ReplyAuthentication(EidData(1, SIGNED), 2, b"p" * 16)
    assert message.encode() == REPLY
    assert ReplyAuthentication.read(Cursor(REPLY)) == message


def test_several_eids_of_all_kinds() -> None:
    records = (
        RequestRecord(IPv6Address("2001:db8:103::"), 48),
        RequestRecord(InstanceAddress(7, IPv4Address("10.0.0.0")), 8),
    )
    message = EidData(2, SignedPrefixes(records, 2, bytes(16)))
    assert EidData.read(Cursor(message.encode())) == message


def test_reading_ends_where_the_data_ends() -> None:
    cursor = Cursor(FROM_AN_ITR + b"packet")
    RequestAuthentication.read(cursor)
    assert cursor.rest() == b"packet"
    cursor = Cursor(REPLY + b"more")
    ReplyAuthentication.read(cursor)
    assert cursor.rest() == b"more"


@pytest.mark.parametrize("octets", [FROM_AN_ITR, FROM_AN_ITR[:-4] + EID_AD])
def test_every_truncation_of_a_request_is_refused(octets: bytes) -> None:
    for length in range(len(octets)):
        with pytest.raises(WireError):
            read_request(octets[:length])


def test_every_truncation_of_a_reply_is_refused() -> None:
    for length in range(len(REPLY)):
        with pytest.raises(WireError):
            ReplyAuthentication.read(Cursor(REPLY[:length]))


@pytest.mark.parametrize("kind", [0, 2, 255])
def test_another_type_of_authentication_data_is_refused(kind: int) -> None:
    with pytest.raises(WireError, match="AD type"):
        read_request(bytes((kind,)) + FROM_AN_ITR[1:])
    with pytest.raises(WireError, match="AD type"):
        ReplyAuthentication.read(Cursor(bytes((kind,)) + REPLY[1:]))


@pytest.mark.parametrize("length", [0, 3, 5, 6, 7])
def test_an_eid_ad_that_does_not_cover_its_own_fields_is_refused(length: int) -> None:
    with pytest.raises(WireError, match="EID-AD length"):
        read_request(FROM_AN_ITR[:-4] + length.to_bytes(2, "big") + EID_AD[2:])


def test_records_stay_within_the_eid_ad() -> None:
    """The count says two, the length ends behind the first and its MAC."""
    with pytest.raises(WireError):
        read_request(FROM_AN_ITR[:-4] + EID_AD[:4] + b"\x02" + EID_AD[5:] + b"\0\x10\0\x01\x0a\2\0\0")


def test_a_pkt_ad_that_does_not_cover_its_own_fields_is_refused() -> None:
    with pytest.raises(WireError, match="PKT-AD length"):
        ReplyAuthentication.read(Cursor(REPLY[:-20] + bytes.fromhex("0003 0002") + b"p" * 16))


def test_a_key_does_not_show() -> None:
    assert "data" not in repr(RequestAuthentication(KEY, 2, EidData(2)))


@given(strategies.request_authentications)
def test_round_trip_of_a_request(message: RequestAuthentication) -> None:
    assert read_request(message.encode()) == message


@given(strategies.reply_authentications)
def test_round_trip_of_a_reply(message: ReplyAuthentication) -> None:
    assert ReplyAuthentication.read(Cursor(message.encode())) == message
