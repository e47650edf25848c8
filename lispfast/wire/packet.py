"""IP and UDP headers of the packet inside an Encapsulated Control Message (RFC 9301 section 5.8).

The kernel never sees that packet, so its lengths and checksums are checked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from lispfast.model.addresses import DATA_PORT, Address, Endpoint
from lispfast.model.errors import WireError
from lispfast.wire.bits import unsigned
from lispfast.wire.checksum import PROTOCOL_UDP, internet_checksum, udp_checksum, udp_checksum_holds
from lispfast.wire.cursor import Cursor

# From RFC 791, RFC 8200 and RFC 768, in bytes.
IPV4_HEADER = 20
IPV6_HEADER = 40
UDP_HEADER = 8
UDP_CHECKSUM_OFFSET = 6
DONT_FRAGMENT = 0x4000
FRAGMENT_MASK = 0x3FFF  # more-fragments and the offset

# Ours.
TTL = 64  # never looked at on the way: the default that RFC 1340 gives


@dataclass(frozen=True, slots=True)
class InnerDatagram:
    """A UDP datagram as its IP packet carried it; `ttl` is the hop limit."""

    source: Endpoint
    destination: Endpoint
    payload: bytes
    ttl: int = TTL


def encode_packet(source: Endpoint, destination: Endpoint, payload: bytes, ttl: int = TTL) -> bytes:
    """The IP packet with both checksums; ValueError for mixed families or what does not fit.

    Neither port may be 4341 (RFC 9301 section 5.8). The IPv4 identification is 0, as DF allows (RFC 6864 section 4.1).
    """
    if source.address.version != destination.address.version:
        raise ValueError(f"{source} and {destination} are of different families")
    if DATA_PORT in (source.port, destination.port):
        raise ValueError(f"port {DATA_PORT} in a control packet")
    length = UDP_HEADER + len(payload)
    ports = unsigned(source.port, 2, "source port") + unsigned(destination.port, 2, "destination port")
    head = ports + unsigned(length, 2, "UDP length")
    checksum = udp_checksum(source.address, destination.address, head + bytes(2) + payload)
    return _ip_header(source.address, destination.address, length, ttl) + head + checksum.to_bytes(2, "big") + payload


def decode_packet(packet: bytes) -> InnerDatagram:
    """Read an IP packet; bytes behind its length are ignored.

    WireError for what is no whole UDP datagram (fragments and IPv6 extension headers too), a wrong checksum or port
    4341. A UDP checksum of zero is accepted: lispers.net sends it.
    """
    cursor = Cursor(packet)
    version = cursor.peek(1, "inner IP version") >> 4
    if version == 4:
        source, destination, ttl, body = _read_ipv4(cursor)
    elif version == 6:
        source, destination, ttl, body = _read_ipv6(cursor)
    else:
        raise WireError("inner IP version", 0, str(version))
    start = body.position
    source_port = body.unsigned(2, "inner source port")
    destination_port = body.unsigned(2, "inner destination port")
    length = body.unsigned(2, "inner UDP length")
    checksum = body.unsigned(2, "inner UDP checksum")
    if length < UDP_HEADER:
        raise WireError("inner UDP length", start + 4, f"{length} is less than a header")
    payload = body.take(length - UDP_HEADER, "inner UDP payload")
    if checksum and not udp_checksum_holds(source, destination, packet[start : start + length]):
        raise WireError("inner UDP checksum", start + UDP_CHECKSUM_OFFSET, "wrong")
    if DATA_PORT in (source_port, destination_port):
        raise WireError("inner port", start, f"{DATA_PORT} must not be one")
    return InnerDatagram(Endpoint(source, source_port), Endpoint(destination, destination_port), payload, ttl)


def _ip_header(source: Address, destination: Address, length: int, ttl: int) -> bytes:
    if source.version == 6:
        hops = bytes((PROTOCOL_UDP,)) + unsigned(ttl, 1, "hop limit")
        return b"\x60\0\0\0" + unsigned(length, 2, "payload length") + hops + source.packed + destination.packed
    head = b"\x45\0" + unsigned(IPV4_HEADER + length, 2, "total length") + bytes(2) + DONT_FRAGMENT.to_bytes(2, "big")
    head += unsigned(ttl, 1, "TTL") + bytes((PROTOCOL_UDP,))
    addresses = source.packed + destination.packed
    return head + internet_checksum(head + addresses).to_bytes(2, "big") + addresses


def _read_ipv4(cursor: Cursor) -> tuple[Address, Address, int, Cursor]:
    packet_start = cursor.position
    header_length = (cursor.peek(1, "inner IPv4 header") & 0xF) * 4
    if header_length < IPV4_HEADER:
        raise WireError("inner IPv4 header length", packet_start, str(header_length))
    header = cursor.take(header_length, "inner IPv4 header")
    total = int.from_bytes(header[2:4], "big")
    if total < header_length:
        raise WireError("inner IPv4 total length", packet_start + 2, f"{total} is less than the header")
    if int.from_bytes(header[6:8], "big") & FRAGMENT_MASK:
        raise WireError("inner IPv4 fragment", packet_start + 6, "a control message comes whole")
    if header[9] != PROTOCOL_UDP:
        raise WireError("inner IPv4 protocol", packet_start + 9, f"{header[9]} is not UDP")
    if internet_checksum(header):
        raise WireError("inner IPv4 checksum", packet_start + 10, "wrong")
    body = cursor.part(total - header_length, "inner IPv4 payload")
    return IPv4Address(header[12:16]), IPv4Address(header[16:20]), header[8], body


def _read_ipv6(cursor: Cursor) -> tuple[Address, Address, int, Cursor]:
    packet_start = cursor.position
    header = cursor.take(IPV6_HEADER, "inner IPv6 header")
    if header[6] != PROTOCOL_UDP:
        raise WireError("inner IPv6 next header", packet_start + 6, f"{header[6]} is not UDP")
    body = cursor.part(int.from_bytes(header[4:6], "big"), "inner IPv6 payload")
    return IPv6Address(header[8:24]), IPv6Address(header[24:40]), header[7], body
