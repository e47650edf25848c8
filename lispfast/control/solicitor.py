"""Tells our peers that we moved: Solicit-Map-Requests (RFC 9301 section 6.1).

One machine a node. The SMR-invoked Map-Request goes through the mapping system, which answers with our old locators
until it has our registration; so SMRs go out after the Map-Notify, and where it is late both before and after it.

    state    fact      next     what is done
    quiet    moved     waiting  collect whom to tell, start the bound
    quiet    notified  quiet
    quiet    settled   quiet
    quiet    stranded  quiet
    waiting  moved     waiting  collect, start the bound anew
    waiting  notified  early    tell them; another Map-Server has yet to confirm
    waiting  settled   told     tell them
    waiting  alone     quiet
    waiting  late      early    tell them without waiting longer
    waiting  stranded  parked
    early    moved     waiting  collect, start the bound
    early    notified  early    tell them again
    early    settled   told     tell them again
    early    alone     quiet
    early    stranded  parked
    told     moved     waiting  collect, start the bound
    told     late      told     tell those again who have not been heard since
    told     finished  quiet    forget them
    told     notified  told                         a Map-Server that had lost us
    told     settled   told
    told     stranded  parked
    parked   moved     waiting  collect, start the bound
    parked   stranded  parked
    parked   settled   parked                       a Map-Notify that was on its way
    parked   notified  parked

`notified` is: a Map-Server has confirmed the new locators; `settled`: the last one has; `alone`: the last one has, and
nobody is to be told. An SMR has no answer, so one that is lost would leave its peer sending to the old place until a
probe or the TTL ends it: SMRs are repeated to those from whom nothing has come since. A Map-Request that we answered
since the move proves that its sender knows; a data packet does so only where the old RLOCs are gone. An SMR to a peer
that knows would do harm: it asks again, and its limit of one question a second delays what it asks after our next move.

Where we are subscribed to a peer's mapping, its Map-Server has PubSub, so the peer is likely to be subscribed to ours
and to hear of the move from there (RFC 9437). Nobody says so: the first telling spares it, the repetition does not,
unless it has been heard since.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from lispfast.control.effects import Timeout
from lispfast.control.expiry import ExpiryQueue
from lispfast.control.jitter import longer
from lispfast.control.machine import consult, earliest
from lispfast.control.map_cache import IN_USE, MapCache
from lispfast.control.map_requests import solicitation, source_prefix
from lispfast.control.mobility import Position
from lispfast.control.outbox import Outbox
from lispfast.control.policy import Outlook, usable_locators
from lispfast.control.ratelimit import RateLimiter
from lispfast.control.role import NonceSource
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.forwarding import Traffic
from lispfast.model.units import Nonce, Seconds
from lispfast.wire.map_request import MapRequest

# --- From the RFC -----------------------------------------------------------------------------------------------------

SMR_INTERVAL = Seconds(3)  # RFC 9301 section 6.1: recommended for a destination RLOC

# --- Ours -------------------------------------------------------------------------------------------------------------

# The interval counts for each (RLOC, EID-prefix) with a burst: taken literally it holds up a peer's second EID and a
# second move. Each move may need two rounds, one before the Map-Notify and one after.
SMR_BURST = 6
# The looser one for the RLOC alone: a router of a large site would send its peer an SMR for each of its EID-prefixes.
RLOC_INTERVAL = Seconds(0.1)
RLOC_BURST = 32
REPEATS = (Seconds(1), Seconds(2))  # waits before each repetition; what the burst leaves room for
JITTER = 0.1  # of such a wait, more of it: nodes that moved together do not repeat together
NOTIFY_BOUND = Seconds(0.3)  # a Map-Server that is there answers in one round trip, 100 ms over a poor LTE
MAX_TOLD = 16  # moves in a row of which peers may know: a node that moves more often repeats too few SMRs
MAX_TARGETS = 64  # peers are told newest first; who is left out asks again when its TTL ends
SLACK = Seconds(0.02)


class State(StrEnum):
    """Where the telling stands."""

    QUIET = "quiet"
    WAITING = "waiting"
    EARLY = "early"
    TOLD = "told"
    PARKED = "parked"


class Fact(StrEnum):
    """What can happen."""

    MOVED = "moved"
    NOTIFIED = "notified"
    SETTLED = "settled"
    ALONE = "alone"
    LATE = "late"
    FINISHED = "finished"
    STRANDED = "stranded"


class Do(StrEnum):
    """What follows."""

    NOTHING = "nothing"
    COLLECT = "collect"
    TELL = "tell"
    REPEAT = "repeat"
    FORGET = "forget"
    PARK = "park"


TABLE: dict[tuple[State, Fact], tuple[State, Do]] = {
    (State.QUIET, Fact.MOVED): (State.WAITING, Do.COLLECT),
    (State.QUIET, Fact.NOTIFIED): (State.QUIET, Do.NOTHING),
    (State.QUIET, Fact.SETTLED): (State.QUIET, Do.NOTHING),
    (State.QUIET, Fact.STRANDED): (State.QUIET, Do.NOTHING),
    (State.WAITING, Fact.MOVED): (State.WAITING, Do.COLLECT),
    (State.WAITING, Fact.NOTIFIED): (State.EARLY, Do.TELL),
    (State.WAITING, Fact.SETTLED): (State.TOLD, Do.TELL),
    (State.WAITING, Fact.ALONE): (State.QUIET, Do.FORGET),
    (State.WAITING, Fact.LATE): (State.EARLY, Do.TELL),
    (State.WAITING, Fact.STRANDED): (State.PARKED, Do.PARK),
    (State.EARLY, Fact.MOVED): (State.WAITING, Do.COLLECT),
    (State.EARLY, Fact.NOTIFIED): (State.EARLY, Do.TELL),
    (State.EARLY, Fact.SETTLED): (State.TOLD, Do.TELL),
    (State.EARLY, Fact.ALONE): (State.QUIET, Do.FORGET),
    (State.EARLY, Fact.STRANDED): (State.PARKED, Do.PARK),
    (State.TOLD, Fact.MOVED): (State.WAITING, Do.COLLECT),
    (State.TOLD, Fact.LATE): (State.TOLD, Do.REPEAT),
    (State.TOLD, Fact.FINISHED): (State.QUIET, Do.FORGET),
    (State.TOLD, Fact.NOTIFIED): (State.TOLD, Do.NOTHING),
    (State.TOLD, Fact.SETTLED): (State.TOLD, Do.NOTHING),
    (State.TOLD, Fact.STRANDED): (State.PARKED, Do.PARK),
    (State.PARKED, Fact.MOVED): (State.WAITING, Do.COLLECT),
    (State.PARKED, Fact.STRANDED): (State.PARKED, Do.NOTHING),
    (State.PARKED, Fact.NOTIFIED): (State.PARKED, Do.NOTHING),
    (State.PARKED, Fact.SETTLED): (State.PARKED, Do.NOTHING),
}


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to tell: an RLOC, and the peer's EID-prefix as cached, None for a PITR or a sender that we do not know."""

    rloc: Address
    cached: EidPrefix | None


