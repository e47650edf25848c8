"""Prefixes that share a locator-set, as packets meet it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import EncapsulateSet, LocatorSet, Transaction
from lispfast.model.settings import Forwarding

from .bench import Bench, inner, wait_until

ONE, OTHER = EidPrefix.parse("10.9.0.2/32"), EidPrefix.parse("10.9.0.3/32")


@pytest.fixture
def one_port() -> Iterator[Bench]:
    """All datagrams may be in one run: they leave by one source port."""
    bench = Bench(forwarding=Forwarding(source_ports=1))
    yield bench
    bench.close()


def test_each_prefix_has_its_own_packets_counted(one_port: Bench) -> None:
    bench = one_port
    for number in (2, 3, 2, 2, 3):  # they wait in the stage, and leave in one batch
        bench.send(inner(dst=f"10.9.0.{number}"))
    wait_until(lambda: bench.engine.totals()["staged"] == 5)
    bench.commit(
        Transaction(
            sets=(LocatorSet(1, (bench.locator(),)),),
            put=((ONE, EncapsulateSet(1)), (OTHER, EncapsulateSet(1))),
        )
    )
    destinations = [bench.outer().payload[8 + 16 : 8 + 20][-1] for _ in range(5)]
    assert [number for number in destinations if number == 2] == [2] * 3
    bench.wait_totals(packets_out=5)
    used = bench.engine.traffic().prefixes
    assert {prefix: use.packets_out for prefix, use in used.items()} == {ONE: 3, OTHER: 2}


def test_a_replaced_set_moves_the_packets_of_all_its_prefixes(bench: Bench) -> None:
    bench.commit(
        Transaction(
            sets=(LocatorSet(1, (bench.locator(4),)),),
            put=((ONE, EncapsulateSet(1)), (OTHER, EncapsulateSet(1))),
        )
    )
    bench.send(inner(dst="10.9.0.2"))
    assert bench.outer(4).payload[8 + 19] == 2
    bench.commit(Transaction(sets=(LocatorSet(1, (bench.locator(6),)),)))
    for number in (2, 3):
        bench.send(inner(dst=f"10.9.0.{number}"))
        assert bench.outer(6).payload[8 + 19] == number
