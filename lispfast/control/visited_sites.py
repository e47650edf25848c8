"""Which RLOCs are themselves EIDs: the nodes that visit a LISP site, whose packets need the site's RLOC too.

The mapping system is asked for an RLOC in use as for an EID, once: the answer, negative or not, is a map-cache entry,
which mostly covers many RLOCs. Nothing waits for it: packets go to the RLOC plainly until a site is known. The entry is
in use as long as packets go to an RLOC that it covers, so it is refreshed for them and not for its own sake.

Two levels and no more: a site's own RLOC is taken as it is. An RLOC inside of its own mapping, and two mappings each
with an RLOC in the other, lead nowhere; such an RLOC is used plainly and counted. One of our own EIDs is never asked
for: the kernel has the route to it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from collections.abc import Mapping as Lookup
from types import MappingProxyType

from lispfast.control.explicit_path import looked_up, loops
from lispfast.control.map_cache import Entry, MapCache, Origin
from lispfast.control.mobility import Position
from lispfast.control.outbox import Outbox
from lispfast.control.prefix_map import PrefixMap
from lispfast.control.ratelimit import RateLimiter
from lispfast.control.resolver import Resolver
from lispfast.model.addresses import Address, Eid, EidPrefix
from lispfast.model.forwarding import Traffic
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.units import Seconds

# --- Ours -------------------------------------------------------------------------------------------------------------

ASK_AGAIN = Seconds(60)  # after nobody answered, while packets go to the RLOC
MEMORY = 4096  # RLOCs that were asked for lately
TOLD_INTERVAL, TOLD_BURST = Seconds(60), 4  # of the event in the log, for each RLOC


class VisitedSites:
    """`sites` has the mapping of the site for each RLOC in use that is an EID there.

    `lookup` False asks for no RLOC but for the hops whose L-bit says that they are EIDs (RFC 8060 section 4.6).
    """

    def __init__(self, lookup: bool, cache: MapCache, resolver: Resolver, outbox: Outbox) -> None:
        self._lookup = lookup
        self._cache = cache
        self._resolver = resolver
        self._outbox = outbox
        self._position = Position()
        self._named: dict[EidPrefix, tuple[Address, ...]] = {}
        self._users: PrefixMap[dict[EidPrefix, None]] = PrefixMap()  # by the RLOC's host prefix
        self._sites: dict[Address, Mapping] = {}
        self._asked: OrderedDict[Address, Seconds] = OrderedDict()
        self._told = RateLimiter(TOLD_INTERVAL, TOLD_BURST)
        self.sites: Lookup[Address, Mapping] = MappingProxyType(self._sites)

    def start(self, now: Seconds) -> list[EidPrefix]:
        """Look at the static map-cache."""
        return self.handle_cache(self._cache.prefixes(), now)

    def handle_position(self, position: Position) -> None:
        """Our own EID-prefixes and RLOCs are these."""
        self._position = position

    def handle_cache(self, changed: Iterable[EidPrefix], now: Seconds) -> list[EidPrefix]:
        """The cache's entries of these prefixes are others now; the prefixes whose verdict may be another for it."""
        changed = tuple(changed)
        covered: list[Address] = []
        named: list[Address] = []
        for prefix in changed:
            named += self._named.get(prefix, ())  # who else names them may no longer be led back
            self._follow(prefix, self._cache.get(prefix))
        for prefix in changed:
            named += self._named.get(prefix, ())
            if not prefix.iid:  # RLOCs are of the default instance
                hosts = [host for host, _ in self._users.under(prefix)] + [prefix] * (prefix in self._users)
                covered += [host.network.network_address for host in hosts]
        # Those covered first: what a site names is not asked for, so it has to be known for one.
        news = [prefix for rloc in dict.fromkeys(covered + named) for prefix in self._judge(rloc, now)]
        return list(dict.fromkeys(news))

    def through(self, door: Address) -> list[EidPrefix]:
        """The prefixes whose packets may go through the site that has this RLOC."""
        rlocs = [rloc for rloc, site in self._sites.items() if any(one.address == door for one in site.locators)]
        return [prefix for rloc in rlocs for prefix in self._users.get(Eid(rloc).prefix) or ()]

    def handle_traffic(self, traffic: Traffic, now: Seconds) -> None:
        """Packets went to these prefixes: the entries that cover their RLOCs are in use, missing ones are asked for."""
        for prefix, use in traffic.prefixes.items():
            for rloc in self._named.get(prefix, ()) if use.idle is not None else ():
                cover = self._cover(rloc)
                if cover is not None:
                    self._cache.note_use(cover.prefix, Seconds(now - (use.idle or 0)))
                else:
                    self._ask(rloc, now)

    def _follow(self, prefix: EidPrefix, entry: Entry | None) -> None:
        """Which RLOCs the entry names, in place of those that it named before."""
        for rloc in self._named.pop(prefix, ()):
            host = Eid(rloc).prefix
            users = self._users.get(host)
            if users is not None:
                users.pop(prefix, None)
                if not users:
                    self._users.remove(host)
                    self._sites.pop(rloc, None)
        if entry is None or entry.origin is Origin.UNANSWERED:
            return
        named = [rloc for locator in entry.mapping.locators if locator.usable for rloc in self._eids(locator)]
        if named:
            self._named[prefix] = tuple(dict.fromkeys(named))
        for rloc in named:
            host = Eid(rloc).prefix
            users = self._users.get(host)
            if users is None:
                users = {}
                self._users.put(host, users)
            users[prefix] = None

    def _eids(self, locator: Locator) -> tuple[Address, ...]:
        """What of a locator may be an EID."""
        if locator.path:
            if loops(locator.path):
                self._outbox.drop(ControlReason.RLOC_LOOP)
            return looked_up(locator)
        return (locator.address,) if self._lookup else ()

    def _judge(self, rloc: Address, now: Seconds) -> Iterable[EidPrefix]:
        """Whether the RLOC is an EID, as far as the cache knows; the prefixes that name it where that is news."""
        users = self._users.get(Eid(rloc).prefix)
        if users is None:
            return ()
        cover = self._cover(rloc)
        site = cover.mapping if cover is not None and self._leads_on(rloc, cover, users, now) else None
        if cover is None and any(self._cache.in_use(user, now) and not self._serves(user) for user in users):
            self._ask(rloc, now)
        if self._sites.get(rloc) == site:
            return ()
        if site is None:
            del self._sites[rloc]
        else:
            self._sites[rloc] = site
            self._outbox.event("rloc-is-eid", "debug", rloc=str(rloc), eid_prefix=str(site.prefix))
        return tuple(users)

    def _leads_on(self, rloc: Address, cover: Entry, users: Iterable[EidPrefix], now: Seconds) -> bool:
        """Whether the cover's RLOCs are where the RLOC is reached, and do not lead back."""
        if cover.mapping.negative or cover.origin is Origin.UNANSWERED:
            return False
        back = cover.prefix in users or any(
            user.contains(Eid(locator.address)) for user in users for locator in cover.mapping.locators
        )
        if back and cover.prefix.length:  # the mapping of everything, to a proxy, is no claim to be the RLOC's
            self._outbox.drop(ControlReason.RLOC_LOOP)
            if self._told.allow(rloc, now):
                self._outbox.event("rloc-loop-refused", "warning", rloc=str(rloc), eid_prefix=str(cover.prefix))
        return not back

    def _cover(self, rloc: Address) -> Entry | None:
        return self._cache.cover(Eid(rloc).prefix)

    def _serves(self, prefix: EidPrefix) -> bool:
        """Whether the entry is a site's that was asked for an RLOC's sake: its own RLOC is not looked up."""
        return any(site.prefix == prefix for site in self._sites.values())

    def _ask(self, rloc: Address, now: Seconds) -> None:
        own = self._position.mapping(Eid(rloc).prefix) is not None
        if own or now - self._asked.get(rloc, Seconds(now - ASK_AGAIN)) < ASK_AGAIN:
            return
        if self._resolver.locate(rloc, now):
            self._asked[rloc] = now
            self._asked.move_to_end(rloc)
            if len(self._asked) > MEMORY:
                self._asked.popitem(last=False)
