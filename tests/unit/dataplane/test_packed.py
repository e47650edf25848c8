"""Packed transactions: written by hand, by the packer and out of objects; refused with the name of what is wrong."""

from __future__ import annotations

import re
import struct
import threading
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast._fastpath import Table
from lispfast.model.addresses import EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.errors import DataPlaneError
from lispfast.model.forwarding import (
    Drop,
    Encapsulate,
    EncapsulateSet,
    ForwardingLocator,
    InnerTunnel,
    LocalPrefix,
    LocatorSet,
    Native,
    PrefixTraffic,
    Reject,
    RejectCode,
    Resolve,
    SourceRloc,
    Transaction,
)
from lispfast.model.units import InstanceId, WireMtu
from lispfast.packed import HEADER, PUT, Kind, Packer, pack, pack_locator

from .packing import DROP, ENCAPSULATE, NATIVELY, REJECT, RESOLVE, Change, locator_record, tunnel_record

HOST = EidPrefix.parse("10.0.0.1/32")
NET = EidPrefix.parse("10.0.0.0/8", 7)
SIX = EidPrefix.parse("2001:db8::/48", 0xFFFFFF)
LOCATOR = ForwardingLocator(
    IPv4Address("192.0.2.1"), 3, bytes(range(8)), 4790, WireMtu(1400), 2, 50, Encapsulation.VXLAN_GPE
)
OTHER = ForwardingLocator(IPv6Address("2001:db8::1"), 63, bytes(8), encapsulation=Encapsulation.LISP_GPE)
TUNNEL = InnerTunnel(IPv6Address("2001:db8::2"), 62, b"\x08\0\0\0\0\0\x07\0", 4343)
DEEP = replace(LOCATOR, inside=TUNNEL)
OWN = (LocalPrefix(EidPrefix.parse("10.0.0.0/24", 7), 4095), LocalPrefix(EidPrefix.parse("fd00::9/128")))
NUMBER = int(HOST.network.network_address)


@pytest.fixture
def table() -> Table:
    return Table()


def everything() -> tuple[Transaction, Change]:
    """The same transaction twice: as objects, and record by record."""
    change = Change()
    records = [
        locator_record(IPv4Address("192.0.2.1"), 4790, 3, 2, 50, 1400, 2, bytes(range(8))),
        locator_record(IPv6Address("2001:db8::1"), 4341, 63, 1, 100, 1500, 1),
    ]
    change.set([*records, records[0]], 5, (tunnel_record(TUNNEL, 2),))
    own = change.set(records[:1])
    change.put(HOST, own)
    change.put(NET, 5)
    change.put(SIX, own)
    change.put(EidPrefix.parse("::/0"), kind=NATIVELY)
    change.put(EidPrefix.parse("0.0.0.0/0"), kind=REJECT, code=1)
    change.put(EidPrefix.parse("10.0.0.2/32"), kind=DROP)
    change.put(EidPrefix.parse("10.0.0.3/32"), kind=RESOLVE)
    change.withdraw(EidPrefix.parse("10.1.0.0/16", 9))
    change.withdraw(EidPrefix.parse("fd00::/8"))
    change.source(0, IPv4Address("192.0.2.9"), 4)
    change.source(1, None)
    change.local(OWN)
    change.withdraw_set(6)
    transaction = Transaction(
        put=(
            (HOST, Encapsulate((LOCATOR,))),
            (NET, EncapsulateSet(5)),
            (SIX, Encapsulate((LOCATOR,))),
            (EidPrefix.parse("::/0"), Native()),
            (EidPrefix.parse("0.0.0.0/0"), Reject(RejectCode.PROHIBITED)),
            (EidPrefix.parse("10.0.0.2/32"), Drop()),
            (EidPrefix.parse("10.0.0.3/32"), Resolve()),
        ),
        withdraw=(EidPrefix.parse("10.1.0.0/16", 9), EidPrefix.parse("fd00::/8")),
        local=OWN,
        sources=(SourceRloc(0, IPv4Address("192.0.2.9"), 4), SourceRloc(1, None)),
        sets=(LocatorSet(5, (LOCATOR, OTHER, DEEP)),),
        withdraw_sets=(6,),
    )
    return transaction, change


def prepare(table: Table, transaction: Transaction) -> None:
    """What the transaction withdraws is there."""
    sets = tuple(LocatorSet(one, (OTHER,)) for one in transaction.withdraw_sets)
    table.commit(Transaction(put=tuple((prefix, Drop()) for prefix in transaction.withdraw), sets=sets))


