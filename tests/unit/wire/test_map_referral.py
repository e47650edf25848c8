from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given

from lispfast.model.errors import WireError
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.map_referral import MapReferral, ReferralRecord, Signature
from lispfast.wire.records import LocatorRecord

from . import strategies

# RFC 8111 sections 6.4 and 6.4.1: ACT 2, A, I and reserved 0x5bc; two signatures, version 0x123.
FIGURE = """
    6abcde01 01020304 05060708
    000005a0 01 10 5dbc 2123 0001 0a010000
    01 64 ff 00 0001 0001 c0000201
    000005a0 00000002 00000001 abcd 0003 02 000000 736967
    0000003c ffffffff 80000000 0001 0000 01 123456
"""
RECORD = ReferralRecord(
    IPv4Address("10.1.0.0"),
    16,
    Minutes(1440),
    (LocatorRecord(IPv4Address("192.0.2.1")),),
    action=2,
    authoritative=True,
    incomplete=True,
    map_version=0x123,
    signatures=(
        Signature(Minutes(1440), 2, 1, 0xABCD, 2, b"sig"),
        Signature(Minutes(60), 0xFFFFFFFF, 0x80000000, 1, 1, b"", 0x123456),
    ),
    reserved=0x5BC,
)
MESSAGE = MapReferral(Nonce(0x0102030405060708), (RECORD,), 0x0ABCDE00)


def test_figure() -> None:
    octets = bytes.fromhex(FIGURE)
    assert MapReferral.decode(octets) == MESSAGE
    assert MESSAGE.encode() == octets


def test_every_truncation_is_refused() -> None:
    octets = bytes.fromhex(FIGURE)
    for length in range(len(octets)):
        with pytest.raises(WireError):
            MapReferral.decode(octets[:length])


@pytest.mark.parametrize(
    "change",
    [
        {"action": 8},
        {"reserved": 0x0800},
        {"map_version": 0x1000},
        {"mask_len": 256},
        {"signatures": RECORD.signatures * 8},
        {"signatures": (replace(RECORD.signatures[0], key_tag=1 << 16),)},
        {"referrals": RECORD.referrals * 256},
    ],
)
def test_what_does_not_fit_is_not_written(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages differ by field
        replace(RECORD, **change).encode()


@pytest.mark.parametrize("message", [MapReferral(Nonce(1 << 64), ()), MapReferral(Nonce(0), (), reserved=1)])
def test_what_does_not_fit_a_head_is_not_written(message: MapReferral) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages differ by field
        message.encode()


@given(strategies.map_referrals)
def test_round_trip(message: MapReferral) -> None:
    assert MapReferral.decode(message.encode()) == message
