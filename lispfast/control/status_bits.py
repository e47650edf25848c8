"""Locator-Status-Bits (RFC 9300 sections 5.3, 10 and 13.1), in private use only.

Bit i of a packet speaks of locator i of the mapping of its source EID, in the order of the wire. Ours say of every
locator that it is up, since one that is not is no locator of the mapping; a peer's bit that is 0 is a reason to probe
that locator, and nothing else. A mapping that changed means other locators by the same bits, so peers get none until
they have had time to ask for it.
"""

from __future__ import annotations

from lispfast.control.effects import Timeout
from lispfast.control.expiry import ExpiryQueue
from lispfast.control.header_fields import STATUS_BITS, STATUS_BITS_INSTANCE
from lispfast.control.map_cache import MapCache
from lispfast.control.mobility import Position
from lispfast.model.addresses import Address, Eid
from lispfast.model.forwarding import HeaderHint
from lispfast.model.mapping import Locator, Mapping, sort_locators
from lispfast.model.units import InstanceId, Seconds

# --- From the RFC -----------------------------------------------------------------------------------------------------

USE_LSB = Seconds(300)  # RFC 9300 section 13.1: recommended after a change of the locator-set

# --- Ours -------------------------------------------------------------------------------------------------------------

SLACK = Seconds(5)

_Kind = tuple[int, InstanceId]  # family and instance-ID: a packet's source EID has those of its destination
_Sets = tuple[tuple[Locator, ...], ...]


class StatusBits:
    """`touched` is set when packets carry other bits than before, or none."""

    def __init__(self, cache: MapCache) -> None:
        self._cache = cache
        self._sets: dict[_Kind, _Sets] = {}
        self._quiet: ExpiryQueue[_Kind] = ExpiryQueue()
        self._changing: set[_Kind] = set()
        self.touched = False

    def carried(self, mapping: Mapping) -> int | None:
        """The bits of packets that match a cached mapping, None where they carry none.

        None too where our EIDs of that family and instance-ID are not all in the same place: a header is no source's.
        """
        kind = (mapping.prefix.version, mapping.prefix.iid)
        sets = self._sets.get(kind, ())
        if kind in self._changing or len(set(sets)) != 1 or not sets[0]:
            return None
        room = STATUS_BITS_INSTANCE if mapping.prefix.iid else STATUS_BITS
        return (1 << min(len(sets[0]), room)) - 1

    def handle_position(self, position: Position, now: Seconds) -> None:
        """Our locator-sets may be others."""
        sets: dict[_Kind, _Sets] = {}
        for own in position.mappings:
            kind = (own.prefix.version, own.prefix.iid)
            sets[kind] = (*sets.get(kind, ()), own.locators)
        for kind in sets.keys() | self._sets.keys():
            if sets.get(kind) != self._sets.get(kind):
                self._changing.add(kind)
                self._quiet.set(kind, Seconds(now + USE_LSB))
                self.touched = True
        self._sets = sets

    def suspects(self, hint: HeaderHint) -> list[Address]:
        """The locators of the sender's mapping that its packet calls down; none where it is no locator of it."""
        entry = self._cache.cover(Eid(hint.source, hint.iid).prefix)
        if hint.status_bits is None or entry is None:
            return []
        locators = [locator.address for locator in sort_locators(entry.mapping.locators)]
        if hint.rloc not in locators:
            return []
        room = STATUS_BITS_INSTANCE if hint.iid else STATUS_BITS
        return [address for bit, address in enumerate(locators[:room]) if not hint.status_bits >> bit & 1]

    def handle_timeout(self, now: Seconds) -> None:
        """Peers have had their time."""
        for kind in self._quiet.pop_due(now):
            self._changing.discard(kind)
            self.touched = True

    def next_timeout(self) -> Timeout | None:
        """When bits are carried again."""
        at = self._quiet.next()
        return None if at is None else Timeout(at, SLACK, "status bits are used again after a change")
