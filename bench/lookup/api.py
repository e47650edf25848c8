"""`python -m bench.lookup.api python|objects FILE SECONDS`: our table through its Python API, over a cell.

`python` loads it from tuples of numbers through a Packer and looks up in bulk and one by one; `objects` loads it from
EID-prefixes and verdicts, as the model has them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import islice
from pathlib import Path

from bench.lookup.cellfile import CellFile
from bench.lookup.passes import KEYS_MAX, check, rate, say
from lispfast._fastpath import Table
from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import Encapsulate, ForwardingLocator, Transaction
from lispfast.packed import Kind, Packer, pack_locator

WORKERS = 2
SETS = 1000  # of locators, which the mappings share
SINGLE = 1 << 16  # keys looked up one by one: an object each
SLICE = 10_000  # tuples made at a time, so that making them is not counted and does not fill memory


def locator(number: int) -> ForwardingLocator:
    """One of the sets' locators: each set has one."""
    return ForwardingLocator(ip_address(0x0A000001 + number), slot=0, header=bytes(8))


def tuples(cell: CellFile) -> Iterator[tuple[int, int]]:
    """Network as a number and length of every prefix."""
    return ((int.from_bytes(each.network), each.length) for each in cell.prefixes())


def load_tuples(table: Table, cell: CellFile) -> float:
    """Seconds of packing and committing every prefix."""
    packer, left, taken = Packer(), tuples(cell), 0.0
    for number in range(SETS):
        packer.add_set([pack_locator(locator(number))], number + 1)
    while some := list(islice(left, SLICE)):
        begun = time.perf_counter()
        for number, (network, length) in enumerate(some):
            packer.add_put(cell.family, network, length, 0, Kind.ENCAPSULATE, 0, number % SETS + 1)
        taken += time.perf_counter() - begun
    begun = time.perf_counter()
    table.commit_packed(packer.finish())
    return taken + time.perf_counter() - begun


def load_objects(table: Table, cell: CellFile) -> float:
    """Seconds of committing a transaction of the model; to make its objects is not counted."""
    verdicts = [Encapsulate((locator(number),)) for number in range(SETS)]
    make = IPv4Network if cell.family == 4 else IPv6Network
    put = tuple((EidPrefix(make(each)), verdicts[number % SETS]) for number, each in enumerate(tuples(cell)))
    transaction = Transaction(put=put)
    begun = time.perf_counter()
    table.commit(transaction)
    return time.perf_counter() - begun


def numbers(table: Table, cell: CellFile, values: memoryview) -> list[int]:
    """The place in the cell of each prefix that an answer names, 0 for none."""
    places = {(each.network, each.length): each.number for each in cell.prefixes()}
    found = {0: 0}
    for value in set(values) - {0}:
        prefix = table.prefix(value)
        found[value] = 0 if prefix is None else places[prefix.network.network_address.packed, prefix.length]
    return [found[value] for value in values]


def measure(cell: CellFile, seconds: float) -> None:
    """Fill a table, hold every answer against what it has to be, and say its figures."""
    table = Table(WORKERS)
    say("load_tuples_s", load_tuples(table, cell))
    keys, expected = cell.hits(KEYS_MAX)
    many = b"".join(keys)
    say("lispfast_python_mps", rate(lambda: table.lookup_many(many, cell.family), seconds))
    single = [ip_address(key) for key in keys[:SINGLE]]
    say("lispfast_python_single_mps", rate(lambda: list(map(table.lookup, single)), seconds))
    check(numbers(table, cell, table.lookup_many(many, cell.family)), expected)
    misses = cell.misses(KEYS_MAX)
    check(list(table.lookup_many(b"".join(misses), cell.family)), [0] * len(misses))


def main() -> None:
    """Measure one part."""
    what, path, seconds = sys.argv[1:]
    cell = CellFile(Path(path))
    if what == "objects":
        say("load_objects_s", load_objects(Table(WORKERS), cell))
    else:
        measure(cell, float(seconds))


if __name__ == "__main__":
    main()
