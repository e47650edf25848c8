"""Registers our EID-prefixes with every Map-Server and keeps them registered (RFC 9301 sections 5.6, 5.7 and 8.2).

One registration a Map-Server, each on its own:

    state        fact        next         what is done
    parked       stranded    parked
    parked       moved       registering  send all
    registering  moved       registering  send all, from the shortest retry again
    registering  due         registering  send what is unconfirmed, twice the wait as before
    registering  confirmed   registered   wait for the refresh
    registered   moved       registering  send all
    registered   due         refreshing   send all
    refreshing   moved       registering  send all
    refreshing   due         refreshing   send what is unconfirmed
    refreshing   lapsed      registering  tell, send what is unconfirmed
    refreshing   confirmed   registered   wait for the refresh
    any          stranded    parked       stop every timer
    any          closed      closed       withdraw where we can: TTL 0

`stranded` is: no way to the Map-Server, which an address of its family that is no RLOC is too, beside an RLOC of the
other family. `moved` is: other locators, or another way to the Map-Server.

Section 5.7 says to retransmit the original Map-Register, section 5.6 that the nonce rises with every send and that one
which does not rise is dropped; both together would let one lost Map-Notify end the registration for good. So each send
has a higher nonce and a new MAC, and a Map-Notify for any of them counts until the next round begins.

On closing each Map-Server gets the records once more with TTL 0, which removes a mapping at once (section 5.4 says so
of Map-Replies; section 8.2 does not forbid it here). Nobody waits for an answer: a Map-Server that does not know it
lets the registration run out as if nothing had come.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import StrEnum

from lispfast.control.auth import sign, verifying
from lispfast.control.effects import Datagram, Timeout
from lispfast.control.lisp_sec_answers import can_protect
from lispfast.control.machine import consult, earliest
from lispfast.control.mobility import Position, Source
from lispfast.control.outbox import Outbox
from lispfast.control.ratelimit import RateLimiter
from lispfast.control.register_nonce import RegisterNonce
from lispfast.model.addresses import CONTROL_PORT, EidPrefix
from lispfast.model.errors import WireError
from lispfast.model.mapping import Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, MapServerSettings, Settings
from lispfast.model.units import Minutes, Nonce, Seconds
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_register import MapRegister
from lispfast.wire.records import eid_prefix, record_from_mapping
from lispfast.wire.sizes import PAYLOAD_MAX

# --- From the RFC -----------------------------------------------------------------------------------------------------

REFRESH = Seconds(60)  # RFC 9301 section 8.2
LAPSE = Seconds(180)  # section 8.2: a Map-Server forgets after three minutes
RETRY_FIRST = Seconds(1)  # section 5.7
RETRY_MAX = Seconds(60)  # section 5.7

# --- Ours -------------------------------------------------------------------------------------------------------------

MAX_NONCES = 64  # of one Map-Server that are told from an unsolicited Map-Notify's ...
MAX_SENDS = 4  # ... and of each of its Map-Registers, where a site has so many that these are more
WARN_AFTER = 3  # sends without an answer: 7 s, when a lost datagram or two are no explanation any more
REFRESH_SLACK = Seconds(5)
RETRY_SLACK = Seconds(0.05)
# Of unsolicited Map-Notifies that are acknowledged: who plays old ones back gets no more than this out of us. A
# Map-Server repeats one after 3 s at the earliest (section 5.7).
ACK_INTERVAL = Seconds(1)
ACK_BURST = 8


class State(StrEnum):
    """Where a registration stands."""

    PARKED = "parked"
    REGISTERING = "registering"
    REGISTERED = "registered"
    REFRESHING = "refreshing"
    CLOSED = "closed"


class Fact(StrEnum):
    """What can happen to a registration."""

    STRANDED = "stranded"
    MOVED = "moved"
    DUE = "due"
    LAPSED = "lapsed"
    CONFIRMED = "confirmed"
    CLOSED = "closed"


class Do(StrEnum):
    """What follows."""

    NOTHING = "nothing"
    PARK = "park"
    START = "start"
    RETRY = "retry"
    REFRESH = "refresh"
    LAPSE = "lapse"
    REST = "rest"
    WITHDRAW = "withdraw"


TABLE: dict[tuple[State, Fact], tuple[State, Do]] = {
    (State.PARKED, Fact.STRANDED): (State.PARKED, Do.NOTHING),
    (State.PARKED, Fact.MOVED): (State.REGISTERING, Do.START),
    (State.PARKED, Fact.CLOSED): (State.CLOSED, Do.NOTHING),
    (State.REGISTERING, Fact.MOVED): (State.REGISTERING, Do.START),
    (State.REGISTERING, Fact.DUE): (State.REGISTERING, Do.RETRY),
    (State.REGISTERING, Fact.CONFIRMED): (State.REGISTERED, Do.REST),
    (State.REGISTERED, Fact.MOVED): (State.REGISTERING, Do.START),
    (State.REGISTERED, Fact.DUE): (State.REFRESHING, Do.REFRESH),
    (State.REFRESHING, Fact.MOVED): (State.REGISTERING, Do.START),
    (State.REFRESHING, Fact.DUE): (State.REFRESHING, Do.RETRY),
    (State.REFRESHING, Fact.LAPSED): (State.REGISTERING, Do.LAPSE),
    (State.REFRESHING, Fact.CONFIRMED): (State.REGISTERED, Do.REST),
    **{(s, Fact.STRANDED): (State.PARKED, Do.PARK) for s in (State.REGISTERING, State.REGISTERED, State.REFRESHING)},
    **{(s, Fact.CLOSED): (State.CLOSED, Do.WITHDRAW) for s in (State.REGISTERING, State.REGISTERED, State.REFRESHING)},
}


@dataclass(frozen=True, slots=True)
class _Sent:
    """One Map-Register on its way: which part in which round of sends, and when."""

    round: int
    part: int
    at: Seconds


class Registration:
    """The machine of one Map-Server."""

    def __init__(
        self,
        server: MapServerSettings,
        nonce: RegisterNonce,
        outbox: Outbox,
        *,
        security: bool = False,
        identity: XtrIdentity | None = None,
    ) -> None:
        self.server = server
        self._security = security
        self._identity = identity
        self.state = State.PARKED
        self.why = "no network"
        self.since = Seconds(0)
        self.next: Seconds | None = None
        self.rtt: Seconds | None = None
        self.confirmed_at: Seconds | None = None
        self._nonce = nonce
        self._outbox = outbox
        self._acknowledgements = RateLimiter(ACK_INTERVAL, ACK_BURST, capacity=1)
        self._source: Source | None = None
        self._mappings: tuple[Mapping, ...] = ()
        self._parts: list[tuple[Mapping, ...]] = []
        self._unconfirmed: set[int] = set()
        self._sent: OrderedDict[Nonce, _Sent] = OrderedDict()
        self._round = 0
        self._attempt = 0
        self._warned = ""
        self._placed = False

    def start(self, now: Seconds) -> None:
        """Parked since now, until the first network."""
        self.since = now

    def handle_position(self, position: Position, now: Seconds) -> None:
        """We stand elsewhere now; nothing happens where neither our locators nor the way out are others.

        A default route that comes after its address is another way out: the Map-Register before it went nowhere.
        """
        source = position.control_source(self.server.address.version)
        same = (source and source.path) == (self._source and self._source.path) and position.mappings == self._mappings
        self._source, self._mappings = source, position.mappings
        if same and self.state is not State.PARKED:
            return
        self._step(Fact.STRANDED if source is None else Fact.MOVED, now)
        if source is None and self.state is State.PARKED:
            self._explain(position)
        self._placed = True

    def _explain(self, position: Position) -> None:
        """Say why it is parked; that a network which we had is gone altogether the node says itself."""
        self.why = position.obstacle(self.server.address.version)
        if position.ways or not self._placed:
            self._warn(self.why)

    def handle_timeout(self, now: Seconds) -> None:
        """Retry or refresh if it is time."""
        if self.next is None or self.next > now:
            return
        lapsed = self.confirmed_at is not None and now >= self.confirmed_at + LAPSE
        self._step(Fact.LAPSED if lapsed and self.state is State.REFRESHING else Fact.DUE, now)

    def handle_notify(self, message: MapNotify, datagram: Datagram, now: Seconds) -> bool:
        """A Map-Notify from this Map-Server; whether it completed what was being registered."""
        sent = self._sent.get(message.nonce)
        key = verifying(datagram.payload, message, self.server.keys)
        if key is None:
            self._outbox.drop(ControlReason.MAC_WRONG)
            if sent is not None and self.state is not State.CLOSED:
                self._warn(f"refuses the key: its Map-Notify is signed with another one (key-id {message.key_id})")
            return False
        prefixes = self._prefixes(message)
        if prefixes is None:
            self._outbox.drop(ControlReason.EID_NOT_OURS)
            return False
        if sent is None:
            if self._acknowledgements.allow(None, now):
                self._acknowledge(message, datagram, key)
            else:
                self._outbox.drop(ControlReason.RATE_LIMITED)
            return False
        if sent.round != self._round or sent.part not in self._unconfirmed:
            self._outbox.drop(ControlReason.NONCE_UNKNOWN)  # late, or replayed: it proves nothing of this round
            return False
        if not prefixes.issuperset(mapping.prefix for mapping in self._parts[sent.part]):
            self._warn("refuses some of the EID-prefixes: its Map-Notify leaves them out")
            return False
        return self._confirm(sent, now)

    def sent(self, nonce: Nonce) -> bool:
        """Whether one of the last Map-Registers had this nonce."""
        return nonce in self._sent

    def close(self, now: Seconds) -> None:
        """Leave in good order."""
        if self.state is not State.CLOSED:
            self._step(Fact.CLOSED, now)

    def next_timeout(self) -> Timeout | None:
        """When it retries or refreshes."""
        if self.next is None:
            return None
        if self.state is State.REGISTERED:
            return Timeout(self.next, REFRESH_SLACK, f"the registration with {self.server.address} is refreshed")
        return Timeout(self.next, RETRY_SLACK, f"no Map-Notify from {self.server.address} yet")

    def _step(self, fact: Fact, now: Seconds) -> None:
        before = self.state
        self.state, do = consult(TABLE, self.state, fact)
        if before is not self.state:
            self.since = now
        match do:
            case Do.PARK:
                self._unconfirmed.clear()
                self._rest(None, "no network")
            case Do.START:
                if before is State.PARKED:
                    self._warned = ""  # of that there was no network
                self._parts = self._split()
                self._begin(now, "waits for the Map-Notify")
            case Do.REFRESH:
                self._begin(now, "refreshes")
            case Do.RETRY:
                self._retry(now)
            case Do.LAPSE:
                self._warn(f"does not answer, or refuses key or nonce (its log says): no Map-Notify for {LAPSE:.0f} s")
                self._retry(now)
            case Do.REST:
                self._warned = ""
                self._rest(Seconds(now + REFRESH), "registered")
            case Do.WITHDRAW:
                self._withdraw()
            case Do.NOTHING:
                pass

    def _rest(self, until: Seconds | None, why: str) -> None:
        self.next, self.why = until, why

    def _begin(self, now: Seconds, why: str) -> None:
        self._round += 1
        self._unconfirmed = set(range(len(self._parts)))
        self._attempt = 0
        self.why = why
        self._send(now)

    def _retry(self, now: Seconds) -> None:
        if self._attempt == WARN_AFTER and self.state is State.REGISTERING and not self._warned:
            tries = f"no Map-Notify to {self._attempt} Map-Registers"
            self._warn(f"does not answer, or refuses key or nonce (its log says): {tries}")
        self._send(now)

    def _send(self, now: Seconds) -> None:
        wait = min(RETRY_FIRST * 2**self._attempt, RETRY_MAX)
        self._attempt = min(self._attempt + 1, 1000)
        for part in sorted(self._unconfirmed):
            nonce = self._nonce.take()
            self._sent[nonce] = _Sent(self._round, part, now)
            if len(self._sent) > max(MAX_NONCES, MAX_SENDS * len(self._parts)):
                self._sent.popitem(last=False)
            self._emit(self._register(self._parts[part], nonce), self.server.key)
            fields: dict[str, str | int] = {"to": str(self.server.address), "eid_prefix": _names(self._parts[part])}
            self._outbox.event("map-register-sent", **fields, nonce=f"{nonce:#018x}", attempt=self._attempt)
        self.next = Seconds(now + wait) if self._unconfirmed else None

    def _register(self, mappings: tuple[Mapping, ...], nonce: Nonce, *, want_map_notify: bool = True) -> MapRegister:
        return MapRegister(
            nonce,
            tuple(record_from_mapping(mapping) for mapping in mappings),
            proxy_reply=self.server.proxy_reply,
            want_map_notify=want_map_notify,
            security=self._security,
            identity=self._identity,
        )

    def _emit(self, message: MapRegister | MapNotifyAck, key: Key, port: int = CONTROL_PORT) -> None:
        if self._source is not None:
            self._outbox.send(sign(message, key), self._source, self.server.address, port)

    def _split(self) -> list[tuple[Mapping, ...]]:
        """Our mappings in as few messages as fit. One without a locator is registered with TTL 0: it is not reached."""
        room = PAYLOAD_MAX[self.server.address.version]
        parts: list[tuple[Mapping, ...]] = []
        for mapping in self._mappings:
            registered = mapping if mapping.locators else replace(mapping, ttl=Minutes(0))
            longer = (*parts[-1], registered) if parts else (registered,)
            if parts and len(sign(self._register(longer, Nonce(0)), self.server.key)) <= room:
                parts[-1] = longer
            else:
                parts.append((registered,))
        return parts

    def _withdraw(self) -> None:
        self._unconfirmed.clear()
        self._rest(None, "closed")
        for part in self._parts:
            gone = tuple(replace(mapping, ttl=Minutes(0)) for mapping in part)
            self._emit(self._register(gone, self._nonce.take(), want_map_notify=False), self.server.key)
        self._outbox.event("map-register-withdrawn", to=str(self.server.address))

    def _prefixes(self, message: MapNotify) -> set[EidPrefix] | None:
        """The EID-prefixes that it names, None unless all of them are ours."""
        try:
            prefixes = {eid_prefix(record.eid, record.mask_len) for record in message.records}
        except WireError:
            return None
        return prefixes if prefixes and prefixes <= {mapping.prefix for mapping in self._mappings} else None

    def _acknowledge(self, message: MapNotify, datagram: Datagram, key: Key) -> None:
        """Answer an unsolicited Map-Notify with its own key (section 5.7): our own registration stays as it is."""
        acknowledgement = MapNotifyAck(message.nonce, message.records, identity=message.identity)
        self._emit(acknowledgement, key, datagram.source.port)
        self._outbox.event("map-notify-unsolicited", **{"from": str(self.server.address)})

    def _confirm(self, sent: _Sent, now: Seconds) -> bool:
        self._unconfirmed.discard(sent.part)
        self.rtt = Seconds(now - sent.at)
        fields: dict[str, str | int] = {"from": str(self.server.address), "eid_prefix": _names(self._parts[sent.part])}
        self._outbox.event("map-notify-received", **fields, rtt_us=round(self.rtt * 1_000_000))
        if self._unconfirmed:
            return False
        self.confirmed_at = now
        self._step(Fact.CONFIRMED, now)
        return True

    def _warn(self, problem: str) -> None:
        """Say it once, until it is registered again or another thing is wrong."""
        self.why = problem
        if self._warned != problem:
            self._warned = problem
            self._outbox.event("registration-lost", "warning", map_server=str(self.server.address), why=problem)


class Registrar:
    """The registrations of a node."""

    def __init__(self, settings: Settings, nonce: RegisterNonce, outbox: Outbox) -> None:
        identity = _identity(settings)
        self.registrations = [
            Registration(server, nonce, outbox, security=can_protect(settings, server.key), identity=identity)
            for server in settings.map_servers
        ]
        self._outbox = outbox

    @property
    def complete(self) -> bool:
        """Whether every Map-Server has confirmed where we are."""
        return all(registration.state in (State.REGISTERED, State.REFRESHING) for registration in self.registrations)

    def outstanding(self, nonce: Nonce) -> bool:
        """Whether a Map-Register of ours had this nonce not long ago."""
        return any(registration.sent(nonce) for registration in self.registrations)

    def start(self, now: Seconds) -> None:
        """From now on networks may come."""
        for registration in self.registrations:
            registration.start(now)

    def handle_position(self, position: Position, now: Seconds) -> None:
        """We stand elsewhere now."""
        for registration in self.registrations:
            registration.handle_position(position, now)

    def handle_notify(self, message: MapNotify, datagram: Datagram, now: Seconds) -> bool:
        """A Map-Notify came; whether a Map-Server has confirmed where we are just now."""
        for registration in self.registrations:
            if registration.server.address == datagram.source.address:
                fresh = registration.state is State.REGISTERING
                return registration.handle_notify(message, datagram, now) and fresh
        self._outbox.drop(ControlReason.SENDER_UNEXPECTED)
        return False

    def handle_timeout(self, now: Seconds) -> None:
        """Retry and refresh what is due."""
        for registration in self.registrations:
            registration.handle_timeout(now)

    def close(self, now: Seconds) -> None:
        """Leave in good order."""
        for registration in self.registrations:
            registration.close(now)

    def next_timeout(self) -> Timeout | None:
        """When the first of them retries or refreshes."""
        return earliest(registration.next_timeout() for registration in self.registrations)


def _identity(settings: Settings) -> XtrIdentity | None:
    """The IDs that are configured, which every Map-Register then carries (RFC 9301 section 5.6)."""
    if settings.xtr_id is None:
        return None
    return XtrIdentity(int.from_bytes(settings.xtr_id, "big"), int.from_bytes(settings.site_id, "big"))


def _names(mappings: tuple[Mapping, ...]) -> str:
    """Their EID-prefixes as an event tells them."""
    return ",".join(str(mapping.prefix) for mapping in mappings)
