"""When a prefix may be asked for: every limit on Map-Requests to the mapping system (RFC 9301 sections 5.3 and 6.1).

    what is limited                        to
    a prefix, whatever the purpose         one a second
    a prefix that SMRs ask for             one in three seconds, with a burst
    a prefix that nobody answers           ten retransmits, then 30 s of silence
    all prefixes, each purpose by itself   a hundred a second, with a burst

The last one is each purpose's own, so that neither a scan of unknown EIDs nor a storm of SMRs delays the refresh of a
mapping in use.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum

from lispfast.control.ratelimit import RateLimiter
from lispfast.model.addresses import EidPrefix
from lispfast.model.units import Seconds

# --- From the RFC -----------------------------------------------------------------------------------------------------

REQUEST_INTERVAL = Seconds(1)  # RFC 9301 section 5.3: at most one a second for an EID-prefix
RETRANSMITS_MAX = 10  # section 5.3: after so many without a reply ...
PAUSE = Seconds(30)  # ... wait so long
SOLICITED_INTERVAL = Seconds(3)  # section 6.1: recommended for SMR-invoked ones

# --- Ours -------------------------------------------------------------------------------------------------------------

SOLICITED_BURST = 3  # a second and a third move within 3 s are followed at once
TOTAL_INTERVAL = Seconds(0.01)  # over all prefixes: a host that scans costs its Map-Resolver no more than 100/s
TOTAL_BURST = 64
# Prefixes of which unanswered tries are remembered: more than TOTAL_* lets a scan ask for within 30 s.
MEMORY = 4096


class Purpose(StrEnum):
    """Why a prefix is asked for."""

    MISS = "miss"
    REFRESH = "refresh"
    SOLICITED = "solicited"
    LOCATE = "locate"  # whether an RLOC is itself an EID: nobody waits for it
    LEAVE = "leave"  # RFC 9437 section 5: ends a subscription
    VERIFY = "verify"  # RFC 9301 section 5.3: a Map-Request brought its sender's mapping along


class RequestPace:
    """The limits of one node on Map-Requests to the mapping system; one goes out when `ready_at` says now, and is then
    counted by `take`."""

    def __init__(self) -> None:
        self._per_prefix = RateLimiter(REQUEST_INTERVAL, 1)
        self._solicited = RateLimiter(SOLICITED_INTERVAL, SOLICITED_BURST)
        self._total = RateLimiter(TOTAL_INTERVAL, TOTAL_BURST)
        self._failures: OrderedDict[EidPrefix, tuple[int, Seconds]] = OrderedDict()

    def ready_at(self, prefix: EidPrefix, purpose: Purpose, now: Seconds) -> Seconds:
        """When every limit lets the prefix be asked for; `now` where they do already."""
        ready = [self._per_prefix.ready_at(prefix, now), self._total.ready_at(purpose, now), self.not_before(prefix)]
        if purpose is Purpose.SOLICITED:
            ready.append(self._solicited.ready_at(prefix, now))
        return max(ready)

    def take(self, prefix: EidPrefix, purpose: Purpose, now: Seconds) -> None:
        """A Map-Request goes out."""
        self._per_prefix.allow(prefix, now)
        self._total.allow(purpose, now)
        if purpose is Purpose.SOLICITED:
            self._solicited.allow(prefix, now)

    def unanswered(self, prefix: EidPrefix, now: Seconds) -> bool:
        """A Map-Request had no answer; whether it was the last before the 30 s."""
        count = self._failures.get(prefix, (0, Seconds(0)))[0] + 1
        last = count > RETRANSMITS_MAX
        self._failures[prefix] = (0, Seconds(now + PAUSE)) if last else (count, Seconds(0))
        self._failures.move_to_end(prefix)
        if len(self._failures) > MEMORY:
            self._failures.popitem(last=False)
        return last

    def answered(self, prefix: EidPrefix) -> None:
        """Somebody answers for the prefix."""
        self._failures.pop(prefix, None)

    def moved(self, now: Seconds) -> None:
        """What was not answered where we were says nothing here, but a pause that was begun is kept."""
        self._failures = OrderedDict((p, f) for p, f in self._failures.items() if f[1] > now)

    def not_before(self, prefix: EidPrefix) -> Seconds:
        """The end of the prefix's 30 s; long ago where it has none."""
        return self._failures.get(prefix, (0, Seconds(0)))[1]
