"""Runs: frames of many segments on their way out, many datagrams on their way in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scapy.packet import Packet

from lispfast.model.forwarding import Drop, Encapsulate, SourceRloc, Transaction
from lispfast.model.reasons import DataReason
from lispfast.model.settings import Forwarding, UdpChecksum

from .bench import LOCAL, QUIET, REMOTE, SLOT, Bench, address, incoming, inner
from .twin_segment import TCP, UDP, segment
from .vnet import GSO, NEEDS_CSUM, Written, pattern, place, read_frame, send_frame, send_run, tcp

Make = Callable[..., Bench]
POLICIES = list(UdpChecksum)


@pytest.fixture
def framed() -> Iterator[Make]:
    benches: list[Bench] = []

    def make(**forwarding: Any) -> Bench:
        benches.append(Bench(framed=True, forwarding=Forwarding(**forwarding)))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


def packet(protocol: int, version: int, length: int, **fields: Any) -> Packet:
    if protocol == TCP:
        return tcp(version, pattern(length), flags="PA", **fields)
    return inner(version, pattern(length), **fields)


def segments(whole: bytes, size: int) -> list[bytes]:
    protocol, start, _ = place(whole)
    return segment(whole, protocol, start, size)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("ports", [1, 16])
@pytest.mark.parametrize("outer", [4, 6])
def test_a_frame_leaves_as_the_packets_it_stands_for(framed: Make, outer: int, ports: int, policy: UdpChecksum) -> None:
    bench = framed(source_ports=ports, udp_checksum=policy)
    bench.map(Encapsulate((bench.locator(outer),)))
    total = size_of_all = 0
    for version in (4, 6):
        for protocol in (TCP, UDP):
            for length, size in ((1, 1000), (1000, 1000), (5001, 1000), (20_000, 1380), (300, 7)):
                expected = segments(send_frame(bench, packet(protocol, version, length), size), size)
                assert [bench.outer(outer).payload for _ in expected] == [QUIET + one for one in expected]
                total, size_of_all = total + len(expected), size_of_all + sum(map(len, expected))
    bench.wait_totals(packets_out=total, bytes_out=size_of_all)
    assert bench.drops() == {}
    assert bench.engine.take_punts() == []


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_a_partial_checksum_is_completed(framed: Make, protocol: int, version: int) -> None:
    bench = framed()
    bench.map()
    sent = send_frame(bench, packet(protocol, version, 333))
    assert bench.outer().payload[8:] == sent


def released(bench: Bench, packets: list[Packet]) -> list[int]:
    """What arrives of packets that waited in the stage, and so were in one batch."""
    sent = [send_frame(bench, one) for one in packets]
    bench.wait_totals(staged=len(sent))
    bench.map()
    arrived = [bench.outer().payload[8:] for _ in sent]
    assert sorted(arrived) == sorted(sent)
    return [sent.index(one) for one in arrived]


def test_interleaved_flows_keep_their_order(framed: Make) -> None:
    bench = framed()
    flows = [inner(4, pattern(100, at), sport=1000 + at % 7) for at in range(140)]
    order = released(bench, flows)
    for flow in range(7):
        assert [at for at in order if at % 7 == flow] == list(range(flow, 140, 7))


def test_a_flow_that_changes_its_ecn_mark_keeps_its_order(framed: Make) -> None:
    bench = framed()
    assert released(bench, [inner(4, pattern(100, at), tos=(2, 3, 0)[at % 3]) for at in range(30)]) == list(range(30))


def test_sizes_that_rise_and_fall_keep_their_order(framed: Make) -> None:
    bench = framed()
    lengths = [100, 100, 50, 100, 1000, 1000, 1, 0, 1000, 100]
    assert released(bench, [inner(4, pattern(n, at)) for at, n in enumerate(lengths)]) == list(range(len(lengths)))


def test_each_packet_of_a_batch_has_its_own_ttl_and_class(framed: Make) -> None:
    bench = framed(source_ports=1)
    kinds = [(ttl, tos) for ttl in (3, 64) for tos in (0, 2, 0xB8)] * 4
    for ttl, tos in kinds:
        send_frame(bench, inner(4, bytes([ttl, tos]), ttl=ttl, tos=tos))
    bench.wait_totals(staged=len(kinds))
    bench.map()
    for _ in kinds:
        outer = bench.outer()
        assert (outer.ttl, outer.tos) == (outer.payload[-2], outer.payload[-1])


def test_two_locators_share_no_run(framed: Make) -> None:
    bench = framed(source_ports=1)
    frames = [inner(4, pattern(100, at), dst=f"10.9.1.{at % 2}") for at in range(40)]
    sent = [send_frame(bench, one) for one in frames]
    bench.wait_totals(staged=len(sent))
    for last, version in enumerate((4, 6)):
        bench.map(Encapsulate((bench.locator(version),)), f"10.9.1.{last}/32")
    for last, version in enumerate((4, 6)):
        assert [bench.outer(version).payload[8:] for _ in range(20)] == sent[last::2]


def test_staged_frames_leave_before_later_ones(framed: Make) -> None:
    bench = framed()
    first = [segments(send_frame(bench, tcp(4, pattern(5000, n), seq=n * 5000), 1000), 1000) for n in range(8)]
    bench.wait_totals(staged=8)
    bench.map()
    later = [segments(send_frame(bench, tcp(4, pattern(5000, n), seq=n * 5000), 1000), 1000) for n in range(8, 16)]
    expected = [one for frame in first + later for one in frame]
    assert [bench.outer().payload[8:] for _ in expected] == expected


def test_a_frame_that_makes_no_sense_is_malformed(framed: Make) -> None:
    bench = framed()
    bench.map()
    bench.tun.send(bytes([0, 1, 0, 0, 0, 0, 0, 0, 0, 0]) + bytes(inner()))  # TCP segments of nothing, of UDP
    bench.tun.send(bytes([0, 99]) + bytes(8) + bytes(inner()))  # no such kind
    bench.tun.send(bytes([NEEDS_CSUM, 0, 0, 0, 0, 0, 0xFF, 0xFF, 6, 0]) + bytes(inner()))  # a checksum far outside
    bench.tun.send(bytes(9))
    bench.wait_drops(DataReason.INNER_MALFORMED, 4)


def stands_for(written: Written) -> list[bytes]:
    """The packets that the kernel makes of a frame."""
    protocol, start, at = place(written.data)
    if not written.size:
        assert written.flags == written.gso == 0
        return [written.data]
    assert written.gso == GSO[written.data[0] >> 4, protocol]
    assert (written.flags, written.start, written.offset) == (NEEDS_CSUM, start, at - start)
    return segment(written.data, protocol, start, written.size)


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_a_run_comes_in_as_one_frame(framed: Make, protocol: int, version: int, outer: int) -> None:
    bench = framed()
    fields: dict[str, Any] = {"src": str(REMOTE[version]), "dst": str(LOCAL[version])}
    lengths = [1000] * 30 + [300]
    made = []
    for number, length in enumerate(lengths):
        extra: dict[str, Any] = {"id": number} if version == 4 else {}
        if protocol == TCP:
            made.append(tcp(version, pattern(length, number), seq=number * 1000, **fields, **extra))
        else:
            made.append(incoming(version, pattern(length, number), **extra))
    sent = send_run(bench, made, outer)
    got: list[bytes] = []
    frames = 0
    while len(got) < len(sent):
        frames += 1
        got += stands_for(read_frame(bench))
    assert got == sent
    assert frames == 1
    bench.wait_totals(packets_in=len(sent), bytes_in=sum(map(len, sent)))


def test_what_cannot_be_merged_comes_in_apart(framed: Make) -> None:
    bench = framed()
    back: dict[str, Any] = {"src": str(REMOTE[4]), "dst": str(LOCAL[4])}
    made = [tcp(4, pattern(500), seq=number * 500, id=number, **back) for number in range(4)]
    made[2] = tcp(4, pattern(500), seq=1000, id=2, ttl=50, **back)
    sent = send_run(bench, made)
    frames = [read_frame(bench) for _ in range(3)]
    assert [one for written in frames for one in stands_for(written)] == [bytes(one) for one in sent]
    assert [bool(written.size) for written in frames] == [True, False, False]


def test_use_is_counted_by_mapping(framed: Make) -> None:
    bench = framed()
    bench.map(None, "10.9.0.2/32")
    bench.map(Drop(), "10.9.1.0/24")
    expected = segments(send_frame(bench, tcp(4, pattern(10_000)), 1000), 1000)
    send_frame(bench, inner(4, dst="10.9.1.1"))
    back = [incoming(4, pattern(100), id=number) for number in range(5)]
    sent = send_run(bench, back)
    bench.wait_totals(packets_out=len(expected), packets_in=len(sent))
    bench.wait_drops(DataReason.MAPPING_DROP)
    use = {str(prefix.network): used for prefix, used in bench.engine.traffic().prefixes.items()}
    out = use["10.9.0.2/32"]
    assert (out.packets_out, out.bytes_out, out.drops) == (10, sum(map(len, expected)), 0)
    assert (out.packets_in, out.bytes_in) == (5, sum(map(len, sent)))
    assert (use["10.9.1.0/24"].packets_out, use["10.9.1.0/24"].drops) == (0, 1)


def test_a_source_that_has_gone_costs_no_runs(framed: Make) -> None:
    bench = framed()
    bench.map(Encapsulate((bench.locator(6),)))
    bench.commit(Transaction(sources=(SourceRloc(SLOT[6], address("2001:db8::77")),)))
    lost = segments(send_frame(bench, tcp(4, pattern(5000)), 1000), 1000)
    bench.wait_drops(DataReason.SEND_FAILED, len(lost))
    assert bench.engine.take_punts() == []
    assert "none on" not in str(bench.engine.describe()["udp_segment"])


def test_without_offload_every_packet_stands_alone(framed: Make) -> None:
    bench = Bench(forwarding=Forwarding(offload=False))
    bench.map()
    sent = send_run(bench, [incoming(4, pattern(100, number), id=number) for number in range(10)])
    assert [bench.delivered() for _ in sent] == sent
    bench.close()
