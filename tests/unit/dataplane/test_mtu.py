"""Packets that do not fit their path: split, answered, or sent in outer fragments (RFC 9300 section 7)."""

from __future__ import annotations

import re
import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6

from lispfast.model.forwarding import Encapsulate, PathMtu
from lispfast.model.reasons import DataReason
from lispfast.model.settings import Forwarding
from lispfast.model.units import WireMtu

from .bench import FAR, LOCAL, QUIET, REMOTE, Bench, address, incoming, inner, wait_until
from .namespace import apart
from .twin_fragment import fragment, reassemble
from .twin_segment import TCP as TCP_PROTOCOL
from .twin_segment import UDP as UDP_PROTOCOL
from .twin_segment import segment
from .vnet import pattern, read_frame, send_frame, send_run, tcp

OVERHEAD = {4: 36, 6: 56}


@pytest.fixture
def framed() -> Iterator[Bench]:
    bench = Bench(framed=True)
    yield bench
    bench.close()


def limit(bench: Bench, mtu: int, outer: int = 4) -> int:
    """Map everything to a path of this MTU; the room that it leaves for inner packets."""
    bench.map(Encapsulate((bench.locator(outer, mtu=mtu),)))
    return mtu - OVERHEAD[outer]


@pytest.mark.parametrize("outer", [4, 6])
def test_dont_fragment_is_answered(bench: Bench, outer: int) -> None:
    room = limit(bench, 1450, outer)
    fits = bench.send(inner(payload=pattern(room - 28), flags="DF"))
    sent = bench.send(inner(payload=pattern(room - 27), flags="DF"))
    got = bench.delivered()
    answer = IP(got)
    assert bench.outer(outer).payload == QUIET + fits
    assert (answer[ICMP].type, answer[ICMP].code, answer[ICMP].nexthopmtu) == (3, 4, room)
    assert got[28:] == sent[: 576 - 28]
    bench.wait_drops(DataReason.TOO_BIG)
    assert sum(use.drops for use in bench.engine.traffic().prefixes.values()) == 1


