from __future__ import annotations

import pytest

from lispfast.model.errors import WireError
from lispfast.wire.cursor import Cursor


def test_reads_in_order() -> None:
    cursor = Cursor(bytes.fromhex("01 0203 04 050607"))
    assert cursor.unsigned(1, "a") == 1
    assert cursor.peek(2, "b") == 0x0203
    assert cursor.unsigned(2, "b") == 0x0203
    assert cursor.take(1, "c") == b"\x04"
    assert cursor.remaining == 3
    assert cursor.rest() == b"\x05\x06\x07"
    assert cursor.remaining == 0


def test_says_what_and_where_it_ends() -> None:
    cursor = Cursor(bytes(5))
    cursor.take(3, "head")
    with pytest.raises(WireError) as caught:
        cursor.unsigned(4, "nonce")
    assert (caught.value.field, caught.value.offset) == ("nonce", 3)
    assert cursor.remaining == 2


def test_a_part_ends_before_the_whole_and_counts_from_its_start() -> None:
    cursor = Cursor(bytes(range(10)))
    cursor.take(2, "head")
    part = cursor.part(3, "body")
    assert cursor.position == 5
    assert part.take(3, "x") == b"\x02\x03\x04"
    with pytest.raises(WireError) as caught:
        part.take(1, "y")
    assert caught.value.offset == 5
    with pytest.raises(WireError):
        cursor.part(6, "body")


def test_a_string_ends_inside_its_part() -> None:
    cursor = Cursor(b"ab\0c\0")
    assert cursor.take_until_zero("name") == b"ab\0"
    with pytest.raises(WireError):
        cursor.part(1, "part").take_until_zero("name")
