"""The registrations of a Map-Server: which ETRs registered which EID-prefix, and until when (RFC 9301 section 8.2).

An EID-prefix is registered while it has at least one entry. An entry belongs to a registerer: its xTR-ID and Site-ID,
or, without them, nobody in particular, so that a mobile node at a new address replaces what it said before.
What a fact does to the entries of its EID-prefix, and what the change of the prefix is then called:

    fact                                        entries afterwards
    registration without the merge bit          this one alone
    registration with the merge bit             this one and the others that have the merge bit
    withdrawal (record TTL 0), expiry           all but the registerer's

    registered before    registered after    mapping differs    change
    no                   yes                                    NEW
    yes                  yes                 no                 REFRESHED
    yes                  yes                 yes                CHANGED
    yes                  no                                     GONE
    no                   no                                     NOTHING
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum

from lispfast.control.expiry import ExpiryQueue
from lispfast.control.prefix_map import PrefixMap
from lispfast.control.record_ttl import lifetime
from lispfast.model.addresses import Address, EidPrefix, Endpoint
from lispfast.model.mapping import Hop, Locator, Mapping, sort_locators
from lispfast.model.settings import Key, Site
from lispfast.model.units import Seconds

# --- From the RFC -----------------------------------------------------------------------------------------------------

REGISTRATION_TIMEOUT = Seconds(180.0)  # section 8.2: three minutes without a valid Map-Register
MAX_LOCATORS = 255  # section 5.4: the Locator Count has 8 bits

# --- Ours -------------------------------------------------------------------------------------------------------------

MAX_PER_SITE = 65536  # what one key-holder can make us remember: 1.3 kB each as measured, 85 MB
MAX_REGISTERERS = 16  # of one EID-prefix with the merge bit; the one silent for longest gives way

Registerer = tuple[int, int] | Address | None
"""xTR-ID and Site-ID; without them the source address where merging needs one, else nobody in particular."""


class Change(StrEnum):
    """What a fact did to an EID-prefix."""

    NEW = "new"
    REFRESHED = "refreshed"
    CHANGED = "changed"
    GONE = "gone"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one registerer said; `since` is its first Map-Register in a row, `source` where the last came from.

    `etr_key` is what its Map-Register was signed with, where it says that it has LISP-SEC (RFC 9303 section 6.3).
    """

    mapping: Mapping
    registerer: Registerer
    source: Endpoint
    since: Seconds
    expires: Seconds
    proxy_reply: bool = False
    merge: bool = False
    etr_key: Key | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """An EID-prefix with its site and its entries, oldest Map-Register first, never empty; `since` when it came up."""

    site: Site
    entries: tuple[Entry, ...]
    since: Seconds

    @property
    def latest(self) -> Entry:
        """The entry whose Map-Register came last."""
        return self.entries[-1]

    @property
    def expires(self) -> Seconds:
        """When the last entry goes, unless it is refreshed."""
        return max(entry.expires for entry in self.entries)

    @property
    def proxy_reply(self) -> bool:
        """Whether the Map-Server answers for it: asked by the site's configuration or by any registerer (8.3)."""
        return self.site.proxy_reply or any(entry.proxy_reply for entry in self.entries)

    @property
    def mapping(self) -> Mapping:
        """The entries as one mapping: every locator, the smallest TTL.

        Of a locator that several name, the word of the ETR that calls it local counts, else the latest.
        """
        if len(self.entries) == 1:
            return self.entries[0].mapping
        locators: dict[tuple[Address, tuple[Hop, ...]], Locator] = {}
        for entry in self.entries:
            for locator in entry.mapping.locators:
                place = locator.address, locator.path
                known = locators.get(place)
                if known is None or locator.local or not known.local:
                    locators[place] = locator
        union = sort_locators(tuple(locators.values()))[:MAX_LOCATORS]
        carried = dict.fromkeys(one for entry in self.entries for one in entry.mapping.carried)
        rest = tuple(carried)[: MAX_LOCATORS - len(union)]
        return replace(self.latest.mapping, locators=union, carried=rest, ttl=min(e.mapping.ttl for e in self.entries))


