"""A flow while the table changes as often as it can: nothing is lost, nothing overtakes."""

from __future__ import annotations

import select
from collections.abc import Iterator
from itertools import count

import pytest

from lispfast.model.addresses import EidPrefix, parse_address
from lispfast.model.forwarding import (
    Drop,
    Encapsulate,
    EncapsulateSet,
    LocatorSet,
    SourceRloc,
    Transaction,
)

from .bench import REMOTE, Bench, inner

PACKETS, AHEAD, BURST = 6000, 96, 8  # the stage holds more than are ever under way
OWN = {
    4: [EidPrefix.parse(text) for text in ("10.9.0.2/32", "10.9.0.0/28", "10.9.0.0/16")],
    6: [EidPrefix.parse(text) for text in ("fd09::2/128", "fd09::/120", "fd09::/32")],
}
SET = 9


def changes(bench: Bench, version: int) -> Iterator[tuple[int, Transaction]]:
    """Transactions without end, each with the number that its locators bear.

    The flow's prefix is inserted, replaced, shadowed, withdrawn and missing; its locator-set is replaced, its source
    RLOC moves; others come and go.
    """
    host, near, wide = OWN[version]
    others = [EidPrefix.parse(f"10.9.{third}.{last}/32") for third in range(1, 5) for last in range(64)]
    others += [EidPrefix.parse(f"fd09::{last:x}/128") for last in range(0x100, 0x180)]
    for number in count(1):
        # Whichever prefix the flow matches afterwards, what it is sent with is new.
        to = bench.locator(header=b"\0" + number.to_bytes(3, "big") + bytes(4))
        named = LocatorSet(SET, (to,))
        own, there = Encapsulate((to,)), others[number % 8 :: 8]
        steps = (
            Transaction(put=((wide, own), *((prefix, Drop()) for prefix in there))),
            Transaction(put=((host, own),)),
            Transaction(put=((near, own),), withdraw=(host, *there)),
            Transaction(put=((near, EncapsulateSet(SET)),), sets=(named,)),
            Transaction(sets=(named,), sources=(SourceRloc(0, parse_address(f"127.0.0.{1 + number % 2}")),)),
            Transaction(put=((wide, own),), withdraw=(near,)),
            Transaction(withdraw=(wide,), put=tuple((prefix, own) for prefix in there)),
            Transaction(withdraw=tuple(there)),
        )
        for step in steps:
            yield number, step


def test_a_locator_tells_its_transaction(bench: Bench) -> None:
    """What the other test goes by."""
    number, first = next(changes(bench, 4))
    bench.commit(first)
    bench.send(inner())
    assert bench.outer().payload[1:4] == number.to_bytes(3, "big")


@pytest.mark.parametrize("version", [4, 6])
def test_a_flow_under_continuous_commits(bench: Bench, version: int) -> None:
    packet = bytes(inner(version, bytes(4)))
    ends = (len(packet) - 4, len(packet))
    far, sent, came, newest, commits = bench.far[4], 0, 0, 0, 0
    for number, change in changes(bench, version):
        for _ in range(min(BURST, PACKETS - sent, AHEAD - (sent - came))):
            bench.send(packet[: ends[0]] + sent.to_bytes(4, "big"))
            sent += 1
        bench.commit(change)
        commits += 1
        while select.select([far], [], [], 0)[0]:
            data = far.recv(2000)
            mark = int.from_bytes(data[1:4], "big")
            assert int.from_bytes(data[8:][ends[0] : ends[1]], "big") == came, "lost, or overtaken"
            assert newest <= mark <= number, "by a table older than what an earlier packet saw"
            came, newest = came + 1, mark
        if came == PACKETS:
            break
        assert commits < 100 * PACKETS, "the flow has stopped"
    totals = bench.engine.totals()
    print(f"{PACKETS} packets, {commits} commits, {totals['staged']} waited, {totals['punts']} punts")
    assert bench.drops() == {}
    assert totals["packets_out"] == PACKETS
    assert totals["staged"] > 0
    assert {punt.destination for punt in bench.engine.take_punts()} == {REMOTE[version]}
