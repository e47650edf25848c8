"""The path MTU to each RLOC, as far as routers on the way said that it is less than our interface's.

Anybody can forge what a router says, so a hint counts only where it may be true and does little harm where it is not:
it lowers what is in force, to no less than a floor, for an RLOC in use, and for ten minutes. After them a larger packet
finds out anew. Another path has another MTU, so a move forgets everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lispfast.control.effects import Timeout
from lispfast.control.expiry import ExpiryQueue
from lispfast.control.outbox import Outbox
from lispfast.control.ratelimit import RateLimiter
from lispfast.model.addresses import Address
from lispfast.model.units import Seconds, WireMtu

# --- From the RFC -----------------------------------------------------------------------------------------------------

MIN_MTU_V6 = WireMtu(1280)  # RFC 8201 section 4: an estimate is never lower, and a message that says so is discarded
LIFETIME = Seconds(600)  # RFC 1191 section 6.3 and RFC 8201 section 4: ten minutes until a larger one is tried

# --- Ours -------------------------------------------------------------------------------------------------------------

MIN_MTU_V4 = WireMtu(576)  # RFC 1191 section 3 allows 68; what every host must take (RFC 791) has no room to do harm
MAX_PATHS = 1024  # RLOCs with a lesser MTU at a time; the one learnt first goes
SLACK = Seconds(30)  # nobody waits for a larger packet
TOLD_INTERVAL, TOLD_BURST = Seconds(10), 10  # of the event in the log


class PathMtus:
    """A table RLOC to MTU. Methods that change it return the RLOCs whose MTU is another now."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._mtus: dict[Address, WireMtu] = {}
        self._learnt: dict[Address, Seconds] = {}  # in the order in which they were learnt
        self._expiry: ExpiryQueue[Address] = ExpiryQueue()
        self._told = RateLimiter(TOLD_INTERVAL, TOLD_BURST, capacity=1)
        self.known: Mapping[Address, WireMtu] = MappingProxyType(self._mtus)

    def handle_hint(self, rloc: Address, mtu: WireMtu, interface: WireMtu, now: Seconds) -> list[Address]:
        """A router said that packets to an RLOC in use may have `mtu` bytes, 0 where it is too old to say how many.

        `interface` is the MTU of our way there.
        """
        before = self.effective(rloc, interface)
        if rloc.version == 4:
            mtu = max(mtu, MIN_MTU_V4)
        if mtu >= before or (rloc.version == 6 and mtu < MIN_MTU_V6):
            return []
        self._mtus[rloc] = mtu
        self._learnt.pop(rloc, None)
        self._learnt[rloc] = now
        self._expiry.set(rloc, Seconds(now + LIFETIME))
        if self._told.allow(None, now):
            self._outbox.event("path-mtu-learnt", locator=str(rloc), mtu=mtu, before=before)
        changed = [rloc]
        if len(self._learnt) > MAX_PATHS:
            changed.append(self._forget(next(iter(self._learnt))))
        return changed

    def effective(self, rloc: Address, interface: WireMtu) -> WireMtu:
        """What packets to the RLOC may have, outer headers included."""
        return min(self._mtus.get(rloc, interface), interface)

    def learnt(self, rloc: Address) -> Seconds | None:
        """When its MTU was learnt, None where it was not."""
        return self._learnt.get(rloc)

    def handle_move(self) -> list[Address]:
        """Packets take another path from here on."""
        return [self._forget(rloc) for rloc in list(self._mtus)]

    def handle_timeout(self, now: Seconds) -> list[Address]:
        """What was learnt ten minutes ago is forgotten."""
        return [self._forget(rloc) for rloc in self._expiry.pop_due(now)]

    def next_timeout(self) -> Timeout | None:
        """When something is forgotten."""
        at = self._expiry.next()
        return None if at is None else Timeout(at, SLACK, "a path MTU is forgotten, a larger one may fit by now")

    def _forget(self, rloc: Address) -> Address:
        del self._mtus[rloc]
        del self._learnt[rloc]
        self._expiry.discard(rloc)
        return rloc
