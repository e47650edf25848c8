"""Which RLOCs are probed, and for which EID-prefix: those whose answer decides where packets go.

RFC 9301 section 7.1 probes the RLOCs of map-cache entries. A proxy-ETR is none: it gets what is outside of LISP, so it
is asked for the negative entry, or the default, whose packets it got last. That EID-prefix is not its own and many
proxies do not answer at all, so silence says something of one only that has answered before.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

from lispfast.control.forwarding import ForwardingTable
from lispfast.control.map_cache import MapCache
from lispfast.control.policy import Outlook, probed
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.mapping import UNUSABLE_PRIORITY, Locator
from lispfast.model.settings import ProxyEtr
from lispfast.model.units import Seconds


@dataclass(frozen=True, slots=True)
class Aim:
    """The EID-prefix that a probe asks for; `owed` says that an RLOC which does not answer is down."""

    prefix: EidPrefix
    owed: bool = True


class ProbeTargets:
    """Holds no state: it reads the cache, the table, and `sites`: the RLOCs that are EIDs.

    `outlook` is asked only of these and of explicit locator paths.
    """

    def __init__(
        self,
        proxies: tuple[ProxyEtr, ...],
        cache: MapCache,
        table: ForwardingTable,
        sites: Container[Address],
        outlook: Callable[[], Outlook],
    ) -> None:
        self._sites = sites
        self._proxies = tuple(proxy for proxy in proxies if proxy.priority != UNUSABLE_PRIORITY)
        self._cache = cache
        self._table = table
        self._outlook = outlook

    def named(self, now: Seconds) -> set[Address]:
        """The RLOCs that the cache names, and the proxy-ETRs in use."""
        return self._cache.rlocs() | self.proxies(now)

    def proxies(self, now: Seconds) -> set[Address]:
        """The proxy-ETRs of the families that packets leave LISP in, those that others are preferred to as well."""
        return {proxy.address for proxy in self._proxies if self._for_proxy(proxy, now)}

    def stays(self, rloc: Address, now: Seconds) -> bool:
        """Whether an RLOC is still named; a proxy-ETR that nobody uses is not, so that an idle node sleeps."""
        return rloc in self._cache.rlocs() or rloc in self.proxies(now)

    def aim(self, rloc: Address, now: Seconds) -> Aim | None:
        """What a probe of the RLOC asks for; None where no packets depend on it."""
        for prefix in self._cache.users(rloc):
            if self._cache.in_use(prefix, now) and self._decides(rloc, prefix):
                return Aim(prefix)
        proxied = (self._for_proxy(proxy, now) for proxy in self._proxies if proxy.address == rloc)
        prefix_outside = next((prefix for prefix in proxied if prefix), None)
        return Aim(prefix_outside, owed=False) if prefix_outside else None

    def names(self, prefix: EidPrefix, rloc: Address) -> bool:
        """Whether the cached mapping of the prefix has the RLOC as a locator of its own, not as a hop."""
        entry = self._cache.get(prefix)
        return entry is not None and any(_plain(one, rloc) for one in entry.mapping.locators)

    def _decides(self, rloc: Address, prefix: EidPrefix) -> bool:
        entry = self._cache.get(prefix)
        locators = [one for one in entry.mapping.locators if one.usable and rloc in one.rlocs] if entry else []
        if rloc not in self._sites and any(_plain(one, rloc) for one in locators):
            return True
        return any(rloc in probed(one, self._outlook()) for one in locators)

    def _for_proxy(self, proxy: ProxyEtr, now: Seconds) -> EidPrefix | None:
        prefixes = (self._table.outside(version, now) for version in proxy.versions)
        return next((prefix for prefix in prefixes if prefix), None)


def _plain(locator: Locator, rloc: Address) -> bool:
    return locator.usable and not locator.path and locator.address == rloc
