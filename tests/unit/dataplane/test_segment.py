"""One big packet into many: the C against its twin, and what scapy thinks of the checksums."""

from __future__ import annotations

import ctypes as c

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, IPOption_Timestamp
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
from scapy.packet import Packet, Raw

from . import twin_segment as twin
from .frames import CFrame, Fields, Frame, fields
from .native import CPacket

BYTES = bytes(i * 7 & 0xFF for i in range(60_000))


class CSegments(c.Structure):
    _fields_ = [("headers", c.c_size_t), ("count", c.c_size_t), ("largest", c.c_size_t), ("own", c.c_uint64 * 32)]


@pytest.fixture(scope="module")
def lib(native: c.CDLL) -> c.CDLL:
    native.lf_segments_begin.restype = c.c_bool
    native.lf_segments_begin.argtypes = [c.POINTER(CSegments), c.POINTER(CFrame), c.POINTER(CPacket)]
    native.lf_segments_next.restype, native.lf_segments_next.argtypes = c.c_size_t, [c.POINTER(CSegments), c.c_void_p]
    native.lf_frame_complete.restype, native.lf_frame_complete.argtypes = c.c_bool, [c.POINTER(CFrame)]
    return native


def cut(lib: c.CDLL, frame: Frame) -> list[bytes] | None:
    """Every packet whole; None where the frame is refused."""
    segments, packet, before, made = CSegments(), frame.packet(lib), frame.bytes, []
    if not lib.lf_segments_begin(segments, frame.c, packet):
        return None
    for _ in range(segments.count):
        made_packet = c.create_string_buffer(segments.largest + 1)
        made_packet[segments.largest] = b"\x5a"
        length = lib.lf_segments_next(segments, c.addressof(made_packet))
        assert made_packet[segments.largest] == b"\x5a"  # nothing is written beyond
        made.append(made_packet.raw[:length])
    assert sum(len(one) - segments.headers for one in made) == packet.length - segments.headers
    assert max(map(len, made)) == segments.largest
    assert frame.bytes == before
    return made


def test_any_packet(lib: c.CDLL) -> None:
    @settings(max_examples=150)
    @given(fields(shortest=1), st.integers(1, 2000), st.booleans())
    def check(packet: Fields, size: int, complete: bool) -> None:
        if complete and packet.routed is None:
            frame = Frame(packet.whole(), packet.protocol, size)
        else:
            frame = Frame(packet.partial(), packet.protocol, size, packet.start)
        assert cut(lib, frame) == twin.segment(packet.whole(), packet.protocol, packet.start, size, packet.routed)

    check()


OPTIONS = [("Timestamp", (1, 2)), ("NOP", None), ("SAck", (7, 9)), ("EOL", None)]
V4 = IP(src="10.9.0.1", dst="10.9.0.2", id=0xFFFE, flags="DF", tos=2, options=[IPOption_Timestamp()])
V6 = IPv6(src="fd09::1", dst="fd09::2", tc=2) / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt()
TRANSPORT = TCP(sport=1, dport=2, seq=0xFFFFF000, ack=5, flags="FPAEC", window=77, options=OPTIONS)


