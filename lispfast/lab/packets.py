"""Reads captured packets as far as the lab needs: UDP, what LISP carries in it, and the names of control messages."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

# From the RFCs.
UDP = 17
UDP_HEADER = 8
IPV6_HEADER = 40
LISP_HEADER = 8  # RFC 9300 section 5.3
DATA_PORT = 4341  # RFC 9300 section 19.1
CONTROL_PORT = 4342  # RFC 9301 section 12.1
MAP_REQUEST, MAP_REPLY, ENCAPSULATED = 1, 2, 8  # RFC 9301 section 5.1
NAMES = {
    MAP_REPLY: "Map-Reply",
    3: "Map-Register",
    4: "Map-Notify",
    5: "Map-Notify-Ack",
    6: "Map-Referral",
    7: "Info message",
}


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram; the payload ends where the capture ends."""

    source: IPv4Address | IPv6Address
    destination: IPv4Address | IPv6Address
    source_port: int
    destination_port: int
    payload: bytes


def read_udp(packet: bytes) -> Datagram | None:
    """Read an IP packet that carries UDP in its first header; None for everything else."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20 and packet[9] == UDP:
        start, addresses = (packet[0] & 0x0F) * 4, packet[12:20]
    elif version == 6 and len(packet) >= IPV6_HEADER and packet[6] == UDP:
        start, addresses = IPV6_HEADER, packet[8:40]
    else:
        return None
    if len(packet) < start + UDP_HEADER:
        return None
    half = len(addresses) // 2
    return Datagram(
        ip_address(addresses[:half]),
        ip_address(addresses[half:]),
        int.from_bytes(packet[start : start + 2], "big"),
        int.from_bytes(packet[start + 2 : start + 4], "big"),
        packet[start + UDP_HEADER :],
    )


def inner_udp(outer: Datagram) -> Datagram | None:
    """The UDP datagram that a LISP data packet carries; None if it is none."""
    if outer.destination_port != DATA_PORT:
        return None
    return read_udp(outer.payload[LISP_HEADER:])


def message_name(payload: bytes) -> str:
    """What to call a control message; an Encapsulated Control Message is called after what it carries."""
    if not payload:
        return "an empty message"
    kind = payload[0] >> 4
    if kind == ENCAPSULATED:
        carried = read_udp(payload[4:])
        return f"encapsulated {message_name(carried.payload)}" if carried else "Encapsulated Control Message"
    if kind == MAP_REQUEST and len(payload) > 1:
        probe, smr, invoked = payload[0] & 0x02, payload[0] & 0x01, payload[1] & 0x40
        return "RLOC-probe" if probe else "SMR" if smr else "SMR-invoked Map-Request" if invoked else "Map-Request"
    if kind == MAP_REPLY and payload[0] & 0x08:
        return "RLOC-probe reply"
    return NAMES.get(kind, f"message of type {kind}")


def probe_filter(port: int) -> str:
    """tcpdump's filter for the control messages that come in, and the LISP packets out that carry UDP to `port`.

    Offsets into the outer header: it has no options, and so has the inner one.
    """
    control = f"(inbound and udp port {CONTROL_PORT})"
    inner = [
        f"({outer} and {outer}[{at + 9}]=17 and {outer}[{at}]&0xf0=0x40 and {outer}[{at + 22}:2]={port}) or "
        f"({outer} and {outer}[{at + 6}]=17 and {outer}[{at}]&0xf0=0x60 and {outer}[{at + 42}:2]={port})"
        for outer, at in (("ip", 20 + UDP_HEADER + LISP_HEADER), ("ip6", IPV6_HEADER + UDP_HEADER + LISP_HEADER))
    ]
    return f"{control} or (outbound and udp dst port {DATA_PORT} and ({' or '.join(inner)}))"
