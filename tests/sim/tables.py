"""The data plane's table: slow, obviously right, and as strict about a transaction as the contract."""

from __future__ import annotations

from lispfast.model.addresses import Address, Eid, EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.errors import DataPlaneError
from lispfast.model.forwarding import (
    SOURCE_SLOTS,
    Encapsulate,
    InnerTunnel,
    LocalPrefix,
    SourceRloc,
    Transaction,
    Verdict,
)

INSTANCE_BIT = 0x08
FLAGS = {Encapsulation.LISP: 0, Encapsulation.LISP_GPE: 0x04, Encapsulation.VXLAN_GPE: 0x04}
PORTS = {Encapsulation.LISP: 4341, Encapsulation.LISP_GPE: 4341, Encapsulation.VXLAN_GPE: 4790}
MIN_MTU = {4: 576, 6: 1280}


class Table:
    """Verdicts by EID-prefix, the source-RLOC slots and our own EID-prefixes."""

    def __init__(self) -> None:
        self.private = False
        self.verdicts: dict[EidPrefix, Verdict] = {}
        self.sources: dict[int, SourceRloc] = {}
        self.local: tuple[LocalPrefix, ...] = ()

    def commit(self, transaction: Transaction) -> None:
        """Apply all of it or none; DataPlaneError for what no role of ours is to ask for."""
        self._check(transaction)
        for prefix in transaction.withdraw:
            del self.verdicts[prefix]
        self.verdicts.update(transaction.put)
        self.local = self.local if transaction.local is None else transaction.local
        self.sources.update({store.slot: store for store in transaction.sources})

    def ours(self, eid: Eid) -> LocalPrefix | None:
        """The longest of our own EID-prefixes that holds the EID."""
        covering = [own for own in self.local if own.prefix.contains(eid)]
        return max(covering, key=lambda own: own.prefix.length, default=None)

    def header(self, eid: Eid, rloc: Address) -> bytes:
        """The 8 bytes in front of packets for the EID to an RLOC of the verdict."""
        verdict = self.lookup(eid)
        assert isinstance(verdict, Encapsulate)
        return next(one.header for one in verdict.locators if one.address == rloc)

    def match(self, eid: Eid) -> tuple[EidPrefix, Verdict] | None:
        """The longest prefix that holds the EID, with its verdict."""
        covering = [prefix for prefix in self.verdicts if prefix.contains(eid)]
        best = max(covering, key=lambda prefix: prefix.length, default=None)
        return None if best is None else (best, self.verdicts[best])

    def lookup(self, eid: Eid) -> Verdict | None:
        """The verdict of the longest prefix that holds the EID."""
        found = self.match(eid)
        return found[1] if found else None

    def mtus(self, eid: Eid) -> dict[Address, int]:
        """The effective MTU to each RLOC of the verdict."""
        verdict = self.lookup(eid)
        return {one.address: one.mtu for one in verdict.locators} if isinstance(verdict, Encapsulate) else {}

    def port(self, eid: Eid, rloc: Address) -> int:
        """The UDP destination port of packets to an RLOC of the verdict."""
        verdict = self.lookup(eid)
        assert isinstance(verdict, Encapsulate)
        return next(one.port for one in verdict.locators if one.address == rloc)

    def ways(self, eid: Eid) -> list[tuple[Address, Address]]:
        """The (source RLOC, destination RLOC) pairs that a packet for the EID may take, best priority only."""
        verdict = self.lookup(eid)
        found = []
        for locator in verdict.locators if isinstance(verdict, Encapsulate) else ():
            source = self._source(locator.slot)
            reached = locator.inside is None or self._source(locator.inside.slot) is not None
            if source is not None and reached:
                found.append((locator.priority, source, locator.address))
        best = min((priority for priority, _, _ in found), default=None)
        return [(source, rloc) for priority, source, rloc in found if priority == best]

    def _source(self, slot: int) -> Address | None:
        store = self.sources.get(slot)
        return None if store is None else store.address

    def _check(self, transaction: Transaction) -> None:
        if transaction == Transaction():
            raise DataPlaneError("an empty transaction")
        named = [prefix for prefix, _ in transaction.put] + list(transaction.withdraw)
        if len(named) != len(set(named)):
            raise DataPlaneError("a prefix stands twice")
        for prefix in transaction.withdraw:
            if prefix not in self.verdicts:
                raise DataPlaneError(f"{prefix} is withdrawn and is not there")
        for prefix, verdict in transaction.put:
            if isinstance(verdict, Encapsulate) and not _sound(verdict, private=self.private):
                raise DataPlaneError(f"{prefix} has no locators, or unsound ones")


def _sound(verdict: Encapsulate, *, private: bool) -> bool:
    """What every backend checks; and N, L, E and V are 0 on the public Internet (RFC 9300 section 4.1)."""
    lisp = INSTANCE_BIT | (0xF0 if private else 0)
    free = {Encapsulation.LISP: lisp, Encapsulation.LISP_GPE: INSTANCE_BIT, Encapsulation.VXLAN_GPE: INSTANCE_BIT}
    return bool(verdict.locators) and all(
        0 <= locator.slot < SOURCE_SLOTS
        and len(locator.header) == 8
        and locator.header[0] & ~free[locator.encapsulation] == FLAGS[locator.encapsulation]
        and locator.port == PORTS[locator.encapsulation]
        and locator.mtu >= MIN_MTU[locator.address.version]
        and (locator.inside is None or _sound_inside(locator.inside))
        for locator in verdict.locators
    )


def _sound_inside(tunnel: InnerTunnel) -> bool:
    """It is LISP's own form: what stands at the end of it is a site's router."""
    plain = len(tunnel.header) == 8 and tunnel.header[0] & ~INSTANCE_BIT == 0
    return plain and 0 <= tunnel.slot < SOURCE_SLOTS and tunnel.port == PORTS[Encapsulation.LISP]