def test_objects_become_what_is_written_by_hand() -> None:
    transaction, change = everything()
    assert pack(transaction) == change.packed()


def test_the_packer_makes_the_same_of_numbers() -> None:
    packer, change = Packer(), Change()
    own = packer.add_set([pack_locator(LOCATOR)])
    packer.add_put(4, NUMBER, 32, 7, Kind.ENCAPSULATE, set_name=own)
    packer.add_put(6, 1 << 127, 1, 0, Kind.REJECT, 1)
    packer.add_withdrawal(4, 0, 0, 1)
    packer.add_source(2, 6, 1, 3)
    packer.add_source(1, 0)
    packer.add_local(4, 1 << 24, 8, 2, 9)
    packer.add_set_withdrawal(9)
    change.set([locator_record(IPv4Address("192.0.2.1"), 4790, 3, 2, 50, 1400, 2, bytes(range(8)))])
    change.put(EidPrefix.parse("10.0.0.1/32", 7), own, ENCAPSULATE)
    change.put(EidPrefix.parse("8000::/1"), kind=REJECT, code=1)
    change.withdraw(EidPrefix.parse("0.0.0.0/0", 1))
    change.source(2, IPv6Address("::1"), 3)
    change.source(1, None)
    change.local((LocalPrefix(EidPrefix.parse("1.0.0.0/8", 2), 9),))
    change.withdraw_set(9)
    assert packer.finish() == change.packed()
    with pytest.raises(struct.error):
        packer.add_put(4, 0, 32, 1 << 32, Kind.DROP)
    with pytest.raises(OverflowError):
        packer.add_put(4, 1 << 32, 32, 0, Kind.DROP)


def test_what_goes_in_comes_out(table: Table) -> None:
    transaction, _ = everything()
    prepare(table, transaction)
    table.commit(transaction)
    expected = dict(transaction.put) | {NET: Encapsulate((LOCATOR, OTHER, DEEP))}
    rows, start = table.rows(0, 100)
    assert {prefix: verdict for _, prefix, verdict, _ in rows} == expected
    assert table.rows(start, 100) == ([], start)
    assert table.lookup(ip_address("10.200.0.1"), 7) == (NET, expected[NET])
    assert table.lookup(ip_address("10.200.0.1"), 8) is None


def test_a_set_is_replaced_for_all_who_name_it(table: Table) -> None:
    hosts = [EidPrefix(ip, InstanceId(0)) for ip in NET.network.subnets(new_prefix=12)]
    table.commit(Transaction(sets=(LocatorSet(1, (LOCATOR,)),), put=tuple((host, EncapsulateSet(1)) for host in hosts)))
    table.commit(Transaction(sets=(LocatorSet(1, (OTHER,)),)))
    assert {verdict for _, _, verdict, _ in table.rows(0, 100)[0]} == {Encapsulate((OTHER,))}