@dataclass(frozen=True, slots=True)
class _Message:
    """One SMR: it is its own key among those that wait for the rate limit."""

    target: Target
    changed: EidPrefix


def targets(
    cache: MapCache,
    outlook: Outlook,
    outer_sources: dict[Address, Seconds],
    proxy_itrs: Iterable[Address],
    now: Seconds,
) -> list[Target]:
    """Whom we talked to in the last minute, newest first and at most MAX_TARGETS; the proxy-ITRs last.

    RFC 9301 section 6.1 names those that we sent to. Peers that only sent to us would keep sending to the old place, so
    outer sources count too: as the peer that the cache knows under that RLOC, else like a PITR. The peer at the end of
    an explicit locator path is told, and so are the hops, which may know us as well as any ITR.
    """
    aged: dict[Target, Seconds] = {}
    known: dict[Address, list[EidPrefix]] = {}
    for entry in cache.entries():
        idle = cache.idle(entry.prefix, now)
        recent = idle is not None and idle <= IN_USE
        heard = any(rloc in outer_sources for locator in entry.mapping.locators for rloc in locator.rlocs)
        if not recent and not heard:
            continue  # most of a large cache, and a move waits for us
        locators = usable_locators(entry.mapping, outlook) if entry.mapping.locators else ()
        for rloc in (rloc for locator in locators for rloc in locator.rlocs):
            known.setdefault(rloc, []).append(entry.prefix)
            if idle is not None and idle <= IN_USE:
                aged[Target(rloc, entry.prefix)] = idle
    for address, age in outer_sources.items():
        if age <= IN_USE:
            for prefix in known.get(address, [None]):
                target = Target(address, prefix)
                aged[target] = min(age, aged.get(target, age))
    newest = sorted(aged, key=lambda target: aged[target])
    proxies = [Target(proxy, None) for proxy in proxy_itrs]
    return list(dict.fromkeys(newest[: MAX_TARGETS - len(proxies)] + proxies))[:MAX_TARGETS]


