from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given

from lispfast.model.errors import WireError
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.lisp_sec import EidData, ReplyAuthentication
from lispfast.wire.map_reply import MapReply
from lispfast.wire.records import EidRecord, LocatorRecord

from . import strategies

# RFC 9301 section 5.4: a positive and a negative record (natively-forward, 15 minutes).
FIGURE = """
    20 000002 01020304 05060708
    0000000a 01 20 1000 0000 0001 ac100201
    01 64 ff 00 0005 0001 0a000302
    0000000f 00 08 2000 0000 0001 0b000000
"""
REPLY = MapReply(
    Nonce(0x0102030405060708),
    (
        EidRecord(
            IPv4Address("172.16.2.1"),
            32,
            Minutes(10),
            (LocatorRecord(IPv4Address("10.0.3.2"), local=True),),
            authoritative=True,
        ),
        EidRecord(IPv4Address("11.0.0.0"), 8, Minutes(15), action=1),
    ),
)


def test_figure() -> None:
    octets = bytes.fromhex(FIGURE)
    assert MapReply.decode(octets) == REPLY
    assert REPLY.encode() == octets


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"probe": True}, "28000002"),
        ({"echo_nonce": True}, "24000002"),
        ({"authentication": ReplyAuthentication(EidData(2), 2, bytes(16))}, "22000002"),
        ({"reserved": 0x01FFFF00}, "21ffff02"),
        ({"records": ()}, "20000000"),
    ],
)
def test_the_first_word(change: dict[str, object], word: str) -> None:
    message = replace(REPLY, **change)
    assert message.encode()[:4].hex() == word
    assert MapReply.decode(message.encode()) == message


def test_authentication_data_of_lisp_sec_stands_behind_the_records() -> None:
    authentication = ReplyAuthentication(EidData(2), 2, bytes(16))
    message = replace(REPLY, authentication=authentication, trailing=b"more")
    octets = message.encode()
    assert octets.endswith(authentication.encode() + b"more")
    assert octets[4:].startswith(REPLY.encode()[4:])
    assert MapReply.decode(octets) == message
    assert message.security
    assert not REPLY.security


def test_every_truncation_is_refused() -> None:
    octets = bytes.fromhex(FIGURE)
    for length in range(len(octets)):
        with pytest.raises(WireError):
            MapReply.decode(octets[:length])


@given(strategies.map_replies)
def test_round_trip(message: MapReply) -> None:
    assert MapReply.decode(message.encode()) == message
