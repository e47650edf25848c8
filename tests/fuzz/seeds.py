"""What the corpus begins with: packets as they should be, in the form each harness reads. Run to write them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert, IPOption_RR
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.packet import Packet, Raw

CORPUS = Path(__file__).resolve().parent / "corpus"
V4: dict[str, Any] = {"src": "10.9.0.1", "dst": "10.9.0.2"}
V6: dict[str, Any] = {"src": "fd09::1", "dst": "fd09::2"}
BACK4, BACK6 = {"src": V4["dst"], "dst": V4["src"]}, {"src": V6["dst"], "dst": V6["src"]}
Seed = tuple[str, bytes]


def payload(length: int) -> Packet:
    return Raw(bytes(i * 7 & 0xFF for i in range(length)))


def number(value: int) -> bytes:
    return value.to_bytes(2, "big")


def segment() -> Iterator[Seed]:
    """A byte of flags, then gso_size, csum_start and csum_offset, then the packet."""
    tcp = TCP(seq=0xFFFFFF00, flags="FPEC", options=[("Timestamp", (1, 2)), ("EOL", None)])
    frames = {
        "tcp4": (1, 20, IP(**V4, id=0xFFFE, flags="DF") / tcp / payload(1000)),
        "tcp4-options": (1, 24, IP(**V4, options=[IPOption_Router_Alert()]) / tcp / payload(1000)),
        "tcp6": (1, 40, IPv6(**V6) / tcp / payload(1001)),
        "tcp6-extensions": (1, 56, IPv6(**V6) / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / tcp / payload(999)),
        "udp4": (2, 20, IP(**V4) / UDP() / payload(1000)),
        "udp6": (2, 40, IPv6(**V6) / UDP() / payload(1001)),
        "alone-udp4": (0, 20, IP(**V4) / UDP() / payload(99)),
        "alone-tcp6": (0, 40, IPv6(**V6) / TCP() / payload(0)),
    }
    for label, (gso, start, packet) in frames.items():
        offset = 16 if TCP in packet else 6
        for size in (1, 333):
            yield f"{label}-{size}", bytes([gso | 0x30]) + number(size) + number(start) + number(offset) + bytes(packet)


def icmp() -> Iterator[Seed]:
    """An MTU, then the packet."""
    mss = TCP(flags="S", options=[("NOP", None), ("MSS", 1460), ("SAckOK", b""), ("WScale", 7)])
    packets = {
        "syn4": IP(**V4) / mss,
        "syn6": IPv6(**V6) / IPv6ExtHdrDestOpt() / mss,
        "udp4": IP(**V4, options=[IPOption_Router_Alert()]) / UDP() / payload(700),
        "fragment4": IP(**V4, id=7, frag=5, flags="MF") / payload(704),
        "fragment6": IPv6(**V6) / IPv6ExtHdrFragment(offset=5, nh=17) / payload(40),
        "echo4": IP(**V4) / ICMP() / payload(56),
        "error4": IP(**V4) / ICMP(type=3) / payload(28),
        "echo6": IPv6(**V6) / ICMPv6EchoRequest() / payload(56),
    }
    for label, packet in packets.items():
        yield label, number(576) + bytes(packet)
    long_first = IP(**V4, options=[IPOption_RR(routers=["0.0.0.0"] * 4)]) / payload(48)
    yield "fragment4-options", number(72) + bytes(long_first)  # all of it would fit behind a later header


def decap() -> Iterator[Seed]:
    """The form, outer traffic class and TTL, then the datagram."""
    inside = {4: bytes(IP(**BACK4) / UDP() / payload(20)), 6: bytes(IPv6(**BACK6, tc=2) / TCP() / payload(20))}
    shims = b"\0\2\0\x81" + bytes(8) + b"\0\0\0\1"
    forms = {
        "lisp4": (0, bytes(8) + inside[4]),
        "lisp6": (0, b"\xf0abc\0\0\0\3" + inside[6] + b"trailer"),
        "lisp-instance": (0, b"\x08\0\0\0\0\0\7\0" + inside[4]),
        "gpe4": (0, b"\x0c\0\0\1\0\0\7\0" + inside[4]),
        "gpe6": (0, b"\x04\0\0\2\0\0\0\0" + inside[6]),
        "gpe-shims": (0, b"\x0c\0\0\x80\0\0\7\0" + shims + inside[4]),
        "vxlan4": (1, b"\x0c\0\0\1\0\0\7\0" + inside[4]),
        "vxlan6": (1, b"\x0c\0\0\2\0\0\0\0" + inside[6]),
        "vxlan-shims": (1, b"\x0c\0\0\xfd\0\0\7\0" + shims + inside[4]),
    }
    for label, (form, datagram) in forms.items():
        yield label, bytes([form, 3, 63]) + datagram


def coalesce() -> Iterator[Seed]:
    """What may be merged, then steps: a raw packet, and what fuzz_coalesce.c makes of it."""
    timestamps = TCP(seq=0xFFFFFF00, flags="A", options=[("NOP", None), ("NOP", None), ("Timestamp", (1, 2))])
    packets = {
        "tcp4": IP(**BACK4, id=0xFFFE, flags="DF") / timestamps / payload(100),
        "tcp6": IPv6(**BACK6) / timestamps / payload(100),
        "udp4": IP(**BACK4, id=0xFFFE) / UDP() / payload(64),
        "udp6": IPv6(**BACK6) / UDP() / payload(64),
        "tcp4-options": IP(**BACK4, options=[IPOption_Router_Alert()]) / timestamps / payload(9),
        "udp6-extensions": IPv6(**BACK6) / IPv6ExtHdrDestOpt() / UDP() / payload(9),
    }
    repeat, many, change, shorten, switch, raw = range(6)
    for label, packet in packets.items():
        at = 20 if packet.version == 4 else 40
        first = bytes([raw]) + number(len(packet)) + bytes(packet)
        other = bytes([switch, raw]) + number(len(packet)) + bytes(packet) + bytes([change, at + 1, 1])
        in_turn = bytes([repeat, switch]) * 6
        odd = bytes([shorten, 3, repeat, change, at + 13, 8, repeat | 0x10, change, 8, 1, repeat | 0x10, 0x80, repeat])
        yield label, b"\3" + first + other + in_turn + odd
        yield f"{label}-many", b"\3" + first + bytes([many | 0x78, repeat | 0x78])


SEEDS: dict[str, Callable[[], Iterator[Seed]]] = {
    "segment": segment,
    "icmp": icmp,
    "decap": decap,
    "coalesce": coalesce,
}

if __name__ == "__main__":
    for name, make in SEEDS.items():
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        for label, data in make():
            (CORPUS / name / label).write_bytes(data)