@pytest.mark.parametrize("size", [1448, 1449, 59_999, 60_000, 65_000])
@pytest.mark.parametrize("network", [V4, V6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("transport", [TRANSPORT, UDP(sport=1, dport=2)], ids=["tcp", "udp"])
def test_as_scapy_reads_it(lib: c.CDLL, network: Packet, transport: Packet, size: int) -> None:
    data = bytes(network / transport / Raw(BYTES))
    layer = type(transport)
    start = len(data) - len(BYTES) - len(bytes(transport))
    made = cut(lib, Frame(data, twin.TCP if layer is TCP else twin.UDP, size))
    assert made is not None
    read = [type(network)(one) for one in made]
    for one, packet in zip(made, read, strict=True):
        again = packet.copy()
        again[layer].chksum = None
        if layer is UDP:
            again[layer].len = None
        if network.version == 4:
            again.chksum = again.len = None
        else:
            again.plen = None
        assert bytes(again) == one
    assert b"".join(bytes(packet[layer].payload) for packet in read) == BYTES
    assert [len(packet[layer].payload) for packet in read[:-1]] == [size] * (len(read) - 1)
    if network.version == 4:
        assert [packet.id for packet in read] == [(0xFFFE + i) % 2**16 for i in range(len(read))]
    if layer is TCP:
        assert_tcp(read, size)
    assert start == len(made[0]) - len(read[0][layer])


def assert_tcp(read: list[Packet], size: int) -> None:
    assert [packet[TCP].seq for packet in read] == [(0xFFFFF000 + i * size) % 2**32 for i in range(len(read))]
    flags = [str(packet[TCP].flags) for packet in read]
    assert all("C" not in each for each in flags[1:])
    assert "C" in flags[0]
    assert all("F" not in each and "P" not in each for each in flags[:-1])
    assert "FPA" in flags[-1]
    assert all("A" in each and "E" in each for each in flags)


def test_a_udp_checksum_of_zero_is_sent_as_ones(lib: c.CDLL) -> None:
    data = bytes(IP(src="10.9.0.1", dst="10.9.0.2") / UDP() / Raw(bytes(4)))
    zero = data[:28] + data[26:28] + data[30:]  # what it sums to makes the sum zero
    made = cut(lib, Frame(zero, twin.UDP, 4))
    assert made is not None
    assert made[0][26:28] == b"\xff\xff"
    alone = Frame(twin.put(zero, 26, ~twin.checksum(twin.pseudo(zero, twin.UDP, 12)) & 0xFFFF), None, 0, 20)
    assert lib.lf_frame_complete(alone.c)
    assert alone.bytes[26:28] == b"\xff\xff"


def tcp_frame() -> bytes:
    return bytes(IP(src="10.9.0.1", dst="10.9.0.2") / TCP() / Raw(BYTES[:100]))


LIES = {
    "no size": Frame(tcp_frame(), twin.TCP, 0, 20),
    "not udp": Frame(tcp_frame(), twin.UDP, 10, 20),
    "another start": Frame(tcp_frame(), twin.TCP, 10, 24),
    "a start far away": Frame(tcp_frame(), twin.TCP, 10, 65535),
    "nothing to cut": Frame(bytes(IP(src="10.9.0.1", dst="10.9.0.2") / TCP()), twin.TCP, 10, 20),
    "no gso": Frame(tcp_frame(), None, 10, 20),
    "a fragment": Frame(bytes(IP(dst="10.9.0.2", flags="MF") / TCP() / Raw(BYTES[:100])), twin.TCP, 10, 20),
    "data offset too small": Frame(twin.put(tcp_frame(), 32, 0x40, 1), twin.TCP, 10, 20),
    "data offset beyond": Frame(bytes(IP(dst="10.9.0.2") / TCP(dataofs=15) / Raw(BYTES[:30])), twin.TCP, 10, 20),
    "cut in the header": Frame(twin.with_lengths(tcp_frame()[:39]), twin.TCP, 10, 20),
    "cut in udp": Frame(twin.with_lengths(bytes(IP(dst="10.9.0.2") / UDP())[:27]), twin.UDP, 10, 20),
}


@pytest.mark.parametrize("lie", LIES)
def test_refused(lib: c.CDLL, lie: str) -> None:
    assert cut(lib, LIES[lie]) is None


def test_the_truth_beside_those(lib: c.CDLL) -> None:
    assert len(cut(lib, Frame(tcp_frame(), twin.TCP, 10, 20)) or []) == 10


def test_a_wrong_checksum_offset_is_refused(lib: c.CDLL) -> None:
    frame = Frame(tcp_frame(), twin.TCP, 10, 20)
    frame.c.csum_offset = 6
    assert cut(lib, frame) is None


def test_a_single_packet_is_completed(lib: c.CDLL) -> None:
    @settings(max_examples=60)
    @given(fields(longest=200))
    def check(packet: Fields) -> None:
        frame = Frame(packet.partial(), packet.protocol, 0, packet.start)
        assert lib.lf_frame_complete(frame.c)
        assert not frame.c.partial
        at, right = packet.start + frame.c.csum_offset, packet.whole()
        assert frame.bytes == (right if twin.number(right, at) else twin.put(right, at, 0xFFFF))
        kept = frame.bytes
        assert lib.lf_frame_complete(frame.c)
        assert frame.bytes == kept

    check()


@pytest.mark.parametrize(("start", "offset"), [(139, 0), (200, 0), (20, 119), (120, 65535), (65535, 65535)])
def test_a_checksum_outside_is_refused(lib: c.CDLL, start: int, offset: int) -> None:
    frame = Frame(tcp_frame(), None, 0, start)
    frame.c.csum_offset = offset
    before = frame.bytes
    assert not lib.lf_frame_complete(frame.c)
    assert frame.bytes == before
