"""Probes the RLOCs of map-cache entries that are in use (RFC 9301 section 7.1).

One machine an RLOC:

    state      fact        next       what is done
    up         named       up         the cache names it now: wait for the first round
    up         round       testing    send a probe, wait for the answer
    up         idle        up         nobody uses it: skip this round
    up         hinted      testing    send a probe at once: somebody says that it is down
    testing    unanswered  testing    send again
    testing    exhausted   down       tell; leave it out of the verdicts; ask for the mapping
    testing    mute        up         a proxy-ETR that has never answered: wait for the next round
    testing    answered    up         wait for the next round
    down       round       retesting  send a probe: it may be back
    down       idle        up         nobody uses it: forget what was found
    retesting  unanswered  retesting  send again
    retesting  exhausted   down       ask for the mapping once more
    retesting  mute        up         it owes no answer any more: use it again
    retesting  answered    up         tell; use it again
    any        moved       up         another path: nothing is known of it, so the round comes soon
    any        stranded    parked     stop the timer
    parked     moved       up
    parked     stranded    parked
    up, down, parked: answered        a late answer: it is up
    any but up: hinted                nothing: it is being probed, or nobody can

`up` means not known to be down: who sends us nothing is not down, only who does not answer when asked. A round comes
each interval, jittered; a machine lives as long as the cache names its RLOC, that of a proxy-ETR while it is used:
`probe_targets.py` says which they are and what is asked. A hint, an ICMP error or a status bit,
costs its sender nothing: it counts for an RLOC in use, within a limit, and is never believed (RFC 9301 section 7).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from enum import StrEnum

from lispfast.control.effects import Timeout
from lispfast.control.expiry import ExpiryQueue
from lispfast.control.jitter import around, longer
from lispfast.control.machine import consult
from lispfast.control.map_requests import probe
from lispfast.control.mobility import Position
from lispfast.control.outbox import Outbox
from lispfast.control.probe_targets import ProbeTargets
from lispfast.control.ratelimit import RateLimiter
from lispfast.control.role import NonceSource
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Probing
from lispfast.model.units import Nonce, Seconds
from lispfast.wire.map_reply import MapReply

# --- Ours -------------------------------------------------------------------------------------------------------------

JITTER = 0.25  # of the interval, to either side: peers that start together do not stay together
MAX_RLOCS = 1024  # probed at once; an RLOC beyond that is used unprobed
MAX_NONCES = 4  # of one RLOC that are still answered
SLACK_SHARE = 0.1  # of the interval
RETRY_JITTER = 0.1  # of the retry interval, more of it
HINT_INTERVAL = Seconds(10)  # for each RLOC: what a forger makes us send is no more than a few times the rounds
HINT_TOTAL_INTERVAL, HINT_TOTAL_BURST = Seconds(1), 16  # over all RLOCs
SMOOTHING = 1 / 8  # of a new round-trip time goes into the smoothed one, as RFC 6298 section 2.3 has it


class State(StrEnum):
    """What is known of an RLOC."""

    UP = "up"
    TESTING = "testing"
    DOWN = "down"
    RETESTING = "retesting"
    PARKED = "parked"


class Fact(StrEnum):
    """What can happen to a probe."""

    NAMED = "named"
    ROUND = "round"
    IDLE = "idle"
    HINTED = "hinted"
    UNANSWERED = "unanswered"
    EXHAUSTED = "exhausted"
    MUTE = "mute"
    ANSWERED = "answered"
    MOVED = "moved"
    STRANDED = "stranded"


class Do(StrEnum):
    """What follows."""

    NOTHING = "nothing"
    PROBE = "probe"
    REST = "rest"
    LOSE = "lose"
    MISS = "miss"
    FIND = "find"
    FORGET = "forget"
    SOON = "soon"
    PARK = "park"


TABLE: dict[tuple[State, Fact], tuple[State, Do]] = {
    (State.UP, Fact.NAMED): (State.UP, Do.REST),
    (State.UP, Fact.ROUND): (State.TESTING, Do.PROBE),
    (State.UP, Fact.IDLE): (State.UP, Do.REST),
    (State.UP, Fact.ANSWERED): (State.UP, Do.NOTHING),
    (State.UP, Fact.HINTED): (State.TESTING, Do.PROBE),
    (State.TESTING, Fact.UNANSWERED): (State.TESTING, Do.PROBE),
    (State.TESTING, Fact.EXHAUSTED): (State.DOWN, Do.LOSE),
    (State.TESTING, Fact.MUTE): (State.UP, Do.REST),
    (State.TESTING, Fact.ANSWERED): (State.UP, Do.REST),
    (State.DOWN, Fact.ROUND): (State.RETESTING, Do.PROBE),
    (State.DOWN, Fact.IDLE): (State.UP, Do.FORGET),
    (State.DOWN, Fact.ANSWERED): (State.UP, Do.FIND),
    (State.RETESTING, Fact.UNANSWERED): (State.RETESTING, Do.PROBE),
    (State.RETESTING, Fact.EXHAUSTED): (State.DOWN, Do.MISS),
    (State.RETESTING, Fact.MUTE): (State.UP, Do.FORGET),
    (State.RETESTING, Fact.ANSWERED): (State.UP, Do.FIND),
    (State.PARKED, Fact.ANSWERED): (State.PARKED, Do.NOTHING),
    **{(state, Fact.HINTED): (state, Do.NOTHING) for state in State if state is not State.UP},
    **{(state, Fact.MOVED): (State.UP, Do.SOON) for state in State},
    **{(state, Fact.STRANDED): (State.PARKED, Do.PARK) for state in State},
}


@dataclass(slots=True)
class Path:
    """The machine of one RLOC; `sent` are the probes that may still be answered, `owed` says that the last must be.

    `rtt` is of the last answer, `smoothed` over those since we stand where we do.
    """

    rloc: Address
    state: State = State.UP
    tries: int = 0
    rtt: Seconds | None = None
    smoothed: Seconds | None = None
    asked: EidPrefix | None = None
    owed: bool = True
    sent: dict[Nonce, Seconds] = field(default_factory=dict)


class Prober:
    """The probed RLOCs. `changed` is set when the set of those that are down became another.

    `lost` are those whose probes were given up since the last `take_lost`: who is there may have moved without telling.
    """

    def __init__(self, probing: Probing, targets: ProbeTargets, nonces: NonceSource, outbox: Outbox) -> None:
        self._probing = probing
        self._targets = targets
        self._nonces = nonces
        self._outbox = outbox
        self._position = Position()
        self._paths: dict[Address, Path] = {}
        self._by_nonce: dict[Nonce, Address] = {}
        self._timers: ExpiryQueue[Address] = ExpiryQueue()
        self._lost: list[Address] = []
        self._answered: set[Address] = set()  # among the proxy-ETRs
        self._hints = RateLimiter(HINT_INTERVAL, 1, capacity=MAX_RLOCS)
        self._hints_total = RateLimiter(HINT_TOTAL_INTERVAL, HINT_TOTAL_BURST, capacity=1)
        self.changed = False

    def take_lost(self) -> list[Address]:
        """The RLOCs given up, once or again; taking empties the list."""
        taken, self._lost = self._lost, []
        return taken

    def path(self, rloc: Address) -> Path | None:
        """What is known of an RLOC, None where it is not probed."""
        return self._paths.get(rloc)

    @property
    def down(self) -> frozenset[Address]:
        """The RLOCs that do not answer."""
        return frozenset(p.rloc for p in self._paths.values() if p.state in (State.DOWN, State.RETESTING))

    def handle_cache(self, now: Seconds) -> None:
        """The map-cache changed: follow the RLOCs that it names."""
        if self._probing.interval <= 0:
            return
        named = self._targets.named(now)
        for rloc in self._paths.keys() - named:
            self._forget(rloc)
        self._follow(named, now)

    def handle_traffic(self, now: Seconds) -> None:
        """Packets went out: follow the proxy-ETRs that they go to."""
        if self._probing.interval > 0:
            self._follow(self._targets.proxies(now), now)

    def _follow(self, named: Set[Address], now: Seconds) -> None:
        for rloc in named - self._paths.keys():
            if len(self._paths) < MAX_RLOCS:
                path = self._paths[rloc] = Path(rloc)
                reached = self._position.source(rloc.version) is not None
                self._step(path, Fact.NAMED if reached else Fact.STRANDED, now)

    def handle_position(self, position: Position, now: Seconds) -> None:
        """We stand elsewhere now: what was found is of other paths."""
        self._position = position
        self.changed = self.changed or bool(self.down)
        for path in self._paths.values():
            reached = self._position.source(path.rloc.version) is not None
            self._step(path, Fact.MOVED if reached else Fact.STRANDED, now)

    def handle_timeout(self, now: Seconds) -> None:
        """Probe what is due."""
        for rloc in self._timers.pop_due(now):
            path = self._paths[rloc]
            if path.state in (State.TESTING, State.RETESTING):
                exhausted = path.tries > self._probing.retries
                self._step(path, self._silence(path) if exhausted else Fact.UNANSWERED, now)
            elif self._aim(path, now):
                self._step(path, Fact.ROUND, now)
            elif self._targets.stays(rloc, now):
                self._step(path, Fact.IDLE, now)
            else:
                self._forget(rloc)

    def handle_hint(self, rloc: Address, now: Seconds) -> None:
        """Somebody says that the RLOC cannot be reached: probe it at once, if we use it and do not probe it already."""
        path = self._paths.get(rloc)
        if path is None or path.state is not State.UP or not self._aim(path, now):
            return
        if self._hints.ready_at(rloc, now) > now or not self._hints_total.allow(None, now):
            self._outbox.drop(ControlReason.RATE_LIMITED)
            return
        self._hints.allow(rloc, now)
        self._step(path, Fact.HINTED, now)

    def handle_reply(self, reply: MapReply, now: Seconds) -> EidPrefix | None:
        """A Map-Reply with the probe bit came; the EID-prefix that was asked, None where the reply is ignored.

        The p-bit says for which RLOC it counts (section 5.4), the first one that is set, if it is another locator of
        the mapping that was asked for. For the RLOC that was probed it counts too: the nonce went nowhere else.
        """
        rloc = self._by_nonce.get(reply.nonce)
        if rloc is None:
            self._outbox.drop(ControlReason.NONCE_UNKNOWN)
            return None
        if not reply.records or not all(record.authoritative for record in reply.records):
            self._outbox.drop(ControlReason.NOT_AUTHORITATIVE)  # section 5.4: silently discarded
            return None
        path = self._paths[rloc]
        path.rtt = Seconds(now - path.sent[reply.nonce])
        path.smoothed = _smooth(path.smoothed, path.rtt)
        self._clear(path)
        if not path.owed:
            self._answered.add(rloc)
        self._step(path, Fact.ANSWERED, now)
        marked = next((loc.address for record in reply.records for loc in record.locators if loc.probed), None)
        other = next((path for path in self._paths.values() if path.rloc == marked), None)
        if other is not None and other.rloc != rloc and path.asked and self._targets.names(path.asked, other.rloc):
            self._step(other, Fact.ANSWERED, now)
        return path.asked

    def next_timeout(self) -> Timeout | None:
        """When the next probe goes out or is given up."""
        at = self._timers.next()
        slack = Seconds(min(self._probing.interval, self._probing.retry_interval) * SLACK_SHARE)
        return None if at is None else Timeout(at, slack, "an RLOC-probe is due")

    def _aim(self, path: Path, now: Seconds) -> bool:
        """Choose the prefix that a round asks for; False where nobody uses the RLOC."""
        path.tries = 0
        aim = self._targets.aim(path.rloc, now)
        if aim is not None:
            path.asked, path.owed = aim.prefix, aim.owed
        return aim is not None

    def _silence(self, path: Path) -> Fact:
        """What it means that nobody answered: of a proxy-ETR that never has it means nothing."""
        return Fact.EXHAUSTED if path.owed or path.rloc in self._answered else Fact.MUTE

    def _step(self, path: Path, fact: Fact, now: Seconds) -> None:
        path.state, do = consult(TABLE, path.state, fact)
        match do:
            case Do.PROBE:
                self._probe(path, now)
            case Do.REST:
                self._rest(path, now)
            case Do.LOSE:
                self.changed = True
                self._lost.append(path.rloc)
                self._outbox.event("rloc-down", "warning", rloc=str(path.rloc), probes=path.tries)
                self._rest(path, now)
            case Do.MISS:
                self._lost.append(path.rloc)
                self._rest(path, now)
            case Do.SOON:
                path.smoothed = None
                self._rest(path, now, soon=True)
            case Do.FIND:
                self.changed = True
                self._outbox.event("rloc-up", rloc=str(path.rloc))
                self._rest(path, now)
            case Do.FORGET:
                self.changed = True
                self._rest(path, now)
            case Do.PARK:
                self._clear(path)
                self._timers.discard(path.rloc)
            case Do.NOTHING:
                pass

    def _probe(self, path: Path, now: Seconds) -> None:
        source = self._position.source(path.rloc.version)
        assert source is not None, "a stranded path is parked"
        assert path.asked is not None, "a round is for a prefix"
        nonce = self._nonces()
        path.tries += 1
        path.sent[nonce] = now
        self._by_nonce[nonce] = path.rloc
        if len(path.sent) > MAX_NONCES:
            oldest = next(iter(path.sent))
            del path.sent[oldest], self._by_nonce[oldest]
        self._outbox.send(probe(path.asked, self._position.rlocs, nonce).encode(), source, path.rloc)
        self._timers.set(path.rloc, Seconds(now + longer(self._probing.retry_interval, RETRY_JITTER, self._nonces)))

    def _rest(self, path: Path, now: Seconds, *, soon: bool = False) -> None:
        """Until the next round: the interval with a jitter drawn from the nonces.

        After a move the first round comes within a retry's time: a peer that moved at the same time was told at its old
        place, as we were, and only the mapping system knows where it is.
        """
        wait = min(self._probing.interval, self._probing.retry_interval) if soon else self._probing.interval
        self._timers.set(path.rloc, Seconds(now + around(wait, JITTER, self._nonces)))

    def _clear(self, path: Path) -> None:
        for nonce in path.sent:
            del self._by_nonce[nonce]
        path.sent.clear()

    def _forget(self, rloc: Address) -> None:
        path = self._paths.pop(rloc)
        self.changed = self.changed or path.state in (State.DOWN, State.RETESTING)
        self._clear(path)
        self._timers.discard(rloc)


def _smooth(before: Seconds | None, rtt: Seconds) -> Seconds:
    return rtt if before is None else Seconds(before + (rtt - before) * SMOOTHING)