class Solicitor:
    """Sends SMRs at a change of our locators."""

    def __init__(self, proxy_itrs: tuple[Address, ...], nonces: NonceSource, outbox: Outbox) -> None:
        self.state = State.QUIET
        self._proxy_itrs = proxy_itrs
        self._nonces = nonces
        self._outbox = outbox
        self._position = Position()
        self._outer_sources: dict[Address, tuple[Seconds, Seconds]] = {}
        self._changed: dict[EidPrefix, None] = {}
        self._targets: list[Target] = []
        self._published: set[Target] = set()
        self._senders: frozenset[Address] = frozenset()
        self._answered: set[_Message] = set()
        self._asked: set[Target] = set()
        self._bound: Seconds | None = None
        self._told_at = Seconds(0)
        self._repeats = 0
        self._told: list[frozenset[Address]] = []
        self._limit = RateLimiter(SMR_INTERVAL, SMR_BURST)
        self._per_rloc = RateLimiter(RLOC_INTERVAL, RLOC_BURST)
        self._deferred: ExpiryQueue[_Message] = ExpiryQueue()

    def handle_traffic(self, traffic: Traffic, now: Seconds) -> None:
        """Note whom packets came from; only the last reading is kept."""
        self._outer_sources = {address: (age, now) for address, age in traffic.outer_sources.items()}

    def handle_move(
        self,
        position: Position,
        changed: tuple[EidPrefix, ...],
        cache: MapCache,
        outlook: Outlook,
        now: Seconds,
        subscribed: Callable[[EidPrefix], bool] = lambda cached: False,
    ) -> None:
        """We stand elsewhere now; `changed` are our EID-prefixes whose locators are not what peers were told last.

        `subscribed` says of a peer's EID-prefix that its Map-Server publishes it to us.
        """
        if self.state is State.QUIET:
            self._told.clear()
        if self.state is not State.WAITING:  # of where we stood while we waited nobody was told
            self._told = [*self._told, _rlocs(self._position)][-MAX_TOLD:]
        self._position = position
        if not position.ways:
            self._step(Fact.STRANDED, now)
        elif changed or self.state is State.PARKED:
            self._changed.update(dict.fromkeys(changed))
            sources = {address: Seconds(age + now - at) for address, (age, at) in self._outer_sources.items()}
            self._senders |= {address for address, age in sources.items() if age <= IN_USE}
            fresh = targets(cache, outlook, sources, self._proxy_itrs, now)
            # Who was to be told of the last move and was not yet is still to be told, after the fresh ones.
            self._targets = list(dict.fromkeys(fresh + self._targets))[:MAX_TARGETS]
            self._published = {target for target in self._targets if target.cached and subscribed(target.cached)}
            self._step(Fact.MOVED, now)

    def handle_answered(self, request: MapRequest, prefixes: tuple[EidPrefix, ...]) -> None:
        """A peer asked for these of our EID-prefixes and has our locators by our own Map-Reply: no SMR tells it more.

        It is known by its ITR-RLOCs, and as a host by its Source-EID; a site's Source-EID does not say which router.
        """
        source = source_prefix(request)
        asking = {target for target in self._targets if target.rloc in request.itr_rlocs}
        asking |= {target for target in self._targets if source is not None and target.cached == source}
        for target in self._with_hosts(asking):
            for message in (_Message(target, prefix) for prefix in prefixes if prefix in self._changed):
                self._asked.add(target)
                self._answered.add(message)
                self._deferred.discard(message)

    def handle_notified(self, settled: bool, now: Seconds) -> None:
        """A Map-Server confirmed the new locators; `settled` says that it was the last."""
        alone = not self._targets and self.state in (State.WAITING, State.EARLY)
        self._step((Fact.ALONE if alone else Fact.SETTLED) if settled else Fact.NOTIFIED, now)

    def handle_timeout(self, now: Seconds) -> None:
        """Send what waited long enough."""
        if self._bound is not None and self._bound <= now:
            finished = self.state is State.TOLD and (self._repeats == len(REPEATS) or not self._targets)
            self._step(Fact.FINISHED if finished else Fact.LATE, now)
        for message in self._deferred.pop_due(now):
            self._send(message, self._nonces(), now)

    def next_timeout(self) -> Timeout | None:
        """When to stop waiting for the Map-Notify, or when the rate limit lets the next SMR go."""
        bound = None if self._bound is None else Timeout(self._bound, SLACK, "peers wait to be told of the move")
        at = self._deferred.next()
        return earliest((bound, None if at is None else Timeout(at, SLACK, "an SMR waits for its rate limit")))

    def _step(self, fact: Fact, now: Seconds) -> None:
        self.state, do = consult(TABLE, self.state, fact)
        if do is Do.NOTHING:
            return
        self._bound = None
        match do:
            case Do.COLLECT:
                self._answered.clear()
                self._asked.clear()
                self._bound = Seconds(now + NOTIFY_BOUND) if self._targets else None
            case Do.PARK:
                self._deferred = ExpiryQueue()
                self._per_rloc.cancel()
            case Do.TELL:
                self._told_at, self._repeats = now, 0
                self._tell(now, self._published)
            case Do.REPEAT:
                self._repeats += 1
                self._targets = self._unheard()
                self._tell(now)
            case Do.FORGET:
                self._changed.clear()
                self._senders = frozenset()
                self._targets.clear()
                self._published.clear()
                self._answered.clear()
                self._asked.clear()
        if self.state is State.TOLD:
            last = self._repeats == len(REPEATS)
            self._bound = now if last else Seconds(now + longer(REPEATS[self._repeats], JITTER, self._nonces))

    def _unheard(self) -> list[Target]:
        """Those that have not asked since the move, and of whom no packet has come since they were told.

        A packet proves that they know our RLOCs unless one of these was among others before; it proves so for every
        RLOC of a host, though not for the other routers of a site.
        """
        current = _rlocs(self._position)
        heard = set(self._targets) - {message.target for message in self._messages()}
        if not any(earlier != current and earlier & current for earlier in self._told):
            heard |= self._with_hosts({target for target in self._targets if self._heard(target.rloc)})
        return [target for target in self._targets if target not in heard]

    def _with_hosts(self, heard: set[Target]) -> set[Target]:
        """These, and every other RLOC of those among them that are hosts."""
        hosts = {t.cached for t in heard if t.cached and t.cached.length == t.cached.network.max_prefixlen}
        return heard | {target for target in self._targets if target.cached in hosts}

    def _heard(self, rloc: Address) -> bool:
        age, at = self._outer_sources.get(rloc, (Seconds(0), Seconds(0)))
        return at - age > self._told_at

    def _messages(self) -> Iterator[_Message]:
        """Every target about each EID-prefix of ours that it may have cached; not one that it asked for since the move.

        Those are the ones of the same family as its own EID-prefix, to which it answers. Who sends to us may have one
        of the other family too, which we have not answered: it is told of that once an RLOC, and not again where it has
        asked for one of ours since the move, as it mostly has the one alone.
        """
        known = {(t.rloc, t.cached.version, t.cached.iid) for t in self._targets if t.cached}
        sending = self._with_hosts({target for target in self._targets if target.rloc in self._senders})
        sending -= self._asked if self._repeats else set()
        told: set[tuple[Address, EidPrefix]] = set()
        for target in self._targets:
            for changed in self._changed:
                cached, said = target.cached, (target.rloc, changed)
                kin = cached is None or cached.version == changed.version
                stray = (
                    target in sending and (target.rloc, changed.version, changed.iid) not in known and said not in told
                )
                if (cached is None or cached.iid == changed.iid) and (kin or stray):
                    told.add(said)
                    if (message := _Message(target, changed)) not in self._answered:
                        yield message

    def _tell(self, now: Seconds, spared: Container[Target] = ()) -> None:
        """Send each message but those to `spared` targets.

        All RLOCs of a peer get one nonce, by which it can tell that they are told one thing and ask only once.
        """
        nonces: dict[tuple[EidPrefix | Address, EidPrefix], Nonce] = {}
        for message in self._messages():
            if message.target in spared:
                continue
            said = (message.target.cached or message.target.rloc, message.changed)
            if said not in nonces:
                nonces[said] = self._nonces()
            self._solicit(message, nonces[said], now)

    def _solicit(self, message: _Message, nonce: Nonce, now: Seconds) -> None:
        """Send it, or let it wait until the limits let it go; one that waits already has its turn."""
        rloc = message.target.rloc
        if self._position.source(rloc.version) is None or self._deferred.at(message) is not None:
            return
        due = max(self._limit.ready_at(message, now), self._per_rloc.reserve(rloc, now))
        if due > now:
            self._deferred.set(message, due)
        else:
            self._send(message, nonce, now)

    def _send(self, message: _Message, nonce: Nonce, now: Seconds) -> None:
        rloc = message.target.rloc
        source = self._position.source(rloc.version)
        if source is None:
            return
        self._limit.allow(message, now)
        cached = message.target.cached or message.changed
        request = solicitation(message.changed, cached, self._position.rlocs, nonce)
        self._outbox.send(request.encode(), source, rloc)
        self._outbox.event("smr-sent", to=str(rloc), eid_prefix=str(message.changed))


def _rlocs(position: Position) -> frozenset[Address]:
    return frozenset(way.address for way in position.ways)
