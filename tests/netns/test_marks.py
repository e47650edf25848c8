"""What an inner packet carries besides its payload comes through: marks, options, extension headers, fragments."""

from __future__ import annotations

import itertools
import socket

import pytest
from scapy.layers.inet import IP, UDP, IPOption_RR, IPOption_Timestamp, fragment
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    PadN,
    fragment6,
)
from scapy.packet import Packet, Raw

from lispfast.lab import Lab, until

from .tunnelworld import BOUND_S, Pair, Side, raw, transfer

ETH_P_ALL = 3
IP_RECVTOS, IPV6_RECVTCLASS, IPV6_TCLASS = 13, 66, 67
NOT_ECT, ECT1, ECT0, CE = range(4)
DSCPS = (0, 10, 46, 63)
UNDERLAYS = pytest.mark.parametrize("version", [4, 6], ids=["over-v4", "over-v6"])
PORT = 4000
DATA = UDP(sport=PORT, dport=PORT) / Raw(bytes(range(256)) * 4)


def nft(pair: Pair, rule: str) -> None:
    """Let the router do something to every data packet that it forwards, and to nothing else."""
    router = pair.router
    if not router.run("nft", "list", "tables"):
        router.run("nft", "add table inet t; add chain inet t f { type filter hook forward priority 0 ; }")
    router.run("nft", "flush", "chain", "inet", "t", "f")
    if rule:
        router.run("nft", "add", "rule", "inet", "t", "f", "udp", "dport", "4341", *rule.split())


class Marked:
    """Datagrams with a TOS or traffic class of our choice from one node to the other."""

    def __init__(self, source: Side, sink: Side, family: int) -> None:
        self._family = family
        self._near, self._far = source.udp(family), sink.udp(family)
        if family == 4:
            self._far.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
        else:
            self._far.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVTCLASS, 1)

    def send(self, tos: int) -> None:
        """Send a datagram that has it, which tells it."""
        if self._family == 4:
            self._near.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        else:
            self._near.setsockopt(socket.IPPROTO_IPV6, IPV6_TCLASS, tos)
        self._near.sendto(bytes([tos]), self._far.getsockname())

    def receive(self) -> tuple[int, int]:
        """What the next datagram was sent with, and what it came with."""
        payload, ancillary, _flags, _peer = self._far.recvmsg(16, 64)
        ((_level, _type, data),) = ancillary
        return payload[0], data[0]

    def close(self) -> None:
        """Close both ends."""
        self._near.close()
        self._far.close()


@UNDERLAYS
def test_dscp_is_kept_and_ecn_is_merged(lab: Lab, version: int) -> None:
    pair = Pair(lab, version).start()
    everything = [dscp << 2 | ecn for dscp in DSCPS for ecn in range(4)]
    outer = "ip" if version == 4 else "ip6"
    for family in (4, 6):
        nft(pair, "")
        marked = Marked(pair.left, pair.right, family)
        for tos in everything:
            marked.send(tos)
            assert marked.receive() == (tos, tos)
        nft(pair, f"{outer} ecn set ce")
        before = pair.right.plane()["drops"].get("ecn-drop", 0)
        for tos in everything:
            marked.send(tos)
        for tos in everything:
            if tos & 3 != NOT_ECT:
                assert marked.receive() == (tos, tos | CE), "RFC 6040 figure 4: CE"
        dropped = pair.right.plane()["drops"]["ecn-drop"] - before
        assert dropped == len(DSCPS), "RFC 6040 figure 4: CE on a packet that cannot carry it"
        nft(pair, f"{outer} ecn ect0 {outer} ecn set ect1")
        for tos in everything:
            marked.send(tos)
            assert marked.receive() == (tos, tos & ~3 | ECT1 if tos & 3 == ECT0 else tos)
        marked.close()


@UNDERLAYS
def test_tcp_hears_of_congestion_on_the_underlay(lab: Lab, version: int) -> None:
    pair = Pair(lab, version).start()
    for side in (pair.left, pair.right):
        side.host.sysctl("net.ipv4.tcp_ecn", 1)
    outer = "ip" if version == 4 else "ip6"
    nft(pair, f"{outer} ecn ect0 numgen random mod 10 == 0 {outer} ecn set ce")
    for family in (4, 6):
        before = delivered_ce(pair.left)
        transfer(pair.left, pair.right, family, 4 << 20)
        assert delivered_ce(pair.left) > before, "the sender was told"
    assert (pair.left.plane()["drops"], pair.right.plane()["drops"]) == ({}, {})


def delivered_ce(side: Side) -> int:
    """Segments that came with CE as the TCP that sent them was told."""
    lines = side.host.run("cat", "/proc/self/net/netstat").splitlines()
    names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
    return int(values[names.index("TCPDeliveredCE")])


def crossing(source: Side, sink: Side, packets: list[Packet]) -> list[bytes]:
    """Give packets to the kernel of one node as they are; what the other's tunnel device brings up."""
    sniffer = sink.host.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)))
    family = packets[0].version
    sender = raw(source.host, family)
    with sniffer, sender:
        sniffer.bind(("lmn0", ETH_P_ALL))
        sniffer.settimeout(BOUND_S)
        came: list[bytes] = []
        for packet in packets:
            sender.sendto(bytes(packet), (sink.eids[family], 0))
            came.append(coming(sniffer))
    return came


