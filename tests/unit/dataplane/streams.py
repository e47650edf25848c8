"""Streams of packets as decapsulation passes them: several flows at once, mostly in order, some packets odd."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from .twin_segment import TCP, UDP, complete, put, with_lengths

ICMP = 1
SIZES = (100, 100, 100, 100, 100, 99, 101, 1, 0)


@dataclass
class Flow:
    """What one sender counts up as it sends."""

    version: int
    protocol: int
    port: int
    dont_fragment: bool = True
    sequence: int = 0xFFFFFE00
    identification: int = 0xFFFD

    def front(self, transport: bytes, extension: bytes = b"", options: bytes = b"") -> bytes:
        if self.version == 4:
            fixed = bytes([0x45 + len(options) // 4, 0, 0, 0]) + self.identification.to_bytes(2, "big")
            fixed += bytes([0x40 if self.dont_fragment else 0, 0, 64, self.protocol, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1])
            return with_lengths(fixed + options + transport)
        ends = bytes.fromhex("fd09") + bytes(13) + b"\x02" + bytes.fromhex("fd09") + bytes(13) + b"\x01"
        following = 60 if extension else self.protocol
        return with_lengths(bytes([0x60, 0, 0, 7, 0, 0, following, 64]) + ends + extension + transport)

    def next(self, size: int, odd: str = "") -> bytes:
        """The next packet, `size` bytes of payload in it, with every checksum; `odd` names what is not as usual."""
        payload = bytes((self.sequence + i) % 251 for i in range(size))
        if odd == "gap":
            self.sequence += 5
        if self.protocol == TCP:
            options = b"\1\1\x08\x0a\0\0\0\1\0\0\0\2"
            transport = self.port.to_bytes(2, "big") + b"\x13\x89" + (self.sequence % 2**32).to_bytes(4, "big")
            transport += bytes([0, 0, 0, 9, 0x80, 0x10, 1, 0, 0, 0, 0, 0]) + options
        else:
            transport = self.port.to_bytes(2, "big") + b"\x13\x89" + (8 + size).to_bytes(2, "big") + bytes(2)
        extension = bytes([self.protocol, 0, 1, 4, 0, 0, 0, 0]) if odd == "option" else b""
        packet = self.front(transport + payload, extension, b"\1\1\1\0" if odd == "option" else b"")
        packet = self._oddly(packet, odd)
        self.sequence += size
        self.identification = (self.identification + 1) % 2**16
        return packet

    def _oddly(self, packet: bytes, odd: str) -> bytes:
        v4 = self.version == 4
        at = (20 if v4 else 40) + ({4: 4, 6: 8}[self.version] if odd == "option" else 0)
        for where, change in CHANGES.get((odd, self.protocol), ()):
            packet = put(packet, at + where, packet[at + where] ^ change, 1)
        for where, change in NETWORK_CHANGES.get((odd, self.version), ()):
            packet = put(packet, where, packet[where] ^ change, 1)
        if v4:
            packet = with_lengths(packet)
        if self.protocol in (TCP, UDP) and odd != "cut":
            packet = complete(packet, self.protocol, at)
        if odd == "checksum":
            packet = put(packet, len(packet) - 1, packet[-1] ^ 0x55, 1)
        if odd == "none" and self.protocol == UDP:
            packet = put(packet, at + 6, 0)
        if odd == "cut":
            packet = with_lengths(packet[: at + 7])
        return packet


# Bits that are turned over: of the transport header, of the IP header. What they make of it, the twin knows.
CHANGES = {
    ("push", TCP): [(13, 0x08)],
    ("fin", TCP): [(13, 0x01)],
    ("syn", TCP): [(13, 0x02)],
    ("rst", TCP): [(13, 0x04)],
    ("urg", TCP): [(13, 0x20)],
    ("ece", TCP): [(13, 0x40)],
    ("cwr", TCP): [(13, 0x80)],
    ("no ack", TCP): [(13, 0x10)],
    ("accurate ecn", TCP): [(12, 0x01)],
    ("acknowledgment", TCP): [(11, 0x01)],
    ("window", TCP): [(15, 0x01)],
    ("urgent", TCP): [(19, 0x01)],
    ("timestamp", TCP): [(27, 0x04)],
    ("header size", TCP): [(12, 0x10)],
    ("header beyond", TCP): [(12, 0x40)],
    ("header small", TCP): [(12, 0xC0)],
    ("length", UDP): [(5, 0x04)],
}
NETWORK_CHANGES = {
    ("ttl", 4): [(8, 1)],
    ("ttl", 6): [(7, 1)],
    ("tos", 4): [(1, 3)],
    ("tos", 6): [(1, 0x30)],
    ("dscp", 4): [(1, 0xB8)],
    ("dscp", 6): [(0, 0x0B)],
    ("label", 6): [(3, 1)],
    ("df", 4): [(6, 0x40)],
    ("mf", 4): [(6, 0x20)],
    ("offset", 4): [(7, 0x05)],
    ("reserved", 4): [(6, 0x80)],
    ("identification", 4): [(5, 0x40)],
}
ODD = sorted({name for name, _ in [*CHANGES, *NETWORK_CHANGES]} | {"gap", "option", "checksum", "none", "cut"})


def flows() -> list[Flow]:
    """One of each kind, and two that differ in a port only."""
    kinds = [(4, TCP), (6, TCP), (4, UDP), (6, UDP)]
    made = [Flow(version, protocol, 1000) for version, protocol in kinds]
    return [*made, Flow(4, TCP, 1001, dont_fragment=False), Flow(4, UDP, 1001, dont_fragment=False), Flow(4, ICMP, 0)]


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Bursts of a few flows, packet by packet in turn, and some packets a few places late."""
    kinds, packets = flows(), []
    steps = st.tuples(
        st.lists(st.integers(0, len(kinds) - 1), min_size=1, max_size=2),
        st.integers(1, 6),
        st.sampled_from(SIZES),
        st.one_of(st.just(""), st.just(""), st.sampled_from(ODD)),
    )
    for chosen, count, size, odd in draw(st.lists(steps, min_size=1, max_size=6)):
        for at in range(count):
            # Oddness in the last packet of a burst, in the first, or in all of them.
            strange = odd if at == count - 1 or size % 2 == 0 else ""
            packets += [kinds[i].next(size, strange) for i in chosen]
    for place in draw(st.lists(st.integers(0, 40), max_size=2)):
        if place < len(packets) - 1:
            packets.insert(place + 1, packets.pop(place))
            packets.insert(min(len(packets), place + 3), packets.pop(place))
    return packets
