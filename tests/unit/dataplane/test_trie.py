"""The trie beside a dictionary and a linear scan: every root that stands answers as its twin does."""

from __future__ import annotations

import ctypes as c
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from .native import build

Prefix = tuple[int, int]  # bits, left-aligned in 128, and length


class Bits(c.Structure):
    _fields_ = [("high", c.c_uint64), ("low", c.c_uint64)]

    @classmethod
    def of(cls, number: int) -> Bits:
        return cls(number >> 64, number & ((1 << 64) - 1))

    def number(self) -> int:
        return int(self.high) << 64 | int(self.low)


class Entry(c.Structure):
    _fields_ = [("bits", Bits), ("value", c.c_uint32), ("length", c.c_uint8)]


class Pieces(c.Structure):
    _fields_ = [("piece", c.c_void_p), ("count", c.c_size_t), ("room", c.c_size_t)]


class Edit(c.Structure):
    _fields_ = [
        ("blocks", c.c_void_p),
        ("family", c.c_uint8),
        ("number", c.c_uint64),
        ("made", Pieces),
        ("left", Pieces),
    ]


VISIT = c.CFUNCTYPE(c.c_bool, c.c_void_p, c.POINTER(Entry))
SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "lf_blocks_init": (None, [c.c_void_p]),
    "lf_blocks_close": (None, [c.c_void_p]),
    "lf_trie_find4": (c.c_uint32, [c.c_uint64, c.c_uint32]),
    "lf_trie_find6": (c.c_uint32, [c.c_uint64, Bits]),
    "lf_trie_batch4": (None, [c.c_uint64, c.c_void_p, c.c_void_p, c.c_size_t]),
    "lf_trie_batch6": (None, [c.c_uint64, c.c_void_p, c.c_void_p, c.c_size_t]),
    "lf_trie_edit_begin": (None, [c.POINTER(Edit), c.c_void_p, c.c_uint8, c.c_uint64]),
    "lf_trie_edit_abandon": (None, [c.POINTER(Edit)]),
    "lf_trie_edit_settle": (Pieces, [c.POINTER(Edit)]),
    "lf_pieces_free": (None, [c.POINTER(Pieces), c.c_void_p]),
    "lf_trie_put": (c.c_bool, [c.POINTER(Edit), c.POINTER(c.c_uint64), c.POINTER(Entry)]),
    "lf_trie_take": (c.c_bool, [c.POINTER(Edit), c.POINTER(c.c_uint64), Bits, c.c_uint]),
    "lf_trie_build": (c.c_bool, [c.POINTER(Edit), c.POINTER(c.c_uint64), c.c_void_p, c.c_size_t]),
    "lf_trie_drop": (c.c_bool, [c.POINTER(Edit), c.c_uint64]),
    "lf_trie_exact": (c.c_uint32, [c.c_uint8, c.c_uint64, Bits, c.c_uint]),
    "lf_trie_count": (c.c_size_t, [c.c_uint8, c.c_uint64]),
    "lf_trie_walk": (None, [c.c_uint8, c.c_uint64, VISIT, c.c_void_p]),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> c.CDLL:
    library = build(tmp_path_factory.mktemp("trie"))
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def masked(number: int, length: int) -> int:
    return number >> (128 - length) << (128 - length)


def scan(twin: dict[Prefix, int], numbers: list[int]) -> list[int]:
    """The slow and obviously right longest-prefix match: every length, the longest first."""
    lengths = sorted({length for _, length in twin}, reverse=True)
    return [
        next(
            (twin[masked(number, length), length] for length in lengths if (masked(number, length), length) in twin), 0
        )
        for number in numbers
    ]


