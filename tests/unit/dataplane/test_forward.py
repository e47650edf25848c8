"""Locator choice: priority, weight, what is usable, and a flow that stays."""

from __future__ import annotations

import ctypes
import math
import struct
from collections import Counter
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.packet import Packet, Raw

from lispfast.model.addresses import EidPrefix, parse_address

from .native import ENCAPSULATE, RESOLVE, CAddress, CLocator, CPacket, NativeTable, locator
from .twin_forward import Candidate, choose, minus_log2

PREFIX = EidPrefix.parse("10.0.0.0/8")
SOURCES = {0: IPv4Address("192.0.2.9"), 1: IPv4Address("192.0.2.10"), 2: IPv6Address("2001:db8::9")}


class Router:
    def __init__(self, native: ctypes.CDLL) -> None:
        self.native = native
        self.table = NativeTable(native)
        self.table.commit(sources=dict(SOURCES))

    def parse(self, packet: Packet | bytes) -> CPacket:
        data = bytes(packet)
        parsed = CPacket()
        assert self.native.lf_packet_parse(parsed, data, len(data)) == 0
        parsed.kept = data  # the view points into it
        return parsed

    def flow(self, packet: Packet) -> int:
        return int(self.native.lf_flow_hash(self.parse(packet)))

    def route(self, locators: list[CLocator], packet: Packet) -> int | None:
        """The port of the chosen locator."""
        self.table.commit({PREFIX: locators})
        return self.choose(packet)

    def choose(self, packet: Packet | bytes) -> int | None:
        route = self.native.lf_forward(self.table.pin(), 0, self.parse(packet))
        assert route.kind == ENCAPSULATE
        return route.locator.contents.port if route.locator else None


@pytest.fixture
def router(native: ctypes.CDLL) -> Router:
    return Router(native)


def packet(port: int = 1) -> Packet:
    return IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=port, dport=80)


def test_the_lowest_priority_wins(router: Router) -> None:
    assert router.route([locator(1, priority=2), locator(2, priority=1), locator(3, priority=3)], packet()) == 2


@pytest.mark.parametrize(
    "better",
    [locator(1, priority=255), locator(1, slot=5)],
    ids=["priority 255", "no source RLOC"],
)
def test_an_unusable_locator_is_left_out(router: Router, better: CLocator) -> None:
    assert router.route([better, locator(2, priority=254)], packet()) == 2
    assert router.route([better], packet()) is None


def test_a_source_of_the_other_family_is_none(router: Router) -> None:
    other = locator(1)
    other.address = CAddress.of(parse_address("2001:db8::1"))
    assert router.route([other], packet()) is None


def test_nothing_matched_is_resolve(router: Router) -> None:
    parsed = router.parse(IP(src="10.0.0.1", dst="11.0.0.1"))
    assert router.native.lf_forward(router.table.pin(), 0, parsed).kind == RESOLVE


def flow(number: int) -> bytes:
    """A packet of a flow of its own."""
    ports = struct.pack("!HHHH", number, 80, 8, 0)
    return bytes.fromhex("4500001c 00000000 40110000 0a000001 0a000002") + ports


FLOWS = [flow(number) for number in range(4000)]


def taken_by(router: Router, locators: list[CLocator], flows: list[bytes] = FLOWS) -> list[int | None]:
    router.table.commit({PREFIX: locators})
    return [router.choose(each) for each in flows]


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ((1, 3), (1, 3)),
        ((0, 0), (1, 1)),
        ((0, 5), (0, 1)),
        ((255, 1), (255, 1)),
        ((30, 20, 20, 10), (30, 20, 20, 10)),
        ((0,) * 8, (1,) * 8),
        ((255, 0, 255, 0, 255, 1), (255, 0, 255, 0, 255, 1)),
    ],
)
def test_weights_are_shares(router: Router, weights: tuple[int, ...], shares: tuple[int, ...]) -> None:
    taken = Counter(taken_by(router, [locator(port, weight=weight) for port, weight in enumerate(weights)]))
    for port, share in enumerate(shares):
        expected = len(FLOWS) * share / sum(shares)
        assert taken[port] == pytest.approx(expected, abs=5 * (expected * (1 - share / sum(shares))) ** 0.5)


def test_addresses_side_by_side_share_alike(router: Router) -> None:
    for addresses in ([f"198.51.100.{n}" for n in range(1, 5)], [f"2001:db8:{n}::1" for n in range(1, 5)]):
        locators = []
        for port, address in enumerate(addresses):
            made = locator(7, slot=2 if ":" in address else 0)
            made.address, made.port = CAddress.of(parse_address(address)), port
            locators.append(made)
        taken = Counter(taken_by(router, locators))
        assert all(count == pytest.approx(1000, abs=5 * 750**0.5) for count in taken.values())
        assert len(taken) == 4


def test_one_that_leaves_moves_only_its_own_flows(router: Router) -> None:
    everybody = [locator(port, weight=port) for port in range(1, 6)]
    before = taken_by(router, everybody)
    for gone in range(1, 6):
        after = taken_by(router, [each for each in everybody if each.port != gone])
        assert {now for was, now in zip(before, after, strict=True) if was == gone} == {1, 2, 3, 4, 5} - {gone}
        assert all(now == was for was, now in zip(before, after, strict=True) if was != gone)


