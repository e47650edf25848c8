"""The lisp-sites of a Map-Server: who may register which EID-prefix (RFC 9301 section 8.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lispfast.control.prefix_map import PrefixMap
from lispfast.model.addresses import Eid, EidPrefix
from lispfast.model.settings import Site


class SiteTable:
    """The configured sites by their EID-prefix; of two with the same prefix the later one counts."""

    def __init__(self, sites: Iterable[Site]) -> None:
        self._sites: PrefixMap[Site] = PrefixMap()
        for site in sites:
            self._sites.put(site.prefix, site)

    def __iter__(self) -> Iterator[Site]:
        """In the order of their EID-prefixes."""
        return (site for _, site in self._sites.items())

    def __len__(self) -> int:
        return len(self._sites)

    def admitting(self, prefix: EidPrefix) -> Site | None:
        """The site that may register this prefix, None where it is nobody's.

        The most specific site that covers the prefix decides alone: a site inside a wider one is not the wider one's
        any more. It admits exactly its own prefix, or also more-specifics of it where it is configured so.
        """
        found = self._sites.cover(prefix)
        if found is None:
            return None
        site = found[1]
        return site if site.accept_more_specifics or site.prefix == prefix else None

    def holding(self, eid: Eid) -> Site | None:
        """The most specific site that the EID lies in."""
        found = self._sites.cover(eid.prefix)
        return found[1] if found else None

    def hole(self, eid: Eid) -> EidPrefix:
        """The least specific prefix round the EID that overlaps no site, where no site holds it."""
        return self._sites.hole(eid)
