"""Merging, slow and obviously right: packets may be one if the kernel, cutting that one up again, makes them of it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from .twin_segment import PSH, TCP, UDP, checksum, number, pseudo, put, segment, with_lengths

ACK = 0x10
DF = 0x4000
MERGE_MAX = 128
EXTENSIONS = (0, 43, 44, 51, 60)
NO_VNET = bytes(10)
GSO_TYPE = {(4, TCP): 1, (6, TCP): 4, (4, UDP): 5, (6, UDP): 5}


def version(packet: bytes) -> int:
    return packet[0] >> 4


def protocol(packet: bytes) -> int:
    """The IPv4 protocol or the first IPv6 next header."""
    return packet[9] if version(packet) == 4 else packet[6]


def start(packet: bytes) -> int:
    """Where the transport header of a packet without options or extension headers begins."""
    return 20 if version(packet) == 4 else 40


def headers(packet: bytes) -> int:
    at = start(packet)
    return at + ((packet[at + 12] >> 4) * 4 if protocol(packet) == TCP else 8)


def hidden(packet: bytes) -> bool:
    """Perhaps TCP or UDP, and without ports that one may rely on."""
    if version(packet) == 6:
        odd = protocol(packet) in EXTENSIONS
    else:
        odd = protocol(packet) in (TCP, UDP) and (packet[0] != 0x45 or number(packet, 6) & 0x3FFF != 0)
    shortest = {TCP: 20, UDP: 8}.get(protocol(packet), 0)
    return odd or len(packet) < start(packet) + shortest


def flow(packet: bytes) -> Hashable:
    addresses = packet[12:20] if version(packet) == 4 else packet[8:40]
    return addresses, protocol(packet), packet[start(packet) : start(packet) + 4]


def plain(packet: bytes) -> bool:
    """Of the kind that is merged at all."""
    if version(packet) == 4 and number(packet, 6) & ~DF:
        return False
    at = start(packet)
    if len(packet) <= headers(packet):
        return False
    if protocol(packet) == TCP:
        return headers(packet) >= at + 20 and packet[at + 12] & 15 == 0 and packet[at + 13] in (ACK, ACK | PSH)
    return number(packet, at + 6) != 0


def as_one(packets: list[bytes]) -> bytes:
    """The packet that stands for them all, its transport checksum left out."""
    first, at = packets[0], start(packets[0])
    one = first + b"".join(packet[headers(packet) :] for packet in packets[1:])
    flags = packets[-1][at + 13 : at + 14]
    return with_lengths(put(one, at + 13, flags[0], 1) if protocol(first) == TCP else put(one, at + 4, len(one) - at))


def meaning(packet: bytes) -> bytes:
    """The packet without what means nothing: an IPv4 identification where fragments are forbidden (RFC 6864)."""
    if version(packet) == 4 and number(packet, 6) & DF:
        return put(put(packet, 4, 0), 10, 0)
    return packet


def may_be_one(packets: list[bytes]) -> bool:
    if not all(plain(packet) for packet in packets) or len(packets) > MERGE_MAX:
        return False
    first = packets[0]
    if len(first) + sum(len(packet) - headers(packet) for packet in packets[1:]) > 65535:
        return False
    cut = segment(as_one(packets), protocol(first), start(first), len(first) - headers(first))
    return [meaning(packet) for packet in cut] == [meaning(packet) for packet in packets]


@dataclass
class Coalescer:
    """The packets of each delivery, in the order of their first ones."""

    tcp: bool = True
    udp: bool = True
    deliveries: list[list[bytes]] = field(default_factory=list)
    open: dict[Hashable, list[bytes]] = field(default_factory=dict)

    def add(self, packet: bytes) -> None:
        known = {TCP: self.tcp, UDP: self.udp}.get(protocol(packet), False)
        if hidden(packet) and (known or protocol(packet) in EXTENSIONS):
            self.open.clear()
            self.deliveries.append([packet])
        elif not known:
            self.deliveries.append([packet])
        else:
            self._add_to_flow(packet)

    def _add_to_flow(self, packet: bytes) -> None:
        run = self.open.get(flow(packet))
        if run and may_be_one([*run, packet]):
            run.append(packet)
        else:
            self.open[flow(packet)] = [packet]
            self.deliveries.append(self.open[flow(packet)])


def written(packets: list[bytes]) -> tuple[bytes, bytes]:
    """The virtio-net header, of a little-endian machine, and the packet that are written for a delivery."""
    if len(packets) == 1:
        return NO_VNET, packets[0]
    first, at = packets[0], start(packets[0])
    offset = 16 if protocol(first) == TCP else 6
    one = as_one(packets)
    one = put(one, at + offset, ~checksum(pseudo(one, protocol(one), len(one) - at)) & 0xFFFF)
    fields = [headers(first), len(first) - headers(first), at, offset]
    kind = GSO_TYPE[version(first), protocol(first)]
    return bytes([1, kind]) + b"".join(value.to_bytes(2, "little") for value in fields), one


def as_the_kernel_takes_it(vnet: bytes, packet: bytes) -> list[bytes]:
    """The packets that one write stands for; what linux/virtio_net.h and the TUN driver ask for is asserted."""
    if vnet == NO_VNET:
        return [packet]
    header, size, at, offset = (int.from_bytes(vnet[i : i + 2], "little") for i in (2, 4, 6, 8))
    assert vnet[0] == 1, "the checksum is partial"
    assert vnet[1] == GSO_TYPE[version(packet), protocol(packet)]
    assert (header, at) == (headers(packet), start(packet))
    assert offset == (16 if protocol(packet) == TCP else 6)
    assert with_lengths(packet) == packet, "lengths and the IPv4 header checksum"
    assert number(packet, at + offset) == ~checksum(pseudo(packet, protocol(packet), len(packet) - at)) & 0xFFFF
    cut = segment(packet, protocol(packet), at, size)
    assert len(cut) > 1
    return cut