def test_one_that_comes_or_grows_takes_only_its_share(router: Router) -> None:
    before = taken_by(router, [locator(port, weight=10) for port in range(4)])
    came = taken_by(router, [locator(port, weight=10) for port in (4, 0, 1, 2, 3)])
    moved = [now for was, now in zip(before, came, strict=True) if now != was]
    assert set(moved) == {4}
    assert len(moved) == pytest.approx(len(FLOWS) / 5, abs=5 * (len(FLOWS) * 4 / 25) ** 0.5)
    grew = taken_by(router, [locator(port, weight=30 if port == 2 else 10) for port in range(4)])
    assert {now for was, now in zip(before, grew, strict=True) if now != was} == {2}


def test_of_two_alike_the_first_is_taken(router: Router) -> None:
    twins = [locator(1), locator(1)]
    for number, each in enumerate(twins):
        each.mtu = number
    router.table.commit({PREFIX: twins})
    for each in FLOWS[:50]:
        route = router.native.lf_forward(router.table.pin(), 0, router.parse(each))
        assert route.locator.contents.mtu == 0


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6), st.sampled_from([IPv4Address("192.0.2.1")]))
LOCATORS = st.tuples(
    ADDRESSES,
    st.integers(0, 65535),  # port
    st.sampled_from((0, 1, 1, 1, 2, 255)),  # priority
    st.sampled_from((0, 0, 1, 2, 100, 255)),  # weight
    st.sampled_from((0, 1, 2, 5)),  # source slot; 5 is empty
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(LOCATORS, min_size=1, max_size=8), st.integers(0, 65535))
def test_the_choice_is_the_twins(
    router: Router, drawn: list[tuple[IPv4Address | IPv6Address, int, int, int, int]], number: int
) -> None:
    made, candidates = [], []
    for position, (address, port, priority, weight, slot) in enumerate(drawn):
        each = locator(port, priority=priority, weight=weight, slot=slot)
        each.address, each.mtu = CAddress.of(address), position
        made.append(each)
        usable = slot in SOURCES and SOURCES[slot].version == address.version
        candidates.append(Candidate(address, port, priority, weight, usable))
    assert router.table.commit({PREFIX: made}) == 0
    parsed = router.parse(flow(number))
    route = router.native.lf_forward(router.table.pin(), 0, parsed)
    expected = choose(router.native.lf_flow_hash(parsed), candidates)
    assert (route.locator.contents.mtu if route.locator else None) == expected


def test_the_logarithm_is_one() -> None:
    numbers = [1, 2**32 - 1, *(n * 2654435761 % 2**32 for n in range(1, 5000))]
    assert all(minus_log2(n) / 65536 == pytest.approx(32 - math.log2(n | 1), abs=2**-11) for n in numbers)
    assert minus_log2(0) == minus_log2(1) == 32 * 65536
    assert minus_log2(2**32 - 1) >= 1


def test_a_flow_stays_on_its_locator(router: Router) -> None:
    router.table.commit({PREFIX: [locator(port) for port in range(4)]})
    for flow in range(50):
        assert len({router.choose(packet(flow) / Raw(bytes(size))) for size in (0, 1, 1000)}) == 1


def test_ports_tell_flows_apart_where_there_are_ports(router: Router) -> None:
    for layer in (TCP, UDP):
        flows = {router.flow(IP(src="10.0.0.1", dst="10.0.0.2") / layer(sport=port, dport=80)) for port in range(100)}
        assert len(flows) == 100
        flows6 = {router.flow(IPv6(src="fd00::1", dst="fd00::2") / layer(sport=port, dport=80)) for port in range(100)}
        assert len(flows6) == 100


def test_an_extension_header_does_not_split_a_flow(router: Router) -> None:
    head = IPv6(src="fd00::1", dst="fd00::2")
    assert router.flow(head / UDP(sport=1, dport=2)) == router.flow(head / IPv6ExtHdrDestOpt() / UDP(sport=1, dport=2))


def test_the_fragments_of_a_packet_are_one_flow(router: Router) -> None:
    whole = IP(src="10.0.0.1", dst="10.0.0.2", id=9) / UDP(sport=1, dport=2) / Raw(bytes(3000))
    pieces: list[Packet] = fragment(whole, 1000)  # type: ignore[no-untyped-call]
    assert len(pieces) > 2
    assert len({router.flow(piece) for piece in pieces}) == 1
    head = IPv6(src="fd00::1", dst="fd00::2")
    first = head / IPv6ExtHdrFragment(m=1, nh=17) / UDP(sport=1, dport=2)
    later = head / IPv6ExtHdrFragment(offset=10, nh=17) / Raw(bytes(64))
    assert router.flow(first) == router.flow(later)


def test_icmp_has_no_ports(router: Router) -> None:
    flows = {router.flow(IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(id=number)) for number in range(20)}
    assert len(flows) == 1


@pytest.mark.parametrize(
    ("address", "tunnelled"),
    [
        ("10.0.0.1", True),
        ("240.0.0.1", True),
        ("0.0.0.0", False),
        ("0.1.2.3", False),
        ("127.0.0.1", False),
        ("169.254.1.1", False),
        ("169.253.1.1", True),
        ("224.0.0.1", False),
        ("239.255.255.255", False),
        ("255.255.255.255", False),
        ("255.255.255.254", True),
        ("fd00::1", True),
        ("2001:db8::1", True),
        ("::", False),
        ("::1", False),
        ("::2", True),
        ("fe80::1", False),
        ("febf::1", False),
        ("fec0::1", True),
        ("ff02::1", False),
    ],
)
def test_what_may_be_tunnelled(native: ctypes.CDLL, address: str, tunnelled: bool) -> None:
    parsed: IPv4Address | IPv6Address = parse_address(address)
    assert native.lf_address_tunnelled(CAddress.of(parsed)) == tunnelled
