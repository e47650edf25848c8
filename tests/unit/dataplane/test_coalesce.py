"""What is merged, what is not, and that the kernel makes of it what came."""

from __future__ import annotations

import ctypes as c
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable

import pytest
from hypothesis import given, settings

from . import twin_coalesce as twin
from .native import CPacket
from .streams import ICMP, ODD, Flow, flows, streams
from .twin_segment import PSH, TCP, UDP, complete, number, put

DELIVERIES, PLACES = 64, 1024
KINDS = [(4, TCP), (6, TCP), (4, UDP), (6, UDP)]
NAMES = ["tcp4", "tcp6", "udp4", "udp6"]


class CVector(c.Structure):
    _fields_ = [("base", c.c_void_p), ("length", c.c_size_t)]


class CDelivery(c.Structure):
    _fields_ = [
        ("count", c.c_uint),
        ("packets", c.c_uint),
        ("bytes", c.c_size_t),
        ("vnet", c.c_uint8 * 10),
        ("own", c.c_uint8 * 5),
        ("own_lengths", c.c_uint16 * 2),
        ("own_sum", c.c_uint64),
        ("parts", CVector * (twin.MERGE_MAX + 1)),
    ]


class CCoalescer(c.Structure):
    _fields_ = [
        ("tcp", c.c_bool),
        ("udp", c.c_bool),
        ("count", c.c_uint),
        ("closed", c.c_uint),
        ("flows", c.c_uint8 * PLACES),
        ("deliveries", CDelivery * DELIVERIES),
    ]


class Coalescer:
    """The C one, with the memory that its packets lie in."""

    def __init__(self, native: c.CDLL, *, tcp: bool = True, udp: bool = True) -> None:
        self.native, self.c, self.blocks = native, CCoalescer(), list[c.Array[c.c_char]]()
        native.lf_coalesce_add.restype = c.c_bool
        native.lf_coalesce_init.argtypes = [c.c_void_p, c.c_bool, c.c_bool]
        native.lf_coalesce_init(c.byref(self.c), tcp, udp)

    def add(self, packet: bytes) -> bool:
        """At the end of its own block, and with more in the block behind it than is of the packet."""
        self.blocks.append(c.create_string_buffer(packet + b"behind"))
        parsed = CPacket()
        assert self.native.lf_packet_parse(c.byref(parsed), self.blocks[-1], len(packet)) == 0
        added: bool = self.native.lf_coalesce_add(c.byref(self.c), c.byref(parsed))
        return added

    def add_all(self, packets: Iterable[bytes]) -> None:
        for packet in packets:
            assert self.add(packet)

    def take(self) -> list[tuple[bytes, bytes, int, int]]:
        """Finish: virtio-net header, packet, how many packets, their bytes; then reset."""
        self.native.lf_coalesce_finish(c.byref(self.c))
        taken = []
        for delivery in self.c.deliveries[: self.c.count]:
            parts = [c.string_at(part.base, part.length) for part in delivery.parts[: delivery.count]]
            taken.append((parts[0], b"".join(parts[1:]), delivery.packets, delivery.bytes))
        self.native.lf_coalesce_reset(c.byref(self.c))
        self.blocks.clear()
        return taken


def merged(native: c.CDLL, packets: Iterable[bytes], *, tcp: bool = True, udp: bool = True) -> list[int]:
    """How many packets each delivery stands for, every one of them as the twin has it."""
    coalescer, slow = Coalescer(native, tcp=tcp, udp=udp), twin.Coalescer(tcp, udp)
    for packet in packets:
        assert coalescer.add(packet)
        slow.add(packet)
    taken = coalescer.take()
    assert [one[2] for one in taken] == [len(run) for run in slow.deliveries]
    for (vnet, packet, count, size), run in zip(taken, slow.deliveries, strict=True):
        assert (vnet, packet) == twin.written(run)
        assert (count, size) == (len(run), sum(map(len, run)))
    return [len(run) for run in slow.deliveries]


def by_flow(packets: Iterable[bytes]) -> dict[Hashable, list[bytes]]:
    """In order; what shows no ports is a flow of its own."""
    found: dict[Hashable, list[bytes]] = defaultdict(list)
    for packet in packets:
        found[None if twin.hidden(packet) else twin.flow(packet)].append(twin.meaning(packet))
    return found