@pytest.mark.parametrize("outer", [4, 6])
def test_ipv6_is_answered(bench: Bench, outer: int) -> None:
    room = limit(bench, 1450, outer)
    fits = bench.send(inner(6, pattern(room - 48)))
    bench.send(inner(6, pattern(room - 47)))
    answer = IPv6(bench.delivered())
    assert bench.outer(outer).payload == QUIET + fits
    assert answer[ICMPv6PacketTooBig].mtu == room
    bench.wait_drops(DataReason.TOO_BIG)


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("mtu", [1400, 1336, 9000])
def test_what_may_be_fragmented_is(bench: Bench, mtu: int, outer: int) -> None:
    room = limit(bench, mtu, outer)
    sent = bytes(inner(payload=pattern(room * 3), id=77))
    bench.send(sent)
    got = [bench.outer(outer).payload[8:] for _ in fragment(sent, room, (room - 20) // 8 * 8)]
    assert all(len(one) <= room for one in got)
    assert reassemble(got) == sent[20:]
    bench.settle()
    assert bench.drops() == {"inner-malformed": 1}


def arrival(bench: Bench, outer: int) -> tuple[bytes, int]:
    """Payload and source port of the next datagram."""
    payload, name = bench.far[outer].recvfrom(70000)
    return payload, name[1]


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("version", [4, 6])
def test_up_to_1280_bytes_leave_whole_on_a_path_of_their_own(bench: Bench, version: int, outer: int) -> None:
    room = limit(bench, 1280, outer)
    header = 28 if version == 4 else 48
    small = bench.send(inner(version, pattern(room - header)))
    large = [bench.send(inner(version, pattern(length - header))) for length in (room + 1, 1280)]
    payload, port = arrival(bench, outer)
    assert payload == QUIET + small
    others = [arrival(bench, outer) for _ in large]
    assert [payload for payload, _ in others] == [QUIET + one for one in large]
    assert len({name for _, name in others}) == 1
    assert others[0][1] != port
    dont: dict[str, Any] = {"flags": "DF"} if version == 4 else {}
    bench.send(inner(version, pattern(1281 - header), **dont))
    answer = bench.delivered()
    assert (IP(answer)[ICMP].nexthopmtu if version == 4 else IPv6(answer)[ICMPv6PacketTooBig].mtu) == 1280


@pytest.mark.parametrize("version", [4, 6])
def test_a_frame_whose_segments_do_not_fit_is_answered_once(framed: Bench, version: int) -> None:
    room = limit(framed, 1400)
    packet = tcp(version, pattern(15_000))
    if version == 4:
        packet.flags = "DF"
    send_frame(framed, packet, 1400)
    answer = read_frame(framed).data
    assert (IP(answer)[ICMP].nexthopmtu if version == 4 else IPv6(answer)[ICMPv6PacketTooBig].mtu) == room
    framed.wait_drops(DataReason.TOO_BIG, 11)
    assert not select.select([framed.tun], [], [], 0)[0]


@pytest.mark.parametrize("protocol", [TCP_PROTOCOL, UDP_PROTOCOL])
def test_a_frame_whose_segments_may_be_fragmented(framed: Bench, protocol: int) -> None:
    room = limit(framed, 1336)
    packet = tcp(4, pattern(12_000)) if protocol == TCP_PROTOCOL else inner(4, pattern(12_000))
    segments = segment(send_frame(framed, packet, 1400), protocol, 20, 1400)
    for one in segments:
        parts = [framed.outer().payload[8:] for _ in range(1 if len(one) <= room else 2)]
        assert all(len(part) <= room for part in parts)
        assert reassemble(parts) == one[20:]
    assert framed.drops() == {}


@pytest.mark.parametrize("version", [4, 6])
def test_segments_up_to_1280_bytes_leave_whole(framed: Bench, version: int) -> None:
    limit(framed, 1280, 6)
    start = 20 if version == 4 else 40
    size = 1280 - start - 20
    expected = segment(send_frame(framed, tcp(version, pattern(10_000)), size), TCP_PROTOCOL, start, size)
    got = [framed.outer(6).payload[8:] for _ in expected]
    assert sorted(got) == sorted(expected)  # the last one fits, and may overtake
    assert framed.drops() == {}


def test_answers_are_few(bench: Bench) -> None:
    limit(bench, 1400)
    for _ in range(400):
        bench.send(inner(payload=pattern(1400), flags="DF"))
    bench.wait_drops(DataReason.TOO_BIG, 400)
    answers = 0
    while select.select([bench.tun], [], [], 0)[0]:
        bench.tun.recv(2000)
        answers += 1
    assert 50 <= answers < 300


def mss(packet: bytes) -> int:
    parsed = (IP if packet[0] >> 4 == 4 else IPv6)(packet)
    del_checksum = parsed[TCP].chksum
    del parsed[TCP].chksum
    assert type(parsed)(bytes(parsed))[TCP].chksum == del_checksum
    return int(dict(parsed[TCP].options)["MSS"])


@pytest.mark.parametrize("clamp", [True, False])
@pytest.mark.parametrize("version", [4, 6])
def test_the_mss_of_a_syn(version: int, clamp: bool) -> None:
    bench = Bench(forwarding=Forwarding(mss_clamp=clamp))
    limit(bench, 1400, 6)
    options: dict[str, Any] = {"flags": "S", "options": [("MSS", 1460)]}
    bench.send(tcp(version, **options))
    headers = 40 if version == 4 else 60
    assert mss(bench.outer(6).payload[8:]) == (1400 - 56 - headers if clamp else 1460)
    back: dict[str, Any] = {"src": str(REMOTE[version]), "dst": str(LOCAL[version])}
    bench.inject(tcp(version, **options, **back))
    assert mss(bench.delivered()) == (1400 - 56 - headers if clamp else 1460)
    bench.close()


def created(version: int) -> int:
    """Fragments that this thread's namespace made."""
    if version == 6:
        text = Path("/proc/thread-self/net/snmp6").read_text()
        return int(re.findall(r"Ip6FragCreates\s+(\d+)", text)[0])
    names, values = re.findall(r"^Ip: (.*)$", Path("/proc/thread-self/net/snmp").read_text(), re.MULTILINE)
    return int(dict(zip(names.split(), values.split(), strict=True))["FragCreates"])


@pytest.mark.netns
@pytest.mark.parametrize("outer", [4, 6])
def test_outer_fragments_on_a_small_link(outer: int) -> None:
    def body() -> None:
        bench = Bench()
        limit(bench, 1280, outer)
        sent = [bench.send(inner(version, pattern(1280 - 48))) for version in (4, 6)]
        assert [bench.outer(outer).payload[8:] for _ in sent] == sent
        assert created(outer) == 4
        bench.close()

    apart(body, "ip link set lo mtu 1280 up")


@pytest.mark.netns
@pytest.mark.parametrize("outer", [4, 6])
def test_a_link_that_is_smaller_than_the_table_knows(outer: int) -> None:
    def body() -> None:
        bench = Bench(framed=True)
        limit(bench, 1500, outer)
        expected = segment(send_frame(bench, tcp(4, pattern(20_000)), 1380), TCP_PROTOCOL, 20, 1380)
        (last,) = [one for one in expected if len(one) + OVERHEAD[outer] <= 1280]
        assert bench.outer(outer).payload[8:] == last
        bench.wait_drops(DataReason.TOO_BIG, len(expected) - 1)
        wait_until(lambda: set(bench.engine.take_punts()) == {PathMtu(address(FAR[outer]), WireMtu(1280))})
        limit(bench, 1280, outer)
        expected = segment(send_frame(bench, tcp(4, pattern(20_000)), 1000), TCP_PROTOCOL, 20, 1000)
        assert [bench.outer(outer).payload[8:] for _ in expected] == expected
        assert "none on" not in str(bench.engine.describe()["udp_segment"])
        bench.close()

    apart(body, "ip link set lo mtu 1280 up")


def test_a_large_run_comes_in_whatever_the_way_back_takes(framed: Bench) -> None:
    limit(framed, 1280)
    sent = send_run(framed, [incoming(4, pattern(1400), id=number) for number in range(20)])
    got = b""
    while len(got) < 20 * 1400:
        got += read_frame(framed).data[28:]
    assert got == b"".join(one[28:] for one in sent)
