"""A small reader and writer of classic pcap files, and of the UDP datagrams in them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path

from lispfast.model.addresses import CONTROL_PORT, Endpoint

ETHERNET = 1
RAW_IP = 101
LINK_HEADERS = {ETHERNET: 14, RAW_IP: 0}
ETHER_IP = {b"\x08\x00", b"\x86\xdd"}
UDP = 17

# Microseconds and nanoseconds, by the byte order of who wrote the file.
_ORDERS = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",
}


def read_packets(path: Path) -> Iterator[bytes]:
    """Every IP packet of a capture, as far as it was captured."""
    data = path.read_bytes()
    order = _ORDERS[data[:4]]
    (link,) = struct.unpack_from(order + "I", data, 20)
    skip = LINK_HEADERS[link]
    position = 24
    while position < len(data):
        (captured,) = struct.unpack_from(order + "I", data, position + 8)
        frame = data[position + 16 : position + 16 + captured]
        position += 16 + captured
        if link != ETHERNET or frame[12:14] in ETHER_IP:
            yield frame[skip:]


def read_datagrams(path: Path) -> Iterator[tuple[Endpoint, Endpoint, bytes]]:
    """Source, destination and payload of every UDP datagram, by its UDP length."""
    for packet in read_packets(path):
        if packet[0] >> 4 == 4:
            protocol, begin, addresses = packet[9], (packet[0] & 15) * 4, (packet[12:16], packet[16:20])
        else:
            protocol, begin, addresses = packet[6], 40, (packet[8:24], packet[24:40])
        if protocol == UDP:
            ports = struct.unpack_from(">HHH", packet, begin)
            source, destination = (Endpoint(ip_address(a), port) for a, port in zip(addresses, ports[:2], strict=True))
            yield source, destination, packet[begin + 8 : begin + ports[2]]


def read_control(path: Path) -> list[bytes]:
    """The payloads to or from port 4342 (RFC 9301 section 5)."""
    return [
        payload
        for source, destination, payload in read_datagrams(path)
        if CONTROL_PORT in (source.port, destination.port)
    ]


def write_packets(path: Path, packets: Iterable[bytes]) -> None:
    """A capture of these IP packets, one a second."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP)]
    for second, packet in enumerate(packets):
        parts.append(struct.pack("<IIII", second, 0, len(packet), len(packet)) + packet)
    path.write_bytes(b"".join(parts))
