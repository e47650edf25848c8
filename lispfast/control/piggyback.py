"""Mapping data that a Map-Request brings along (the M-bit), never used as it comes (RFC 9301 section 5.3).

Anybody can say anything there, so it is a reason to ask the mapping system and nothing else: what is learnt is its
answer. Asked is where the answer is of use, for an EID that asked for ours and that nothing is known of:

    the record's EID-prefix                     what follows
    holds the Source-EID                        a question for the Source-EID
    does not, or there is none                  a question for the EID-prefix
    is one of ours, or covered by the cache     nothing
"""

from __future__ import annotations

from lispfast.control.map_cache import MapCache
from lispfast.control.map_requests import prefix_named, source_prefix
from lispfast.control.mobility import Position
from lispfast.control.outbox import Outbox
from lispfast.control.ratelimit import RateLimiter
from lispfast.control.resolver import Resolver
from lispfast.model.addresses import EidPrefix
from lispfast.model.reasons import ControlReason
from lispfast.model.units import Seconds
from lispfast.wire.map_request import MapRequest

# --- Ours -------------------------------------------------------------------------------------------------------------

# Over all senders, as EIDs are easily made up. It bounds what strangers can make us ask and keep.
VERIFY_INTERVAL = Seconds(1)
VERIFY_BURST = 8


class Verifier:
    """Holds no state but a rate limit."""

    def __init__(self, cache: MapCache, resolver: Resolver, outbox: Outbox) -> None:
        self._cache = cache
        self._resolver = resolver
        self._outbox = outbox
        self._limit = RateLimiter(VERIFY_INTERVAL, VERIFY_BURST, capacity=1)

    def handle_request(self, request: MapRequest, position: Position, now: Seconds) -> None:
        """A Map-Request that we answered; it need not bring anything."""
        told = _told(request)
        if told is None or position.mapping(told) is not None or self._cache.cover(told) is not None:
            return
        if not self._limit.allow(None, now):
            self._outbox.drop(ControlReason.RATE_LIMITED)
            return
        self._resolver.verify(told, now)


def _told(request: MapRequest) -> EidPrefix | None:
    """What to ask for, None where the request brings no EID-prefix along."""
    if request.map_data is None:
        return None
    told, source = prefix_named(request.map_data.eid, request.map_data.mask_len), source_prefix(request)
    return source if told and source and told.covers(source) else told
