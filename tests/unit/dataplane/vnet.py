"""Frames with virtio-net headers on a bench, and runs of datagrams as its far end sends them."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from .bench import LOCAL, NEAR, QUIET, REMOTE, Bench
from .twin_segment import TCP as TCP_PROTOCOL
from .twin_segment import UDP, checksum, complete, pseudo, put, with_lengths

HEADER = struct.Struct("=BBHHHH")
NEEDS_CSUM = 1
GSO = {(4, TCP_PROTOCOL): 1, (6, TCP_PROTOCOL): 4, (4, UDP): 5, (6, UDP): 5}
UDP_SEGMENT = 103


def pattern(length: int, seed: int = 0) -> bytes:
    return bytes((at * 7 + (at >> 8) + seed) & 0xFF for at in range(length))


def tcp(version: int = 4, payload: bytes = b"", *, seq: int = 1000, flags: str = "A", **fields: Any) -> Packet:
    """A TCP packet from our EID to the remote one; `sport` and fields of the IP header as given."""
    ports = {"sport": fields.pop("sport", 1000), "dport": fields.pop("dport", 2000)}
    options = fields.pop("options", [])
    addresses = {"src": str(LOCAL[version]), "dst": str(REMOTE[version])} | fields
    ip = (IP if version == 4 else IPv6)(**addresses)
    return ip / TCP(**ports, seq=seq, ack=7, flags=flags, options=options) / Raw(payload)


@dataclass(frozen=True)
class Written:
    """What the engine wrote to its TUN: the virtio-net header and what it stands in front of."""

    flags: int
    gso: int
    hdr_len: int
    size: int
    start: int
    offset: int
    data: bytes


def place(packet: bytes) -> tuple[int, int, int]:
    """Protocol, and where transport header and its checksum begin; neither options nor extension headers."""
    version = packet[0] >> 4
    protocol, start = (packet[9], 20) if version == 4 else (packet[6], 40)
    return protocol, start, start + (16 if protocol == TCP_PROTOCOL else 6)


def partial(packet: bytes) -> bytes:
    """The packet with the pseudo header's sum in place of the transport checksum."""
    protocol, start, at = place(packet)
    whole = complete(with_lengths(packet), protocol, start)
    header = pseudo(whole, protocol, len(whole) - start)
    return put(whole, at, ~checksum(header) & 0xFFFF)


def send_frame(bench: Bench, packet: Packet | bytes, size: int = 0) -> bytes:
    """Write a packet into the TUN of a framed bench, its checksum partial: a frame of segments with `size` bytes
    each, or a packet alone for 0. Returns the packet with every checksum."""
    data = bytes(packet)
    protocol, start, at = place(data)
    gso = GSO[data[0] >> 4, protocol] if size else 0
    bench.tun.send(HEADER.pack(NEEDS_CSUM, gso, 0, size, start, at - start) + partial(data))
    return complete(with_lengths(data), protocol, start)


def send_run(bench: Bench, packets: list[Packet], version: int = 4, header: bytes = QUIET) -> list[bytes]:
    """Send packets of one size, the last maybe shorter, from the far end as one message, as UDP_GRO brings them in."""
    made = [bytes(packet) for packet in packets]
    size = len(header) + len(made[0])
    control = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", size))]
    bench.far[version].sendmsg([header + one for one in made], control, 0, (NEAR[version], bench.port))
    return made


def read_frame(bench: Bench) -> Written:
    frame = bench.delivered()
    flags, gso, hdr_len, size, start, offset = HEADER.unpack_from(frame)
    return Written(flags, gso, hdr_len, size, start, offset, frame[HEADER.size :])
