"""The table as Python has it beside a sorted list and a linear scan: both take the same and refuse the same."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lispfast._fastpath import Table
from lispfast.model.addresses import Address, Eid, EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.errors import DataPlaneError
from lispfast.model.forwarding import (
    Drop,
    Encapsulate,
    EncapsulateSet,
    ForwardingLocator,
    LocalPrefix,
    LocatorSet,
    Native,
    Reject,
    RejectCode,
    Resolve,
    SourceRloc,
    Transaction,
    Verdict,
)
from lispfast.model.units import InstanceId, WireMtu

from .twin_table import SlowTable

WIDTH = {4: 32, 6: 128}
SET_IDS = (1, 2, 1000, (1 << 31) - 1)

# Few bits vary, so that prefixes nest, meet again and are hit.
bits = st.sampled_from([0, 1, 2, 3, 9, 64, 255])
addresses: st.SearchStrategy[Address] = st.one_of(
    st.builds(lambda a, b: IPv4Address(10 << 24 | a << 16 | b), bits, bits),
    st.builds(lambda a, b, c: IPv6Address(0xFD << 120 | a << 72 | b << 60 | c), bits, bits, bits),
)
iids = st.sampled_from([InstanceId(0), InstanceId(7), InstanceId(0xFFFFFF)])


@st.composite
def prefixes(draw: st.DrawFn) -> EidPrefix:
    address = draw(addresses)
    length = draw(st.sampled_from([32, 128, 0, 1, 8, 15, 16, 24, 30, 31, 33, 48, 63, 64, 65, 127]))
    network = ip_network((address, min(length, WIDTH[address.version])), strict=False)
    return EidPrefix(network, draw(iids))


def locators(slots: list[int]) -> st.SearchStrategy[ForwardingLocator]:
    return st.builds(
        ForwardingLocator,
        address=st.sampled_from([IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")]),
        slot=st.sampled_from(slots),
        header=st.sampled_from([bytes(8), bytes(range(8))]),
        port=st.integers(1, 65535),
        mtu=st.builds(WireMtu, st.integers(1, 65535)),
        priority=st.integers(0, 255),
        weight=st.integers(0, 255),
        encapsulation=st.sampled_from(Encapsulation),
    )


@st.composite
def some_locators(draw: st.DrawFn) -> tuple[ForwardingLocator, ...]:
    kind = draw(st.integers(0, 19))
    if kind == 19:  # refused
        return draw(st.one_of(st.just(()), locators([64, 255]).map(lambda one: (one,))))
    some = draw(st.lists(locators([0, 1, 63]), min_size=1, max_size=3))
    return tuple(some * 85 if kind == 18 else some)


set_ids = st.sampled_from(SET_IDS)
verdicts: st.SearchStrategy[Verdict | EncapsulateSet] = st.one_of(
    st.builds(Encapsulate, some_locators()),
    st.builds(EncapsulateSet, set_ids),
    st.builds(Reject, st.sampled_from(RejectCode)),
    st.sampled_from([Native(), Drop(), Resolve()]),
)
puts = st.lists(st.tuples(prefixes(), verdicts), max_size=5).map(tuple)
sources = st.builds(SourceRloc, st.sampled_from([0, 1, 2, 63] * 10 + [64]), st.one_of(st.none(), addresses))
sets = st.lists(st.builds(LocatorSet, set_ids, some_locators()), max_size=2).map(tuple)


class TableMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.table = Table(workers=2)
        self.twin = SlowTable()
        self.values: dict[EidPrefix, int] = {}

    @rule(put=puts, withdraw=st.lists(prefixes(), max_size=1).map(tuple))
    def change_prefixes(self, put: tuple[tuple[EidPrefix, Verdict], ...], withdraw: tuple[EidPrefix, ...]) -> None:
        self.commit(Transaction(put=put, withdraw=withdraw))

    @rule(sets=sets, put=puts, withdraw_sets=st.sampled_from([(), (), (), *((one,) for one in SET_IDS), (1, 1)]))
    def change_sets(
        self,
        sets: tuple[LocatorSet, ...],
        put: tuple[tuple[EidPrefix, Verdict], ...],
        withdraw_sets: tuple[int, ...],
    ) -> None:
        self.commit(Transaction(sets=sets, put=put, withdraw_sets=withdraw_sets))

    @rule(one=st.builds(LocatorSet, set_ids, some_locators()), users=st.lists(prefixes(), max_size=3, unique=True))
    def fill_a_set(self, one: LocatorSet, users: list[EidPrefix]) -> None:
        self.commit(Transaction(sets=(one,), put=tuple((prefix, EncapsulateSet(one.id)) for prefix in users)))

    @rule(sources=st.lists(sources, max_size=3).map(tuple), own=st.lists(prefixes(), max_size=3))
    def change_the_rest(self, sources: tuple[SourceRloc, ...], own: list[EidPrefix]) -> None:
        self.commit(Transaction(sources=sources, local=tuple(map(LocalPrefix, own))))

    @rule(data=st.data())
    def withdraw_what_is_there(self, data: st.DataObject) -> None:
        gone = self.some_of_the_table(data, 4)
        named = {one.id for one in self.twin.verdicts.values() if isinstance(one, EncapsulateSet)}
        self.commit(Transaction(withdraw=gone, withdraw_sets=tuple(sorted(set(self.twin.sets) - named))[:1]))

    @rule(data=st.data(), verdict=verdicts)
    def replace_what_is_there(self, data: st.DataObject, verdict: Verdict) -> None:
        self.commit(Transaction(put=tuple((prefix, verdict) for prefix in self.some_of_the_table(data, 4))))

    @rule(first=st.integers(0, 1 << 20), count=st.integers(1, 300), iid=iids, six=st.booleans())
    def load_many(self, first: int, count: int, iid: InstanceId, six: bool) -> None:
        step = 1 << 66 if six else 1 << 5
        address = IPv6Address if six else IPv4Address
        hosts = [EidPrefix(ip_network(address((first + i) * step)), iid) for i in range(count)]
        self.commit(Transaction(put=tuple((host, Native()) for host in hosts)))

    @rule(iid=iids)
    def empty_an_instance(self, iid: InstanceId) -> None:
        self.commit(Transaction(withdraw=tuple(prefix for prefix in self.twin.verdicts if prefix.iid == iid)))

    @rule(prefix=prefixes())
    def name_an_instance_that_cannot_be(self, prefix: EidPrefix) -> None:
        self.commit(Transaction(put=((prefix, Drop()), (EidPrefix(prefix.network, InstanceId(1 << 24)), Drop()))))

    @rule(data=st.data(), eids=st.lists(st.builds(Eid, addresses, iids), max_size=8))
    def look_up(self, data: st.DataObject, eids: list[Eid]) -> None:
        for prefix in self.some_of_the_table(data, 3):
            eids += near(prefix)
        for eid in eids:
            found = self.table.lookup(eid.address, eid.iid)
            assert found == self.twin.lookup(eid)
            (value,) = self.table.lookup_many(eid.address.packed, eid.address.version, eid.iid)
            assert self.table.prefix(value) == (found and found[0])

    @rule(data=st.data(), version=st.sampled_from([4, 6]), iid=iids, count=st.sampled_from([0, 3, 127, 129]))
    def look_up_many(self, data: st.DataObject, version: int, iid: InstanceId, count: int) -> None:
        eids = [eid for prefix in self.some_of_the_table(data, 4) for eid in near(prefix)]
        mine = [eid.address for eid in eids if eid.address.version == version] or [
            IPv6Address(5) if version == 6 else IPv4Address(5)
        ]
        wanted = [mine[i % len(mine)] for i in range(count)]
        values = self.table.lookup_many(b"".join(address.packed for address in wanted), version, iid)
        expected = {address: self.twin.lookup(Eid(address, iid)) for address in mine}
        assert [self.table.prefix(value) for value in values] == [
            (one := expected[address]) and one[0] for address in wanted
        ]

    @invariant()
    def both_hold_the_same(self) -> None:
        rows = self.rows(1000)
        assert {prefix: verdict for _, prefix, verdict, _ in rows} == {
            prefix: self.twin.shown(prefix) for prefix in self.twin.verdicts
        }
        values = {prefix: value for value, prefix, _, _ in rows}
        assert len(values) == len(rows)
        assert [row[0] for row in rows] == sorted(values.values())
        assert all(values.get(prefix, value) == value for prefix, value in self.values.items())  # while it lives
        self.values = values
        assert self.table.usage() == {}

    @rule(room=st.sampled_from([1, 7, 128, 129]))
    def walk_in_slices(self, room: int) -> None:
        assert self.rows(room) == self.rows(100_000)

    def rows(self, room: int) -> list[tuple[object, ...]]:
        rows, start, full = [], 0, True
        while full:
            some, start = self.table.rows(start, room)
            full = len(some) == room
            rows += some
        return rows

    def some_of_the_table(self, data: st.DataObject, most: int) -> tuple[EidPrefix, ...]:
        there = sorted(self.twin.verdicts, key=str)
        return tuple(data.draw(st.lists(st.sampled_from(there), unique=True, max_size=most))) if there else ()

    def commit(self, transaction: Transaction) -> None:
        problems = self.twin.problems(transaction)
        if not problems:
            self.table.commit(transaction)
            self.twin.commit(transaction)
            gone = set(self.values) - set(self.twin.verdicts)
            self.values = {prefix: value for prefix, value in self.values.items() if prefix not in gone}
            return
        with pytest.raises(DataPlaneError) as refusal:
            self.table.commit(transaction)
        assert str(refusal.value).partition(": ")[0] in problems


def near(prefix: EidPrefix) -> list[Eid]:
    """The EIDs at either end of a prefix and those beside it, in its instance-ID and in another one."""
    network = prefix.network
    first, last = int(network.network_address), int(network.broadcast_address)
    numbers = [number for number in (first - 1, first, last, last + 1) if 0 <= number < 1 << network.max_prefixlen]
    address = type(network.network_address)
    return [Eid(address(number), iid) for number in numbers for iid in (prefix.iid, InstanceId(7))]


TestTableMachine = TableMachine.TestCase
TestTableMachine.settings = settings(deadline=None, max_examples=40, stateful_step_count=40)
