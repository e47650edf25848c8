from __future__ import annotations

import struct
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.runtime.hostview import ANYWHERE, TABLE_MAIN, Hop, HopFlag, Kind, Route
from lispfast.runtime.rtnl import (
    attribute,
    attributes,
    decode_address,
    decode_link,
    decode_route,
    decode_rule,
    is_near,
    make_address,
    make_route,
    make_rule,
    rewritten,
)

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
METRIC, MULTIPATH, CACHEINFO, EXPIRES, NH_ID, GATEWAY, OIF = 6, 9, 12, 23, 30, 5, 4


def read(body: bytes) -> Route:
    route = decode_route(body)
    assert route is not None
    return route


def found(body: bytes) -> dict[int, bytes]:
    return dict(attributes(body[12:]))


@given(st.lists(st.tuples(st.integers(1, 0x3FFF), st.binary(max_size=40)), max_size=8))
def test_attributes_come_back_as_they_went(pairs: list[tuple[int, bytes]]) -> None:
    assert list(attributes(b"".join(attribute(kind, value) for kind, value in pairs))) == pairs


@given(st.binary(max_size=200))
def test_no_bytes_hang_or_break_the_reader(data: bytes) -> None:
    assert sum(len(value) + 4 for _, value in attributes(data)) <= len(data) + 3


@given(ADDRESSES, st.integers(0, 128), st.sampled_from([5, 254, 4000]), st.integers(0, 2**32 - 1), st.booleans())
def test_a_route_of_ours_reads_back(address: object, length: int, table: int, metric: int, direct: bool) -> None:
    version = address.version  # type: ignore[attr-defined]
    network = ip_network((address, min(length, 32) if version == 4 else length), strict=False)
    route = make_route(table, network, Hop(3, None if direct else address), metric, address, b"\x08\x00\x02\x00abcd")
    again = read(route.body)
    assert again.identity() == route.identity()
    assert (again.table, again.metric, again.hops, again.source) == (table, metric, route.hops, address)


def test_a_reject_has_no_hops() -> None:
    route = make_route(5, ANYWHERE[4], None, 7)
    assert (read(route.body).kind, route.kind, route.hops) == (Kind.UNREACHABLE, Kind.UNREACHABLE, ())


def test_a_rewritten_route_differs_in_its_metric_alone() -> None:
    unknown = attribute(0x2A, b"whatever a later kernel has")
    route = read(make_route(TABLE_MAIN, ANYWHERE[4], Hop(3, ip_address("192.0.2.1")), 5).body + unknown)
    moved = read(rewritten(route, 100))
    assert moved.identity() == route.identity(100)
    assert {**found(moved.body), METRIC: b""} == {**found(route.body), METRIC: b""}
    assert METRIC not in found(rewritten(route, 0))
    assert read(rewritten(moved, 5)).body == rewritten(route, 5)


def test_what_the_kernel_only_reports_is_left_out() -> None:
    hop = struct.pack("=HBBi", 16, HopFlag.LINKDOWN | HopFlag.ONLINK, 2, 3) + attribute(GATEWAY, bytes([192, 0, 2, 1]))
    body = make_route(TABLE_MAIN, ANYWHERE[4], None).body + attribute(MULTIPATH, hop * 2)
    body = body[:8] + struct.pack("=I", HopFlag.LINKDOWN | HopFlag.DEAD) + body[12:] + attribute(CACHEINFO, bytes(32))
    out = rewritten(read(body), 100)
    assert out[8:12] == bytes(4)
    assert [hop.flags for hop in read(out).hops] == [HopFlag.ONLINK, HopFlag.ONLINK]
    assert CACHEINFO not in found(out)
    assert EXPIRES not in found(out)


def test_beside_a_nexthop_object_its_hops_are_left_out() -> None:
    body = make_route(TABLE_MAIN, ANYWHERE[4], Hop(3, ip_address("192.0.2.1"))).body + attribute(NH_ID, bytes(4))
    assert {OIF, GATEWAY} & found(rewritten(read(body), 100)).keys() == set()


def test_a_lifetime_is_kept_in_seconds() -> None:
    body = make_route(TABLE_MAIN, ANYWHERE[6], Hop(3), 1).body
    body += attribute(CACHEINFO, struct.pack("=IIi", 0, 0, 90_050) + bytes(20))
    assert found(rewritten(read(body), 100))[EXPIRES] == struct.pack("=I", 900)


def test_rules() -> None:
    rule = make_rule(1, ip_address("2001:db8::5"), 4000)
    again = decode_rule(rule.body)
    assert again == rule
    assert again.plain
    other = decode_rule(rule.body + attribute(3, b"eth0\0"))  # FRA_IIFNAME
    assert other is not None
    assert not other.plain


def test_addresses() -> None:
    read_back = decode_address(make_address(4, ip_address("2001:db8::5")))
    assert read_back is not None
    assert (read_back.index, str(read_back.address), read_back.length) == (4, "2001:db8::5", 128)
    peer = (
        struct.pack("=BBBBI", 2, 32, 0, 0, 4) + attribute(1, bytes([10, 0, 0, 2])) + attribute(2, bytes([10, 0, 0, 1]))
    )
    ours = decode_address(peer)
    assert ours is not None
    assert str(ours.address) == "10.0.0.1"


def test_links() -> None:
    body = struct.pack("=BxHiII", 0, 1, 7, 0x1043, 0) + attribute(3, b"wlan0\0") + attribute(4, struct.pack("=I", 1400))
    link = decode_link(body)
    assert (link.index, link.name, link.mtu, link.flags) == (7, "wlan0", 1400, 0x1043)


@pytest.mark.parametrize("decode", [decode_address, decode_route, decode_rule])
def test_other_families_are_passed_over(decode: object) -> None:
    assert decode(bytes([28]) + bytes(20)) is None  # type: ignore[operator]


def test_which_routes_are_near() -> None:
    gateway = Hop(3, ip_address("192.0.2.1"))
    assert is_near(make_route(TABLE_MAIN, ANYWHERE[4], gateway).body)
    assert is_near(make_route(5, ip_network("192.0.2.0/24"), Hop(3)).body)
    assert not is_near(make_route(TABLE_MAIN, ip_network("10.0.0.0/8"), gateway).body)
    assert not is_near(make_route(255, ip_network("192.0.2.5"), Hop(3)).body)
