"""The map-cache: what the mapping system said, while it holds (RFC 9300 section 6, RFC 9301 sections 5.4 and 5.5).

An entry lives for its record's TTL. Shortly before its end it is asked for again if traffic used it in the last minute,
or in the second half of a shorter life; otherwise it runs out, so an idle node's cache empties itself and wakes nobody.

A full cache makes room, in this order, and counts it:

    who goes                                       why
    who was not used for a minute, longest first   nobody would miss it
    who was learned and not used since, oldest     one packet of a scan made it; a conversation has a second one
    who is new                                     everybody else is in use

With an entry go the less-specifics that cover it, as packets for it would match them (RFC 9301 section 5.5); so one
whose less-specific is in use is passed over as long as there is another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, KeysView
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from lispfast.control.effects import Timeout
from lispfast.control.expiry import ExpiryQueue
from lispfast.control.jitter import longer
from lispfast.control.prefix_map import PrefixMap
from lispfast.control.record_ttl import lifetime
from lispfast.control.role import NonceSource
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.forwarding import Traffic
from lispfast.model.mapping import Action, Mapping
from lispfast.model.units import Minutes, Seconds

# --- From the RFC -----------------------------------------------------------------------------------------------------

IN_USE = Seconds(60)  # RFC 9301 section 6.1: sent to in the last minute

# --- Ours -------------------------------------------------------------------------------------------------------------

MAX_ENTRIES = 10_000  # some 10 MB of Python objects
CONVERSATION = Seconds(1)  # a packet so long after an entry was learned is not the one that asked for it
CANDIDATES = 16  # that are looked at to find one which no less-specific in use covers
REFRESH_SHARE = 1 / 6  # of the lifetime is left for asking again: 10 s of a minute, enough for five tries
REFRESH_MARGIN_MAX = Seconds(60)
REFRESH_JITTER = 0.25  # of what is left, more of it: entries learned together are not asked for together
RECENT_SHARE = 0.5  # of the lifetime: the packet that asked for an answer of a minute does not ask for the next one
SLACK = Seconds(1)


class Origin(StrEnum):
    """Where an entry is from."""

    STATIC = "static"
    MAP_REPLY = "map-reply"
    UNANSWERED = "unanswered"  # nobody answered: held for a few seconds so that applications fail at once


@dataclass(frozen=True, slots=True)
class Entry:
    """A cached mapping; times are on the caller's clock, `expires` is None for one that never does."""

    mapping: Mapping
    origin: Origin
    learned: Seconds
    expires: Seconds | None

    @property
    def prefix(self) -> EidPrefix:
        """The EID-prefix that the entry is for."""
        return self.mapping.prefix


@dataclass(frozen=True, slots=True)
class Due:
    """What a timeout brought: prefixes that are gone, and prefixes in use to ask for again."""

    expired: tuple[EidPrefix, ...] = ()
    refresh: tuple[EidPrefix, ...] = ()


