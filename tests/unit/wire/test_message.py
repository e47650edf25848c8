from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lispfast.model.errors import WireError
from lispfast.wire.message import Message, UnknownType, decode

from . import strategies


@given(strategies.messages)
def test_every_message_comes_back_as_itself(message: Message) -> None:
    back = decode(message.encode())
    assert type(back) is type(message)
    assert back == message


@pytest.mark.parametrize("kind", [0, 9, 10, 11, 12, 13, 14, 15])
def test_a_type_without_a_codec(kind: int) -> None:
    with pytest.raises(UnknownType):
        decode(bytes((kind << 4,)) + bytes(40))


def test_a_shared_extension_is_named_by_its_sub_type() -> None:
    """RFC 9304 section 3."""
    with pytest.raises(UnknownType, match="sub-type 1029 "):
        decode(bytes.fromhex("f405 0000"))
    with pytest.raises(UnknownType):
        decode(b"\xf4")


@pytest.mark.parametrize("kind", range(1, 9))
def test_a_lone_type_is_cut_short_and_not_unknown(kind: int) -> None:
    with pytest.raises(WireError) as caught:
        decode(bytes((kind << 4,)))
    assert not isinstance(caught.value, UnknownType)


def test_nothing() -> None:
    with pytest.raises(WireError):
        decode(b"")


@settings(max_examples=500)
@given(st.integers(1, 8), st.binary(max_size=200))
def test_random_bytes_are_refused_or_come_out_the_same(kind: int, body: bytes) -> None:
    payload = bytes((kind << 4 | (body[0] & 0xF if body else 0),)) + body[1:]
    try:
        message = decode(payload)
    except WireError:
        return
    assert message.encode() == payload


@settings(max_examples=300)
@given(strategies.messages, st.data())
def test_a_changed_message_is_refused_or_comes_out_the_same(message: Message, data: st.DataObject) -> None:
    payload = bytearray(message.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        changed = decode(bytes(payload))
    except WireError:
        return
    assert changed.encode() == payload


def test_the_largest_counts_are_bounded_by_the_datagram() -> None:
    """255 records of 255 locators announced, 64 KiB at hand: refused at the end of the bytes."""
    record = bytes.fromhex("0000000a ff 20 1000 0000 0001 ac100101")
    locator = bytes.fromhex("01 64 ff 00 0005 0000")
    payload = bytes.fromhex("200000ff") + bytes(8)
    payload += (record + locator * 255) * ((65507 - len(payload)) // (len(record) + 255 * len(locator)))
    with pytest.raises(WireError) as caught:
        decode(payload)
    assert caught.value.offset == len(payload)