def test_what_may_merge_does_and_comes_apart_again(native: c.CDLL) -> None:
    seen = Counter[bool]()

    @settings(max_examples=250, deadline=None)
    @given(packets=streams())
    def check(packets: list[bytes]) -> None:
        slow = twin.Coalescer()
        for packet in packets:
            slow.add(packet)
        if len(slow.deliveries) > DELIVERIES:
            return
        merged(native, packets)
        coalescer = Coalescer(native)
        coalescer.add_all(packets)
        again = [one for vnet, packet, *_ in coalescer.take() for one in twin.as_the_kernel_takes_it(vnet, packet)]
        assert by_flow(again) == by_flow(packets)
        seen.update(len(run) > 1 for run in slow.deliveries)

    check()
    assert min(seen[True], seen[False]) > 100


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(("version", "protocol"), KINDS, ids=NAMES)
def test_one_odd_packet_among_others(native: c.CDLL, version: int, protocol: int, odd: str) -> None:
    """Where the oddness means nothing for this kind of packet, all of them are one; the twin says so too."""
    for place in range(4):
        flow = Flow(version, protocol, 1000)
        usual = [flow.next(100, odd if at == place else "") for at in range(4)]
        counts = merged(native, usual)
        same = Flow(version, protocol, 1000).next(100, odd) == Flow(version, protocol, 1000).next(100)
        if same or (odd == "identification" and version == 4) or (odd == "gap" and (place == 0 or protocol == UDP)):
            assert counts == [4]
        elif odd == "push":
            assert counts == ([4] if place == 3 else [place + 1, 3 - place])
        else:
            assert len(counts) > 1


NEVER = {"fin", "syn", "rst", "urg", "ece", "cwr", "no ack", "accurate ecn", "header small", "length", "none"}
NEVER |= {"checksum", "option", "mf", "offset", "reserved", "cut"}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(("version", "protocol"), KINDS, ids=NAMES)
def test_packets_that_are_odd_in_the_same_way(native: c.CDLL, version: int, protocol: int, odd: str) -> None:
    flow = Flow(version, protocol, 1000)
    counts = merged(native, [flow.next(100, odd) for _ in range(4)])
    usual = Flow(version, protocol, 1000).next(100, odd) == Flow(version, protocol, 1000).next(100)
    if (odd in NEVER and not usual) or (odd in ("gap", "push") and protocol == TCP):
        assert counts == [1, 1, 1, 1]
    elif odd not in ("header size", "header beyond"):
        assert counts == [4]


@pytest.mark.parametrize(("version", "protocol"), KINDS, ids=NAMES)
def test_two_flows_in_turn(native: c.CDLL, version: int, protocol: int) -> None:
    first, second = Flow(version, protocol, 1000), Flow(version, protocol, 1001)
    assert merged(native, [flow.next(64) for _ in range(30) for flow in (first, second)]) == [30, 30]


@pytest.mark.parametrize(("version", "protocol"), KINDS, ids=NAMES)
@pytest.mark.parametrize(("size", "count", "expected"), [(64, 300, [128, 128, 44]), (1400, 100, [46, 46, 8])])
def test_a_delivery_is_bounded(
    native: c.CDLL, version: int, protocol: int, size: int, count: int, expected: list[int]
) -> None:
    flow, coalescer = Flow(version, protocol, 1000), Coalescer(native)
    packets = [flow.next(size) for _ in range(count)]
    coalescer.add_all(packets)
    taken = coalescer.take()
    assert [one[2] for one in taken] == expected
    assert all(len(packet) <= 65535 for _, packet, *_ in taken)
    again = [one for vnet, packet, *_ in taken for one in twin.as_the_kernel_takes_it(vnet, packet)]
    assert [twin.meaning(packet) for packet in again] == [twin.meaning(packet) for packet in packets]


@pytest.mark.parametrize(("version", "protocol"), KINDS, ids=NAMES)
def test_a_shorter_packet_ends_a_run(native: c.CDLL, version: int, protocol: int) -> None:
    flow = Flow(version, protocol, 1000)
    assert merged(native, [flow.next(size) for size in (100, 100, 40, 40, 40, 41, 41)]) == [3, 2, 2]


def test_push_stands_on_the_whole(native: c.CDLL) -> None:
    flow, coalescer = Flow(6, TCP, 1000), Coalescer(native)
    coalescer.add_all(flow.next(100, odd) for odd in ("", "", "push"))
    [(_, packet, count, _)] = coalescer.take()
    assert (count, packet[53] & PSH) == (3, PSH)