class MapCache:
    """Entries by EID-prefix. Methods that change it return the prefixes whose entry is another now.

    It learns up to `size` entries beside the static ones; `displaced` counts those that gave way. Without `nonces`
    there is no jitter.
    """

    def __init__(
        self, static: Iterable[Mapping] = (), size: int = MAX_ENTRIES, nonces: NonceSource | None = None
    ) -> None:
        self._size = size
        self._nonces = nonces
        self.displaced = 0
        self._entries: PrefixMap[Entry] = PrefixMap()
        # Learned entries with their last use: those that a conversation used, unused for longest first; the others.
        self._used: OrderedDict[EidPrefix, Seconds] = OrderedDict()
        self._fresh: OrderedDict[EidPrefix, Seconds] = OrderedDict()
        self._expiry: ExpiryQueue[EidPrefix] = ExpiryQueue()
        self._refresh: ExpiryQueue[EidPrefix] = ExpiryQueue()
        self._last_use: dict[EidPrefix, Seconds] = {}  # static entries, which are never displaced
        self._users: dict[Address, dict[EidPrefix, None]] = {}
        for mapping in static:
            self._store(Entry(mapping, Origin.STATIC, Seconds(0), None))

    def __len__(self) -> int:
        return len(self._entries)

    def prefixes(self) -> list[EidPrefix]:
        """Every prefix, by instance-ID, family and address."""
        return list(self._entries)

    def after(self, prefix: EidPrefix | None, room: int) -> list[EidPrefix]:
        """Up to `room` prefixes that follow this one in the same order, from the first for None."""
        return self._entries.after(prefix, room)

    def entries(self) -> list[Entry]:
        """Every entry, in the same order."""
        return list(self._entries.values())

    def get(self, prefix: EidPrefix) -> Entry | None:
        """The entry of exactly this prefix."""
        return self._entries.get(prefix)

    def holds_within(self, prefix: EidPrefix) -> bool:
        """Whether there is an entry for this prefix or for a more-specific of it."""
        return self.get(prefix) is not None or any(prefix.covers(other) for other in self.after(prefix, 1))

    def rlocs(self) -> KeysView[Address]:
        """The RLOCs that packets may be sent to by some entry, every hop of a path among them."""
        return self._users.keys()

    def users(self, rloc: Address) -> list[EidPrefix]:
        """The prefixes whose entry names this RLOC."""
        return list(self._users.get(rloc, ()))

    def cover(self, prefix: EidPrefix) -> Entry | None:
        """The longest match: the most specific entry that is this prefix or covers it."""
        found = self._entries.cover(prefix)
        return found[1] if found else None

    def learn(self, mappings: tuple[Mapping, ...], asked: EidPrefix, now: Seconds) -> list[EidPrefix]:
        """Take over the records of one Map-Reply to a request for `asked`.

        A record that covers a cached prefix which was asked for replaces the more-specifics it covers; a less-specific
        that merely arrives lives no longer than its more-specifics (RFC 9301 section 5.5). TTL 0 removes (section 5.4).
        A static entry stays as it is.
        """
        refreshed = (known := self.get(asked)) is not None and known.origin is Origin.MAP_REPLY
        named = {mapping.prefix for mapping in mappings}
        changed: list[EidPrefix] = []
        for mapping in sorted(mappings, key=lambda mapping: mapping.prefix.length):
            changed += self._clear_under(mapping.prefix, named, everything=refreshed and _wider(mapping.prefix, asked))
            if self._static(mapping.prefix):
                continue
            if mapping.ttl == 0:
                changed += self.remove(mapping.prefix)
            else:
                self._put(mapping, named, now)
                changed.append(mapping.prefix)
        return changed + self._displace(now)

    def hold(self, prefix: EidPrefix, until: Seconds, now: Seconds) -> list[EidPrefix]:
        """Nobody answered for this prefix: refuse its packets until then. A mapping that is there stays."""
        known = self.get(prefix)
        if known is not None and known.origin is not Origin.UNANSWERED:
            return []
        self._store(Entry(Mapping(prefix, (), Minutes(0), Action.NO_ACTION), Origin.UNANSWERED, now, until))
        self._welcome(prefix, now)
        self._expiry.set(prefix, until)
        return [prefix, *self._displace(now)]

    def holds(self) -> list[EidPrefix]:
        """The prefixes that are held because nobody answered."""
        return [entry.prefix for entry in self.entries() if entry.origin is Origin.UNANSWERED]

    def remove(self, prefix: EidPrefix) -> list[EidPrefix]:
        """Forget a learned entry, if it is there."""
        entry = self.get(prefix)
        if entry is None or entry.origin is Origin.STATIC:
            return []
        self._entries.remove(prefix)
        self._unindex(entry)
        self._used.pop(prefix, None)
        self._fresh.pop(prefix, None)
        self._expiry.discard(prefix)
        self._refresh.discard(prefix)
        return [prefix]

    def handle_traffic(self, traffic: Traffic, now: Seconds) -> None:
        """Note when each prefix was last used."""
        uses = [(use.idle, prefix) for prefix, use in traffic.prefixes.items() if use.idle is not None]
        for idle, prefix in sorted(uses, key=lambda use: -use[0]):  # so that `_used` stays in order
            if prefix in self._entries:
                self._mark_used(prefix, Seconds(now - idle))

    def note_use(self, prefix: EidPrefix, at: Seconds) -> None:
        """An entry was of use for packets that another one matched; one that is gone is ignored."""
        if prefix in self._entries:
            self._mark_used(prefix, at)

    def idle(self, prefix: EidPrefix, now: Seconds) -> Seconds | None:
        """How long ago a packet went to the prefix, or it was learned for one; None for never."""
        used = self._used.get(prefix, self._fresh.get(prefix, self._last_use.get(prefix)))
        return None if used is None else Seconds(max(0.0, now - used))

    def in_use(self, prefix: EidPrefix, now: Seconds) -> bool:
        """Whether the prefix was used in the last minute."""
        idle = self.idle(prefix, now)
        return idle is not None and idle <= IN_USE

    def handle_timeout(self, now: Seconds) -> Due:
        """What has run out, and what is to be asked for again."""
        expired = [gone for prefix in self._expiry.pop_due(now) for gone in self.remove(prefix)]
        refresh = [prefix for prefix in self._refresh.pop_due(now) if self._worth_refreshing(prefix, now)]
        return Due(tuple(expired), tuple(prefix for prefix in refresh if prefix not in expired))

    def next_timeout(self) -> Timeout | None:
        """When something runs out or is to be asked for again."""
        moments = [at for at in (self._expiry.next(), self._refresh.next()) if at is not None]
        return Timeout(min(moments), SLACK, "a map-cache entry ends or is refreshed") if moments else None

    def _worth_refreshing(self, prefix: EidPrefix, now: Seconds) -> bool:
        entry, idle = self.get(prefix), self.idle(prefix, now)
        if entry is None or entry.expires is None or idle is None:
            return False
        return idle <= min(IN_USE, (entry.expires - entry.learned) * RECENT_SHARE)

    def _static(self, prefix: EidPrefix) -> bool:
        entry = self.get(prefix)
        return entry is not None and entry.origin is Origin.STATIC

    def _put(self, mapping: Mapping, named: set[EidPrefix], now: Seconds) -> None:
        expires = Seconds(now + lifetime(mapping.ttl))
        for prefix, entry in self._entries.under(mapping.prefix):
            if prefix not in named and entry.expires is not None:
                expires = min(expires, entry.expires)
        self._store(Entry(mapping, Origin.MAP_REPLY, now, expires))
        self._welcome(mapping.prefix, now)
        self._expiry.set(mapping.prefix, expires)
        margin = Seconds(min((expires - now) * REFRESH_SHARE, REFRESH_MARGIN_MAX))
        margin = longer(margin, REFRESH_JITTER, self._nonces) if self._nonces else margin
        if mapping.locators or mapping.action is not Action.SEND_MAP_REQUEST:
            self._refresh.set(mapping.prefix, Seconds(expires - margin))
        else:
            self._refresh.discard(mapping.prefix)  # every packet asks again anyway

    def _store(self, entry: Entry) -> None:
        before = self.get(entry.prefix)
        if before is not None:
            self._unindex(before)
        self._entries.put(entry.prefix, entry)
        for locator in entry.mapping.locators:
            for rloc in locator.rlocs if locator.usable else ():
                self._users.setdefault(rloc, {})[entry.prefix] = None

    def _unindex(self, entry: Entry) -> None:
        for rloc in (rloc for locator in entry.mapping.locators for rloc in locator.rlocs):
            prefixes = self._users.get(rloc, {})
            prefixes.pop(entry.prefix, None)
            if not prefixes:
                self._users.pop(rloc, None)

    def _clear_under(self, prefix: EidPrefix, named: set[EidPrefix], *, everything: bool) -> list[EidPrefix]:
        """Remove more-specifics: the held ones, which an answer outdates, or every learned one."""
        under = [entry for other, entry in self._entries.under(prefix) if other not in named]
        gone = [e.prefix for e in under if everything or e.origin is Origin.UNANSWERED]
        return [removed for victim in gone for removed in self.remove(victim)]

    def _welcome(self, prefix: EidPrefix, now: Seconds) -> None:
        """A packet asked for it; to be asked for again is no use."""
        if prefix not in self._used and prefix not in self._fresh:
            self._fresh[prefix] = now

    def _mark_used(self, prefix: EidPrefix, at: Seconds) -> None:
        entry = self._entries.get(prefix)
        if entry is None or entry.origin is Origin.STATIC:
            self._last_use[prefix] = max(at, self._last_use.get(prefix, at))
        elif prefix in self._fresh and at < entry.learned + CONVERSATION:
            self._fresh[prefix] = max(at, self._fresh[prefix])
        elif at >= self._used.get(prefix, at):
            self._fresh.pop(prefix, None)
            self._used[prefix] = at
            self._used.move_to_end(prefix)

    def _displace(self, now: Seconds) -> list[EidPrefix]:
        gone: list[EidPrefix] = []
        while len(self._used) + len(self._fresh) > self._size:
            gone += self._evict(self._victim(now))
        self.displaced += len(gone)
        return gone

    def _victim(self, now: Seconds) -> EidPrefix:
        """Who goes first; the cache has learned something."""
        oldest = [*islice(self._used.items(), CANDIDATES), *islice(self._fresh.items(), CANDIDATES)]
        unused = sorted((at, place) for place, (_, at) in enumerate(oldest) if now - at > IN_USE)
        order = [oldest[place][0] for _, place in unused] + list(islice(self._fresh, CANDIDATES)) or [*self._used][-1:]
        return next((prefix for prefix in order if not self._needed(prefix, now)), order[0])

    def _needed(self, prefix: EidPrefix, now: Seconds) -> bool:
        """Whether a less-specific is in use that would match the packets for the prefix without it."""
        return any(cover in self._used and now - self._used[cover] <= IN_USE for cover in self._covers(prefix))

    def _evict(self, prefix: EidPrefix) -> list[EidPrefix]:
        return [gone for each in [prefix, *self._covers(prefix)] for gone in self.remove(each)]

    def _covers(self, prefix: EidPrefix) -> list[EidPrefix]:
        """The learned less-specifics of an entry; a held one has nothing that would be taken for it."""
        entry = self.get(prefix)
        if entry is None or entry.origin is not Origin.MAP_REPLY:
            return []
        return [cover for cover in self._entries.covers(prefix) if not self._static(cover)]


def _wider(prefix: EidPrefix, asked: EidPrefix) -> bool:
    return prefix != asked and prefix.covers(asked)
