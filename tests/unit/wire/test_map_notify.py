from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given

from lispfast.model.errors import WireError
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.map_notify import IDENTITY_BIT, MapNotify, MapNotifyAck, Notification
from lispfast.wire.records import EidRecord

from . import strategies

# RFC 9301 section 5.7; the type is filled in.
FIGURE = f"""
    {{}}0 000001 01020304 05060708
    00 01 0014 {"ab" * 20}
    0000000a 00 20 0000 0000 0001 ac100101
"""
KINDS = pytest.mark.parametrize("kind", [MapNotify, MapNotifyAck])


def plain(kind: type[Notification]) -> Notification:
    record = EidRecord(IPv4Address("172.16.1.1"), 32, Minutes(10))
    return kind(Nonce(0x0102030405060708), (record,), algorithm_id=1, auth_data=b"\xab" * 20)


@KINDS
def test_figure(kind: type[Notification]) -> None:
    octets = bytes.fromhex(FIGURE.format(kind.TYPE))
    assert kind.decode(octets) == plain(kind)
    assert plain(kind).encode() == octets


@KINDS
def test_the_first_word(kind: type[Notification]) -> None:
    for change, word in (({"identity": XtrIdentity(1, 2)}, "8000001"), ({"reserved": 0x07FFFF00}, "7ffff01")):
        message = replace(plain(kind), **change)
        assert message.encode()[:4].hex() == f"{kind.TYPE}{word}"
        assert kind.decode(message.encode()) == message


def test_one_is_not_the_other() -> None:
    assert plain(MapNotify) != plain(MapNotifyAck)
    with pytest.raises(WireError, match="type"):
        MapNotify.decode(plain(MapNotifyAck).encode())


def test_an_i_bit_with_nothing_behind_the_records_is_a_reserved_bit() -> None:
    octets = bytearray(plain(MapNotify).encode())
    octets[0] |= 0x08
    message = MapNotify.decode(bytes(octets))
    assert message == replace(plain(MapNotify), reserved=IDENTITY_BIT)
    assert message.encode() == octets


def test_an_identity_cut_short_is_refused() -> None:
    octets = replace(plain(MapNotify), identity=XtrIdentity(1, 2)).encode()
    for missing in range(1, 24):
        with pytest.raises(WireError):
            MapNotify.decode(octets[:-missing])


@KINDS
def test_every_truncation_is_refused(kind: type[Notification]) -> None:
    octets = plain(kind).encode()
    for length in range(len(octets)):
        with pytest.raises(WireError):
            kind.decode(octets[:length])


@KINDS
def test_an_authentication_length_beyond_the_end_is_refused(kind: type[Notification]) -> None:
    octets = bytearray(plain(kind).encode())
    octets[14:16] = b"\xff\xff"
    with pytest.raises(WireError, match="authentication data"):
        kind.decode(bytes(octets))


@given(strategies.notifications(MapNotify) | strategies.notifications(MapNotifyAck))
def test_round_trip(message: Notification) -> None:
    assert type(message).decode(message.encode()) == message