class Registrations:
    """Every registration by EID-prefix."""

    def __init__(self) -> None:
        self._by_prefix: PrefixMap[Registration] = PrefixMap()
        self._expiry: ExpiryQueue[tuple[EidPrefix, Registerer]] = ExpiryQueue()
        self._per_site: Counter[EidPrefix] = Counter()
        self._changed: dict[EidPrefix, None] = {}

    def __len__(self) -> int:
        return len(self._by_prefix)

    @property
    def prefixes(self) -> PrefixMap[Registration]:
        """To look up in; only this class changes it."""
        return self._by_prefix

    def has_room(self, site: Site, prefixes: tuple[EidPrefix, ...]) -> bool:
        """Whether the site may register these EID-prefixes as well."""
        added = sum(1 for prefix in prefixes if prefix not in self._by_prefix)
        return self._per_site[site.prefix] + added <= MAX_PER_SITE

    def register(self, site: Site, entry: Entry) -> Change:
        """A valid Map-Register's record came."""
        before = self._by_prefix.get(entry.mapping.prefix)
        others = before.entries if before else ()
        if (own := _of(entry.registerer, others)) is not None:
            entry = replace(entry, since=own.since)
        kept = [e for e in others if entry.merge and e.merge and e is not own]
        entries = (*kept, entry)[-MAX_REGISTERERS:]
        since = before.since if before else entry.since
        return self._store(entry.mapping.prefix, before, Registration(site, entries, since))

    def withdraw(self, prefix: EidPrefix, registerer: Registerer) -> Change:
        """A valid Map-Register withdrew the EID-prefix: its record TTL is 0."""
        return self._remove(prefix, registerer)

    def take_changes(self) -> list[EidPrefix]:
        """The EID-prefixes of which another thing is to be said than when this was asked last."""
        changed, self._changed = list(self._changed), {}
        return changed

    def next_expiry(self) -> Seconds | None:
        """When the next entry's time is up."""
        return self._expiry.next()

    def expire(self, now: Seconds) -> list[tuple[EidPrefix, Change]]:
        """Remove every entry whose time is up; what became of their EID-prefixes."""
        return [(prefix, self._remove(prefix, registerer)) for prefix, registerer in self._expiry.pop_due(now)]

    def _remove(self, prefix: EidPrefix, registerer: Registerer) -> Change:
        before = self._by_prefix.get(prefix)
        if before is None:
            return Change.NOTHING
        entries = tuple(e for e in before.entries if e.registerer != registerer)
        return self._store(prefix, before, replace(before, entries=entries) if entries else None)

    def _store(self, prefix: EidPrefix, before: Registration | None, after: Registration | None) -> Change:
        for entry in before.entries if before else ():
            if after is None or _of(entry.registerer, after.entries) is None:
                self._expiry.discard((prefix, entry.registerer))
        if before is not None:
            self._per_site[before.site.prefix] -= 1
        if after is None:
            if before is None:
                return Change.NOTHING
            self._by_prefix.remove(prefix)
            self._changed[prefix] = None
            return Change.GONE
        self._per_site[after.site.prefix] += 1
        self._expiry.set((prefix, after.latest.registerer), after.latest.expires)
        self._by_prefix.put(prefix, after)
        if before is None or (before.mapping, before.proxy_reply) != (after.mapping, after.proxy_reply):
            self._changed[prefix] = None
        if before is None:
            return Change.NEW
        return Change.REFRESHED if after.mapping == before.mapping else Change.CHANGED


def timeout_of(mapping: Mapping, use_ttl: bool) -> Seconds:
    """How long a registration stands: three minutes, or with the T-bit the record TTL, a day at most."""
    return lifetime(mapping.ttl) if use_ttl else REGISTRATION_TIMEOUT


def _of(registerer: Registerer, entries: tuple[Entry, ...]) -> Entry | None:
    return next((entry for entry in entries if entry.registerer == registerer), None)
