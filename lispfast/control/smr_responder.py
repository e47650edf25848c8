"""Follows Solicit-Map-Requests: each is a hint to ask the mapping system, and nothing else (RFC 9301 section 6.1).

An SMR names the EID that moved in its Source-EID or, where that is not cached, in its record: the RFC does not say
which. It is never answered. What is asked for, and what is only counted:

    the cache says of the EID              what follows
    a positive answer                      a question for the EID-prefix as it is cached
    a negative answer                      a question for what the SMR names: the answer covers more than that
    nothing, or it is static, or our own   nothing: smr-uncached
    any of the first two, asked anyway     nothing: smr-known
"""

from __future__ import annotations

from lispfast.control.map_cache import Entry, MapCache, Origin
from lispfast.control.map_requests import prefix_named, source_prefix
from lispfast.control.mobility import Position
from lispfast.control.outbox import Outbox
from lispfast.control.ratelimit import RateLimiter
from lispfast.control.resolver import Resolver
from lispfast.control.responder import Asked
from lispfast.model.addresses import EidPrefix
from lispfast.model.reasons import ControlReason
from lispfast.model.units import Seconds
from lispfast.wire.map_request import MapRequest

# --- Ours -------------------------------------------------------------------------------------------------------------

MAX_NAMED = 16  # records that are looked at; a sender may only send one
# Over all EIDs under negative answers. Whoever forges SMRs can make up as many of these EIDs as he likes, while the
# positive answers that he can have asked for again are only those that we have.
DOUBT_INTERVAL = Seconds(1)
DOUBT_BURST = 8


class SmrResponder:
    """Holds no state but a rate limit; the entry serves until the mapping system has answered."""

    def __init__(self, cache: MapCache, resolver: Resolver, outbox: Outbox) -> None:
        self._cache = cache
        self._resolver = resolver
        self._outbox = outbox
        self._doubts = RateLimiter(DOUBT_INTERVAL, DOUBT_BURST)

    def handle_smr(self, asked: Asked, position: Position, now: Seconds) -> None:
        """An SMR came while we stand there."""
        for named in _named(asked.request):
            entry = self._cache.cover(named)
            if entry is not None and entry.origin is Origin.MAP_REPLY and position.mapping(named) is None:
                self._follow(entry, named, asked, position, now)
                return
        self._outbox.drop(ControlReason.SMR_UNCACHED)

    def _follow(self, entry: Entry, named: EidPrefix, asked: Asked, position: Position, now: Seconds) -> None:
        doubted = entry.mapping.negative
        prefix = named if doubted else entry.prefix
        smr = asked.request.nonce
        if not self._resolver.heeds(prefix, smr):
            self._outbox.drop(ControlReason.SMR_KNOWN)
            return
        if doubted and not self._doubts.allow(None, now):
            self._outbox.drop(ControlReason.RATE_LIMITED)
            return
        self._outbox.event("smr-received", **{"from": str(asked.sender)}, eid_prefix=str(prefix))
        ours = [mapping.prefix for other in _named(asked.request) if (mapping := position.mapping(other))]
        same = [own for own in ours if (own.version, own.iid) == (prefix.version, prefix.iid)]
        self._resolver.solicit(prefix, same[0] if same else None, smr, now)


def _named(request: MapRequest) -> list[EidPrefix]:
    """What an SMR may be about, the likelier first."""
    records = [prefix_named(record.eid, record.mask_len) for record in request.records[:MAX_NAMED]]
    return [prefix for prefix in (source_prefix(request), *records) if prefix is not None]
