"""A tunnel inside of another: what an engine sends, taken apart by hand."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6

from lispfast.model.forwarding import Encapsulate, InnerTunnel, PathMtu, Punt, SourceRloc, Transaction, Unreachable
from lispfast.model.reasons import DataReason
from lispfast.model.settings import Forwarding, UdpChecksum
from lispfast.model.units import WireMtu

from .bench import NEAR, QUIET, REMOTE, Bench, address, inner, locals_of
from .twin_fragment import reassemble
from .twin_segment import TCP, segment
from .twin_segment import UDP as UDP_PROTOCOL
from .twin_segment import checksum as sum_up
from .vnet import pattern, place, send_frame, tcp

INSIDE = {4: address("198.51.100.7"), 6: address("2001:db8:7::7")}
FROM = {4: address("203.0.113.5"), 6: address("2001:db8:5::5")}
INSIDE_SLOT = {4: 8, 6: 9}
SIZE = {4: 36, 6: 56}
OVERHEAD = {4: 36, 6: 56}
HEADER_7 = b"\x08\0\0\0\0\0\x07\0"
Make = Callable[..., Bench]


@pytest.fixture
def made() -> Iterator[Make]:
    benches: list[Bench] = []

    def make(framed: bool = False, **forwarding: Any) -> Bench:
        bench = Bench(framed=framed, forwarding=Forwarding(**forwarding))
        slots = tuple(SourceRloc(INSIDE_SLOT[version], FROM[version]) for version in (4, 6))
        bench.commit(Transaction(sources=slots))
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        bench.close()


def through(bench: Bench, outer: int, inside: int, mtu: int = 1500) -> Encapsulate:
    tunnel = InnerTunnel(INSIDE[inside], INSIDE_SLOT[inside], HEADER_7, 4341)
    return Encapsulate((bench.locator(outer, mtu=mtu, inside=tunnel),))


def take_out(payload: bytes, inside: int, tos: int, ttl: int, checksum: bool = False) -> tuple[bytes, int]:
    """The inner packet and the source port of the tunnel inside, whose headers are as they should be."""
    assert payload[:8] == QUIET
    packet = (IP if inside == 4 else IPv6)(payload[8:])
    assert (packet.src, packet.dst) == (str(FROM[inside]), str(INSIDE[inside]))
    if inside == 4:
        assert (packet.tos, packet.ttl, packet.len, packet.id, str(packet.flags)) == (
            tos,
            ttl,
            len(payload) - 8,
            0,
            "DF",
        )
        assert sum_up(payload[8:28]) == 0
    else:
        assert (packet.tc, packet.hlim, packet.plen) == (tos, ttl, len(payload) - 48)
    udp = packet[UDP]
    assert (udp.dport, udp.len) == (4341, len(payload) - 8 - SIZE[inside] + 16)
    if checksum:
        told = udp.chksum
        del udp.chksum
        assert (told, packet.__class__(bytes(packet))[UDP].chksum) == (told, told)
        assert told
    else:
        assert udp.chksum == 0
    content = payload[8 + SIZE[inside] - 8 :]
    assert content[:8] == HEADER_7
    return content[8:], udp.sport


@pytest.mark.parametrize("policy", list(UdpChecksum))
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("inside", [4, 6])
@pytest.mark.parametrize("outer", [4, 6])
def test_a_packet_enters_both(made: Make, outer: int, inside: int, version: int, policy: UdpChecksum) -> None:
    bench = made(udp_checksum=policy)
    bench.map(through(bench, outer, inside))
    marks = {"tos": 0xB9, "ttl": 33} if version == 4 else {"tc": 0xB9, "hlim": 33}
    sent = [bench.send(inner(version, pattern(size, size), **marks)) for size in (0, 1, 500, 1001)]
    ports = set()
    for packet in sent:
        got = bench.outer(outer)
        assert (got.tos, got.ttl) == (0xB9, 33)
        content, port = take_out(got.payload, inside, 0xB9, 33, policy is UdpChecksum.ON)
        assert content == packet
        ports.add(port)
    assert len(ports) == 1, "a flow has one source port"
    bench.wait_totals(packets_out=len(sent), bytes_out=sum(map(len, sent)))
    assert bench.drops() == {}


def test_flows_have_source_ports_of_their_own(made: Make) -> None:
    bench = made()
    bench.map(through(bench, 4, 4))
    for port in range(40):
        bench.send(inner(sport=1000 + port))
    assert len({take_out(bench.outer().payload, 4, 0, 64)[1] for _ in range(40)}) > 8


@pytest.mark.parametrize("policy", [UdpChecksum.AUTO, UdpChecksum.ON])
@pytest.mark.parametrize("protocol", [TCP, UDP_PROTOCOL])
@pytest.mark.parametrize("inside", [4, 6])
@pytest.mark.parametrize("outer", [4, 6])
def test_a_frame_of_many_segments(made: Make, outer: int, inside: int, protocol: int, policy: UdpChecksum) -> None:
    bench = made(framed=True, udp_checksum=policy)
    bench.map(through(bench, outer, inside))
    for version in (4, 6):
        for length, size in ((1, 1000), (5001, 1000), (20_000, 1280), (300, 7)):
            payload = pattern(length)
            packet = tcp(version, payload, flags="PA") if protocol == TCP else inner(version, payload)
            whole = send_frame(bench, packet, size)
            for expected in segment(whole, protocol, place(whole)[1], size):
                got = take_out(bench.outer(outer).payload, inside, 0, 64, policy is UdpChecksum.ON)[0]
                assert got == expected
    assert bench.drops() == {}


@pytest.mark.parametrize("inside", [4, 6])
@pytest.mark.parametrize("outer", [4, 6])
def test_the_path_takes_less_by_both_headers(made: Make, outer: int, inside: int) -> None:
    bench = made()
    bench.map(through(bench, outer, inside, 1480))
    room = 1480 - OVERHEAD[outer] - SIZE[inside]
    fits = bench.send(inner(payload=pattern(room - 28), flags="DF"))
    assert take_out(bench.outer(outer).payload, inside, 0, 64)[0] == fits
    bench.send(inner(payload=pattern(room - 27), flags="DF"))
    assert IP(bench.delivered())[ICMP].nexthopmtu == room
    bench.send(inner(6, pattern(room - 47)))
    assert IPv6(bench.delivered())[ICMPv6PacketTooBig].mtu == room
    bench.wait_drops(DataReason.TOO_BIG, 2)


def test_what_may_be_split_is_and_each_part_enters_both(made: Make) -> None:
    bench = made()
    bench.map(through(bench, 6, 6, 1480))
    sent = bench.send(inner(payload=pattern(3000), id=77))
    parts = [take_out(bench.outer(6).payload, 6, 0, 64)[0] for _ in range(3)]
    assert max(map(len, parts)) <= 1480 - OVERHEAD[6] - SIZE[6]
    assert reassemble(parts) == sent[20:]
    assert bench.drops() == {}


def test_segments_that_are_too_long_go_apart(made: Make) -> None:
    bench = made(framed=True)
    bench.map(through(bench, 4, 6, 1400))
    room = 1400 - OVERHEAD[4] - SIZE[6]
    whole = send_frame(bench, inner(4, pattern(2760), id=9), 1380)
    for expected in segment(whole, UDP_PROTOCOL, 20, 1380):
        parts = [take_out(bench.outer(4).payload, 6, 0, 64)[0] for _ in range(2)]
        assert max(map(len, parts)) <= room
        assert reassemble(parts) == expected[20:]


def test_up_to_1280_bytes_go_in_outer_fragments_where_the_path_takes_no_more(made: Make) -> None:
    bench = made()
    bench.map(through(bench, 4, 6, 1300))
    sent = bench.send(inner(6, pattern(1280 - 48)))
    assert take_out(bench.outer(4).payload, 6, 0, 64)[0] == sent
    assert bench.drops() == {}


def test_without_a_source_rloc_inside_another_locator_is_taken(made: Make) -> None:
    bench = made()
    (deep,) = through(bench, 4, 6).locators
    bench.map(Encapsulate((deep, replace(deep, inside=None, priority=9))))
    sent = bench.send(inner())
    assert take_out(bench.outer().payload, 6, 0, 64)[0] == sent
    for gone in (SourceRloc(INSIDE_SLOT[6], None), SourceRloc(INSIDE_SLOT[6], FROM[4])):
        bench.commit(Transaction(sources=(gone,)))
        sent = bench.send(inner())
        assert bench.outer().payload == QUIET + sent
    bench.map(Encapsulate((deep,)))
    bench.send(inner())
    bench.wait_drops(DataReason.NO_LOCATOR)


@pytest.mark.parametrize("policy", [UdpChecksum.AUTO, UdpChecksum.ON])
@pytest.mark.parametrize("inside", [4, 6])
def test_the_routers_on_the_way_take_off_one_each(made: Make, inside: int, policy: UdpChecksum) -> None:
    """The sender, the visited site's router, and the one who visits it."""
    sender, site, visitor = made(udp_checksum=policy), made(), made()
    sender.map(through(sender, 4, inside))
    site.commit(Transaction(local=locals_of(str(INSIDE[inside]))))
    visitor.commit(Transaction(local=locals_of(str(REMOTE[4]), iid=7)))
    sent = sender.send(inner(payload=pattern(600)))
    site.far[4].sendto(sender.outer().payload, (NEAR[4], site.port))
    datagram = (IP if inside == 4 else IPv6)(site.delivered())[UDP]
    visitor.far[4].sendto(bytes(datagram.payload), (NEAR[4], visitor.port))
    assert visitor.delivered() == sent
    assert [bench.drops() for bench in (sender, site, visitor)] == [{}] * 3


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("ports", [1, 16])
@pytest.mark.parametrize(("kind", "code", "expected"), [(3, 4, PathMtu), (3, 1, Unreachable)])
def test_what_is_said_of_the_tunnel_inside_is_heard(
    made: Make, ports: int, kind: int, code: int, expected: type[Punt]
) -> None:
    bench = made(source_ports=ports)
    bench.map(through(bench, 4, 4))
    bench.send(inner())
    payload = bench.outer().payload
    port = take_out(payload, 4, 0, 64)[1]
    message = bytes(IP() / ICMP(type=kind, code=code, nexthopmtu=1300) / IP(payload[8:64]))[20:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as router:
        router.sendto(message, (NEAR[4], 0))
    punt = bench.punts()
    assert punt == [PathMtu(INSIDE[4], WireMtu(1300)) if expected is PathMtu else Unreachable(INSIDE[4])]
    assert (port == bench.port) == (ports == 1)


def test_locators_behind_one_router_share_the_flows(made: Make) -> None:
    bench = made()
    (one,) = through(bench, 4, 4).locators
    assert one.inside
    other = replace(one, inside=replace(one.inside, address=address("198.51.100.8")))
    bench.map(Encapsulate((one, other)))
    for port in range(60):
        bench.send(inner(sport=1000 + port))
    seen = [IP(bench.outer().payload[8:]).dst for _ in range(60)]
    assert 10 < seen.count("198.51.100.7") < 50