def coming(sniffer: socket.socket) -> bytes:
    """The next packet that the device brought up, past those that the host sent there."""
    while True:
        packet, (_name, _protocol, kind, *_rest) = sniffer.recvfrom(65535)
        if kind != socket.PACKET_OUTGOING:
            return packet


def without_ttl(packet: bytes) -> bytes:
    """The packet with what a router changes on the way blotted out."""
    if packet[0] >> 4 == 4:
        return packet[:8] + b"\0" + packet[9:10] + b"\0\0" + packet[12:]
    return packet[:7] + b"\0" + packet[8:]


def sound(packet: bytes) -> bool:
    """Whether the IPv4 header's checksum is right."""
    if packet[0] >> 4 != 4:
        return True
    words = [int.from_bytes(packet[i : i + 2], "big") for i in range(0, (packet[0] & 15) * 4, 2)]
    return sum(words) % 0xFFFF == 0


def odd_v4(a: str, b: str) -> list[Packet]:
    """IPv4 with options, in fragments, with half a transport header or none that we know."""
    head = IP(src=a, dst=b, ttl=64, id=78)
    options = [[IPOption_RR(length=39, routers=["0.0.0.0"] * 9)], [IPOption_Timestamp(length=12)], [b"\x01" * 4]]
    parts: list[Packet] = fragment(head / DATA, fragsize=200)  # type: ignore[no-untyped-call]
    return [
        *(IP(src=a, dst=b, ttl=64, id=79, options=some) / DATA for some in options),
        *parts,
        IP(src=a, dst=b, ttl=64, id=80, flags="DF+MF") / DATA,
        IP(src=a, dst=b, ttl=64, proto=253) / Raw(b"experiment"),
        IP(src=a, dst=b, ttl=64, proto=6) / Raw(b"cut"),
        IP(src=a, dst=b, ttl=64, proto=253),
    ]


def odd_v6(a: str, b: str) -> list[Packet]:
    """IPv6 with extension headers, in fragments, with half a transport header or none that we know."""
    head = IPv6(src=a, dst=b, hlim=64, fl=0x12345)
    pad = PadN(optdata=b"\0\0\0\0")
    parts: list[Packet] = fragment6(head / IPv6ExtHdrFragment(id=7) / DATA, 400)  # type: ignore[no-untyped-call]
    return [
        head / IPv6ExtHdrHopByHop(options=[pad]) / DATA,
        head / IPv6ExtHdrDestOpt(options=[pad]) / DATA,
        head / IPv6ExtHdrHopByHop(options=[pad]) / IPv6ExtHdrDestOpt(options=[pad]) / IPv6ExtHdrFragment(id=9) / DATA,
        *parts,
        IPv6(src=a, dst=b, hlim=64, nh=59),
        IPv6(src=a, dst=b, hlim=64, nh=253) / Raw(b"experiment"),
        IPv6(src=a, dst=b, hlim=64, nh=6) / Raw(b"cut"),
    ]


@pytest.mark.parametrize("offload", ["on", "off"])
@UNDERLAYS
def test_options_extension_headers_and_fragments_pass_as_they_are(lab: Lab, version: int, offload: str) -> None:
    pair = Pair(lab, version).start(f"offload = {offload}\n", f"offload = {offload}\n")
    for family, (source, sink) in itertools.product((4, 6), ((pair.left, pair.right), (pair.right, pair.left))):
        packets = (odd_v4 if family == 4 else odd_v6)(source.eids[family], sink.eids[family])
        came = crossing(source, sink, packets)
        assert [without_ttl(packet) for packet in came] == [without_ttl(bytes(packet)) for packet in packets]
        assert all(sound(packet) for packet in came)
        assert {packet[8 if family == 4 else 7] for packet in came} == {63}, "the router's hop counts inside too"
    assert (pair.left.plane()["drops"], pair.right.plane()["drops"]) == ({}, {})


@UNDERLAYS
def test_a_wrong_outer_checksum_is_dropped_and_counted(lab: Lab, version: int) -> None:
    """LISP packets from the far end's RLOC: of them only those with a right checksum or none come up."""
    pair = Pair(lab, version).start()
    text = b"inside" * 20  # of a datagram of 76 bytes and less the kernel does not say which socket it was for
    inner = bytes(IP(src=pair.right.eids[4], dst=pair.left.eids[4]) / UDP(sport=PORT, dport=PORT) / Raw(text))
    outer = (IP if version == 4 else IPv6)(src=pair.right.rloc, dst=pair.left.rloc)
    right = bytes(outer / UDP(sport=50000, dport=4341) / Raw(bytes(8) + inner))
    at = (20 if version == 4 else 40) + 6
    wrong = right[:at] + bytes([right[at] ^ 1]) + right[at + 1 :]
    none = right[:at] + b"\0\0" + right[at + 2 :]
    with pair.left.udp(4, PORT) as receiver, raw(pair.router, version) as sender:
        for packet in (*[wrong] * 20, right, none):
            sender.sendto(packet, (pair.left.rloc, 0))
        assert [receiver.recv(200) for _ in range(2)] == [text] * 2
        until(lambda: pair.left.plane()["drops"] == {"outer-checksum": 20}, BOUND_S, "each counted")
        assert pair.left.plane()["packets_in"] == 2
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiver.recv(100)
    assert "outer-checksum" in pair.left.daemon.ctl("status")
