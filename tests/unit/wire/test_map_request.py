from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given

from lispfast.model.errors import WireError
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.records import EidRecord, LocatorRecord

from . import strategies

# RFC 9301 section 5.2, field by field: two ITR-RLOCs, one record.
FIGURE = """
    10 00 01 01 01020304 05060708
    0001 ac100101
    0002 20010db8 00000000 00000000 00000002
    0001 0a000102
    00 20 0001 ac100201
"""
PLAIN = MapRequest(
    Nonce(0x0102030405060708),
    IPv4Address("172.16.1.1"),
    (IPv6Address("2001:db8::2"), IPv4Address("10.0.1.2")),
    (RequestRecord(IPv4Address("172.16.2.1"), 32),),
)


def test_figure() -> None:
    octets = bytes.fromhex(FIGURE)
    assert MapRequest.decode(octets) == PLAIN
    assert PLAIN.encode() == octets


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"authoritative": True}, "18000101"),
        ({"probe": True}, "12000101"),
        ({"smr": True}, "11000101"),
        ({"pitr": True}, "10800101"),
        ({"smr_invoked": True}, "10400101"),
        ({"local_xtr": True}, "10004101"),
        ({"dont_reply": True}, "10002101"),
        ({"reserved": 0x00280000}, "10280101"),
        ({"reserved": 0x00008000}, "10008101"),
        ({"identity": XtrIdentity(1, 2)}, "10100101"),
        ({"map_data": EidRecord(None, 0, Minutes(1))}, "14000101"),
        ({"itr_rlocs": (None,) * 32}, "10001f01"),
        ({"records": PLAIN.records * 3}, "10000103"),
    ],
)
def test_the_first_word(change: dict[str, object], word: str) -> None:
    message = replace(PLAIN, **change)
    assert message.encode()[:4].hex() == word
    assert MapRequest.decode(message.encode()) == message


def test_map_data_and_identity_stand_behind_the_records_in_this_order() -> None:
    data = EidRecord(IPv4Address("172.16.1.1"), 32, Minutes(1), (LocatorRecord(IPv4Address("10.0.1.2")),))
    message = replace(PLAIN, map_data=data, identity=XtrIdentity(0xAA << 120, 0xBB), trailing=b"behind")
    tail = data.encode() + b"\xaa" + bytes(15) + bytes(7) + b"\xbb" + b"behind"
    assert message.encode()[4:] == PLAIN.encode()[4:] + tail
    assert MapRequest.decode(message.encode()) == message


def test_a_subscription_without_a_site_id() -> None:
    """As lispers.net sends it: the N-bit, the I-bit, and 16 bytes instead of 24."""
    message = replace(
        PLAIN, records=(replace(PLAIN.records[0], reserved=0x80),), identity=XtrIdentity(0x0102 << 112, None)
    )
    octets = message.encode()
    assert octets.endswith(b"\x80\x20\0\1\xac\x10\2\1\1\2" + bytes(14))
    assert MapRequest.decode(octets) == message


@pytest.mark.parametrize("missing", [*range(1, 8), *range(9, 25)])
def test_an_identity_cut_short_is_refused(missing: int) -> None:
    octets = replace(PLAIN, identity=XtrIdentity(1, 2)).encode()
    with pytest.raises(WireError):
        MapRequest.decode(octets[:-missing])


def test_every_truncation_is_refused() -> None:
    octets = bytes.fromhex(FIGURE)
    for length in range(len(octets)):
        with pytest.raises(WireError):
            MapRequest.decode(octets[:length])


def test_no_itr_rloc_is_our_mistake() -> None:
    for rlocs in ((), (None,) * 33):
        with pytest.raises(ValueError, match="ITR-RLOCs"):
            replace(PLAIN, itr_rlocs=rlocs).encode()


@given(strategies.map_requests)
def test_round_trip(message: MapRequest) -> None:
    assert MapRequest.decode(message.encode()) == message
