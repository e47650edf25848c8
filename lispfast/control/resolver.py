"""Asks the mapping system: a Map-Request to a Map-Resolver and what became of it (RFC 9301 sections 5.3 and 6.1).

One lookup a prefix at a time. It waits for its turn, is asked, and asked again each second until a Map-Reply with one
of its nonces comes or its tries are used up:

    state     fact        next      what is done
    waiting   turn        asked     send to the preferred Map-Resolver
    waiting   stranded    parked
    waiting   moved       waiting
    waiting   answered    done                              an earlier try was answered late
    asked     unanswered  waiting   prefer the next Map-Resolver
    asked     exhausted   done      tell that nobody answered; ask once more where an SMR wants it
    asked     moved       waiting   the reply goes to where we were: ask again
    asked     stranded    parked
    asked     answered    done
    asked     covered     last
    last      unanswered  done      ask once more where an SMR wants it
    last      moved       done
    last      stranded    done
    last      covered     last
    last      answered    done
    parked    moved       waiting
    parked    stranded    parked
    parked    answered    done                              it still came
    waiting, parked: covered  done

`stranded` is: no way to any Map-Resolver, in the family of none of them. A parked lookup has no timer. `covered` is:
another answer, negative or not, holds for what a packet waited for, so that it is asked for no more; an answer that is
on its way may still say it better. What limits the questions stands in request_pace.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum

from lispfast.control.effects import Timeout
from lispfast.control.expiry import ExpiryQueue
from lispfast.control.jitter import longer
from lispfast.control.lisp_sec_requests import ProtectedRequests
from lispfast.control.machine import consult
from lispfast.control.map_requests import encapsulated, question
from lispfast.control.mobility import Position
from lispfast.control.outbox import Outbox
from lispfast.control.request_pace import REQUEST_INTERVAL, RETRANSMITS_MAX, Purpose, RequestPace
from lispfast.control.role import NonceSource
from lispfast.control.subscriber import Subscriber
from lispfast.model.addresses import Address, Eid, EidPrefix
from lispfast.model.settings import Settings
from lispfast.model.units import Nonce, Seconds
from lispfast.wire.addresses import WireAddress
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.records import wire_eid

# --- Ours -------------------------------------------------------------------------------------------------------------

MAX_LOOKUPS = 256  # at once; the oldest miss goes. The data plane stages no more EIDs than that either
MAX_NONCES = 16  # of one lookup that are still answered
JITTER = 0.1  # of the second between two tries, more of it: nodes that lost one router do not ask in step for ever
LOCATE_DELAY = Seconds(0.05)  # of a question about an RLOC, so that it takes no turn from those that packets wait for
HOLD = Seconds(5)  # how long packets are refused after nobody answered; then the next one asks anew
WANTED = Seconds(10)  # a parked miss that no packet renewed for so long is not asked when a network comes
MEMORY = 4096  # prefixes of which the last SMR is remembered
SLACK = Seconds(0.05)


class State(StrEnum):
    """Where a lookup stands."""

    WAITING = "waiting"
    ASKED = "asked"
    LAST = "last"
    PARKED = "parked"
    DONE = "done"


class Fact(StrEnum):
    """What can happen to a lookup."""

    TURN = "turn"
    UNANSWERED = "unanswered"
    EXHAUSTED = "exhausted"
    ANSWERED = "answered"
    COVERED = "covered"
    MOVED = "moved"
    STRANDED = "stranded"


class Do(StrEnum):
    """What follows."""

    NOTHING = "nothing"
    SEND = "send"
    QUEUE = "queue"
    ROTATE = "rotate"
    GIVE_UP = "give-up"
    FORGET = "forget"


TABLE: dict[tuple[State, Fact], tuple[State, Do]] = {
    (State.WAITING, Fact.TURN): (State.ASKED, Do.SEND),
    (State.WAITING, Fact.STRANDED): (State.PARKED, Do.NOTHING),
    (State.WAITING, Fact.MOVED): (State.WAITING, Do.QUEUE),
    (State.WAITING, Fact.ANSWERED): (State.DONE, Do.FORGET),
    (State.ASKED, Fact.UNANSWERED): (State.WAITING, Do.ROTATE),
    (State.ASKED, Fact.EXHAUSTED): (State.DONE, Do.GIVE_UP),
    (State.ASKED, Fact.MOVED): (State.WAITING, Do.QUEUE),
    (State.ASKED, Fact.STRANDED): (State.PARKED, Do.NOTHING),
    (State.ASKED, Fact.ANSWERED): (State.DONE, Do.FORGET),
    (State.ASKED, Fact.COVERED): (State.LAST, Do.NOTHING),
    (State.LAST, Fact.UNANSWERED): (State.DONE, Do.FORGET),
    (State.LAST, Fact.MOVED): (State.DONE, Do.FORGET),
    (State.LAST, Fact.STRANDED): (State.DONE, Do.FORGET),
    (State.LAST, Fact.COVERED): (State.LAST, Do.NOTHING),
    (State.LAST, Fact.ANSWERED): (State.DONE, Do.FORGET),
    (State.WAITING, Fact.COVERED): (State.DONE, Do.FORGET),
    (State.PARKED, Fact.COVERED): (State.DONE, Do.FORGET),
    (State.PARKED, Fact.MOVED): (State.WAITING, Do.QUEUE),
    (State.PARKED, Fact.STRANDED): (State.PARKED, Do.NOTHING),
    (State.PARKED, Fact.ANSWERED): (State.DONE, Do.FORGET),
}


@dataclass(slots=True)
class Lookup:
    """One prefix that is asked for; `sent` are its nonces with their times."""

    asked: EidPrefix
    purpose: Purpose
    source_eid: WireAddress
    inner_source: Address
    wanted: Seconds
    state: State = State.WAITING
    tries: int = 0
    again: bool = False
    resolver: int = 0
    sent: dict[Nonce, Seconds] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """A nonce that matched: what was asked and how long the answer took."""

    asked: EidPrefix
    purpose: Purpose
    rtt: Seconds


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A miss that nobody answered: its packets are to be refused until then."""

    asked: EidPrefix
    until: Seconds


