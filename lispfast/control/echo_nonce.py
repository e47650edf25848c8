"""Finds out by data packets alone whether an RLOC is reached: echo-nonce (RFC 9300 section 10.1), in private use only.

One machine for each RLOC that the map-cache names:

    state     fact      next      what is done
    quiet     round     asking    every packet asks for an echo: N, E and a new nonce
    quiet     idle      quiet     nobody uses it, or its ETR did not say that it echoes: skip this round
    quiet     asked     echoing   every packet echoes: N and the peer's nonce
    asking    echoed    quiet     the path is up
    asking    unheard   quiet     no packet came, or none of ours went: says nothing
    asking    missed    lost      packets come, the echo does not: the path is down
    asking    asked     echoing   both ask: the peer goes first
    echoing   asked     echoing   with another nonce
    echoing   echoed    quiet     both had asked: the path is up, and the peer no longer asks
    echoing   stopped   quiet     the peer no longer asks: our own round comes when it was due
    echoing   over      quiet     it may have stopped asking without a packet that says so
    lost      round     asking    another try
    lost      echoed    quiet     an echo came late
    lost      asked     echoing
    any       moved     quiet     another path: nothing is known of it
    quiet, asking, lost: stopped, quiet: echoed               nothing

A packet asks and echoes in one field, so it cannot do both. `lost` RLOCs are left out of the verdicts, as those are
that do not answer probes. `missed` is only what proves something: packets came long enough after the question, and
packets of ours went out to that RLOC, which is known where it is the only one of its priority.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lispfast.control.effects import Timeout
from lispfast.control.expiry import ExpiryQueue
from lispfast.control.header_fields import NONCE_MASK
from lispfast.control.jitter import around, longer
from lispfast.control.machine import consult
from lispfast.control.map_cache import MapCache
from lispfast.control.outbox import Outbox
from lispfast.control.role import NonceSource
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.forwarding import HeaderHint, Traffic
from lispfast.model.units import Seconds

# --- Ours -------------------------------------------------------------------------------------------------------------

INTERVAL = Seconds(30)  # between two questions, and until a path that was lost is tried again: as RLOC-probes have it
JITTER = 0.25  # of it, to either side
WAIT = Seconds(3)  # for the echo
GRACE = Seconds(1)  # a packet that came within it may have left before the question arrived
ECHO_TIME = Seconds(60)  # how long a nonce is echoed at the most; the peer asks anew in its next round
MAX_RLOCS = 1024  # as many as are probed; an RLOC beyond that is used unasked
SLACK = Seconds(0.5)


class State(StrEnum):
    """What packets to an RLOC say."""

    QUIET = "quiet"
    ASKING = "asking"
    ECHOING = "echoing"
    LOST = "lost"


class Fact(StrEnum):
    """What can happen."""

    ROUND = "round"
    IDLE = "idle"
    ECHOED = "echoed"
    UNHEARD = "unheard"
    MISSED = "missed"
    ASKED = "asked"
    STOPPED = "stopped"
    OVER = "over"
    MOVED = "moved"


class Do(StrEnum):
    """What follows."""

    NOTHING = "nothing"
    ASK = "ask"
    ECHO = "echo"
    REST = "rest"
    RESUME = "resume"
    LOSE = "lose"
    FIND = "find"


TABLE: dict[tuple[State, Fact], tuple[State, Do]] = {
    (State.QUIET, Fact.ROUND): (State.ASKING, Do.ASK),
    (State.QUIET, Fact.IDLE): (State.QUIET, Do.REST),
    (State.QUIET, Fact.ASKED): (State.ECHOING, Do.ECHO),
    (State.QUIET, Fact.STOPPED): (State.QUIET, Do.NOTHING),
    (State.QUIET, Fact.ECHOED): (State.QUIET, Do.NOTHING),
    (State.ASKING, Fact.ECHOED): (State.QUIET, Do.REST),
    (State.ASKING, Fact.UNHEARD): (State.QUIET, Do.REST),
    (State.ASKING, Fact.MISSED): (State.LOST, Do.LOSE),
    (State.ASKING, Fact.ASKED): (State.ECHOING, Do.ECHO),
    (State.ASKING, Fact.STOPPED): (State.ASKING, Do.NOTHING),
    (State.ECHOING, Fact.ASKED): (State.ECHOING, Do.ECHO),
    (State.ECHOING, Fact.STOPPED): (State.QUIET, Do.RESUME),
    (State.ECHOING, Fact.OVER): (State.QUIET, Do.RESUME),
    (State.ECHOING, Fact.ECHOED): (State.QUIET, Do.REST),
    (State.LOST, Fact.ROUND): (State.ASKING, Do.ASK),
    (State.LOST, Fact.IDLE): (State.QUIET, Do.FIND),
    (State.LOST, Fact.ECHOED): (State.QUIET, Do.FIND),
    (State.LOST, Fact.ASKED): (State.ECHOING, Do.ECHO),
    (State.LOST, Fact.STOPPED): (State.LOST, Do.NOTHING),
    **{(state, Fact.MOVED): (State.QUIET, Do.REST) for state in State},
}


@dataclass(slots=True)
class Echo:
    """The machine of one RLOC; `nonce` is ours that asks or asked last, `theirs` the one to echo, both of 24 bits.

    `round_at` is when our own round is or was due.
    """

    rloc: Address
    state: State = State.QUIET
    capable: bool = False
    nonce: int | None = None
    theirs: int = 0
    asked_at: Seconds = Seconds(0)
    round_at: Seconds = Seconds(0)


class EchoNonce:
    """`take_touched` are the RLOCs whose header or state is another now."""

    def __init__(self, cache: MapCache, nonces: NonceSource, outbox: Outbox) -> None:
        self._cache = cache
        self._nonces = nonces
        self._outbox = outbox
        self._echoes: dict[Address, Echo] = {}
        self._heard: dict[Address, Seconds] = {}
        self._timers: ExpiryQueue[Address] = ExpiryQueue()
        self._touched: dict[Address, None] = {}

    def __len__(self) -> int:
        return len(self._echoes)

    def echo(self, rloc: Address) -> Echo | None:
        """What is known of an RLOC, None where there is no machine for it."""
        return self._echoes.get(rloc)

    @property
    def down(self) -> frozenset[Address]:
        """The RLOCs that packets do not reach."""
        return frozenset(echo.rloc for echo in self._echoes.values() if echo.state is State.LOST)

    def nonce(self, rloc: Address) -> tuple[int, bool] | None:
        """The nonce of packets to the RLOC, and whether it is asked back; None where they carry none."""
        echo = self._echoes.get(rloc)
        if echo is None or echo.state in (State.QUIET, State.LOST):
            return None
        return (echo.nonce or 0, True) if echo.state is State.ASKING else (echo.theirs, False)

    def take_touched(self) -> list[Address]:
        """Taking empties the list."""
        taken, self._touched = list(self._touched), {}
        return taken

    def handle_cache(self, now: Seconds) -> None:
        """The map-cache changed: follow the RLOCs that it names."""
        for rloc in self._echoes.keys() - self._cache.rlocs():
            del self._echoes[rloc]
            self._timers.discard(rloc)
            self._heard.pop(rloc, None)
        for rloc in sorted(self._cache.rlocs() - self._echoes.keys(), key=str):
            if len(self._echoes) < MAX_RLOCS:
                self._echoes[rloc] = Echo(rloc)
                self._rest(self._echoes[rloc], now)

    def handle_reply(self, rlocs: tuple[Address, ...], echoes: bool) -> None:
        """A Map-Reply that we believe said whether the ETR of these RLOCs echoes (its E-bit)."""
        for rloc in rlocs:
            if rloc in self._echoes:
                self._echoes[rloc].capable = echoes

    def handle_hint(self, hint: HeaderHint, now: Seconds) -> None:
        """What packets from an RLOC carry is another thing now."""
        echo = self._echoes.get(hint.rloc)
        if echo is None:
            return
        if hint.nonce is None:
            self._step(echo, Fact.STOPPED, now)
        elif hint.echo:
            echo.theirs = hint.nonce
            self._step(echo, Fact.ASKED, now)
        else:
            self._step(echo, Fact.ECHOED if hint.nonce == echo.nonce else Fact.STOPPED, now)

    def handle_traffic(self, traffic: Traffic, now: Seconds) -> None:
        """Note when packets came from whom."""
        for rloc, age in traffic.outer_sources.items():
            if rloc in self._echoes:
                self._heard[rloc] = Seconds(now - age)

    def handle_move(self, now: Seconds) -> None:
        """We stand elsewhere now."""
        for echo in self._echoes.values():
            self._step(echo, Fact.MOVED, now)

    def handle_timeout(self, now: Seconds) -> None:
        """Ask whom it is time to ask; judge whose echo did not come."""
        for rloc in self._timers.pop_due(now):
            echo = self._echoes[rloc]
            match echo.state:
                case State.ASKING:
                    self._step(echo, Fact.MISSED if self._proves(echo) else Fact.UNHEARD, now)
                case State.ECHOING:
                    self._step(echo, Fact.OVER, now)
                case State.QUIET | State.LOST:
                    used = any(self._cache.in_use(prefix, now) for prefix in self._cache.users(rloc))
                    self._step(echo, Fact.ROUND if used and echo.capable else Fact.IDLE, now)

    def next_timeout(self) -> Timeout | None:
        """When somebody is asked, or judged."""
        at = self._timers.next()
        return None if at is None else Timeout(at, SLACK, "an echo is asked for or awaited")

    def _proves(self, echo: Echo) -> bool:
        """Whether the missing echo says anything."""
        if self._heard.get(echo.rloc, echo.asked_at) <= echo.asked_at + GRACE:
            return False
        return any(self._sent(prefix, echo) for prefix in self._cache.users(echo.rloc))

    def _sent(self, prefix: EidPrefix, echo: Echo) -> bool:
        """Whether packets for the prefix went to the RLOC since it was asked."""
        entry, idle = self._cache.get(prefix), self._cache.idle(prefix, Seconds(echo.asked_at + WAIT))
        if entry is None or idle is None or idle >= WAIT - GRACE:
            return False
        usable = [loc for loc in entry.mapping.locators if loc.usable]
        best = min(loc.priority for loc in usable)
        return [loc.address for loc in usable if loc.priority == best] == [echo.rloc]

    def _step(self, echo: Echo, fact: Fact, now: Seconds) -> None:
        before = echo.state
        echo.state, do = consult(TABLE, echo.state, fact)
        if do is Do.NOTHING:
            return
        if do is Do.ECHO or before is not echo.state:
            self._touched[echo.rloc] = None
        match do:
            case Do.ASK:
                echo.nonce, echo.asked_at = self._draw(), now
                self._timers.set(echo.rloc, Seconds(now + WAIT))
            case Do.ECHO:
                self._timers.set(echo.rloc, Seconds(now + ECHO_TIME))
            case Do.RESUME:  # not at once: the peer may have stopped at the same moment, and both would ask again
                soon = Seconds(now + longer(WAIT, 1.0, self._nonces))
                self._timers.set(echo.rloc, max(echo.round_at, soon))
            case Do.LOSE:
                self._outbox.event("rloc-no-echo", "warning", rloc=str(echo.rloc))
                self._rest(echo, now)
            case Do.FIND:
                self._outbox.event("rloc-up", rloc=str(echo.rloc))
                self._rest(echo, now)
            case Do.REST:
                self._rest(echo, now)

    def _draw(self) -> int:
        """A nonce that no other RLOC has: RFC 9300 section 5.3 wants different ones."""
        taken = {echo.nonce for echo in self._echoes.values()}
        nonce = self._nonces() & NONCE_MASK
        while nonce in taken:
            nonce = (nonce + 1) & NONCE_MASK
        return nonce

    def _rest(self, echo: Echo, now: Seconds) -> None:
        echo.round_at = Seconds(now + around(INTERVAL, JITTER, self._nonces))
        self._timers.set(echo.rloc, echo.round_at)