@pytest.mark.parametrize(("tcp", "udp"), [(False, True), (True, False), (False, False)])
def test_what_the_kernel_does_not_take_stays_alone(native: c.CDLL, tcp: bool, udp: bool) -> None:
    packets = [flow.next(100) for flow in flows()[:4] for _ in range(3)]
    expected = [[3] if allowed else [1, 1, 1] for allowed in (tcp, tcp, udp, udp)]
    assert merged(native, packets, tcp=tcp, udp=udp) == [count for counts in expected for count in counts]


def test_without_df_the_identification_counts(native: c.CDLL) -> None:
    flow = Flow(4, UDP, 1000, dont_fragment=False)
    packets = [flow.next(64) for _ in range(6)]
    assert merged(native, packets) == [6]  # past the wrap to zero
    assert merged(native, [packets[0], packets[2], packets[1], packets[3]]) == [1, 1, 1, 1]


def test_a_fragment_ends_every_run(native: c.CDLL) -> None:
    """It may be of any of them, and nothing may overtake it."""
    one, other = Flow(4, TCP, 1000), Flow(6, UDP, 1000)
    packets = [one.next(100), other.next(100), Flow(4, UDP, 7).next(100, "offset"), one.next(100), other.next(100)]
    assert merged(native, packets) == [1, 1, 1, 1, 1]


def test_other_protocols_end_none(native: c.CDLL) -> None:
    flow, other = Flow(4, TCP, 1000), Flow(4, ICMP, 0)
    assert merged(native, [flow.next(100), other.next(100), flow.next(100)]) == [2, 1]


def test_a_wrong_checksum_goes_as_it_came(native: c.CDLL) -> None:
    for place in range(3):
        flow, coalescer = Flow(4, UDP, 1000), Coalescer(native)
        packets = [flow.next(64, "checksum" if at == place else "") for at in range(3)]
        coalescer.add_all(packets)
        alone = [packet for vnet, packet, count, _ in coalescer.take() if count == 1 and vnet == twin.NO_VNET]
        assert packets[place] in alone


def test_a_zero_checksum_that_is_right_by_chance_is_none(native: c.CDLL) -> None:
    packets = []
    for packet in [Flow(6, UDP, 1000).next(100)] * 2:
        chance = put(put(packet, 48, 0), 46, 0)
        chance = put(chance, 48, number(complete(chance, UDP, 40), 46))  # what was missing, in the payload
        assert complete(chance, UDP, 40)[46:48] == b"\xff\xff"
        packets += [chance]
    assert merged(native, packets) == [1, 1]


def test_no_room(native: c.CDLL) -> None:
    """A full coalescer takes what joins, and the rest again after a reset."""
    coalescer, many = Coalescer(native), [Flow(4, UDP, 2000 + i) for i in range(DELIVERIES + 1)]
    coalescer.add_all(flow.next(64) for flow in many[:DELIVERIES])
    assert not coalescer.add(many[DELIVERIES].next(64))
    assert coalescer.add(many[DELIVERIES - 1].next(64))  # the newest flow is surely in the index
    refused = many[DELIVERIES].next(64)
    taken = coalescer.take()
    assert [count for *_, count, _ in taken] == [1] * (DELIVERIES - 1) + [2]
    assert coalescer.add(refused)
    assert [packet for _, packet, *_ in coalescer.take()] == [refused]


@pytest.mark.parametrize("version", [4, 6])
def test_flows_that_meet_in_the_index_keep_their_order(native: c.CDLL, version: int) -> None:
    """So many rounds with other ports that some meet; nearly all merge all the same."""
    runs = 0
    for first in range(0, 2000, 20):
        coalescer, many = Coalescer(native), [Flow(version, UDP, 1 + first + i) for i in range(20)]
        packets = [flow.next(64) for _ in range(3) for flow in many]
        coalescer.add_all(packets)
        taken = coalescer.take()
        again = [one for vnet, packet, *_ in taken for one in twin.as_the_kernel_takes_it(vnet, packet)]
        assert by_flow(again) == by_flow(packets)
        runs += sum(count == 3 for *_, count, _ in taken)
    assert 1800 < runs < 2000


def test_the_largest_ipv6_packet_stays_alone(native: c.CDLL) -> None:
    """Its length does not fit where a merged one's has to."""
    flow, coalescer = Flow(6, UDP, 1), Coalescer(native)
    packets = [flow.next(65527), flow.next(100)]
    assert len(packets[0]) == 65575
    coalescer.add_all(packets)
    assert [count for *_, count, _ in coalescer.take()] == [1, 1]
