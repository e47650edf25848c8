"""The checksum against sixteen bits at a time (RFC 1071)."""

from __future__ import annotations

import ctypes

from hypothesis import given
from hypothesis import strategies as st


def twin(data: bytes) -> bytes:
    data += b"\0" * (len(data) % 2)
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2], "big")
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


def in_memory(value: int) -> bytes:
    return bytes(ctypes.c_uint16(value))


def test_any_bytes(native: ctypes.CDLL) -> None:
    @given(st.binary(max_size=200))
    def check(data: bytes) -> None:
        assert in_memory(native.lf_checksum_fold(native.lf_checksum_add(0, data, len(data)))) == twin(data)

    check()


def test_a_sum_in_parts_is_the_sum(native: ctypes.CDLL) -> None:
    @given(st.binary(max_size=60).filter(lambda data: len(data) % 2 == 0), st.binary(max_size=60))
    def check(first: bytes, second: bytes) -> None:
        total = native.lf_checksum_add(native.lf_checksum_add(0, first, len(first)), second, len(second))
        assert in_memory(native.lf_checksum_fold(total)) == twin(first + second)

    check()


def test_the_largest_sum_does_not_overflow(native: ctypes.CDLL) -> None:
    data = b"\xff" * 65535
    assert in_memory(native.lf_checksum_fold(native.lf_checksum_add(0, data, len(data)))) == twin(data)
