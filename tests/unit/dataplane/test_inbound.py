"""The way in: what is delivered, how it looks, and what is not and why."""

from __future__ import annotations

import socket

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6

from lispfast.model.forwarding import Transaction
from lispfast.model.reasons import DataReason

from .bench import SO_NO_CHECK, UDP_NO_CHECK6_TX, Bench, incoming, locals_of
from .test_ecn import DROP, FIGURE_4


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("version", [4, 6])
def test_every_family_inside_every_family(bench: Bench, version: int, outer: int) -> None:
    sent = bench.inject(incoming(version, b"hello"), outer)
    assert bench.delivered() == sent
    bench.wait_totals(packets_in=1, bytes_in=len(sent))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("inner_ttl", "outer_ttl", "expected"), [(64, 20, 20), (20, 64, 20), (9, 9, 9)])
def test_the_lower_ttl_stays(bench: Bench, version: int, inner_ttl: int, outer_ttl: int, expected: int) -> None:
    name = "ttl" if version == 4 else "hlim"
    bench.inject(incoming(version, b"", **{name: inner_ttl}), ttl=outer_ttl)
    got = bench.delivered()
    again = IP(got) if version == 4 else IPv6(got)
    assert (again.ttl if version == 4 else again.hlim) == expected
    assert got == bytes(incoming(version, b"", **{name: expected}))


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("version", [4, 6])
def test_dscp_is_copied_and_ecn_combined(bench: Bench, version: int, outer: int) -> None:
    drops = 0
    name = "tos" if version == 4 else "tc"
    for inner_mark, row in FIGURE_4.items():
        for outer_mark, expected in zip((0, 2, 1, 3), row, strict=True):
            bench.inject(incoming(version, b"", **{name: 0x20 | inner_mark}), outer, tos=0xB8 | outer_mark)
            if expected == DROP:
                drops += 1
                bench.wait_drops(DataReason.ECN_DROP, drops)
            else:
                # The whole packet, its header checksum included, is as if it had been sent so.
                assert bench.delivered() == bytes(incoming(version, b"", **{name: 0xB8 | expected}))


def test_bytes_after_the_packet_stay_behind(bench: Bench) -> None:
    packet = bytes(incoming(payload=b"x"))
    bench.inject(packet + b"trailer")
    assert bench.delivered() == packet


@pytest.mark.parametrize(
    "header",
    [b"\x80abc1234", b"\x40\x00\x00\x00\xff\xff\xff\xff", b"\xe0abc1234", b"\x10abc\x00\x00\x00\x00"],
    ids=["N", "L", "NLE", "V"],
)
def test_hints_are_ignored(bench: Bench, header: bytes) -> None:
    sent = bench.inject(incoming(), header=header)
    assert bench.delivered() == sent


def test_the_instance_id_is_that_of_the_i_bit(bench: Bench) -> None:
    bench.commit(Transaction(local=locals_of("10.9.0.1", iid=7)))
    sent = bench.inject(incoming(), header=b"\x08\0\0\0\0\0\x07\xff")
    assert bench.delivered() == sent
    bench.inject(incoming())  # the same without: instance-ID 0
    bench.wait_drops(DataReason.INSTANCE_UNKNOWN)


@pytest.mark.parametrize(("outer", "level", "option"), [(4, socket.SOL_SOCKET, SO_NO_CHECK), (6, 17, UDP_NO_CHECK6_TX)])
def test_a_zero_checksum_is_accepted(bench: Bench, outer: int, level: int, option: int) -> None:
    bench.far[outer].setsockopt(level, option, 1)
    sent = bench.inject(incoming(), outer)
    assert bench.delivered() == sent


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", DataReason.OUTER_TRUNCATED),
        (bytes(8), DataReason.OUTER_TRUNCATED),
        (bytes(8) + bytes(incoming())[:19], DataReason.OUTER_TRUNCATED),
        (bytes(8) + bytes(incoming(6))[:39], DataReason.OUTER_TRUNCATED),
        (b"\x01" + bytes(7) + bytes(incoming()), DataReason.HEADER_UNSUPPORTED),
        (b"\x04" + bytes(7) + bytes(incoming()), DataReason.NEXT_PROTOCOL),
        (bytes(8) + b"\x55" + bytes(40), DataReason.INNER_VERSION),
        (bytes(8) + bytes(incoming(payload=b"cut"))[:-1], DataReason.INNER_LENGTH),
        (bytes(8) + bytes(incoming(6, payload=b"cut"))[:-1], DataReason.INNER_LENGTH),
        (bytes(8) + bytes(incoming(chksum=0x1234)), DataReason.INNER_MALFORMED),
        (b"\x08" + bytes(5) + b"\x09\x00" + bytes(incoming()), DataReason.INSTANCE_UNKNOWN),
        (bytes(8) + bytes(incoming(dst="10.9.0.3")), DataReason.NOT_OUR_EID),
        (bytes(8) + bytes(incoming(dst="224.0.0.1")), DataReason.NOT_OUR_EID),
        (bytes(8) + bytes(incoming(6, dst="fd09::3")), DataReason.NOT_OUR_EID),
        (bytes(8) + bytes(incoming(src="10.9.0.1")), DataReason.OWN_SOURCE),
        (bytes(8) + bytes(incoming(6, src="fd09::1")), DataReason.OWN_SOURCE),
        (bytes(8) + bytes(incoming(src="224.0.0.1")), DataReason.NOT_UNICAST),
        (bytes(8) + bytes(incoming(src="0.0.0.0")), DataReason.NOT_UNICAST),
        (bytes(8) + bytes(incoming(6, src="::")), DataReason.NOT_UNICAST),
        (bytes(8) + bytes(incoming(6, src="ff02::1")), DataReason.NOT_UNICAST),
        (bytes(8) + bytes(incoming(6, src="fe80::1")), DataReason.NOT_UNICAST),
        (bytes(8) + bytes(incoming(src="169.254.0.9")), DataReason.NOT_UNICAST),
    ],
)
def test_a_bad_datagram_is_dropped_by_name(bench: Bench, datagram: bytes, reason: DataReason) -> None:
    bench.inject(datagram[8:], header=datagram[:8])
    bench.wait_drops(reason)
    sent = bench.inject(incoming(payload=b"after"))
    assert bench.delivered() == sent  # nothing else was written before it


def test_a_tun_that_refuses(bench: Bench) -> None:
    bench.tun.close()
    bench.inject(incoming())
    bench.wait_drops(DataReason.TUN_REFUSED)
    assert bench.engine.describe()["tun"] == "lost"


def test_who_packets_came_from(bench: Bench) -> None:
    bench.inject(incoming(), 4)
    bench.inject(incoming(), 6)
    bench.inject(incoming(dst="10.9.0.3"), 4)  # refused: says nothing about its sender
    bench.wait_totals(packets_in=2)
    ages = bench.engine.traffic().outer_sources
    assert {str(address) for address in ages} == {"127.0.0.2", "::1"}
    assert all(0 <= age < 5 for age in ages.values())


def test_udp_payload_stays_whole(bench: Bench) -> None:
    for size in (0, 1, 1399, 9000, 60000):
        sent = bench.inject(incoming(payload=bytes(size)))
        got = bench.delivered()
        assert got == sent
        assert len(IP(got)[UDP].payload) == size
