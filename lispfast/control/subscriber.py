"""Subscribes to the mappings in use and takes what is published of them (RFC 9437).

Every question to the mapping system asks for notification as well. Where the answer is a Map-Notify, its EID-prefix is
subscribed to: the Map-Server publishes each change of it, and of its more-specifics, at once. Where it is a Map-Reply,
nothing was subscribed and RFC 9301 goes on alone. The EID-prefix is the one asked for, or that of the answer where it
is wider. Resolution never hangs on all this: the second try of a question has
a new nonce, as the Map-Server may hold a higher one, and a third one, or the last of two, asks for a mapping alone.

A Map-Notify that is not for the registrar is looked at in this order:

    check                                                            refused as
    the MAC is right under one of our PubSub keys                    MAC_WRONG
    the xTR-ID, if it has one, is ours: others share the key         XTR_ID_OTHER
    its records can be read                                          MALFORMED
    it answers a question, or one subscription covers its records    NOT_SUBSCRIBED
    the nonce rises                                                  NOTIFY_OLD (a repeat: acknowledged again)

What it says of our own EID-prefixes is acknowledged and not learnt.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from lispfast.control.auth import sign, verifying
from lispfast.control.effects import Datagram, Timeout
from lispfast.control.expiry import ExpiryQueue
from lispfast.control.machine import consult
from lispfast.control.map_requests import encapsulated, unsubscription
from lispfast.control.mobility import Position
from lispfast.control.outbox import Outbox
from lispfast.control.prefix_map import PrefixMap
from lispfast.control.ratelimit import RateLimiter
from lispfast.control.request_pace import Purpose, RequestPace
from lispfast.control.role import NonceSource
from lispfast.control.subscription import TABLE, Do, Fact, State, Subscription
from lispfast.control.subscription_nonces import SubscriptionNonces
from lispfast.model.addresses import EidPrefix
from lispfast.model.errors import WireError
from lispfast.model.mapping import Action, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, Settings
from lispfast.model.units import Nonce, Seconds
from lispfast.wire.identity import SITE_ID_LENGTH, XTR_ID_LENGTH, XtrIdentity
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.records import mapping_from_record, refused_locators

# --- From the RFC -----------------------------------------------------------------------------------------------------

VACANCY = Seconds(15 * 60)  # section 5: how long a subscription to what is not registered lives
REFUSALS = frozenset((Action.DROP_POLICY_DENIED, Action.DROP_AUTH_FAILURE))  # section 5: no mapping, but a refusal

# --- Ours -------------------------------------------------------------------------------------------------------------

MAX_SUBSCRIPTIONS = 4096  # a node has far fewer peers; what is beyond is asked for without
MEMORY = 1024  # nonces that a Map-Notify may still answer: 256 lookups with their tries; refused EID-prefixes
RENEWALS = 32  # subscribed again at once after a move, those in use first; a lookup each, of 256 ...
RENEWAL_INTERVAL = Seconds(0.5)  # ... and so many more each time
STALE_RETRY = Seconds(30)  # when a renewal that nobody answered is tried again
LEAVE_TRIES = 3
LEAVE_INTERVAL = Seconds(1)  # RFC 9301 section 5.3: one Map-Request a second for an EID-prefix
PATIENCE = 3  # questions in a row that are answered only without a subscription: here it does more harm than good ...
PAUSE = Seconds(600)  # ... for so long. As long is a refusal respected
REPEAT_INTERVAL = Seconds(1)  # of a Map-Notify whose acknowledgement was lost
REPEAT_BURST = 3
LOG_INTERVAL = Seconds(10)
LOG_BURST = 3
SLACK = Seconds(0.05)
XTR_ID_TEXT = b"lispfast xTR-ID\0"

_KeyT = TypeVar("_KeyT")
_ValueT = TypeVar("_ValueT")


@dataclass(frozen=True, slots=True)
class Published:
    """A Map-Notify that was taken: `learn` goes into the map-cache as the answer to `asked`.

    `confirms` says that it answers an outstanding question; `lost`, that there is a subscription to `asked` no more.
    """

    asked: EidPrefix
    learn: tuple[Mapping, ...] = ()
    confirms: bool = False
    lost: bool = False


class Subscriber:
    """The subscriptions of one node; without `pubsub.subscribe` and a key it asks for none and knows none.

    `pace` limits Map-Requests to the mapping system, those of the resolver too.

    The keys are shared with the Map-Servers beforehand. One that LISP-SEC derives for each question (RFC 9437 section
    7.1) would be chosen by the EID-prefix in `_authentic` and change nothing else.
    """

    def __init__(self, settings: Settings, first_nonce: int, nonces: NonceSource, outbox: Outbox) -> None:
        self.identity = identity_of(settings)
        self.enabled = settings.pubsub.subscribe and bool(settings.pubsub.keys)
        self._keys = settings.pubsub.keys
        self._settings = settings
        self._outbox = outbox
        self._position = Position()
        self._nonces = SubscriptionNonces(first_nonce, nonces)
        self._subscriptions: PrefixMap[Subscription] = PrefixMap()
        self._asked: OrderedDict[Nonce, EidPrefix] = OrderedDict()
        self._refused: OrderedDict[EidPrefix, Seconds] = OrderedDict()
        self._plain: OrderedDict[EidPrefix, bool] = OrderedDict()
        self._fruitless = 0
        self._paused_until = Seconds(0)
        self._timers: ExpiryQueue[EidPrefix] = ExpiryQueue()
        self._renewals: OrderedDict[EidPrefix, None] = OrderedDict()
        self._renew_at: Seconds | None = None
        self.pace = RequestPace()
        self._repeats = RateLimiter(REPEAT_INTERVAL, REPEAT_BURST)
        self._log = RateLimiter(LOG_INTERVAL, LOG_BURST, capacity=1)

    def __len__(self) -> int:
        return len(self._subscriptions)

    def subscriptions(self) -> list[Subscription]:
        """Every subscription, in the order of their EID-prefixes."""
        return [subscription for _, subscription in self._subscriptions.items()]

    def subscribed(self, prefix: EidPrefix) -> bool:
        """Whether we subscribed to this EID-prefix or to what covers it, maybe with RLOCs that we had before."""
        found = self._subscriptions.cover(prefix)
        return found is not None and found[1].state in (State.SUBSCRIBED, State.STALE)

    def covers(self, prefixes: list[EidPrefix]) -> bool:
        """Whether subscriptions of ours cover all of these, in whatever state."""
        return all(self._subscriptions.cover(prefix) is not None for prefix in prefixes)

    # --- Questions ----------------------------------------------------------------------------------------------------

    def subscription(
        self, asked: EidPrefix, attempt: int, tries: int, now: Seconds
    ) -> tuple[Nonce, XtrIdentity] | None:
        """The nonce and IDs of a question that subscribes; None for one that does not. `attempt` counts from 1."""
        if not self.enabled or now < max(self._paused_until, self._refused.get(asked, now)):
            return None
        if attempt > 2 or attempt == tries == 2:
            _remember(self._plain, asked, True)
            return None
        if len(self) >= MAX_SUBSCRIPTIONS and self._subscriptions.get(asked) is None:
            return None
        nonce = self._nonces.next(asked, anew=attempt > 1)
        _remember(self._asked, nonce, asked)
        return nonce, self.identity

    def handle_reply(self, asked: EidPrefix, nonce: Nonce, mappings: tuple[Mapping, ...], now: Seconds) -> bool:
        """A Map-Reply answers: nothing was subscribed. False where it is a refusal and no mapping (section 5).

        Then the EID-prefix is to be asked for once more, which will be without a subscription.
        """
        if self._subscriptions.get(asked) is not None:
            self._step(asked, Fact.REFUSED, now)
        if nonce not in self._asked:
            self._fruitless += self._plain.pop(asked, False)
            if self._fruitless >= PATIENCE:
                self._fruitless, self._paused_until = 0, Seconds(now + PAUSE)
                self._outbox.event("subscriptions-paused", "warning", why="questions that subscribe have no answer")
            return True
        self._fruitless = 0
        if not any(mapping.negative and mapping.action in REFUSALS for mapping in mappings):
            return True
        _remember(self._refused, asked, Seconds(now + PAUSE))
        self._outbox.event("subscription-refused", "warning", eid_prefix=str(asked))
        return False

    # --- Map-Notify ---------------------------------------------------------------------------------------------------

    def handle_notify(
        self, message: MapNotify, datagram: Datagram, asked: EidPrefix | None, now: Seconds
    ) -> Published | None:
        """A Map-Notify came; None where there is nothing to learn. `asked` is the question outstanding with its nonce.

        A publication may have the nonce of our question, as both sides count up from the same number. After a move it
        comes to where we were and answers nothing.
        """
        key = self._authentic(message, datagram)
        told = self._read(message) if key else ()
        if key is None or not told:
            return None
        confirms = asked is not None and message.nonce in self._asked and _answers(told, asked)
        confirms = confirms and datagram.destination.address in self._position.rlocs
        prefix = self._covering(told)
        if confirms and asked:
            prefix = asked if asked.covers(told[0].prefix) else told[0].prefix
        if prefix is None:
            self._outbox.drop(ControlReason.NOT_SUBSCRIBED)
            return None
        heard, removal = self._nonces.heard(prefix), not confirms and _removes(told, prefix)
        if message.nonce < heard + (not removal):
            self._repeat(prefix, message, datagram, key, now)
            return None
        self._nonces.hear(prefix, message.nonce)
        self._fruitless = 0
        if removal:
            return Published(prefix, lost=self._step(prefix, Fact.REMOVED, now) is Do.ASK)
        if confirms and self._subscriptions.get(prefix) is None:
            self._subscriptions.put(prefix, Subscription(prefix))
        if confirms and asked and asked != prefix and self._subscriptions.get(asked) is not None:
            self._step(asked, Fact.GONE, now)  # the wider one takes its place
        fact = Fact.CONFIRMED if confirms else _publication(told, prefix)
        learns = self._step(prefix, fact, now) in (Do.LEARN, Do.VACATE)
        subscription = self._subscriptions.get(prefix)
        assert subscription is not None, "no publication ends a subscription"
        subscription.last = _digest(datagram)
        self._acknowledge(message, datagram, key)
        self._outbox.event(f"subscription-{fact.value}", **{"from": str(datagram.source.address)}, **_fields(told))
        learn = tuple(mapping for mapping in told if self._tells(prefix, mapping.prefix)) if learns else ()
        return Published(asked if confirms and asked else prefix, learn, confirms)

    def _tells(self, prefix: EidPrefix, told: EidPrefix) -> bool:
        """Whether a subscription tells of an EID-prefix: not of ours, nor of what a more specific one tells of.

        What an answer says of that in passing may be older than its last publication.
        """
        cover = self._subscriptions.cover(told)
        other = cover is not None and cover[0] != prefix and cover[1].state is State.SUBSCRIBED
        return not other and self._position.mapping(told) is None

    def _authentic(self, message: MapNotify, datagram: Datagram) -> Key | None:
        key = verifying(datagram.payload, message, self._keys)
        if key is None:
            self._outbox.drop(ControlReason.MAC_WRONG)
        elif message.identity is not None and message.identity != self.identity:
            self._outbox.drop(ControlReason.XTR_ID_OTHER)
            return None
        return key

    def _read(self, message: MapNotify) -> tuple[Mapping, ...]:
        """What it says, nothing where that is not for us to hear."""
        try:
            told = tuple(mapping_from_record(record) for record in message.records)
        except WireError:
            told = ()
        if not told:
            self._outbox.drop(ControlReason.MALFORMED)
        for record in message.records:
            if refused_locators(record):
                self._outbox.drop(ControlReason.LOCATOR_REFUSED)
        return told

    def _covering(self, told: tuple[Mapping, ...]) -> EidPrefix | None:
        """The subscription that all of it belongs to: the Map-Server publishes to the most specific one."""
        found = {cover[0] if (cover := self._subscriptions.cover(m.prefix)) else None for m in told}
        return found.pop() if len(found) == 1 else None

    def _repeat(self, prefix: EidPrefix, message: MapNotify, datagram: Datagram, key: Key, now: Seconds) -> None:
        """A nonce that does not rise: our acknowledgement was lost, or somebody plays an old publication to us."""
        subscription = self._subscriptions.get(prefix)
        if subscription is not None and subscription.last == _digest(datagram):
            if self._repeats.allow(prefix, now):
                self._acknowledge(message, datagram, key)
            else:
                self._outbox.drop(ControlReason.RATE_LIMITED)
            return
        self._outbox.drop(ControlReason.NOTIFY_OLD)
        if self._log.allow(None, now):
            fields = {"from": str(datagram.source), "eid_prefix": str(prefix), "nonce": f"{message.nonce:#018x}"}
            self._outbox.event("publication-old", "warning", **fields)

    def _acknowledge(self, message: MapNotify, datagram: Datagram, key: Key) -> None:
        source = self._position.control_source(datagram.source.address.version)
        if source is not None:
            acknowledgement = MapNotifyAck(message.nonce, message.records, identity=message.identity)
            self._outbox.send(sign(acknowledgement, key), source, datagram.source.address, datagram.source.port)

    # --- Life ---------------------------------------------------------------------------------------------------------

    def handle_position(self, position: Position, idle: Callable[[EidPrefix], Seconds | None], now: Seconds) -> None:
        """We stand elsewhere now: what is published goes to our old RLOCs until we subscribe with the new ones.

        `idle` is how long ago an EID-prefix was used, None for never: those in use come first.
        """
        same = position.rlocs == self._position.rlocs
        self._position = position
        if same or not position.rlocs:
            return
        never = Seconds(float("inf"))
        held = sorted(self._subscriptions, key=lambda prefix: age if (age := idle(prefix)) is not None else never)
        self._renewals.clear()
        self._renew_at = now if held else None
        for prefix in held:
            self._step(prefix, Fact.MOVED, now)

    def handle_cache(self, changed: Iterable[EidPrefix], cached: Callable[[EidPrefix], bool], now: Seconds) -> None:
        """These EID-prefixes of the map-cache changed: what is not cached any more is not subscribed to for long.

        `cached` says whether the EID-prefix or a more-specific of it is: that too was published to the subscription.
        """
        for prefix in changed:
            for subscribed in (prefix, *self._subscriptions.covers(prefix)):
                if self._subscriptions.get(subscribed) is not None and not cached(subscribed):
                    self._step(subscribed, Fact.GONE, now)

    def handle_timeout(self, now: Seconds) -> None:
        """Let each subscription do what is due."""
        for prefix in self._timers.pop_due(now):
            subscription = self._subscriptions.get(prefix)
            assert subscription is not None, "a timer goes with its subscription"
            exhausted = subscription.state is State.LEAVING and subscription.tries >= LEAVE_TRIES
            self._step(prefix, Fact.EXHAUSTED if exhausted else Fact.DUE, now)

    def take_renewals(self, now: Seconds) -> list[EidPrefix]:
        """The EID-prefixes to ask for now, as their subscriptions are to be renewed."""
        if self._renew_at is None or self._renew_at > now:
            return []
        batch = [self._renewals.popitem(last=False)[0] for _ in range(min(RENEWALS, len(self._renewals)))]
        self._renew_at = Seconds(now + RENEWAL_INTERVAL) if batch else None
        return batch

    def close(self, now: Seconds) -> None:
        """Leave in good order: one try each, and of so many that no Map-Resolver is flooded."""
        for subscription in self.subscriptions():
            if subscription.state is not State.LEAVING and self._may_leave(subscription.prefix, now):
                self._leave(subscription.prefix)

    def next_timeout(self) -> Timeout | None:
        """When a subscription has something to do."""
        moments = [at for at in (self._timers.next(), self._renew_at) if at is not None]
        return Timeout(min(moments), SLACK, "a subscription is renewed or ends") if moments else None

    def _step(self, prefix: EidPrefix, fact: Fact, now: Seconds) -> Do:
        subscription = self._subscriptions.get(prefix)
        assert subscription is not None, "only what is there can change"
        before = subscription.state
        subscription.state, do = consult(TABLE, before, fact)
        if before is not subscription.state:
            self._timers.discard(prefix)
            self._renewals.pop(prefix, None)
            subscription.tries = 0
        match do:
            case Do.VACATE:
                self._timers.set(prefix, Seconds(now + VACANCY))
            case Do.RENEW:
                self._renewals[prefix] = None
                self._renew_at = now if self._renew_at is None else self._renew_at
                self._timers.set(prefix, Seconds(now + STALE_RETRY))
            case Do.LEAVE:
                self._try_to_leave(subscription, now)
            case Do.ASK | Do.FORGET:
                self._subscriptions.remove(prefix)
                self._timers.discard(prefix)
            case Do.LEARN | Do.ACKNOWLEDGE | Do.NOTHING:
                pass
        return do

    def _try_to_leave(self, subscription: Subscription, now: Seconds) -> None:
        if self._may_leave(subscription.prefix, now):
            subscription.tries += 1
            self._leave(subscription.prefix)
            self._timers.set(subscription.prefix, Seconds(now + LEAVE_INTERVAL))
        else:
            self._timers.set(subscription.prefix, self.pace.ready_at(subscription.prefix, Purpose.LEAVE, now))

    def _may_leave(self, prefix: EidPrefix, now: Seconds) -> bool:
        """Whether the mapping system may be asked for the EID-prefix now, once more."""
        if self.pace.ready_at(prefix, Purpose.LEAVE, now) > now:
            return False
        self.pace.take(prefix, Purpose.LEAVE, now)
        return True

    def _leave(self, prefix: EidPrefix) -> None:
        """Unsubscribe: the answer comes to where the inner packet says it is from, our RLOC where families agree."""
        rloc = self._position.source(prefix.version)
        eids = (entry.prefix.network.network_address for entry in self._settings.database)
        inner = rloc.address if rloc else next((eid for eid in eids if eid.version == prefix.version), None)
        for resolver in self._settings.map_resolvers:
            source = self._position.control_source(resolver.version)
            if source is not None and inner is not None:
                request = unsubscription(prefix, self._nonces.next(prefix), self.identity)
                self._outbox.send(encapsulated(request, inner, prefix), source, resolver)
                self._outbox.event("unsubscribed", "debug", eid_prefix=str(prefix))
                return


def identity_of(settings: Settings) -> XtrIdentity:
    """The configured xTR-ID; else one that is the same at every start: of what nobody else has, our EID-prefixes."""
    xtr_id = settings.xtr_id
    if xtr_id is None:
        names = "\n".join(sorted(str(entry.prefix) for entry in settings.database))
        xtr_id = hashlib.sha256(XTR_ID_TEXT + names.encode()).digest()[:XTR_ID_LENGTH]
    return XtrIdentity(int.from_bytes(xtr_id, "big"), int.from_bytes(settings.site_id[:SITE_ID_LENGTH], "big"))


def _answers(told: tuple[Mapping, ...], asked: EidPrefix) -> bool:
    """Whether the first record answers the question, and the others are its more-specifics."""
    best = told[0].prefix
    return (best.covers(asked) or asked.covers(best)) and all(best.covers(mapping.prefix) for mapping in told)


def _removes(told: tuple[Mapping, ...], prefix: EidPrefix) -> bool:
    """Whether the Map-Server says that the subscription is no more: no locators and ACT 5 (section 5)."""
    refusal = told[0].negative and told[0].action is Action.DROP_AUTH_FAILURE
    return refusal and len(told) == 1 and told[0].prefix == prefix


def _publication(told: tuple[Mapping, ...], prefix: EidPrefix) -> Fact:
    gone = any(mapping.prefix == prefix and mapping.ttl == 0 for mapping in told)
    return Fact.WITHDRAWN if gone else Fact.PUBLISHED


def _fields(told: tuple[Mapping, ...]) -> dict[str, str | int]:
    return {
        "eid_prefix": ",".join(str(mapping.prefix) for mapping in told),
        "locators": ",".join(str(locator.address) for mapping in told for locator in mapping.locators),
    }


def _digest(datagram: Datagram) -> bytes:
    return hashlib.sha256(datagram.payload).digest()


def _remember(memory: OrderedDict[_KeyT, _ValueT], key: _KeyT, value: _ValueT) -> None:
    """The oldest gives way."""
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > MEMORY:
        memory.popitem(last=False)
