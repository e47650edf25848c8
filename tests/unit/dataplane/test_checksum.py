"""The checksum against sixteen bits at a time (RFC 1071), in both its forms: for this machine, and for any."""

from __future__ import annotations

import ctypes as c
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .native import NATIVE, WARNINGS

EVEN = st.binary(max_size=700).map(lambda data: data[: len(data) // 2 * 2])


def twin(data: bytes) -> bytes:
    data += b"\0" * (len(data) % 2)
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2], "big")
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


def in_memory(value: int) -> bytes:
    return bytes(c.c_uint16(value))


@pytest.fixture(scope="module", params=["this machine", "any machine"])
def lib(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> c.CDLL:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    target = Path(tmp_path_factory.mktemp("checksum")) / "checksum.so"
    flags = ["-std=c11", "-O2", "-fPIC", "-shared", *WARNINGS]
    flags += ["-DLF_PORTABLE"] if request.param == "any machine" else []
    subprocess.run([compiler, *flags, "-o", str(target), str(NATIVE / "checksum.c")], check=True)
    library = c.CDLL(str(target))
    library.lf_checksum_add.restype = c.c_uint64
    library.lf_checksum_add.argtypes = [c.c_uint64, c.c_void_p, c.c_size_t]
    library.lf_checksum_fold.restype, library.lf_checksum_fold.argtypes = c.c_uint16, [c.c_uint64]
    library.lf_checksum_replace.restype = c.c_uint16
    library.lf_checksum_replace.argtypes = [c.c_uint16, c.c_uint16, c.c_uint16]
    return library


def checksum(lib: c.CDLL, data: bytes, total: int = 0) -> bytes:
    return in_memory(lib.lf_checksum_fold(lib.lf_checksum_add(total, data, len(data))))


def test_any_bytes(lib: c.CDLL) -> None:
    @given(st.binary(max_size=1500))
    def check(data: bytes) -> None:
        assert checksum(lib, data) == twin(data)

    check()


def test_every_length_at_every_alignment(lib: c.CDLL) -> None:
    data = bytes(i * 167 + 13 & 0xFF for i in range(700))
    buffer = c.create_string_buffer(data, len(data))
    for start in range(16):
        for length in range(320):
            total = lib.lf_checksum_add(0, c.addressof(buffer) + start, length)
            assert in_memory(lib.lf_checksum_fold(total)) == twin(data[start : start + length]), (start, length)


def test_a_sum_in_parts_is_the_sum(lib: c.CDLL) -> None:
    @given(st.lists(EVEN, max_size=4), st.binary(max_size=300))
    def check(parts: list[bytes], last: bytes) -> None:
        total = 0
        for part in parts:
            total = lib.lf_checksum_add(total, part, len(part))
        assert checksum(lib, last, total) == twin(b"".join(parts) + last)

    check()


@pytest.mark.parametrize("length", [63, 127, 128, 65535, 1 << 22])
def test_the_largest_sum_does_not_overflow(lib: c.CDLL, length: int) -> None:
    data = b"\xff" * length
    total = lib.lf_checksum_add(0, data, length)
    assert total < 1 << 36
    assert in_memory(lib.lf_checksum_fold(total)) == twin(data[: length % 2 + 2])  # ones are a zero, all but the first


@pytest.mark.parametrize("total", [0, 0xFFFF, 0x10000, 0xFFFFFFFF, 0x1FFFFFFFF, 2**63, 2**64 - 1, 2**64 - 2])
def test_a_fold_loses_nothing(lib: c.CDLL, total: int) -> None:
    assert (~lib.lf_checksum_fold(total) & 0xFFFF) % 0xFFFF == total % 0xFFFF
    assert (lib.lf_checksum_fold(total) == 0xFFFF) == (total == 0)


def test_a_word_replaced(lib: c.CDLL) -> None:
    @given(st.binary(min_size=2, max_size=40).filter(any), st.integers(0, 18), st.binary(min_size=2, max_size=2))
    def check(data: bytes, word: int, after: bytes) -> None:
        data, at = b"\1\1" + data + bytes(len(data) % 2), 2 * (word % ((len(data) + 1) // 2)) + 2
        changed = data[:at] + after + data[at + 2 :]
        words = [c.c_uint16.from_buffer_copy(one).value for one in (twin(data), data[at : at + 2], after)]
        assert in_memory(lib.lf_checksum_replace(*words)) == twin(changed)

    check()


def test_a_copy_is_the_same_sum_and_the_same_bytes_even_where_they_overlap(lib: c.CDLL) -> None:
    lib.lf_checksum_copy.restype = c.c_uint64
    lib.lf_checksum_copy.argtypes = [c.c_uint64, c.c_void_p, c.c_void_p, c.c_size_t]

    @given(st.binary(max_size=3000), st.integers(0, 70), st.integers(0, 2**36))
    def check(data: bytes, back: int, before: int) -> None:
        room = c.create_string_buffer(bytes(back) + data + b"\x5a", back + len(data) + 1)
        summed = lib.lf_checksum_copy(before, c.addressof(room), c.addressof(room) + back, len(data))
        assert in_memory(lib.lf_checksum_fold(summed)) == checksum(lib, data, before)
        assert room.raw[: len(data)] == data
        assert room.raw[-1:] == b"\x5a"

    check()
