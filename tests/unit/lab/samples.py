"""Packets for the tests, built by scapy."""

from __future__ import annotations

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from lispfast.lab.probe import MAGIC, PACKET, PORT


def udp(source: str, destination: str, sport: int, dport: int, payload: bytes) -> bytes:
    network = IPv6 if ":" in destination else IP
    return bytes(network(src=source, dst=destination) / UDP(sport=sport, dport=dport) / Raw(payload))


def probe(sequence: int, source: str = "172.16.2.1", destination: str = "172.16.1.1") -> bytes:
    return udp(source, destination, PORT, PORT, PACKET.pack(MAGIC, sequence, 0))


def tunnelled(inner: bytes, source: str = "203.0.113.10", destination: str = "198.51.100.10") -> bytes:
    return udp(source, destination, 40000, 4341, bytes(8) + inner)