class Tries:
    """Tries of one family in one place of memory, each a root and its twin."""

    def __init__(self, library: c.CDLL, family: int) -> None:
        self.library, self.family = library, family
        self.bits = 32 if family == 4 else 128
        self.blocks = c.create_string_buffer(4096)
        library.lf_blocks_init(self.blocks)
        self.numbers = itertools.count(1)
        self.values = itertools.count(1)
        self.left: list[Pieces] = []

    def close(self) -> None:
        self.free_left()
        self.library.lf_blocks_close(self.blocks)

    def begin(self) -> Edit:
        edit = Edit()
        self.library.lf_trie_edit_begin(edit, self.blocks, self.family, next(self.numbers))
        return edit

    def settle(self, edit: Edit) -> None:
        self.left.append(self.library.lf_trie_edit_settle(edit))

    def free_left(self) -> None:
        for pieces in self.left:
            self.library.lf_pieces_free(pieces, self.blocks)
        self.left.clear()

    def entry(self, prefix: Prefix, value: int) -> Entry:
        return Entry(Bits.of(prefix[0]), value, prefix[1])

    def find(self, root: int, numbers: list[int]) -> list[int]:
        """By the batch, after one by one gave the same."""
        values = (c.c_uint32 * len(numbers))()
        if self.family == 4:
            keys = (c.c_uint32 * len(numbers))(*[number >> 96 for number in numbers])
            self.library.lf_trie_batch4(root, keys, values, len(numbers))
            alone = [self.library.lf_trie_find4(root, number >> 96) for number in numbers]
        else:
            bits = (Bits * len(numbers))(*[Bits.of(number) for number in numbers])
            self.library.lf_trie_batch6(root, bits, values, len(numbers))
            alone = [self.library.lf_trie_find6(root, Bits.of(number)) for number in numbers]
        assert list(values) == alone
        return alone

    def walk(self, root: int) -> dict[Prefix, int]:
        seen: dict[Prefix, int] = {}

        def visit(_: object, entry: object) -> bool:
            found = entry.contents  # type: ignore[attr-defined]
            assert seen.setdefault((found.bits.number(), found.length), found.value) == found.value
            return True

        self.library.lf_trie_walk(self.family, root, VISIT(visit), None)
        return seen

    def check(self, root: int, twin: dict[Prefix, int]) -> None:
        """Everything that can be asked of a root, at and around every prefix."""
        assert self.library.lf_trie_count(self.family, root) == len(twin)
        assert self.walk(root) == twin
        step = 1 << (128 - self.bits)
        numbers = [0, (1 << 128) - step]
        for bits, length in twin:
            last = bits | ((1 << (128 - length)) - 1)
            numbers += [bits, last // step * step, max(bits - step, 0), min(last + 1, (1 << 128) - step)]
            assert self.library.lf_trie_exact(self.family, root, Bits.of(bits), length) == twin[bits, length]
            for other in (length - 1, length + 1):
                if 0 <= other <= self.bits:
                    near = masked(bits, other)
                    found = self.library.lf_trie_exact(self.family, root, Bits.of(near), other)
                    assert found == twin.get((near, other), 0)
        assert self.find(root, numbers) == scan(twin, numbers)


@st.composite
def prefixes(draw: st.DrawFn, bits: int) -> Prefix:
    """Close together, so that they nest, share bits and crowd: few values at each byte, any length."""
    length = draw(st.one_of(st.integers(0, bits), st.just(bits), st.sampled_from([bits // 2, bits - 8])))
    octets = draw(st.lists(st.sampled_from([0, 1, 2, 3, 7, 128, 255]), min_size=16, max_size=16))
    return masked(int.from_bytes(bytes(octets)), length), length


class TrieMachine(RuleBasedStateMachine):
    """Roots by name: changed, given up, kept; the old ones are asked too."""

    native: c.CDLL
    family: int

    @initialize()
    def start(self) -> None:
        self.tries = Tries(self.native, self.family)
        self.root, self.twin = 0, dict[Prefix, int]()
        self.old: list[tuple[int, dict[Prefix, int]]] = []

    def teardown(self) -> None:
        if hasattr(self, "tries"):
            self.tries.close()

    def _drawn(self, data: st.DataObject, most: int) -> list[Prefix]:
        return data.draw(st.lists(prefixes(self.tries.bits), max_size=most, unique=True))

    @rule(data=st.data(), keeps=st.booleans(), forgets=st.booleans())
    def change(self, data: st.DataObject, keeps: bool, forgets: bool) -> None:
        """Some prefixes more, some less, and the whole change stands or is given up."""
        edit, root, twin = self.tries.begin(), c.c_uint64(self.root), dict(self.twin)
        for prefix in self._drawn(data, 40):
            if prefix not in twin:
                twin[prefix] = next(self.tries.values)
                assert self.native.lf_trie_put(edit, root, self.tries.entry(prefix, twin[prefix]))
        if twin:
            for prefix in data.draw(st.lists(st.sampled_from(sorted(twin)), max_size=40, unique=True)):
                del twin[prefix]
                assert self.native.lf_trie_take(edit, root, Bits.of(prefix[0]), prefix[1])
        if not keeps:
            self.native.lf_trie_edit_abandon(edit)
            return
        self.tries.settle(edit)
        self.old.append((self.root, self.twin))
        self.root, self.twin = root.value, twin
        if forgets:
            self.old.clear()
            self.tries.free_left()

    @rule(data=st.data())
    def load(self, data: st.DataObject) -> None:
        """Everything and more, built at once."""
        edit, root, twin = self.tries.begin(), c.c_uint64(), dict(self.twin)
        for prefix in self._drawn(data, 60):
            twin.setdefault(prefix, next(self.tries.values))
        entries = (Entry * len(twin))(*[self.tries.entry(prefix, value) for prefix, value in twin.items()])
        assert self.native.lf_trie_drop(edit, self.root)
        assert self.native.lf_trie_build(edit, root, entries, len(twin))
        self.tries.settle(edit)
        self.old.append((self.root, self.twin))
        self.root, self.twin = root.value, twin

    @invariant()
    def answers(self) -> None:
        if not hasattr(self, "tries"):
            return
        self.tries.check(self.root, self.twin)
        for root, twin in self.old[-2:]:
            self.tries.check(root, twin)


@pytest.mark.parametrize("family", [4, 6])
def test_as_the_twin_does(library: c.CDLL, family: int) -> None:
    machine = type("Machine", (TrieMachine,), {"native": library, "family": family})
    case = machine.TestCase
    case.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
    case().runTest()


@pytest.fixture(params=[4, 6])
def tries(request: pytest.FixtureRequest, library: c.CDLL) -> Iterator[Tries]:
    tries = Tries(library, request.param)
    yield tries
    tries.close()


def test_grows_and_shrinks_one_by_one(tries: Tries) -> None:
    """A whole block of host routes comes and goes, under prefixes of every length: forks widen, narrow and go."""
    hosts = [
        ((0x0A0B0000 + (i * 7919) % 5000) << 96 | (i if tries.family == 6 else 0), tries.bits) for i in range(5000)
    ]
    nested = [(masked(0x0A0B0C0D << 96, length), length) for length in range(30)]
    root, twin = c.c_uint64(), dict[Prefix, int]()
    for prefix in hosts + nested:
        edit = tries.begin()
        twin[prefix] = next(tries.values)
        assert tries.library.lf_trie_put(edit, root, tries.entry(prefix, twin[prefix]))
        tries.settle(edit)
        tries.free_left()
    tries.check(root.value, twin)
    for prefix in hosts[:4990] + nested:
        edit = tries.begin()
        del twin[prefix]
        assert tries.library.lf_trie_take(edit, root, Bits.of(prefix[0]), prefix[1])
        tries.settle(edit)
        tries.free_left()
    tries.check(root.value, twin)
    for prefix in list(twin):
        edit = tries.begin()
        assert tries.library.lf_trie_take(edit, root, Bits.of(prefix[0]), prefix[1])
        tries.settle(edit)
        tries.free_left()
    assert root.value == 0
