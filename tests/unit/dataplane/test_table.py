"""The table against a dictionary and a linear scan."""

from __future__ import annotations

import ctypes
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lispfast.model.addresses import Address, Eid, EidPrefix
from lispfast.model.units import InstanceId

from .native import CView, NativeTable, locator
from .packing import DROP, ENCAPSULATE, OWN, REJECT, Change, locator_record

PREFIX_LENGTH, PREFIX_TWICE, PREFIX_ABSENT, LOCATORS_EMPTY, SLOT_RANGE = 2, 3, 4, 5, 6
SET_UNKNOWN, SET_TWICE, SET_IN_USE, MALFORMED = 9, 10, 11, 13
PART_PUT, PART_SET, PART_SET_WITHDRAWAL, PART_BUFFER = 1, 5, 6, 7

# Few bits vary, so that prefixes nest and addresses hit.
bits = st.sampled_from([0, 1, 2, 3, 8, 31])
v4_addresses = st.builds(lambda a, b: IPv4Address(10 << 24 | a << 16 | b), bits, bits)
v6_addresses = st.builds(lambda a, b: IPv6Address(0xFD << 120 | a << 62 | b), bits, bits)
addresses: st.SearchStrategy[Address] = st.one_of(v4_addresses, v6_addresses)
iids = st.sampled_from([InstanceId(0), InstanceId(7), InstanceId(0xFFFFFF)])
eids = st.builds(Eid, addresses, iids)


@st.composite
def prefixes(draw: st.DrawFn) -> EidPrefix:
    eid = draw(eids)
    widest = 32 if eid.address.version == 4 else 128
    length = draw(st.sampled_from([0, 1, 8, 15, 16, 24, 30, 31, 32, 33, 62, 63, 64, 65, 66, 127, 128]))
    return EidPrefix(ip_network((eid.address, min(length, widest)), strict=False), eid.iid)


def scan(table: dict[EidPrefix, int], eid: Eid) -> int | None:
    """The slow twin: the longest of all prefixes that contain the EID."""
    matches = [prefix for prefix in table if prefix.contains(eid)]
    return table[max(matches, key=lambda prefix: prefix.length)] if matches else None


class TableMachine(RuleBasedStateMachine):
    library: ctypes.CDLL

    def __init__(self) -> None:
        super().__init__()
        self.native = NativeTable(self.library)
        self.twin: dict[EidPrefix, int] = {}
        self.ports = iter(range(1, 60000))
        self.pinned: tuple[CView, dict[EidPrefix, int]] | None = None

    def teardown(self) -> None:
        self.native.close()

    @rule(put=st.lists(prefixes(), max_size=4, unique=True), withdraw=st.lists(prefixes(), max_size=2, unique=True))
    def commit(self, put: list[EidPrefix], withdraw: list[EidPrefix]) -> None:
        ports = {prefix: next(self.ports) for prefix in put}
        error = self.native.commit({prefix: [locator(port)] for prefix, port in ports.items()}, tuple(withdraw))
        if set(put) & set(withdraw) or set(withdraw) - set(self.twin):
            assert error in (PREFIX_TWICE, PREFIX_ABSENT)
            return
        assert error == 0
        self.twin = {prefix: port for prefix, port in {**self.twin, **ports}.items() if prefix not in withdraw}

    @rule(data=st.data())
    def withdraw_some(self, data: st.DataObject) -> None:
        if self.twin:
            gone = data.draw(st.lists(st.sampled_from(sorted(self.twin, key=str)), unique=True, max_size=3))
            assert self.native.commit(withdraw=tuple(gone)) == 0
            self.twin = {prefix: port for prefix, port in self.twin.items() if prefix not in gone}

    @rule()
    def pin(self) -> None:
        self.pinned = (self.native.pin(), dict(self.twin))

    @rule()
    def sleep(self) -> None:
        self.native.sleep()
        self.pinned = None

    @rule(eid=eids)
    def look_up_as_pinned(self, eid: Eid) -> None:
        if self.pinned is not None:
            view, twin = self.pinned
            assert self.native.lookup(eid, view) == scan(twin, eid)

    @rule(eid=eids)
    def look_up(self, eid: Eid) -> None:
        self.pinned = None  # a lookup without a view pins anew
        assert self.native.lookup(eid) == scan(self.twin, eid)

    @invariant()
    def the_walk_shows_every_prefix_once(self) -> None:
        expected = {prefix: (ENCAPSULATE, (port,)) for prefix, port in self.twin.items()}
        assert self.native.walk() == expected

    @rule(data=st.data())
    def look_up_many(self, data: st.DataObject) -> None:
        asked = data.draw(st.lists(v4_addresses, max_size=70))
        packed = (ctypes.c_uint32 * len(asked))(*map(int, asked))
        values = (ctypes.c_uint32 * len(asked))()
        view = self.pinned[0] if self.pinned else self.native.newest()
        self.native.library.lf_table_find4(view, 7, packed, values, len(asked))
        twin = self.pinned[1] if self.pinned else self.twin
        found = [self.native.port(view, value) for value in values]
        assert found == [scan(twin, Eid(address, InstanceId(7))) for address in asked]

    @invariant()
    def nothing_waits_while_the_reader_sleeps(self) -> None:
        if self.pinned is None:
            self.native.sleep()
            assert self.native.library.lf_table_reclaim(self.native.table) == 0


