"""The subscriptions of a Map-Server: which xTR wants to be told of changes of which EID-prefix (RFC 9437 section 5).

A subscription counts once its xTR has acknowledged the Map-Notify that confirms it, signed with the key that it shares
with us. Until then it is only wanted, beside the one that it is to replace: a Map-Request proves nothing of its sender,
and would else let anybody point the publications of another xTR elsewhere, or run its nonce up to the end.

    bound                                       what gives way
    of one xTR-ID, of one EID-prefix, of all    the newcomer, who gets a Map-Reply
    wanted                                      the oldest
    nonces of subscriptions that ended          the oldest
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from lispfast.control.expiry import ExpiryQueue
from lispfast.control.prefix_map import PrefixMap
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.mapping import Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key
from lispfast.model.units import Nonce, Seconds
from lispfast.wire.identity import XtrIdentity

# --- Ours -------------------------------------------------------------------------------------------------------------

MAX_TOTAL = 65536  # of all xTRs; a few kB each
MAX_OF_EID = 16384  # of one EID-prefix: half a minute of publications at the pace of publisher
MAX_WANTED = 1024  # not confirmed yet: anybody can ask
MAX_NONCES = 65536  # of subscriptions that ended: what was asked before must not be asked again by somebody else
MAX_RLOCS = 8  # that a Map-Notify is tried at

Subscriber = tuple[int, int]
"""xTR-ID and Site-ID, 0 where none came."""

Name = tuple[Subscriber, EidPrefix]
"""A subscription: each xTR has one for an EID-prefix."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an accepted Map-Request asks for: `source` is where it came from, `local` our address that it came to."""

    identity: XtrIdentity
    prefix: EidPrefix
    rlocs: tuple[Address, ...]
    port: int
    source: Address
    local: Address
    nonce: Nonce
    key: Key

    @property
    def name(self) -> Name:
        """Whose it is and for what."""
        return (self.identity.xtr_id, self.identity.site_id or 0), self.prefix


@dataclass(slots=True)
class Subscription:
    """A confirmed subscription.

    `heard` is the highest nonce that the xTR has shown to know, `nonce` the last one used; `dirty` are EID-prefixes
    whose change is to be told, `since` when it was first confirmed. `temporary`: nothing is registered for it.
    """

    wish: Wish
    since: Seconds
    heard: int
    nonce: int
    temporary: bool = False
    dirty: dict[EidPrefix, None] = field(default_factory=dict)


@dataclass(slots=True)
class Notice:
    """A Map-Notify that waits for its acknowledgement: `told` are the EID-prefixes in it.

    `missed` are those whose mapping changed since, where it is to confirm a subscription.
    """

    wish: Wish
    nonce: Nonce
    told: tuple[Mapping, ...]
    payload: bytes
    confirms: bool
    tries: int = 0
    missed: dict[EidPrefix, None] = field(default_factory=dict)


class Subscriptions:
    """Confirmed subscriptions by EID-prefix and xTR, and the nonces of those that ended."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_prefix: PrefixMap[dict[Subscriber, Subscription]] = PrefixMap()
        self._count: Counter[Subscriber] = Counter()
        self._nonces: OrderedDict[Name, int] = OrderedDict()
        self.expiry: ExpiryQueue[Name] = ExpiryQueue()

    def __len__(self) -> int:
        return self._count.total()

    def __iter__(self) -> Iterator[Subscription]:
        """By EID-prefix, then oldest first."""
        return (one for _, several in self._by_prefix.items() for one in several.values())

    def get(self, name: Name) -> Subscription | None:
        """The confirmed subscription of that name."""
        return (self._by_prefix.get(name[1]) or {}).get(name[0])

    def expires(self, name: Name) -> Seconds:
        """When a subscription that is not renewed ends; KeyError for none of that name."""
        at = self.expiry.at(name)
        if at is None:
            raise KeyError(name)
        return at

    def full(self, name: Name) -> ControlReason | None:
        """Which bound a subscription of that name exceeds."""
        if self.get(name) is not None:
            return None
        if self._count[name[0]] >= self._limit:
            return ControlReason.SUBSCRIPTIONS_OF_XTR
        if len(self._by_prefix.get(name[1]) or ()) >= MAX_OF_EID:
            return ControlReason.SUBSCRIPTIONS_OF_EID
        return ControlReason.TABLE_FULL if len(self) >= MAX_TOTAL else None

    def last_nonce(self, name: Name) -> int:
        """What the nonce of a Map-Request must exceed: 0 where nothing is known."""
        known = self.get(name)
        return known.heard if known else self._nonces.get(name, 0)

    def put(self, wish: Wish, now: Seconds) -> Subscription:
        """The xTR has acknowledged: this replaces what it had (section 5), but for what it is still to be told."""
        subscriber, prefix = wish.name
        known = self.get(wish.name)
        if known is None:
            known = Subscription(wish, now, wish.nonce, wish.nonce)
            several = self._by_prefix.get(prefix)
            if several is None:
                several = {}
                self._by_prefix.put(prefix, several)
            several[subscriber] = known
            self._count[subscriber] += 1
            self._nonces.pop(wish.name, None)
        known.wish = wish
        known.heard = max(known.heard, wish.nonce)
        known.nonce = max(known.nonce, wish.nonce)
        return known

    def remove(self, name: Name, nonce: int = 0) -> Subscription | None:
        """End a subscription and keep its nonce, or that of the Map-Request that ended it; None without one."""
        known = self.get(name)
        if known is None:
            return None
        subscriber, prefix = name
        several = self._by_prefix.get(prefix) or {}
        del several[subscriber]
        if not several:
            self._by_prefix.remove(prefix)
        self._count[subscriber] -= 1
        if not self._count[subscriber]:
            del self._count[subscriber]
        self.expiry.discard(name)
        self._nonces[name] = max(nonce, known.nonce, known.heard)
        if len(self._nonces) > MAX_NONCES:
            self._nonces.popitem(last=False)
        return known

    def telling(self, subscriber: Subscriber, told: EidPrefix) -> Subscription | None:
        """The most specific subscription of an xTR that covers an EID-prefix: the one that it is told by."""
        for prefix in (told, *self._by_prefix.covers(told)):
            found = (self._by_prefix.get(prefix) or {}).get(subscriber)
            if found is not None:
                return found
        return None

    def concerned(self, changed: EidPrefix) -> Iterator[tuple[Subscription, EidPrefix]]:
        """Who is to be told of a change, and for which EID-prefix.

        A subscription inside of what changed is told for its own EID-prefix. Of those that cover it each xTR is told
        by its most specific one alone, so that both sides count up the same nonce.
        """
        for prefix, several in self._by_prefix.under(changed):
            for subscription in several.values():
                yield subscription, prefix
        told: set[Subscriber] = set()
        for prefix in (changed, *self._by_prefix.covers(changed)):
            several = self._by_prefix.get(prefix) or {}
            for subscriber, subscription in several.items():
                if subscriber not in told:
                    told.add(subscriber)
                    yield subscription, changed
