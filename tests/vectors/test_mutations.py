"""What came over a wire, changed at random: a codec refuses it or gives the same bytes back, and nothing else."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from lispfast.model.errors import WireError
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_notify import Notification
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.message import decode
from lispfast.wire.records import EidRecord, mapping_from_record, refused_locators

from .captures import HERE
from .pcap import read_control


@cache
def seeds() -> list[bytes]:
    """Each different message of the captures that are part of the project."""
    found = {payload for path in HERE.rglob("*.pcap") for payload in read_control(path)}
    assert len(found) > 50
    return sorted(found)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A message with some bytes overwritten, cut out or put in."""
    payload = bytearray(draw(st.sampled_from(seeds())))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(payload)))
        length = draw(st.integers(0, 8))
        payload[at : at + length] = draw(st.binary(max_size=8))
    return bytes(payload)


def check(record: EidRecord) -> None:
    refused = len(refused_locators(record))
    try:
        mapping = mapping_from_record(record)
    except WireError:
        return
    assert len(mapping.locators) + refused <= len(record.locators)


@settings(max_examples=1000, deadline=None)
@given(mutated())
def test_a_changed_capture(payload: bytes) -> None:
    try:
        message = decode(payload)
    except WireError:
        return
    assert message.encode() == payload
    if isinstance(message, MapReply | MapRegister | Notification):
        for record in message.records:
            check(record)
    if isinstance(message, EncapsulatedControl):
        try:
            inner = message.inner()
            assert decode(inner.payload).encode() == inner.payload
        except WireError:
            pass