class Resolver:
    """The lookups of a node: `miss`, `refresh` and `solicit` ask, `answered` and `handle_timeout` tell the outcome."""

    def __init__(
        self, settings: Settings, nonces: NonceSource, outbox: Outbox, subscriber: Subscriber | None = None
    ) -> None:
        self._resolvers = settings.map_resolvers
        self._tries = 1 + min(settings.map_request_retries, RETRANSMITS_MAX)
        self._database = settings.database
        self._nonces = nonces
        self._outbox = outbox
        self._subscriber = subscriber
        self._position = Position()
        self._preferred = 0
        self._lookups: OrderedDict[EidPrefix, Lookup] = OrderedDict()
        self._by_nonce: dict[Nonce, EidPrefix] = {}
        self._timers: ExpiryQueue[EidPrefix] = ExpiryQueue()
        self._pace = subscriber.pace if subscriber is not None else RequestPace()
        self.protection = ProtectedRequests(settings.lisp_sec, nonces, outbox)
        self._followed: OrderedDict[EidPrefix, Nonce] = OrderedDict()
        self._warned = False
        self.displaced = 0

    def __len__(self) -> int:
        return len(self._lookups)

    def lookups(self) -> list[Lookup]:
        """Every lookup under way, oldest first."""
        return list(self._lookups.values())

    def paused(self, prefix: EidPrefix, now: Seconds) -> bool:
        """Whether the prefix waits out the 30 s after its last unanswered retransmit."""
        return self._pace.not_before(prefix) > now

    def miss(self, destination: Eid, source: Address, now: Seconds) -> None:
        """A packet from our EID `source` waits for the mapping of `destination`."""
        source_eid = wire_eid(Eid(source, destination.iid).prefix)
        self._ask(Lookup(destination.prefix, Purpose.MISS, source_eid, source, now), now)

    def refresh(self, cached: EidPrefix, now: Seconds) -> None:
        """A cached prefix in use is about to run out."""
        inner_source = self._inner_source(cached)
        if inner_source is not None:
            self._ask(Lookup(cached, Purpose.REFRESH, None, inner_source, now), now)

    def verify(self, told: EidPrefix, now: Seconds) -> None:
        """A Map-Request brought a mapping along that is not cached (RFC 9301 section 5.3): ask whether it is true."""
        inner_source = self._inner_source(told)
        if inner_source is not None:
            self._ask(Lookup(told, Purpose.VERIFY, None, inner_source, now), now)

    def locate(self, rloc: Address, now: Seconds) -> bool:
        """An RLOC may itself be an EID: ask, where few others are asked for; whether it is being asked for."""
        prefix = Eid(rloc).prefix
        inner_source = self._inner_source(prefix)
        if inner_source is not None and len(self._lookups) < MAX_LOOKUPS // 2:
            self._ask(Lookup(prefix, Purpose.LOCATE, None, inner_source, now), now)
        return prefix in self._lookups

    def covered(self, prefix: EidPrefix, now: Seconds) -> None:
        """An answer for this prefix holds for every EID under it: misses there need no more questions."""
        for lookup in list(self._lookups.values()):
            if lookup.purpose in (Purpose.MISS, Purpose.LOCATE) and prefix.covers(lookup.asked):
                self._step(lookup, Fact.COVERED, now)

    def heeds(self, cached: EidPrefix, smr: Nonce) -> bool:
        """Whether an SMR of that nonce makes us ask once more than we would without it.

        A peer that tells several of our RLOCs with one nonce says one thing.
        """
        known = self._lookups.get(cached)
        due = known is not None and (known.again or (known.tries == 0 and known.purpose is not Purpose.REFRESH))
        return not due and self._followed.get(cached) != smr

    def solicit(self, cached: EidPrefix, source: EidPrefix | None, smr: Nonce, now: Seconds) -> None:
        """An SMR that we heed came for a cached prefix; `source` is our EID-prefix that it was sent to, if it said."""
        self._followed[cached] = smr
        self._followed.move_to_end(cached)
        if len(self._followed) > MEMORY:
            self._followed.popitem(last=False)
        inner_source = self._inner_source(cached)
        if inner_source is not None:
            source_eid = wire_eid(source) if source else None
            self._ask(Lookup(cached, Purpose.SOLICITED, source_eid, inner_source, now), now)

    def match(self, nonce: Nonce) -> EidPrefix | None:
        """What was asked with this nonce, None where nothing outstanding has it."""
        return self._by_nonce.get(nonce)

    def answered(self, nonce: Nonce, now: Seconds) -> Answered:
        """A sound Map-Reply with this nonce came; KeyError unless `match` knows it."""
        lookup = self._lookups[self._by_nonce[nonce]]
        rtt = Seconds(now - lookup.sent[nonce])
        if nonce == next(reversed(lookup.sent)):
            self._preferred = lookup.resolver
        self._pace.answered(lookup.asked)
        self._step(lookup, Fact.ANSWERED, now)
        if lookup.again:  # solicited once more after the request went out: this answer may be the old one
            self._ask_again(lookup, now)
        return Answered(lookup.asked, lookup.purpose, rtt)

    def handle_position(self, position: Position, now: Seconds) -> None:
        """We stand elsewhere now: replies would go to the old RLOCs, so what is under way is asked anew."""
        self._position = position
        self._pace.moved(now)
        stranded = self._choose() is None
        self._warn_of(stranded)
        for lookup in list(self._lookups.values()):
            stale = lookup.state is State.PARKED and lookup.wanted + WANTED < now
            if not stranded and stale and lookup.purpose is Purpose.MISS:
                self._forget(lookup)
                continue
            solicited = lookup.state is State.LAST and lookup.again
            self._step(lookup, Fact.STRANDED if stranded else Fact.MOVED, now)
            if solicited:
                self._ask_again(lookup, now)

    def handle_timeout(self, now: Seconds) -> list[Unanswered]:
        """Ask those whose turn it is; the misses that nobody answered."""
        failed = []
        for asked in self._timers.pop_due(now):
            lookup = self._lookups[asked]
            if lookup.state is State.WAITING:
                self._turn(lookup, now)
                continue
            paused, covered = self._pace.unanswered(asked, now), lookup.state is State.LAST
            exhausted = not covered and (paused or lookup.tries >= self._tries)
            self._step(lookup, Fact.EXHAUSTED if exhausted else Fact.UNANSWERED, now)
            if exhausted and lookup.purpose is Purpose.MISS:
                failed.append(Unanswered(asked, max(Seconds(now + HOLD), self._pace.not_before(asked))))
            if (covered or exhausted) and lookup.again:  # an SMR came after the last try: its sender is back
                self._ask_again(lookup, now)
        return failed

    def next_timeout(self) -> Timeout | None:
        """When a lookup is to be asked, or asked again."""
        at = self._timers.next()
        return None if at is None else Timeout(at, SLACK, "a Map-Request waits for its answer or its turn")

    def _ask(self, lookup: Lookup, now: Seconds) -> None:
        known = self._lookups.get(lookup.asked)
        if known is not None:
            self._join(known, lookup)
            if known.state is State.WAITING:  # for what may be asked at once
                self._turn(known, now)
        if known is not None or not self._resolvers:
            return
        self._lookups[lookup.asked] = lookup
        if len(self._lookups) > MAX_LOOKUPS:
            self.displaced += 1
            self._forget(self._least())
        if self._choose() is None:
            self._step(lookup, Fact.STRANDED, now)
        else:
            self._turn(lookup, now)

    def _least(self) -> Lookup:
        """Which lookup gives way: the oldest miss, as mappings in use are worth more than what a scan asks for."""
        misses = (lookup for lookup in self._lookups.values() if lookup.purpose is Purpose.MISS)
        return next(misses, next(iter(self._lookups.values())))

    def _ask_again(self, lookup: Lookup, now: Seconds) -> None:
        self._ask(Lookup(lookup.asked, Purpose.SOLICITED, lookup.source_eid, lookup.inner_source, now), now)

    def _join(self, known: Lookup, other: Lookup) -> None:
        known.wanted = other.wanted
        if other.purpose is Purpose.MISS and known.purpose is not Purpose.MISS:  # now a packet waits for it
            known.purpose, known.source_eid, known.inner_source = other.purpose, other.source_eid, other.inner_source
        if other.purpose is Purpose.SOLICITED:
            known.again = known.tries > 0
            if known.purpose is not Purpose.MISS:
                known.purpose, known.source_eid = Purpose.SOLICITED, other.source_eid

    def _turn(self, lookup: Lookup, now: Seconds) -> None:
        """Ask now, or wait until every limit lets it."""
        ready = self._pace.ready_at(lookup.asked, lookup.purpose, now)
        if lookup.purpose is Purpose.LOCATE and lookup.tries == 0:
            ready = max(ready, Seconds(lookup.wanted + LOCATE_DELAY))
        if ready > now:
            self._timers.set(lookup.asked, ready)
            return
        self._pace.take(lookup.asked, lookup.purpose, now)
        self._step(lookup, Fact.TURN, now)

    def _step(self, lookup: Lookup, fact: Fact, now: Seconds) -> None:
        lookup.state, do = consult(TABLE, lookup.state, fact)
        if lookup.state is State.PARKED:
            self._timers.discard(lookup.asked)
        match do:
            case Do.SEND:
                self._send(lookup, now)
            case Do.QUEUE:
                lookup.tries = 0
                self._turn(lookup, now)
            case Do.ROTATE:
                self._rotate(lookup)
                self._turn(lookup, now)
            case Do.GIVE_UP:
                self._rotate(lookup)
                self._forget(lookup)
                fields = {"eid_prefix": str(lookup.asked), "purpose": lookup.purpose.value, "tries": lookup.tries}
                self._outbox.event("map-request-failed", "warning", **fields)
            case Do.FORGET:
                self._forget(lookup)
            case Do.NOTHING:
                pass

    def _send(self, lookup: Lookup, now: Seconds) -> None:
        chosen = self._choose()
        assert chosen is not None, "a stranded lookup is parked"
        resolver = self._resolvers[chosen]
        source = self._position.control_source(resolver.version)
        assert source is not None, "chosen for it"
        lookup.tries += 1
        nonce, subscriber = self._subscription(lookup, now)
        lookup.again = False
        lookup.resolver = chosen
        lookup.sent[nonce] = now
        self._by_nonce[nonce] = lookup.asked
        if len(lookup.sent) > MAX_NONCES:  # every move starts the tries anew
            oldest = next(iter(lookup.sent))
            del lookup.sent[oldest], self._by_nonce[oldest]
            self.protection.forget_one(oldest)
        solicited = lookup.purpose is Purpose.SOLICITED
        request = question(
            lookup.asked, lookup.source_eid, self._position.rlocs, nonce, smr_invoked=solicited, subscriber=subscriber
        )
        authentication = self.protection.protect(lookup.asked, nonce, resolver, now)
        packet = encapsulated(request, lookup.inner_source, lookup.asked, authentication)
        self._outbox.send(packet, source, resolver)
        self._timers.set(lookup.asked, Seconds(now + longer(REQUEST_INTERVAL, JITTER, self._nonces)))
        fields: dict[str, str | int] = {"eid_prefix": str(lookup.asked), "map_resolver": str(resolver)}
        self._outbox.event("map-request-sent", **fields, purpose=lookup.purpose.value, attempt=lookup.tries)

    def _subscription(self, lookup: Lookup, now: Seconds) -> tuple[Nonce, XtrIdentity | None]:
        """A nonce, and our IDs where the question subscribes too: not for an RLOC, which is an EID only at times."""
        found = None
        if self._subscriber is not None and lookup.purpose is not Purpose.LOCATE:
            found = self._subscriber.subscription(lookup.asked, lookup.tries, self._tries, now)
        return found or (self._nonces(), None)

    def _choose(self) -> int | None:
        """The preferred Map-Resolver, or the next one of a family that we have a way out of."""
        count = len(self._resolvers)
        order = ((self._preferred + step) % count for step in range(count))
        return next((at for at in order if self._position.control_source(self._resolvers[at].version)), None)

    def _warn_of(self, stranded: bool) -> None:
        """Say once that we have RLOCs and no way to ask; that we have no RLOC the node says itself."""
        if stranded and self._position.ways and self._resolvers and not self._warned:
            names = ",".join(str(resolver) for resolver in self._resolvers)
            why = self._position.obstacle(self._resolvers[0].version)
            self._outbox.event("map-resolver-lost", "warning", map_resolver=names, why=why)
        self._warned = stranded and (self._warned or bool(self._position.ways))

    def _rotate(self, lookup: Lookup) -> None:
        if lookup.resolver == self._preferred:  # another lookup may have turned away from it already
            self._preferred = (self._preferred + 1) % len(self._resolvers)

    def _inner_source(self, cached: EidPrefix) -> Address | None:
        """One of our EIDs of the family and instance-ID, else our RLOC of the family."""
        for entry in self._database:
            if entry.prefix.version == cached.version and entry.prefix.iid == cached.iid:
                return entry.prefix.network.network_address
        source = self._position.source(cached.version)
        return source.address if source else None

    def _forget(self, lookup: Lookup) -> None:
        del self._lookups[lookup.asked]
        self._timers.discard(lookup.asked)
        for nonce in lookup.sent:
            del self._by_nonce[nonce]
        self.protection.forget(lookup.asked, lookup.sent)
