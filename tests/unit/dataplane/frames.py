"""Frames as a TUN gives them, made from their fields, and what C takes them in."""

from __future__ import annotations

import ctypes as c

from hypothesis import strategies as st

from .native import CPacket
from .twin_segment import TCP, UDP, checksum, complete, pseudo, put, with_lengths

GSO = {None: 0, TCP: 1, UDP: 2}
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS = 0, 43, 44, 60
SEGMENTS_LEFT = bytes([3]) + bytes(4)  # and what it says of a source route: routing type 4 or 0, we only pass it on


class CFrame(c.Structure):
    _fields_ = [
        ("data", c.c_void_p),
        ("length", c.c_size_t),
        ("gso", c.c_uint),
        ("gso_size", c.c_uint16),
        ("partial", c.c_bool),
        ("csum_start", c.c_uint16),
        ("csum_offset", c.c_uint16),
    ]


class Frame:
    """A frame in memory of its own."""

    def __init__(self, data: bytes, gso: int | None = None, size: int = 0, start: int | None = None) -> None:
        """`start` is where a partial checksum begins, None where it is not partial."""
        self.block = c.create_string_buffer(data, len(data))
        offset = {TCP: 16, UDP: 6, None: 6}[gso]
        self.c = CFrame(c.addressof(self.block), len(data), GSO[gso], size, start is not None, start or 0, offset)

    @property
    def bytes(self) -> bytes:
        return self.block.raw

    def packet(self, native: c.CDLL) -> CPacket:
        """The frame as it is parsed, for as long as the frame lives."""
        parsed = CPacket()
        status = native.lf_packet_parse(c.byref(parsed), c.cast(self.block, c.c_char_p), self.c.length)
        assert status == 0, status
        return parsed


class Fields:
    """A packet before it is bytes."""

    def __init__(self, draw: st.DrawFn, version: int, protocol: int, length: int) -> None:
        self.version, self.protocol = version, protocol
        pattern = draw(st.binary(min_size=1, max_size=40))
        self.payload = (pattern * (length // len(pattern) + 1))[:length]
        self.head = draw(st.binary(min_size=40, max_size=40))
        self.routed: bytes | None = None
        if version == 4:
            self.front = self._ipv4(draw(st.binary(max_size=40)))
        else:
            self.front = self._ipv6(
                draw(st.lists(st.sampled_from([HOP_BY_HOP, DESTINATION_OPTIONS, ROUTING, FRAGMENT]), max_size=3))
            )
        self.transport = self._tcp(draw(st.binary(max_size=40))) if protocol == TCP else self.head[20:24] + bytes(4)

    def _ipv4(self, options: bytes) -> bytes:
        options = options[: len(options) // 4 * 4]
        first = bytes([0x45 + len(options) // 4]) + self.head[1:6]
        return first + bytes([self.head[6] & 0xC0, 0, self.head[8], self.protocol, 0, 0]) + self.head[12:20] + options

    def _ipv6(self, kinds: list[int]) -> bytes:
        extensions, protocols = b"", [*kinds, self.protocol]
        for kind, following in zip(kinds, protocols[1:], strict=True):
            if kind == FRAGMENT:  # an atomic one
                extensions += bytes([following, 0, 0, 0]) + self.head[:4]
            elif kind == ROUTING:
                self.routed = self.head[20:36]
                extensions += bytes([following, 2, 4, 1]) + bytes(4) + self.routed
            else:
                extensions += bytes([following, 1]) + self.head[:14]
        fixed = bytes([0x60, self.head[1], self.head[2], self.head[3], 0, 0, protocols[0], self.head[7]])
        return fixed + self.head[8:40] + extensions

    def _tcp(self, options: bytes) -> bytes:
        options = options[: len(options) // 4 * 4]
        return (
            self.head[20:32]
            + bytes([0x50 + len(options) * 4])
            + self.head[33:36]
            + bytes(2)
            + self.head[38:40]
            + options
        )

    @property
    def start(self) -> int:
        return len(self.front)

    def whole(self) -> bytes:
        """The packet with every checksum."""
        packet = with_lengths(self.front + self.transport + self.payload)
        if self.protocol == UDP:
            packet = put(packet, self.start + 4, len(packet) - self.start)
        return complete(packet, self.protocol, self.start, self.routed)

    def partial(self) -> bytes:
        """The same with the sum of the pseudo header in place of the transport checksum."""
        packet = self.whole()
        header = pseudo(packet, self.protocol, len(packet) - self.start, self.routed)
        return put(packet, self.start + (16 if self.protocol == TCP else 6), ~checksum(header) & 0xFFFF)


@st.composite
def fields(draw: st.DrawFn, protocol: int | None = None, shortest: int = 0, longest: int = 4000) -> Fields:
    """Any packet: IP options, extension headers, TCP options, every flag."""
    version, chosen = draw(st.sampled_from([4, 6])), protocol or draw(st.sampled_from([TCP, UDP]))
    return Fields(draw, version, chosen, draw(st.integers(shortest, longest)))
