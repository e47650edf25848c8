"""What this node knows of the mapping system, and what it says to somebody who asks for an EID-prefix.

RFC 9301 sections 8.3 and 8.4, Map-Server and Map-Resolver in one:

    the EID is ...                                    the answer
    statically registered                             Map-Reply with that mapping
    registered, and proxy reply wanted by any ETR     Map-Reply with the registered mapping
    registered, and not                               the Map-Request goes on to an ETR
    in a configured lisp-site, not registered         Negative Map-Reply, Natively-Forward, 1 minute
    the same, shortly after a restart                 none: who asks keeps what it has and asks again
    anywhere else                                     Negative Map-Reply, Natively-Forward, 15 minutes

The most specific registration that covers the EID decides, also where a more specific site is configured but has nobody
registered: what a site may register is one question, where its packets go meanwhile is another.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from lispfast.control.prefix_map import PrefixMap, prefix_of
from lispfast.control.registrations import Registration, Registrations
from lispfast.control.sites import SiteTable
from lispfast.model.addresses import Eid, EidPrefix
from lispfast.model.mapping import Action, Mapping
from lispfast.model.units import Minutes, Seconds

# --- From the RFC -----------------------------------------------------------------------------------------------------

HOLE_TTL = Minutes(15)  # section 8.1: not in the mapping system at all
UNREGISTERED_TTL = Minutes(1)  # section 8.1: configured, and nobody has registered it

# --- Ours -------------------------------------------------------------------------------------------------------------

RELEARNING = Seconds(75.0)  # after a restart: ETRs register every minute (section 8.2), and one message may be lost
MAX_RECORDS = 64  # of one Map-Reply: more never fit into a packet of 1280 bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer with these mappings: the best match first, its more-specifics behind it, all with the same TTL."""

    mappings: tuple[Mapping, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """Let one of these ETRs answer."""

    registration: Registration


@dataclass(frozen=True, slots=True)
class Silence:
    """Say nothing: it may be registered with the next Map-Register."""


Answer = Reply | Forward | Silence
Fits = Callable[[tuple[Mapping, ...]], bool]
"""Whether mappings fit into one Map-Reply."""


class MappingSystem:
    """Sites, registrations and static registrations as one database; a static registration goes before any other."""

    def __init__(self, sites: SiteTable, registrations: Registrations, static: Iterable[Mapping]) -> None:
        self._sites = sites
        self._registrations = registrations
        self._static: PrefixMap[Mapping] = PrefixMap()
        for mapping in static:
            self._static.put(mapping.prefix, mapping)
        self._relearned = Seconds(0.0)

    def forgot(self, now: Seconds) -> None:
        """An earlier run had registrations, and we know none of them.

        A negative answer would send the packets of everybody who moves or asks meanwhile out of LISP for a minute.
        """
        self._relearned = Seconds(now + RELEARNING)

    def answer(self, asked: EidPrefix, fits: Fits, now: Seconds) -> Answer:
        """What to say to a Map-Request for this EID-prefix.

        An EID-prefix that nothing covers whole is answered for its first address.
        """
        eid = Eid(asked.network.network_address, asked.iid)
        known = self._best(asked) or self._best(eid.prefix)
        if known is None and now < self._relearned and self._sites.holding(eid) is not None:
            return Silence()
        if known is None:
            return Reply((self._negative(eid),))
        if isinstance(known, Registration) and not known.proxy_reply:
            return Forward(known)
        mapping = known.mapping if isinstance(known, Registration) else known
        return Reply(self._filled_out(_as_proxy(mapping), eid, fits))

    def published(self, prefix: EidPrefix, subscribed: EidPrefix) -> Mapping:
        """What a subscriber of `subscribed` is told of `prefix`, which lies in it (RFC 9437 section 6).

        TTL 0 where it is not registered any more. A part of an EID-prefix has the locators of the whole.
        """
        known = self._best(prefix)
        if known is not None:
            mapping = _of_registration(known) if isinstance(known, Registration) else known
            if mapping.prefix == prefix or prefix == subscribed:
                return replace(_as_proxy(mapping), prefix=prefix)
        return Mapping(prefix, (), Minutes(0))

    def vacant(self, prefix: EidPrefix) -> bool:
        """Whether nothing is registered for any EID of this EID-prefix."""
        under = self._static.count_under(prefix) + self._registrations.prefixes.count_under(prefix)
        return self._best(prefix) is None and not under

    def _best(self, prefix: EidPrefix) -> Mapping | Registration | None:
        static = self._static.cover(prefix)
        dynamic = self._registrations.prefixes.cover(prefix)
        if static is None:
            return dynamic[1] if dynamic else None
        return dynamic[1] if dynamic and dynamic[0].length > static[0].length else static[1]

    def _negative(self, eid: Eid) -> Mapping:
        """The widest hole round the EID that makes nobody unreachable (8.4)."""
        site = self._sites.holding(eid)
        length = self._static.hole(eid).length
        if site is None:
            length = max(length, self._sites.hole(eid).length)
            return Mapping(prefix_of(eid, length), (), HOLE_TTL, Action.NATIVELY_FORWARD)
        length = max(length, self._registrations.prefixes.hole(eid).length, site.prefix.length)
        return Mapping(prefix_of(eid, length), (), UNREGISTERED_TTL, Action.NATIVELY_FORWARD)

    def _filled_out(self, match: Mapping, eid: Eid, fits: Fits) -> tuple[Mapping, ...]:
        """The match with all its more-specifics (section 5.5), narrowed round the EID until they fit.

        A part of an EID-prefix has the locators of the whole. The narrower, the fewer more-specifics, and a host prefix
        has none, so the widest part that fits is found by bisection.
        """

        def fitting(length: int) -> bool:
            part = prefix_of(eid, length)
            count = self._static.count_under(part) + self._registrations.prefixes.count_under(part)
            return count == 0 or (count < MAX_RECORDS and fits(self._with_more_specifics(match, part)))

        lengths = range(match.prefix.length, eid.address.max_prefixlen + 1)
        length = lengths[bisect_left(lengths, True, key=fitting)]
        return self._with_more_specifics(match, prefix_of(eid, length))

    def _with_more_specifics(self, match: Mapping, part: EidPrefix) -> tuple[Mapping, ...]:
        return _same_ttl((replace(match, prefix=part), *self._more_specifics(part)))

    def _more_specifics(self, prefix: EidPrefix) -> list[Mapping]:
        found = {
            under: _of_registration(registration) for under, registration in self._registrations.prefixes.under(prefix)
        }
        found.update(self._static.under(prefix))
        return [_as_proxy(found[under]) for under in sorted(found, key=_in_order)]


def _of_registration(registration: Registration) -> Mapping:
    """What may be said of it beside another answer: who is not proxied for must be asked."""
    mapping = registration.mapping
    if registration.proxy_reply:
        return mapping
    return replace(mapping, locators=(), carried=(), action=Action.SEND_MAP_REQUEST)


def _as_proxy(mapping: Mapping) -> Mapping:
    """Neither authoritative nor with a local locator (section 5.4)."""
    locators = tuple(replace(locator, local=False, probed=False) for locator in mapping.locators)
    return replace(mapping, locators=locators, authoritative=False)


def _same_ttl(mappings: tuple[Mapping, ...]) -> tuple[Mapping, ...]:
    ttl = min(mapping.ttl for mapping in mappings)
    return tuple(replace(mapping, ttl=ttl) for mapping in mappings)


def _in_order(prefix: EidPrefix) -> tuple[int, int]:
    return int(prefix.network.network_address), prefix.length
