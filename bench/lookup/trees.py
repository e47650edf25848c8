"""`python -m bench.lookup.trees pytricia|pyradix FILE SECONDS`: radix trees for Python over a cell.

Addresses are given in the form in which each of them answers fastest: bytes to pytricia, text to py-radix.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from bench.lookup.cellfile import CellFile, Prefix
from bench.lookup.passes import KEYS_MAX, check, rate, refuse, resident, say

SLICE = 10_000  # prefixes made at a time, so that making them is not counted and does not fill memory


class Tree(Protocol):
    """What is measured of a tree."""

    find: Callable[[Any], object]

    def add(self, prefixes: Iterable[Prefix]) -> None: ...
    def key(self, address: bytes) -> object: ...
    def number(self, answer: Any) -> int: ...


class Pytricia:
    """pytricia.PyTricia."""

    def __init__(self, family: int) -> None:
        import pytricia  # type: ignore[import-not-found]

        self._tree = pytricia.PyTricia(32 if family == 4 else 128)
        self.find = self._tree.get

    def add(self, prefixes: Iterable[Prefix]) -> None:
        insert = self._tree.insert
        for each in prefixes:
            insert(each.network, each.length, each.number)

    def key(self, address: bytes) -> object:
        return address

    def number(self, answer: Any) -> int:
        return answer or 0


class PyRadix:
    """radix.Radix: its nodes have no room for a number but a dict each, so that answers are told by their prefix."""

    def __init__(self, family: int) -> None:
        import radix  # type: ignore[import-not-found]

        self._tree = radix.Radix()
        self._numbers: dict[tuple[bytes, int], int] = {}
        self.find = self._tree.search_best

    def add(self, prefixes: Iterable[Prefix]) -> None:
        add = self._tree.add
        for each in prefixes:
            add(packed=each.network, masklen=each.length)

    def key(self, address: bytes) -> object:
        return str(ip_address(address))

    def know(self, cell: CellFile) -> None:
        """Take down which prefix has which number."""
        self._numbers = {(each.network, each.length): each.number for each in cell.prefixes()}

    def number(self, answer: Any) -> int:
        return 0 if answer is None else self._numbers[answer.packed, answer.prefixlen]


TREES: dict[str, type[Pytricia] | type[PyRadix]] = {"pytricia": Pytricia, "pyradix": PyRadix}


def load(tree: Tree, cell: CellFile) -> float:
    """Seconds of adding every prefix."""
    left = cell.prefixes()
    taken = 0.0
    while some := list(islice(left, SLICE)):
        begun = time.perf_counter()
        tree.add(some)
        taken += time.perf_counter() - begun
    return taken


def measure(tree: Pytricia | PyRadix, name: str, cell: CellFile, seconds: float) -> None:
    """Fill it, hold every answer against what it has to be, and say its figures."""
    before = resident("RssAnon")
    say(f"{name}_load_s", load(tree, cell))
    say(f"{name}_bytes_per_entry", (resident("RssAnon") - before) / cell.count)
    hits, expected = cell.hits(KEYS_MAX)
    keys: Sequence[object] = [tree.key(address) for address in hits]
    find = tree.find
    say(f"{name}_mps", rate(lambda: list(map(find, keys)), seconds))
    misses = [tree.key(address) for address in cell.misses(KEYS_MAX // 4)]
    if isinstance(tree, PyRadix):
        tree.know(cell)
    check([tree.number(find(key)) for key in keys], expected)
    check([tree.number(find(key)) for key in misses], [0] * len(misses))


def main() -> None:
    """Measure one tree over one cell."""
    name, path, seconds = sys.argv[1:]
    cell = CellFile(Path(path))
    try:
        tree = TREES[name](cell.family)
    except ImportError as error:
        refuse(str(error))
    measure(tree, name, cell, float(seconds))


if __name__ == "__main__":
    main()
