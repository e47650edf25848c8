from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given

from lispfast.model.errors import WireError
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.auth_header import AUTH_OFFSET
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.map_register import MapRegister
from lispfast.wire.records import EidRecord, LocatorRecord

from . import strategies

# RFC 9301 section 5.6: P, M, Key ID 5, Algorithm ID 2, 32 bytes of MAC.
FIGURE = f"""
    38 000101 01020304 05060708
    05 02 0020 {"ab" * 32}
    0000000a 01 20 1000 0000 0001 ac100101
    01 64 ff 00 0005 0001 0a000102
"""
REGISTER = MapRegister(
    Nonce(0x0102030405060708),
    (
        EidRecord(
            IPv4Address("172.16.1.1"),
            32,
            Minutes(10),
            (LocatorRecord(IPv4Address("10.0.1.2"), local=True),),
            authoritative=True,
        ),
    ),
    key_id=5,
    algorithm_id=2,
    auth_data=b"\xab" * 32,
    proxy_reply=True,
    want_map_notify=True,
)


def test_figure() -> None:
    octets = bytes.fromhex(FIGURE)
    assert MapRegister.decode(octets) == REGISTER
    assert REGISTER.encode() == octets
    assert octets[AUTH_OFFSET : AUTH_OFFSET + 32] == REGISTER.auth_data


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"proxy_reply": True}, "38000001"),
        ({"security": True}, "34000001"),
        ({"identity": XtrIdentity(1, 2)}, "32000001"),
        ({"eid_notify": True}, "30001001"),
        ({"use_ttl": True}, "30000801"),
        ({"merge": True}, "30000401"),
        ({"want_map_notify": True}, "30000101"),
        ({"reserved": 0x01FFE200}, "31ffe201"),
    ],
)
def test_the_first_word(change: dict[str, object], word: str) -> None:
    message = replace(REGISTER, **{"proxy_reply": False, "want_map_notify": False} | change)
    assert message.encode()[:4].hex() == word
    assert MapRegister.decode(message.encode()) == message


def test_the_identity_is_the_end() -> None:
    message = replace(REGISTER, identity=XtrIdentity(0xAA, 0xBB))
    assert message.encode()[4:] == REGISTER.encode()[4:] + bytes(15) + b"\xaa" + bytes(7) + b"\xbb"
    for missing in range(1, 25):
        with pytest.raises(WireError):
            MapRegister.decode(message.encode()[:-missing])
    with pytest.raises(ValueError, match="Site-ID"):
        replace(REGISTER, identity=XtrIdentity(1, None)).encode()


def test_every_truncation_is_refused() -> None:
    octets = bytes.fromhex(FIGURE)
    for length in range(len(octets)):
        with pytest.raises(WireError):
            MapRegister.decode(octets[:length])


@given(strategies.map_registers)
def test_round_trip(message: MapRegister) -> None:
    assert MapRegister.decode(message.encode()) == message
