from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.model.addresses import Endpoint
from lispfast.model.errors import WireError
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.lisp_sec import EidData, RequestAuthentication, WrappedKey
from lispfast.wire.packet import InnerDatagram, encode_packet

from . import strategies

SOURCE, DESTINATION = Endpoint(ip_address("172.16.1.1"), 4342), Endpoint(ip_address("172.16.2.1"), 4342)
PACKET = encode_packet(SOURCE, DESTINATION, b"hello")


@pytest.mark.parametrize(
    ("message", "word"),
    [
        (EncapsulatedControl(PACKET), "80000000"),
        (EncapsulatedControl(PACKET, ddt=True), "84000000"),
        (EncapsulatedControl(PACKET, to_etr=True), "82000000"),
        (EncapsulatedControl(PACKET, to_ms=True), "81000000"),
        (EncapsulatedControl(PACKET, reserved=0xFFFFFF), "80ffffff"),
    ],
)
def test_figure(message: EncapsulatedControl, word: str) -> None:
    octets = bytes.fromhex(word) + PACKET
    assert message.encode() == octets
    assert EncapsulatedControl.decode(octets) == message
    assert not message.security


def test_lisp_sec_data_stands_between_the_head_and_the_packet() -> None:
    authentication = RequestAuthentication(WrappedKey(3, 2, bytes(range(24))), 2, EidData(2))
    octets = bytes.fromhex("88000000") + authentication.encode() + PACKET
    message = EncapsulatedControl.decode(octets)
    assert message == EncapsulatedControl(PACKET, authentication=authentication)
    assert message == EncapsulatedControl.wrap(SOURCE, DESTINATION, b"hello", authentication=authentication)
    assert message.security
    assert message.encode() == octets
    assert message.inner().payload == b"hello"


@given(strategies.endpoint_pairs, st.binary(max_size=60), st.booleans(), st.booleans(), st.booleans())
def test_wrap_and_inner(pair: tuple[Endpoint, Endpoint], payload: bytes, ddt: bool, etr: bool, ms: bool) -> None:
    message = EncapsulatedControl.wrap(*pair, payload, ttl=9, ddt=ddt, to_etr=etr, to_ms=ms)
    back = EncapsulatedControl.decode(message.encode())
    assert back == message
    assert back.inner() == InnerDatagram(*pair, payload, 9)
    assert (back.ddt, back.to_etr, back.to_ms) == (ddt, etr, ms)


def test_what_is_no_packet_inside_is_found_by_inner() -> None:
    for packet in (b"", b"\x10", PACKET[:-1]):
        message = EncapsulatedControl.decode(EncapsulatedControl(packet).encode())
        with pytest.raises(WireError, match="inner"):
            message.inner()


def test_every_truncation_of_the_head_is_refused() -> None:
    for length in range(4):
        with pytest.raises(WireError):
            EncapsulatedControl.decode(b"\x80\0\0\0"[:length])


@given(strategies.encapsulated)
def test_round_trip(message: EncapsulatedControl) -> None:
    assert EncapsulatedControl.decode(message.encode()) == message
