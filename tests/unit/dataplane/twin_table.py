"""The table's slow twin: a sorted list that is looked through from its longest prefix on, and a dictionary of sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

from lispfast.model.addresses import Eid, EidPrefix
from lispfast.model.forwarding import (
    SOURCE_SLOTS,
    Encapsulate,
    EncapsulateSet,
    ForwardingLocator,
    Transaction,
    Verdict,
)

INSTANCE_IDS = 1 << 24

_ThingT = TypeVar("_ThingT")
Locators = tuple[ForwardingLocator, ...]


class SlowTable:
    """What a table should hold after the transactions that it took."""

    def __init__(self) -> None:
        self.verdicts: dict[EidPrefix, Verdict | EncapsulateSet] = {}
        self.sets: dict[int, Locators] = {}

    def commit(self, transaction: Transaction) -> None:
        """Apply one in which `problems` finds nothing."""
        self.sets.update({one.id: one.locators for one in transaction.sets})
        self.verdicts.update(transaction.put)
        for prefix in transaction.withdraw:
            del self.verdicts[prefix]
        for one in transaction.withdraw_sets:
            del self.sets[one]

    def lookup(self, eid: Eid) -> tuple[EidPrefix, Verdict] | None:
        for prefix in sorted(self.verdicts, key=lambda prefix: -prefix.length):
            if prefix.contains(eid):
                return prefix, self.shown(prefix)
        return None

    def shown(self, prefix: EidPrefix) -> Verdict:
        """The verdict of a prefix, a locator-set by its locators."""
        verdict = self.verdicts[prefix]
        return Encapsulate(self.sets[verdict.id]) if isinstance(verdict, EncapsulateSet) else verdict

    def problems(self, transaction: Transaction) -> set[str]:
        """What a refusal may name; empty for a transaction to be taken."""
        return {
            *map(str, self._prefixes(transaction)),
            *(f"locator-set {one}" for one in self._sets(transaction)),
            *(f"source slot {slot}" for slot in _slots(transaction)),
        }

    def _prefixes(self, transaction: Transaction) -> Iterator[EidPrefix]:
        known = {*self.sets, *(one.id for one in transaction.sets)}
        yield from _twice([prefix for prefix, _ in transaction.put] + list(transaction.withdraw))
        for prefix in transaction.withdraw:
            if prefix not in self.verdicts:
                yield prefix
        for prefix, verdict in transaction.put:
            if prefix.iid >= INSTANCE_IDS:
                yield prefix
            if isinstance(verdict, Encapsulate) and not _sound(verdict.locators):
                yield prefix
            if isinstance(verdict, EncapsulateSet) and verdict.id not in known:
                yield prefix

    def _sets(self, transaction: Transaction) -> Iterator[int]:
        named = [one.id for one in transaction.sets]
        yield from _twice(named + list(transaction.withdraw_sets))
        yield from (one.id for one in transaction.sets if not _sound(one.locators))
        yield from set(transaction.withdraw_sets) - set(self.sets)
        after = {**self.verdicts, **dict(transaction.put)}
        used = {
            verdict.id
            for prefix, verdict in after.items()
            if isinstance(verdict, EncapsulateSet) and prefix not in transaction.withdraw
        }
        yield from used.intersection(transaction.withdraw_sets)


def _sound(locators: Locators) -> bool:
    return bool(locators) and all(locator.slot < SOURCE_SLOTS for locator in locators)


def _slots(transaction: Transaction) -> Iterator[int]:
    slots = [store.slot for store in transaction.sources]
    yield from _twice(slots)
    yield from (slot for slot in slots if slot >= SOURCE_SLOTS)


def _twice(things: Iterable[_ThingT]) -> Iterator[_ThingT]:
    yield from (thing for thing, count in Counter(things).items() if count > 1)
