"""The way out: what leaves, how, and what does not and why."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import Drop, Encapsulate, SourceRloc, Transaction
from lispfast.model.reasons import DataReason

from .bench import LOCAL, NEAR, Bench, address, inner, locals_of, wait_until

HEADER_7 = bytes([0x08, 0, 0, 0, 0, 0, 7, 0])


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("version", [4, 6])
def test_every_family_inside_every_family(bench: Bench, version: int, outer: int) -> None:
    bench.map(Encapsulate((bench.locator(outer, header=HEADER_7),)))
    ttl = {"ttl": 17, "tos": 0xB9} if version == 4 else {"hlim": 17, "tc": 0xB9}
    sent = bench.send(inner(version, b"hello", **ttl))
    got = bench.outer(outer)
    assert got.payload == HEADER_7 + sent
    assert (got.source, got.ttl, got.tos) == (NEAR[outer], 17, 0xB9)  # DSCP and ECN copied, TTL not lowered


@pytest.mark.parametrize("mark", range(4))
def test_each_ecn_mark_is_copied(bench: Bench, mark: int) -> None:
    bench.map()
    bench.send(inner(tos=mark))
    assert bench.outer().tos == mark


def test_bytes_after_the_packet_stay_behind(bench: Bench) -> None:
    bench.map()
    packet = bytes(inner(payload=b"x"))
    bench.send(packet + b"trailer")
    assert bench.outer().payload == bytes(8) + packet


def test_the_source_selects_the_instance(bench: Bench) -> None:
    bench.commit(Transaction(local=locals_of("10.9.0.1") + locals_of("10.9.0.7", iid=7)))
    bench.map(Encapsulate((bench.locator(header=HEADER_7),)), iid=7)
    bench.map(Drop())
    bench.send(inner(src="10.9.0.1"))
    sent = bench.send(inner(src="10.9.0.7"))
    assert bench.outer().payload == HEADER_7 + sent
    assert bench.drops() == {"mapping-drop": 1}


def test_a_roam_changes_the_source_of_the_very_next_packet(bench: Bench) -> None:
    bench.map()
    for source in ("127.0.0.1", "127.0.0.3", "127.0.0.4"):
        bench.commit(Transaction(sources=(SourceRloc(0, address(source)),)))
        bench.send(inner())
        assert bench.outer().source == source


def test_large_packets_leave_whole_where_the_path_takes_them(bench: Bench) -> None:
    bench.map(Encapsulate((bench.locator(mtu=65535),)))
    sent = bench.send(inner(payload=bytes(range(256)) * 200))
    assert bench.outer().payload[8:] == sent


def malformed() -> list[bytes]:
    v4, v6 = bytearray(bytes(inner(4))), bytearray(bytes(inner(6)))
    return [
        b"\x45",
        b"\x50" + bytes(v4[1:]),
        bytes(v4[:19]),
        b"\x44" + bytes(v4[1:]),  # a header of 16 bytes
        bytes(v4[:2]) + b"\x00\x13" + bytes(v4[4:]),  # total length below the header's
        bytes(v4[:2]) + b"\xff\xff" + bytes(v4[4:]),  # total length beyond what is there
        bytes(v4[:8]) + b"\x00" + bytes(v4[9:]),  # TTL 0
        bytes(v6[:39]),
        bytes(v6[:4]) + b"\xff\xff" + bytes(v6[6:]),
    ]


@pytest.mark.parametrize("packet", malformed())
def test_malformed(bench: Bench, packet: bytes) -> None:
    bench.map()
    bench.send(packet)
    bench.wait_drops(DataReason.INNER_MALFORMED)


NOWHERE = "224.0.0.251 255.255.255.255 0.0.0.0 127.0.0.1 169.254.7.7 10.9.0.1 ff02::fb ff0e::1 fe80::1 :: ::1 fd09::1"


@pytest.mark.parametrize(
    "destination",
    NOWHERE.split(),
)
def test_not_unicast_or_our_own(bench: Bench, destination: str) -> None:
    bench.map()
    bench.send(inner(6 if ":" in destination else 4, dst=destination))
    bench.wait_drops(DataReason.NOT_UNICAST)


@pytest.mark.parametrize("source", ["192.0.2.1", "10.9.0.2", "2001:db8::1", "::"])
def test_a_source_that_is_no_eid_of_ours(bench: Bench, source: str) -> None:
    bench.map()
    bench.send(inner(6 if ":" in source else 4, src=source))
    bench.wait_drops(DataReason.INNER_SOURCE)


def test_an_eid_that_was_ours_is_no_source_any_more(bench: Bench) -> None:
    bench.map()
    bench.commit(Transaction(local=()))
    bench.send(inner())
    bench.wait_drops(DataReason.INNER_SOURCE)


def test_mapping_drop(bench: Bench) -> None:
    bench.map(Drop())
    bench.send(inner())
    bench.wait_drops(DataReason.MAPPING_DROP)


def test_no_locator_once_the_slot_is_empty_and_again_with_a_network(bench: Bench) -> None:
    bench.map()
    bench.commit(Transaction(sources=(SourceRloc(0, None),)))
    bench.send(inner())
    bench.wait_drops(DataReason.NO_LOCATOR)
    bench.commit(Transaction(sources=(SourceRloc(0, address("127.0.0.1")),)))
    sent = bench.send(inner())
    assert bench.outer().payload[8:] == sent


def test_too_big_for_a_datagram(bench: Bench) -> None:
    bench.map(Encapsulate((bench.locator(mtu=65535),)))
    bench.send(IP(src=str(LOCAL[4]), dst="10.9.0.2", flags="DF") / TCP() / Raw(bytes(65480)))
    answer = IP(bench.delivered())
    assert (answer[ICMP].type, answer[ICMP].code, answer[ICMP].nexthopmtu) == (3, 4, 65535 - 36)
    bench.wait_drops(DataReason.TOO_BIG)


def test_one_refused_datagram_does_not_hold_up_the_others(bench: Bench) -> None:
    bench.commit(Transaction(sources=(SourceRloc(9, address("203.0.113.77")),)))  # no address of this host
    sent = []
    for number in range(20):
        bench.send(inner(dst="10.66.0.1"))
        sent.append(bench.send(inner(payload=bytes([number]))))
    bench.settle()  # all of them wait, and leave in one batch
    bad = (EidPrefix.parse("10.66.0.0/16"), Encapsulate((bench.locator(slot=9),)))
    good = (EidPrefix.parse("0.0.0.0/0"), Encapsulate((bench.locator(),)))
    bench.commit(Transaction(put=(bad, good)))
    assert [bench.outer().payload[8:] for _ in sent] == sent
    wait_until(lambda: bench.engine.drops()[DataReason.SEND_FAILED] == 20)
    bench.wait_totals(packets_out=20)


def test_ipv6_without_a_prefix_in_the_table_is_a_miss(bench: Bench) -> None:
    bench.map(None, "0.0.0.0/0")
    bench.send(IPv6(src="fd09::1", dst="2001:db8::5") / TCP())
    assert [str(punt.destination) for punt in bench.punts()] == ["2001:db8::5"]
