"""A data plane's table for tests: slow, obviously right, and strict about what a transaction may hold."""

from __future__ import annotations

from lispfast.model.addresses import Address, Eid, EidPrefix
from lispfast.model.errors import DataPlaneError
from lispfast.model.forwarding import Encapsulate, SourceRloc, Transaction, Verdict


class Table:
    def __init__(self) -> None:
        self.verdicts: dict[EidPrefix, Verdict] = {}
        self.sources: dict[int, SourceRloc] = {}
        self.local: tuple[Eid, ...] = ()

    def commit(self, transaction: Transaction) -> None:
        if transaction == Transaction():
            raise DataPlaneError("an empty transaction")
        named = [prefix for prefix, _ in transaction.put] + list(transaction.withdraw)
        if len(named) != len(set(named)):
            raise DataPlaneError("a prefix stands twice")
        for prefix in transaction.withdraw:
            if prefix not in self.verdicts:
                raise DataPlaneError(f"{prefix} is not there")
            del self.verdicts[prefix]
        for prefix, verdict in transaction.put:
            if isinstance(verdict, Encapsulate) and not verdict.locators:
                raise DataPlaneError(f"{prefix} without a locator")
            self.verdicts[prefix] = verdict
        self.local = self.local if transaction.local is None else transaction.local
        self.sources.update({store.slot: store for store in transaction.sources})

    def lookup(self, eid: Eid) -> Verdict | None:
        matches = [prefix for prefix in self.verdicts if prefix.contains(eid)]
        return self.verdicts[max(matches, key=lambda prefix: prefix.length)] if matches else None

    def ways(self, eid: Eid) -> list[tuple[Address, Address]]:
        """The (source RLOC, destination RLOC) pairs that a packet for the EID may take, best priority only."""
        verdict = self.lookup(eid)
        if not isinstance(verdict, Encapsulate):
            return []
        best = min(locator.priority for locator in verdict.locators)
        chosen = [locator for locator in verdict.locators if locator.priority == best]
        stores = [(self.sources.get(locator.slot), locator) for locator in chosen]
        return [
            (store.address, loc.address) for store, loc in stores if store is not None and store.address is not None
        ]
