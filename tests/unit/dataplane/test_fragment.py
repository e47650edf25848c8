"""IPv4 fragments: the C against its twin, and put together again."""

from __future__ import annotations

import ctypes as c

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP, IPOption_RR, IPOption_Security, defragment
from scapy.packet import Raw

from . import twin_fragment as twin
from .frames import Frame
from .native import CPacket
from .twin_segment import number, put, with_lengths

BYTES = bytes(i * 7 & 0xFF for i in range(9000))


class CFragments(c.Structure):
    _fields_ = [("count", c.c_size_t), ("each", c.c_size_t), ("own", c.c_uint64 * 16)]


@pytest.fixture(scope="module")
def lib(native: c.CDLL) -> c.CDLL:
    native.lf_fragments_begin.restype = c.c_bool
    native.lf_fragments_begin.argtypes = [c.POINTER(CFragments), c.POINTER(CPacket), c.c_size_t]
    native.lf_fragments_next.restype, native.lf_fragments_next.argtypes = (
        c.c_size_t,
        [c.POINTER(CFragments), c.c_void_p],
    )
    return native


def fragment(lib: c.CDLL, data: bytes, room: int) -> tuple[list[bytes], int] | None:
    """The fragments and the payload of each but the last; None where it may not or cannot be."""
    frame, fragments = Frame(data), CFragments()
    packet = frame.packet(lib)
    if not lib.lf_fragments_begin(fragments, packet, room):
        return None
    made = []
    for _ in range(fragments.count):
        out = c.create_string_buffer(room)
        length = lib.lf_fragments_next(fragments, c.addressof(out))
        made.append(out.raw[:length])
    assert frame.bytes == data
    return made, fragments.each


def option(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from([0x07, 0x44, 0x82, 0x83, 0x94]))
    value = draw(st.binary(max_size=8))
    return bytes([kind, 2 + len(value)]) + value


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """An IPv4 packet that may be fragmented, with options, and maybe a fragment already."""
    options = b"".join(draw(st.sampled_from([b"\1", option(draw)])) for _ in range(draw(st.integers(0, 4))))
    options = (options + bytes(-len(options) % 4))[:40]
    if len(options) == 40 and draw(st.booleans()):
        options = options[:20]  # it may cut an option: the packet is refused
    offset, more = draw(st.integers(0, 7000)), draw(st.sampled_from([0, 0x2000]))
    length = draw(st.integers(0, 2000)) if not more else draw(st.integers(0, 250)) * 8
    header = bytes([0x45 + len(options) // 4]) + draw(st.binary(min_size=19, max_size=19)) + options
    return with_lengths(put(header, 6, offset | more) + BYTES[:length])


def sound(data: bytes) -> bool:
    try:
        twin.options(data[: (data[0] & 15) * 4])
    except ValueError:
        return False
    return True


def test_any_packet(lib: c.CDLL) -> None:
    @settings(max_examples=200)
    @given(packets(), st.integers(28, 1500))
    def check(data: bytes, room: int) -> None:
        got = fragment(lib, data, room)
        header = (data[0] & 15) * 4
        if len(data) <= room:
            assert got is not None
            assert got[0] == [data]
            return
        if room < header + 8 or not sound(data):
            assert got is None
            return
        if got is None:  # only where the last offset would not fit
            assert number(data, 6) % 0x2000 * 8 + len(data) > 65535
            return
        made, each = got
        assert made == twin.fragment(data, room, each)
        assert each % 8 == 0
        assert max(map(len, made)) <= room
        assert twin.reassemble(made) == data[header:]
        sizes = [len(one) - (one[0] & 15) * 4 for one in made]
        assert len(made) == 2 or max(sizes) - min(sizes) < 8 * len(made)

    check()


@pytest.mark.parametrize("room", [68, 576, 1244, 1300, 1484, 2000])
def test_scapy_puts_them_together(lib: c.CDLL, room: int) -> None:
    packet = IP(src="10.9.0.1", dst="10.9.0.2", id=7, tos=3, ttl=9) / UDP(sport=1, dport=2) / Raw(BYTES[:3001])
    got = fragment(lib, bytes(packet), room)
    assert got is not None
    fragments = [IP(one) for one in got[0]]
    assert {(one.tos, one.ttl, one.id) for one in fragments} == {(3, 9, 7)}
    whole = defragment(fragments)
    assert len(whole) == 1
    assert bytes(whole[0][IP].payload) == bytes(packet.payload)


def test_two_where_two_fit(lib: c.CDLL) -> None:
    got = fragment(lib, bytes(IP(dst="10.9.0.2") / Raw(BYTES[:1480])), 1464)
    assert got is not None
    assert [len(one) for one in got[0]] == [20 + 744, 20 + 736]


def test_only_copied_options_go_on_the_later_ones(lib: c.CDLL) -> None:
    options = [IPOption_RR(routers=["0.0.0.0", "0.0.0.0"]), IPOption_Security()]
    got = fragment(lib, bytes(IP(dst="10.9.0.2", options=options) / Raw(BYTES[:900])), 400)
    assert got is not None
    kinds = [[type(option).__name__ for option in IP(one).options] for one in got[0]]
    assert kinds[0][:2] == ["IPOption_RR", "IPOption_Security"]
    assert {tuple(names) for names in kinds[1:]} == {("IPOption_Security", "IPOption_EOL")}


def test_a_first_header_longer_than_the_later_ones(lib: c.CDLL) -> None:
    """Behind a later header all of the payload would fit."""
    got = fragment(lib, bytes(IP(dst="10.9.0.2", options=[IPOption_RR(routers=["0.0.0.0"] * 4)]) / Raw(BYTES[:48])), 72)
    assert got is not None
    assert [len(one) for one in got[0]] == [40 + 24, 20 + 24]


REFUSED = {
    "do not fragment": bytes(IP(dst="10.9.0.2", flags="DF") / Raw(BYTES[:900])),
    "ipv6": bytes.fromhex("6000000003200040") + bytes(32) + BYTES[:800],
    "an option without an end": with_lengths(bytes([0x46]) + bytes(19) + bytes([0x83, 5, 0, 0]) + BYTES[:900]),
    "an offset beyond": bytes(IP(dst="10.9.0.2", frag=8190) / Raw(BYTES[:900])),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(lib: c.CDLL, name: str) -> None:
    assert fragment(lib, REFUSED[name], 400) is None


@pytest.mark.parametrize("room", [0, 19, 20, 27])
def test_no_room(lib: c.CDLL, room: int) -> None:
    assert fragment(lib, bytes(IP(dst="10.9.0.2") / Raw(BYTES[:900])), room) is None
