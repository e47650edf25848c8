from __future__ import annotations

import pytest

from lispfast.wire import bits


def test_what_fits_is_big_endian() -> None:
    assert bits.unsigned(0x0102, 2, "x") == b"\x01\x02"
    assert bits.within(0x10, 0xF0, "x") == 0x10
    assert bits.count((1, 2), "x") == 2
    assert (bits.flag(True, 8), bits.flag(False, 8)) == (8, 0)


@pytest.mark.parametrize("value", [-1, 256])
def test_what_does_not_fit_is_our_mistake(value: int) -> None:
    with pytest.raises(ValueError, match="mask-len"):
        bits.unsigned(value, 1, "mask-len")
    with pytest.raises(ValueError, match="mask-len"):
        bits.within(value, 0xFF, "mask-len")


def test_a_count_is_one_byte() -> None:
    assert bits.count(range(255), "records") == 255
    with pytest.raises(ValueError, match="records"):
        bits.count(range(256), "records")
