"""A day of updates: what the table takes, it gives back."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import random
from collections.abc import Callable
from ipaddress import ip_address
from itertools import count

import pytest

from lispfast.model.addresses import EidPrefix, parse_address
from lispfast.model.forwarding import (
    Drop,
    Encapsulate,
    EncapsulateSet,
    LocatorSet,
    Reject,
    SourceRloc,
    Transaction,
)
from lispfast.packed import Kind, Packer, pack_locator

from .bench import LOCAL, Bench, inner, locals_of

# A busy mobile node: who it talks to, refreshed every 15 minutes; a move every 2; new correspondents all the time.
CORRESPONDENTS, REFRESHES, MOVES, NEWCOMERS = 150, 24 * 4, 24 * 30, 8000
LARGE, UPDATES = 200_000, 100_000
GROWTH = 6  # bytes a step: what the C library rounds up; a version lost now and then would be 14
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    gc.collect()
    with contextlib.suppress(AttributeError):  # glibc keeps what was freed; without that a leak would hide in there
        ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as figures:
        return int(figures.read().split()[1]) * PAGE


def holds_still(step: Callable[[int], None], steps: int) -> None:
    """After a fifth of the steps the process has all the memory that it ever needs."""
    for number in range(steps // 5):
        step(number)
    before = resident()
    for number in range(steps // 5, steps):
        step(number)
    growth = resident() - before
    print(f"{steps} steps, {growth / 1024:.0f} KiB more in the last four fifths")
    assert growth < GROWTH * (steps - steps // 5)


def host(number: int) -> EidPrefix:
    first, length = (0xFD09 << 112, 128) if number % 3 == 0 else (0x0A200000, 32)
    return EidPrefix.parse(f"{ip_address(first + number)}/{length}")


def test_a_day_of_a_busy_mobile_node(bench: Bench) -> None:
    engine, locator = bench.engine, bench.locator()
    known = [host(number) for number in range(CORRESPONDENTS)]
    newcomers = [host(number) for number in range(1000, 1000 + 500)]
    engine.commit(Transaction(put=tuple((prefix, Encapsulate((locator,))) for prefix in known)))
    here: list[EidPrefix] = []
    packet = bytes(inner(dst="10.32.0.1"))

    def step(number: int) -> None:
        kind = number % 24
        if kind < 8:  # somebody new, negative now and then; who was new some time ago goes
            prefix = newcomers[number * 7 % len(newcomers)]
            if prefix not in here:
                here.append(prefix)
                verdict = Reject() if number % 5 == 0 else Encapsulate((locator,))
                gone = (here.pop(0),) if len(here) > 100 else ()
                engine.commit(Transaction(put=((prefix, verdict),), withdraw=gone))
        elif kind == 8:
            source = parse_address(f"127.0.0.{1 + number % 5}")
            engine.commit(Transaction(sources=(SourceRloc(0, source),), local=locals_of(*map(str, LOCAL.values()))))
        else:
            engine.commit(Transaction(put=((known[number % len(known)], Encapsulate((locator, locator))),)))
            if kind == 9:
                bench.send(packet)

    holds_still(step, CORRESPONDENTS * REFRESHES + MOVES + NEWCOMERS)
    assert engine.totals()["packets_out"] > 0


@pytest.fixture
def large(bench: Bench) -> Bench:
    """A large table of host routes, in one transaction."""
    packer = Packer()
    name = packer.add_set([pack_locator(bench.locator())])
    for number in range(LARGE):
        packer.add_put(4, 0x0B000000 + number * 3, 32, 0, Kind.ENCAPSULATE, set_name=name)
    bench.engine.commit_packed(packer.finish())
    return bench


def test_updates_of_a_large_table(large: Bench) -> None:
    engine, locator, chosen = large.engine, large.locator(), random.Random(4)
    pool = [EidPrefix.parse(f"{ip_address(0x0B000000 + chosen.randrange(LARGE * 3))}/32") for _ in range(4000)]
    there = {prefix for prefix in pool if int(prefix.network.network_address) % 3 == 0x0B000000 % 3}
    order, verdicts = count(), (Encapsulate((locator,)), EncapsulateSet(1), Drop())
    engine.commit(Transaction(sets=(LocatorSet(1, (locator,)),)))

    def step(number: int) -> None:
        prefix = pool[next(order) * 11 % len(pool)]
        if number % 50 == 0:
            engine.commit(Transaction(sets=(LocatorSet(1, (locator,) * (1 + number // 50 % 8)),)))
        elif prefix in there and chosen.random() < 0.4:
            there.discard(prefix)
            engine.commit(Transaction(withdraw=(prefix,)))
        else:
            there.add(prefix)
            engine.commit(Transaction(put=((prefix, verdicts[number % 3]),)))

    holds_still(step, UPDATES)
