"""The Python image of the data plane's table: what stands there, and the transaction that brings it up to date."""

from __future__ import annotations

from collections.abc import Iterable

from lispfast.control.map_cache import IN_USE, MapCache, Origin
from lispfast.control.outbox import Outbox
from lispfast.control.policy import Outlook, native, unnested, verdict
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.forwarding import (
    Encapsulate,
    LocalPrefix,
    PrefixTraffic,
    Reject,
    Resolve,
    Traffic,
    Transaction,
    Verdict,
)
from lispfast.model.mapping import Action, Locator
from lispfast.model.settings import Settings
from lispfast.model.units import Seconds

UNUSED = PrefixTraffic(0, 0, 0, None)


def local_prefixes(settings: Settings) -> tuple[LocalPrefix, ...]:
    """Our own EID-prefixes: that of each database-mapping, a mobile node's a host's."""
    versioned = settings.header_hints.map_versioning
    return tuple(LocalPrefix(entry.prefix, entry.version if versioned else 0) for entry in settings.database)


class ForwardingTable:
    """Holds a verdict for each prefix of the map-cache, and a default for each family and instance-ID of our EIDs.

    Who changes the cache touches the prefixes; `flush` compiles those and commits what differs from what stands there.
    Where `allowed-dst-eids` says which destinations use LISP, all others are treated as outside of it without a
    question: the defaults no longer ask, each allowed EID-prefix does, and what a Map-Reply told of a wider prefix
    holds inside the allowed ones alone. The static map-cache is the operator's word and always holds.
    """

    def __init__(self, settings: Settings, cache: MapCache, outbox: Outbox) -> None:
        self._cache = cache
        self._outbox = outbox
        self._asks = bool(settings.map_resolvers)
        self._proxies = frozenset(proxy.address for proxy in settings.proxy_etrs)
        self._allowed = settings.allowed_destinations
        self._installed: dict[EidPrefix, Verdict] = {}
        self._uses: dict[EidPrefix, PrefixTraffic] = {}
        self._outside: dict[int, tuple[EidPrefix, Seconds]] = {}
        self._unnested: dict[EidPrefix, tuple[Locator, ...]] = {}
        self._touched: dict[EidPrefix, None] = {}  # a set that keeps its order
        self._defaults = {
            EidPrefix.parse("0.0.0.0/0" if entry.prefix.version == 4 else "::/0", entry.prefix.iid)
            for entry in settings.database
        }

    def touch(self, prefixes: Iterable[EidPrefix]) -> None:
        """These may need another verdict."""
        self._touched.update(dict.fromkeys(prefixes))

    def touch_all(self) -> None:
        """The outlook changed: every verdict may be another."""
        self.touch(self.anchors)
        self.touch(self._cache.prefixes())
        self.touch(self._installed)

    def sends_to(self, rloc: Address) -> bool:
        """Whether an entry of the cache or a proxy has this RLOC."""
        return rloc in self._cache.rlocs() or rloc in self._proxies

    def touch_rloc(self, rloc: Address) -> None:
        """Verdicts that send to this RLOC may be others."""
        self.touch(self._cache.users(rloc))
        if rloc in self._proxies:
            self.touch(prefix for prefix, standing in self._installed.items() if _names(standing, rloc))

    def handle_cache(self, prefixes: Iterable[EidPrefix], now: Seconds) -> None:
        """The map-cache's entries of these prefixes are others now; a packet asked for one that was learned."""
        for prefix in prefixes:
            self._touched[prefix] = None
            entry = self._cache.get(prefix) if self._proxies else None
            if entry is not None and entry.mapping.negative and entry.mapping.action is Action.NATIVELY_FORWARD:
                self._note_outside(prefix, self._cache.idle(prefix, now), now)

    def handle_traffic(self, traffic: Traffic, now: Seconds) -> None:
        """Note how prefixes were used that stand in the table; the others are as they were."""
        self._uses.update((prefix, use) for prefix, use in traffic.prefixes.items() if prefix in self._installed)
        for prefix, use in traffic.prefixes.items() if self._proxies else ():
            if self._is_outside(prefix):
                self._note_outside(prefix, use.idle, now)

    def outside(self, version: int, now: Seconds) -> EidPrefix | None:
        """The prefix of a family whose packets last went to a proxy; None where none did in the last minute."""
        prefix, used = self._outside.get(version, (None, now))
        return prefix if now - used <= IN_USE else None

    def use(self, prefix: EidPrefix) -> PrefixTraffic:
        """How a prefix was used while it stood, as heard last: `idle` was true then."""
        return self._uses.get(prefix, UNUSED)

    def flush(self, outlook: Outlook) -> None:
        """Commit the differences of what was touched, in one transaction."""
        put, withdraw = [], []
        if self._touched:
            self.touch(self._allowed)
        for prefix in self._touched:
            wanted = self.wanted(prefix, outlook)
            standing = self._installed.get(prefix)
            if wanted is None and standing is not None:
                withdraw.append(prefix)
                del self._installed[prefix]
                self._uses.pop(prefix, None)
            elif wanted is not None and wanted != standing:
                put.append((prefix, wanted))
                self._installed[prefix] = wanted
            self._tell_of_unnested(prefix, wanted, outlook)
        self._touched.clear()
        self._outbox.commit(Transaction(put=tuple(put), withdraw=tuple(withdraw)))

    def __len__(self) -> int:
        return len(self._installed)

    @property
    def anchors(self) -> list[EidPrefix]:
        """What stands there whatever is cached: each default of a family and instance-ID, and the allowed EID-prefixes.

        A cached prefix may be one of them.
        """
        return sorted(self._defaults | set(self._allowed), key=str)

    def wanted(self, prefix: EidPrefix, outlook: Outlook) -> Verdict | None:
        """What policy says of a prefix of the cache or an anchor; None for one that is not to stand there."""
        entry = self._cache.get(prefix)
        allowed = self._is_allowed(prefix)
        if entry is None and allowed and prefix in self._allowed:
            entry = self._cache.cover(prefix)
        if entry is not None and (allowed or entry.origin is Origin.STATIC):
            return Reject() if entry.origin is Origin.UNANSWERED else verdict(entry.mapping, outlook)
        if entry is None and prefix not in self._defaults and prefix not in self._allowed:
            return None
        return Resolve() if self._asks and allowed else native(prefix.version, prefix.iid, outlook)

    def _tell_of_unnested(self, prefix: EidPrefix, standing: Verdict | None, outlook: Outlook) -> None:
        """Say once, as long as it is so, of which RLOCs in a visited site packets cannot go through the site's own."""
        entry = self._cache.get(prefix) if isinstance(standing, Encapsulate) and outlook.sites else None
        found = unnested(entry.mapping, outlook) if entry else ()
        for locator in found:
            if locator not in self._unnested.get(prefix, ()):
                form = locator.encapsulation or outlook.encapsulation
                site = outlook.sites[locator.address].prefix
                where = {"eid_prefix": str(prefix), "rloc": str(locator.address), "site": str(site)}
                self._outbox.event("visited-site-unusable", "warning", **where, encapsulation=form.value)
        if found:
            self._unnested[prefix] = found
        else:
            self._unnested.pop(prefix, None)

    def _note_outside(self, prefix: EidPrefix, idle: Seconds | None, now: Seconds) -> None:
        used = None if idle is None else Seconds(now - idle)
        if used is not None and used >= self._outside.get(prefix.version, (prefix, used))[1]:
            self._outside[prefix.version] = prefix, used

    def _is_outside(self, prefix: EidPrefix) -> bool:
        entry, standing = self._cache.get(prefix), self._installed.get(prefix)
        return (entry is None or entry.mapping.negative) and isinstance(standing, Encapsulate)

    def _is_allowed(self, prefix: EidPrefix) -> bool:
        return not self._allowed or any(one.covers(prefix) for one in self._allowed)


def _names(verdict: Verdict, rloc: Address) -> bool:
    return isinstance(verdict, Encapsulate) and any(locator.address == rloc for locator in verdict.locators)
