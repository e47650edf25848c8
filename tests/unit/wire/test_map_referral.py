from __future__ import annotations

import pytest
from hypothesis import given

from lispfast.model.errors import WireError
from lispfast.model.units import Nonce
from lispfast.wire.map_referral import MapReferral

from . import strategies


def test_figure() -> None:
    octets = bytes.fromhex("6abcde02 01020304 05060708") + b"records"
    message = MapReferral(Nonce(0x0102030405060708), 2, b"records", 0x0ABCDE00)
    assert MapReferral.decode(octets) == message
    assert message.encode() == octets
    for length in range(12):
        with pytest.raises(WireError):
            MapReferral.decode(octets[:length])


def test_what_does_not_fit_is_not_written() -> None:
    for message in (MapReferral(Nonce(0), 256), MapReferral(Nonce(1 << 64), 1), MapReferral(Nonce(0), 1, reserved=1)):
        with pytest.raises(ValueError):  # noqa: PT011 - the messages differ by field
            message.encode()


@given(strategies.map_referrals)
def test_round_trip(message: MapReferral) -> None:
    assert MapReferral.decode(message.encode()) == message
