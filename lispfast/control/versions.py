"""Map-Versions in data packets (RFC 9302), in private use only.

A version is configured with its EID-prefix and never made up by us (section 6). What a packet says, and what follows:

    it says of                          that is                        what follows
    our mapping (destination version)   one of ours                    the peer is up to date
                                        older than all of ours         SMRs to the peer until it is
                                        newer                          nothing: the data plane drops it
    the peer's mapping (source version) newer than the cached one      a question to the mapping system
                                        anything else                  nothing
    either                              0, or 0 is what we have        nothing: there is nothing to compare

SMRs to one peer: one in three seconds, after ten of them one in thirty, as long as packets come from it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from lispfast.control.effects import Timeout
from lispfast.control.expiry import ExpiryQueue
from lispfast.control.header_fields import VERSION_MASK
from lispfast.control.jitter import longer
from lispfast.control.map_cache import MapCache, Origin
from lispfast.control.map_requests import solicitation
from lispfast.control.mobility import Position
from lispfast.control.outbox import Outbox
from lispfast.control.ratelimit import RateLimiter
from lispfast.control.role import NonceSource
from lispfast.model.addresses import Address, Eid, EidPrefix
from lispfast.model.forwarding import HeaderHint, Traffic
from lispfast.model.mapping import Mapping
from lispfast.model.units import InstanceId, Seconds

# --- From the RFC -----------------------------------------------------------------------------------------------------

NULL = 0  # RFC 9302 section 6.1: no version
HALF = 1 << 11  # section 6
SMR_INTERVAL = Seconds(3)  # RFC 9301 section 6.1
TRIES = 10  # RFC 9302 section 7.1: after so many ...
PAUSE = Seconds(30)  # ... one in so long

# --- Ours -------------------------------------------------------------------------------------------------------------

JITTER = 0.1  # of a wait, more of it
MAX_PEERS = 256  # that are told at a time; the one told first goes
TOTAL_INTERVAL, TOTAL_BURST = Seconds(0.1), 16  # over all peers, as an outer source is easily made up
ASK_INTERVAL = Seconds(3)  # for a cached prefix, as for SMRs: a packet is no better a reason
SLACK = Seconds(0.1)


def newer(one: int, other: int) -> bool:
    """Whether a version is newer than another one (RFC 9302 section 6); 0 is neither newer nor older than anything."""
    if NULL in (one, other) or one == other:
        return False
    ahead = (one - other) & VERSION_MASK
    return ahead < HALF or (ahead == HALF and one > other)


@dataclass(slots=True)
class Stale:
    """A peer that encapsulates by an old mapping of ours."""

    changed: tuple[EidPrefix, ...]
    cached: EidPrefix
    tries: int = 0
    told_at: Seconds = Seconds(0)


class Versions:
    """`take_outdated` are the cached prefixes of which a packet said that there is a newer version."""

    def __init__(self, cache: MapCache, nonces: NonceSource, outbox: Outbox) -> None:
        self._cache = cache
        self._nonces = nonces
        self._outbox = outbox
        self._position = Position()
        self._stale: OrderedDict[Address, Stale] = OrderedDict()
        self._heard: dict[Address, Seconds] = {}
        self._timers: ExpiryQueue[Address] = ExpiryQueue()
        self._total = RateLimiter(TOTAL_INTERVAL, TOTAL_BURST, capacity=1)
        self._asked = RateLimiter(ASK_INTERVAL, 1)
        self._outdated: list[EidPrefix] = []

    def __len__(self) -> int:
        return len(self._stale)

    def take_outdated(self) -> list[EidPrefix]:
        """Taking empties the list."""
        taken, self._outdated = self._outdated, []
        return taken

    def carried(self, mapping: Mapping) -> tuple[int, int] | None:
        """Source and destination version of packets that match a cached mapping, None where it has none (6.1).

        The source version is 0 where our EIDs of that family and instance-ID have several.
        """
        if mapping.version == NULL:
            return None
        ours = {own.version for own in self._ours(mapping.prefix.version, mapping.prefix.iid)}
        return (ours.pop() if len(ours) == 1 else NULL, mapping.version)

    def handle_position(self, position: Position) -> None:
        """Our mappings, and where we tell from."""
        self._position = position

    def handle_traffic(self, traffic: Traffic, now: Seconds) -> None:
        """Note from which peers packets still come."""
        self._heard = {
            rloc: Seconds(now - age) for rloc, age in traffic.outer_sources.items() if rloc in self._stale
        } | {rloc: at for rloc, at in self._heard.items() if rloc in self._stale and rloc not in traffic.outer_sources}

    def handle_hint(self, hint: HeaderHint, now: Seconds) -> None:
        """Packets from an RLOC carry other versions now."""
        source = Eid(hint.source, hint.iid).prefix
        if hint.source_version is not None:
            self._compare(source, hint.source_version, now)
        if hint.destination_version is None:
            self._forget(hint.rloc)
            return
        ours = [own for own in self._ours(source.version, source.iid) if own.version != NULL]
        behind = tuple(own.prefix for own in ours if newer(own.version, hint.destination_version))
        if not behind or len(behind) < len(ours):
            self._forget(hint.rloc)
        elif hint.rloc not in self._stale:
            entry = self._cache.cover(source)
            self._stale[hint.rloc] = Stale(behind, entry.prefix if entry else source)
            self._heard[hint.rloc] = now
            self._timers.set(hint.rloc, now)
            if len(self._stale) > MAX_PEERS:
                self._forget(next(iter(self._stale)))

    def handle_timeout(self, now: Seconds) -> None:
        """Tell peers that are still behind and still send."""
        for rloc in self._timers.pop_due(now):
            stale = self._stale[rloc]
            if stale.tries and self._heard.get(rloc, Seconds(0)) < stale.told_at:
                self._forget(rloc)
            elif self._total.allow(None, now):
                self._tell(rloc, stale, now)
            else:
                self._timers.set(rloc, self._total.ready_at(None, now))

    def next_timeout(self) -> Timeout | None:
        """When somebody is told."""
        at = self._timers.next()
        return None if at is None else Timeout(at, SLACK, "a peer is told that its mapping of ours is old")

    def _ours(self, version: int, iid: InstanceId) -> list[Mapping]:
        return [own for own in self._position.mappings if (own.prefix.version, own.prefix.iid) == (version, iid)]

    def _compare(self, source: EidPrefix, version: int, now: Seconds) -> None:
        entry = self._cache.cover(source)
        if entry is None or entry.origin is not Origin.MAP_REPLY or not newer(version, entry.mapping.version):
            return
        if self._asked.allow(entry.prefix, now):
            self._outdated.append(entry.prefix)

    def _tell(self, rloc: Address, stale: Stale, now: Seconds) -> None:
        stale.tries += 1
        stale.told_at = now
        wait = SMR_INTERVAL if stale.tries < TRIES else PAUSE
        self._timers.set(rloc, Seconds(now + longer(wait, JITTER, self._nonces)))
        source = self._position.source(rloc.version)
        if source is None:
            return
        for changed in stale.changed:
            request = solicitation(changed, stale.cached, self._position.rlocs, self._nonces())
            self._outbox.send(request.encode(), source, rloc)
            self._outbox.event("smr-sent", to=str(rloc), eid_prefix=str(changed))

    def _forget(self, rloc: Address) -> None:
        if self._stale.pop(rloc, None) is not None:
            self._timers.discard(rloc)
            self._heard.pop(rloc, None)