def test_lookups_are_those_of_a_linear_scan(native: ctypes.CDLL) -> None:
    class Machine(TableMachine):
        library = native

    Machine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
    Machine.TestCase().runTest()


@pytest.fixture
def table(native: ctypes.CDLL) -> NativeTable:
    return NativeTable(native)


HOST = EidPrefix.parse("10.0.0.1/32")
NET = EidPrefix.parse("10.0.0.0/8")
EID = Eid(IPv4Address("10.0.0.1"))


def test_a_reader_keeps_what_it_pinned(table: NativeTable) -> None:
    assert table.commit({HOST: [locator(1)], NET: [locator(2)]}) == 0
    view = table.pin()
    assert table.commit({NET: [locator(3)]}, (HOST,)) == 0
    assert table.lookup(EID, view) == 1
    assert table.lookup(EID) == 3


def test_what_was_removed_waits_for_the_reader_and_no_longer(table: NativeTable) -> None:
    table.commit({HOST: [locator(1)]})
    table.pin()
    table.commit(withdraw=(HOST,))
    assert table.library.lf_table_reclaim(table.table) > 0
    table.sleep()
    assert table.library.lf_table_reclaim(table.table) == 0


@pytest.mark.parametrize(
    ("put", "withdraw", "error"),
    [
        ({HOST: [locator(9)]}, (HOST,), PREFIX_TWICE),
        ({}, (NET, NET), PREFIX_TWICE),
        ({HOST: [locator(9)]}, (EidPrefix.parse("10.0.0.2/32"),), PREFIX_ABSENT),
        ({EidPrefix.parse("10.0.0.2/32"): [locator(9)], HOST: []}, (), LOCATORS_EMPTY),
        ({EidPrefix.parse("10.0.0.2/32"): [locator(9)], HOST: [locator(9, slot=64)]}, (), SLOT_RANGE),
    ],
)
def test_a_refused_transaction_leaves_no_trace(
    table: NativeTable, put: dict[EidPrefix, list[object]], withdraw: tuple[EidPrefix, ...], error: int
) -> None:
    table.commit({HOST: [locator(1)], NET: [locator(2)]})
    before = table.walk()
    assert table.commit(put, withdraw) == error  # type: ignore[arg-type]
    assert table.walk() == before
    assert table.lookup(EID) == 1
    assert table.lookup(Eid(IPv4Address("10.0.0.2"))) == 2


def test_instance_ids_and_families_are_apart(table: NativeTable) -> None:
    default = EidPrefix.parse("0.0.0.0/0", 5)
    table.commit({default: [locator(1)]})
    assert table.lookup(Eid(IPv4Address("10.0.0.1"), InstanceId(5))) == 1
    assert table.lookup(EID) is None
    assert table.lookup(Eid(IPv6Address("fd00::1"), InstanceId(5))) is None


def test_many_prefixes_grow_the_table_and_go_again(table: NativeTable) -> None:
    hosts = [EidPrefix(ip_network(IPv4Address(0x0A000000 + i))) for i in range(3000)]
    for at in range(0, 3000, 100):
        assert table.commit({host: [locator(i % 60000 + 1)] for i, host in enumerate(hosts[at : at + 100], at)}) == 0
    for i, host in enumerate(hosts):
        assert table.lookup(Eid(host.network.network_address)) == i % 60000 + 1
    table.sleep()
    assert table.commit(withdraw=tuple(hosts)) == 0
    assert all(table.lookup(Eid(host.network.network_address)) is None for host in hosts[::50])