def test_numbers_find_prefixes(table: Table) -> None:
    table.commit(Transaction(put=((HOST, Drop()), (SIX, Drop()))))
    values = table.lookup_many(HOST.network.network_address.packed + bytes(4), 4)
    assert (values.format, len(values), values[1]) == ("I", 2, 0)
    assert table.prefix(values[0]) == HOST
    assert table.lookup_many(memoryview(bytearray(16)), 6, SIX.iid).tolist() == [0]
    assert table.prefix(table.lookup_many(SIX.network.network_address.packed, 6, SIX.iid)[0]) == SIX
    assert table.lookup_many(b"", 4).tolist() == []
    table.commit(Transaction(withdraw=(HOST,)))
    assert [table.prefix(value) for value in (0, values[0], 3, (1 << 32) - 1)] == [None] * 4
    assert table.left() == PrefixTraffic(0, 0, 0, None)
    for wrong in ((bytes(5), 4), (bytes(8), 6), (bytes(4), 5)):
        with pytest.raises(ValueError, match=r"no (IPv|family)"):
            table.lookup_many(*wrong)
    with pytest.raises(TypeError):
        table.lookup_many("10.0.0.1", 4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("transaction", "problem"),
    [
        (Transaction(withdraw=(HOST, NET)), "10.0.0.1/32: the prefix is not there"),
        (Transaction(put=((HOST, Drop()), (NET, Drop())), withdraw=(NET,)), "[7]10.0.0.0/8: the prefix stands twice"),
        (Transaction(put=((HOST, EncapsulateSet(9)),)), "10.0.0.1/32: no such locator-set"),
        (Transaction(put=((HOST, EncapsulateSet(0)),)), "locator-set 0: an id is 1 to 2147483647"),
        (Transaction(sets=(LocatorSet(1 << 31, (LOCATOR,)),)), "locator-set 2147483648: an id"),
        (Transaction(sets=(LocatorSet(5, ()),)), "locator-set 5: no locators"),
        (Transaction(sets=(LocatorSet(5, (LOCATOR,) * 256),)), "locator-set 5: more than 255"),
        (Transaction(sets=(LocatorSet(4, (OTHER,)),) * 2), "locator-set 4: the locator-set stands twice"),
        (Transaction(withdraw_sets=(1, 9)), "locator-set 9: no such locator-set"),
        (Transaction(withdraw_sets=(2,)), "locator-set 2: prefixes refer"),
        (Transaction(local=(LocalPrefix(EidPrefix(HOST.network, InstanceId(-1))),)), "local EID [-1]10.0.0.1: no such"),
        (Transaction(local=(LocalPrefix(HOST, 4096),)), "local EID 10.0.0.1: no such instance-ID or Map-Version"),
        (Transaction(sources=(SourceRloc(0, None), SourceRloc(64, None))), "source slot 64: no such source slot"),
        (Transaction(sources=(SourceRloc(0, None, 1 << 31),)), "source slot 0: slot or ifindex"),
        (Transaction(put=((EidPrefix(HOST.network, InstanceId(-1)), Drop()),)), "[-1]10.0.0.1/32: no such instance-ID"),
        (Transaction(withdraw=(EidPrefix(HOST.network, InstanceId(1 << 32)),)), "[4294967296]10.0.0.1/32: no such"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_item(table: Table, transaction: Transaction, problem: str) -> None:
    table.commit(Transaction(sets=(LocatorSet(1, (OTHER,)), LocatorSet(2, (OTHER,))), put=((SIX, EncapsulateSet(2)),)))
    with pytest.raises(DataPlaneError, match="^" + re.escape(problem)):
        table.commit(transaction)
    assert [(prefix, verdict) for _, prefix, verdict, _ in table.rows(0, 9)[0]] == [(SIX, Encapsulate((OTHER,)))]


def test_every_locator_may_have_a_tunnel_inside(table: Table) -> None:
    for mask in (0, 1, 0b101, (1 << 255) - 1, int("10" * 127 + "1", 2)):
        locators = tuple(
            replace(LOCATOR, port=place + 1, inside=replace(TUNNEL, port=place + 1) if mask >> place & 1 else None)
            for place in range(255)
        )
        table.commit(Transaction(put=((HOST, Encapsulate(locators)),)))
        assert table.lookup(ip_address("10.0.0.1")) == (HOST, Encapsulate(locators))


def test_locators_that_differ_by_their_tunnel_alone_are_two_sets(table: Table) -> None:
    verdicts = {HOST: Encapsulate((LOCATOR,)), SIX: Encapsulate((DEEP,)), NET: Encapsulate((LOCATOR, LOCATOR))}
    table.commit(Transaction(put=tuple(verdicts.items())))
    assert {prefix: verdict for _, prefix, verdict, _ in table.rows(0, 9)[0]} == verdicts


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ((tunnel_record(TUNNEL, 1),), "byte 72: not a packed"),  # a tunnel of no locator
        ((tunnel_record(TUNNEL, 0),) * 2, "byte 32: not a packed"),  # more tunnels than locators
        ((tunnel_record(replace(TUNNEL, slot=64), 0),), "locator-set 5: no such source slot"),
        ((bytes(16) + b"\5" + bytes(15),), "byte 72: not a packed"),  # of no family
    ],
)
def test_a_tunnel_that_is_none_is_refused(table: Table, records: tuple[bytes, ...], problem: str) -> None:
    change = Change()
    change.set([locator_record(IPv4Address("192.0.2.1"), 4341)], 5, records)
    with pytest.raises(DataPlaneError, match="^" + re.escape(problem)):
        table.commit_packed(change.packed())


@pytest.mark.parametrize("wrong", [{"header": b""}, {"port": 0}, {"slot": 256}])
def test_a_tunnel_that_does_not_fit_its_record_is_named(wrong: dict[str, Any]) -> None:
    locator = replace(LOCATOR, inside=replace(TUNNEL, **wrong))
    with pytest.raises(DataPlaneError, match=r"^tunnel to 2001:db8::2: "):
        pack(Transaction(sets=(LocatorSet(5, (locator,)),)))


def test_own_sets_are_named_by_who_uses_them(table: Table) -> None:
    packer = Packer()
    packer.add_set([pack_locator(OTHER)])
    slot = bytearray(pack_locator(OTHER))
    slot[17] = 64
    packer.add_put(6, 0, 0, 0, Kind.DROP)
    packer.add_put(4, NUMBER, 32, 9, Kind.ENCAPSULATE, set_name=packer.add_set([bytes(slot)]))
    with pytest.raises(DataPlaneError, match=r"^\[9\]10.0.0.1/32: no such source slot"):
        table.commit_packed(packer.finish())
    alone = Packer()
    alone.add_set([bytes(slot)])
    with pytest.raises(DataPlaneError, match=r"^the locator-set in place 0: no such source slot"):
        table.commit_packed(alone.finish())


def test_a_buffer_that_is_none_says_where(table: Table) -> None:
    packed = pack(everything()[0])
    for length in range(len(packed)):
        with pytest.raises(DataPlaneError, match=r"^byte \d+: not a packed transaction"):
            table.commit_packed(packed[:length])
    for wrong in (
        packed + bytes(8),
        b"\0" + packed[1:],
        packed[:4] + b"\1" + packed[5:],
        packed[:6] + b"\3" + packed[7:],
    ):
        with pytest.raises(DataPlaneError, match=r"^byte \d+: not a packed transaction"):
            table.commit_packed(wrong)
    assert table.rows(0, 9)[0] == []
    with pytest.raises(TypeError):
        table.commit_packed("LFTX")  # type: ignore[arg-type]


@pytest.mark.parametrize(("offset", "value"), [(20, 5), (21, 33), (4, 1), (22, 5), (23, 2), (24, 1)])
def test_a_record_that_is_none_is_named(table: Table, offset: int, value: int) -> None:
    packer = Packer()
    packer.add_put(6, 0, 0, 0, Kind.DROP)
    packer.add_put(4, NUMBER, 32, 9, Kind.DROP)
    packed = bytearray(packer.finish())
    packed[HEADER.size + PUT.size + offset] = value
    with pytest.raises(DataPlaneError, match=r"^(byte 64|a prefix of family 5|\[9\]10.0.0.1/3[23]): "):
        table.commit_packed(packed)
    assert table.rows(0, 9)[0] == []


@given(st.data())
def test_whatever_the_bytes_are_it_is_taken_or_refused(data: st.DataObject) -> None:
    transaction, _ = everything()
    table, packed = Table(), bytearray(pack(transaction))
    prepare(table, transaction)
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    before = table.rows(0, 100)[0]
    try:
        table.commit_packed(packed)
    except DataPlaneError:
        assert table.rows(0, 100)[0] == before
    else:
        assert table.rows(0, 100)[0] != before


def test_any_buffer_at_any_place_will_do(table: Table) -> None:
    packed = pack(Transaction(put=((HOST, Encapsulate((LOCATOR, OTHER))),)))
    for offset in range(9):
        table.commit_packed(memoryview(bytes(offset) + packed)[offset:])
        table.commit_packed(bytearray(packed))
    assert table.lookup(ip_address("10.0.0.1")) == (HOST, Encapsulate((LOCATOR, OTHER)))


def test_a_table_in_another_threads_hands_says_so(table: Table) -> None:
    packer = Packer()
    for number in range(200_000):
        packer.add_put(4, number, 32, 0, Kind.DROP)
    packed = packer.finish()
    refused: list[str] = []
    for _ in range(100):  # a commit may be over before we have our turn
        thread = threading.Thread(target=table.commit_packed, args=(packed,))
        thread.start()
        while thread.is_alive():
            try:
                table.rows(0, 1)
            except RuntimeError as error:
                refused.append(str(error))
        if refused:
            break
    assert set(refused) == {"another thread commits"}
    assert len(table.rows(0, 300_000)[0]) == 200_000


@pytest.mark.parametrize("workers", [0, 65])
def test_too_few_or_too_many_workers(workers: int) -> None:
    with pytest.raises(ValueError, match="workers"):
        Table(workers)