def test_a_set_is_replaced_for_all_its_prefixes_at_once(table: NativeTable) -> None:
    hosts = [EidPrefix(ip_network(IPv4Address(0x0A000000 + i))) for i in range(10)]
    change = Change()
    change.set([locator_record(IPv4Address("192.0.2.1"), 1), locator_record(IPv6Address("2001:db8::1"), 2)], 5)
    for host in hosts:
        change.put(host, 5)
    assert table.apply(change).error == 0
    assert set(table.walk().values()) == {(ENCAPSULATE, (1, 2))}
    change = Change()
    change.set([locator_record(IPv4Address("192.0.2.1"), 3)], 5)
    assert table.apply(change).error == 0
    assert table.walk() == dict.fromkeys(hosts, (ENCAPSULATE, (3,)))


def test_a_set_of_the_transaction_alone_may_be_many_prefixes(table: NativeTable) -> None:
    change = Change()
    own = change.set([locator_record(IPv4Address("192.0.2.1"), 1)])
    change.put(HOST, own)
    change.put(NET, own)
    assert table.apply(change).error == 0
    assert table.commit({NET: [locator(2)]}) == 0
    assert table.walk() == {HOST: (ENCAPSULATE, (1,)), NET: (ENCAPSULATE, (2,))}
    assert table.commit(withdraw=(HOST, NET)) == 0
    assert table.walk() == {}


def spoiled(part: str) -> Change:
    """A transaction with one thing wrong, after much that is right."""
    change = Change()
    change.set([locator_record(IPv4Address("192.0.2.1"), 9)], 6)
    change.put(HOST, 6)
    change.put(EidPrefix.parse("10.0.0.9/32"), kind=DROP)
    change.source(3, IPv4Address("192.0.2.7"))
    if part == "unknown set":
        change.put(EidPrefix.parse("10.0.0.8/32"), 7)
    elif part == "unknown own set":
        change.put(EidPrefix.parse("10.0.0.8/32"), OWN | 1)
    elif part == "set twice":
        change.set([locator_record(IPv4Address("192.0.2.1"), 9)], 6)
    elif part == "empty set":
        change.set([], 8)
    elif part == "set in use":
        change.withdraw_set(5)
    elif part == "no such set":
        change.withdraw_set(8)
    elif part == "set where none belongs":
        change.put(EidPrefix.parse("10.0.0.8/32"), 6, kind=REJECT)
    return change


@pytest.mark.parametrize(
    ("part", "error", "where", "item"),
    [
        ("unknown set", SET_UNKNOWN, PART_PUT, 2),
        ("unknown own set", SET_UNKNOWN, PART_PUT, 2),
        ("set twice", SET_TWICE, PART_SET, 1),
        ("empty set", LOCATORS_EMPTY, PART_SET, 1),
        ("set in use", SET_IN_USE, PART_SET_WITHDRAWAL, 0),
        ("no such set", SET_UNKNOWN, PART_SET_WITHDRAWAL, 0),
        ("set where none belongs", MALFORMED, PART_BUFFER, 32 + 40 + 2 * 32),
    ],
)
def test_errors_about_sets_name_the_item(table: NativeTable, part: str, error: int, where: int, item: int) -> None:
    change = Change()
    change.set([locator_record(IPv4Address("192.0.2.1"), 1)], 5)
    change.put(NET, 5)
    assert table.apply(change).error == 0
    before = table.walk()
    problem = table.apply(spoiled(part))
    assert (problem.error, problem.part, problem.item) == (error, where, item)
    assert table.walk() == before


@pytest.mark.parametrize("others", [0, 500])
@pytest.mark.parametrize("family", [4, 6])
def test_a_new_prefix_twice_names_the_second(table: NativeTable, others: int, family: int) -> None:
    address = IPv4Address("10.0.0.0") if family == 4 else IPv6Address("fd00::")
    hosts = [EidPrefix(ip_network(address + i)) for i in range(others + 1)]
    change = Change()
    for host in (*hosts, hosts[others // 2]):
        change.put(host, kind=DROP)
    problem = table.apply(change)
    assert (problem.error, problem.part, problem.item) == (PREFIX_TWICE, PART_PUT, len(hosts))
    assert table.walk() == {}


@pytest.mark.parametrize(
    ("at", "value"), [(0, 0x4C46), (4, 3), (6, 2), (8, 99), (12, 1 << 31), (16, 99), (20, 99), (24, 99), (28, 99)]
)
def test_a_buffer_that_is_no_transaction(table: NativeTable, at: int, value: int) -> None:
    packed = bytearray(spoiled("nothing").packed())
    packed[at : at + 4] = value.to_bytes(4, "little")
    problem = table.apply(bytes(packed))
    assert (problem.error, problem.part) == (MALFORMED, PART_BUFFER)
    assert table.walk() == {}
