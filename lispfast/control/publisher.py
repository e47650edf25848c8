"""Accepts subscriptions and publishes changes of mappings to them: the Map-Server's side of PubSub (RFC 9437).

A Map-Request that subscribes is one with xTR-ID and N-bit. What becomes of it, in this order:

    Map-Request                                        what follows
    PubSub is off here, or no key is shared            a Map-Reply, as without the N-bit
    an ETR answers for the EID itself (section 3)      it is forwarded, as without the N-bit
    its nonce does not exceed the last one             dropped, told once in a while: SUBSCRIPTION_OLD
    its xTR-ID may not subscribe to that EID-prefix    a Negative Map-Reply, Drop/Policy-Denied: SUBSCRIPTION_DENIED
    there is no room, or no nonce left to count with   a Map-Reply
    any other                                          a Map-Notify with its nonce, which waits for its acknowledgement

One Map-Notify a subscription is on its way at a time, as one that overtakes another makes that one old:

    state      fact          next       what is done
    idle       wanted        confirming send the Map-Notify that confirms
    idle       changed       telling    send what changed, the nonce one higher
    confirming wanted        confirming send the newer one instead
    confirming changed       confirming           it is told after the acknowledgement
    confirming due           confirming send it again, to the next ITR-RLOC
    confirming exhausted     idle       forget the wish
    confirming acknowledged  idle       the subscription is confirmed; tell what changed meanwhile
    telling    wanted        confirming send the Map-Notify that confirms
    telling    changed       telling    send what it told and what changed, the nonce one higher
    telling    due           telling    send it again, to the next ITR-RLOC
    telling    exhausted     idle       end the subscription, tell so once
    telling    acknowledged  idle       tell what is left

"The last nonce" of a subscription is the highest one that its xTR has shown to know, by a Map-Request or by an
acknowledgement. Both sides count up from there; a Map-Request that crosses a publication has the same nonce as that and
is not old, which section 5 would call it word for word: then two nodes that move at once would lose each other.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from enum import StrEnum

from lispfast.control.admission import Admission, refusal
from lispfast.control.auth import verifying
from lispfast.control.effects import Datagram, Send, Timeout
from lispfast.control.expiry import ExpiryQueue
from lispfast.control.machine import consult
from lispfast.control.map_requests import prefix_named
from lispfast.control.mapping_system import MappingSystem
from lispfast.control.outbox import Outbox
from lispfast.control.publication import removal, room, signed
from lispfast.control.ratelimit import RateLimiter
from lispfast.control.subscription_nonces import NONCE_LIMIT
from lispfast.control.subscriptions import MAX_RLOCS, MAX_WANTED, Name, Notice, Subscription, Subscriptions, Wish
from lispfast.model.addresses import CONTROL_PORT, Address, EidPrefix, Endpoint
from lispfast.model.mapping import Action, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import PubSub
from lispfast.model.units import Nonce, Seconds
from lispfast.wire.map_notify import MapNotifyAck
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import NOTIFICATION_BIT, MapRequest, RequestRecord
from lispfast.wire.records import record_from_mapping

# --- From the RFC -----------------------------------------------------------------------------------------------------

RETRIES = (3, 3, 3, 6, 12, 24)  # seconds, RFC 9301 section 5.7: three times 3 s, then doubling for another three
TEMPORARY = Seconds(15 * 60)  # section 5: of a subscription to what is not registered

# --- Ours -------------------------------------------------------------------------------------------------------------

LAST_WAIT = Seconds(24)  # for the answer to the last try
# A subscription is renewed with its mapping's TTL by who still uses it. Who has not been heard of for so long is gone.
LIFETIME = Seconds(24 * 3600)
PACE_INTERVAL = Seconds(0.002)  # a popular mapping is published to 500 xTRs a second: 0.25 ms of signing each
PACE_BURST = 256
REMOVAL_INTERVAL = Seconds(0.01)  # answers to unsubscriptions, to each source: a node that stops sends many at once
REMOVAL_BURST = 128
# Of a Map-Notify that confirms, to each destination: whoever made up the ITR-RLOC of a subscription shall not have his
# victim hit seven times by it. A node that subscribes anew after a move, to 32 EID-prefixes at once, loses nothing.
REPEAT_INTERVAL = Seconds(1.0)
REPEAT_BURST = 64
LOG_INTERVAL = Seconds(10)
LOG_BURST = 3
SLACK = Seconds(0.02)


class State(StrEnum):
    """What is on its way to a subscriber."""

    IDLE = "idle"
    CONFIRMING = "confirming"
    TELLING = "telling"


class Fact(StrEnum):
    """What can happen."""

    WANTED = "wanted"
    CHANGED = "changed"
    DUE = "due"
    EXHAUSTED = "exhausted"
    ACKNOWLEDGED = "acknowledged"


class Do(StrEnum):
    """What follows."""

    NOTHING = "nothing"
    CONFIRM = "confirm"
    TELL = "tell"
    REPEAT = "repeat"
    FORGET = "forget"
    END = "end"
    SUBSCRIBE = "subscribe"


TABLE: dict[tuple[State, Fact], tuple[State, Do]] = {
    **{(state, Fact.WANTED): (State.CONFIRMING, Do.CONFIRM) for state in State},
    (State.IDLE, Fact.CHANGED): (State.TELLING, Do.TELL),
    (State.CONFIRMING, Fact.CHANGED): (State.CONFIRMING, Do.NOTHING),
    (State.CONFIRMING, Fact.DUE): (State.CONFIRMING, Do.REPEAT),
    (State.CONFIRMING, Fact.EXHAUSTED): (State.IDLE, Do.FORGET),
    (State.CONFIRMING, Fact.ACKNOWLEDGED): (State.IDLE, Do.SUBSCRIBE),
    (State.TELLING, Fact.CHANGED): (State.TELLING, Do.TELL),
    (State.TELLING, Fact.DUE): (State.TELLING, Do.REPEAT),
    (State.TELLING, Fact.EXHAUSTED): (State.IDLE, Do.END),
    (State.TELLING, Fact.ACKNOWLEDGED): (State.IDLE, Do.NOTHING),
}


class Publisher:
    """The subscriptions of a Map-Server and what is told to them.

    Every xTR shares `settings.keys` with us. A key that LISP-SEC derives for one subscription (RFC 9437 section 7.1)
    would be the `key` of its Wish, which signs all of its Map-Notifies; nothing else knows of keys.
    """

    def __init__(self, settings: PubSub, system: MappingSystem, outbox: Outbox) -> None:
        self.enabled = settings.subscribe and bool(settings.keys)
        self.subscriptions = Subscriptions(settings.limit)
        self._admission = Admission(settings.admitted)
        self._keys = settings.keys
        self._system = system
        self._outbox = outbox
        self._notices: OrderedDict[Name, Notice] = OrderedDict()
        self._wanted: OrderedDict[Name, None] = OrderedDict()
        self._by_nonce: dict[Nonce, dict[Name, None]] = {}
        self._timers: ExpiryQueue[Name] = ExpiryQueue()
        self._waiting: OrderedDict[Name, None] = OrderedDict()  # changes that the pace holds back
        self._resume_at: Seconds | None = None
        self._pace = RateLimiter(PACE_INTERVAL, PACE_BURST, capacity=1)
        self._removals = RateLimiter(REMOVAL_INTERVAL, REMOVAL_BURST)
        self._repeats = RateLimiter(REPEAT_INTERVAL, REPEAT_BURST)
        self._log = RateLimiter(LOG_INTERVAL, LOG_BURST, capacity=1)

    def state(self, name: Name) -> State:
        """What is on its way to a subscriber."""
        notice = self._notices.get(name)
        return State.IDLE if notice is None else State.CONFIRMING if notice.confirms else State.TELLING

    # --- Map-Requests -------------------------------------------------------------------------------------------------

    def wish(
        self,
        request: MapRequest,
        record: RequestRecord,
        asked: EidPrefix,
        itrs: tuple[Address, ...],
        datagram: Datagram,
        port: int,
    ) -> Wish | None:
        """What a record of a Map-Request subscribes to, None where it does not; `port` is the Map-Request's own."""
        if not self.enabled or request.identity is None or not record.reserved & NOTIFICATION_BIT:
            return None
        source, local = datagram.source.address, datagram.destination.address
        rlocs = itrs[:MAX_RLOCS]
        return Wish(request.identity, asked, rlocs, port, source, local, request.nonce, self._keys[0])

    def subscribe(self, asked: Wish, told: tuple[Mapping, ...], now: Seconds) -> tuple[Mapping, ...]:
        """What a Map-Reply has to say to a Map-Request that subscribes, nothing where none is needed.

        `told` is the answer to it as RFC 9301 has it, and that remains where it does not come to a subscription.

        The subscription is to the EID-prefix that was asked for, or to that of the answer where it is wider.
        """
        best = told[0].prefix
        wish = asked if asked.prefix.covers(best) else replace(asked, prefix=best)
        if wish.nonce <= self.subscriptions.last_nonce(wish.name):
            self._old(wish, now)
            return ()
        if not self._admission.admits(wish.identity, wish.prefix):
            self._outbox.drop(ControlReason.SUBSCRIPTION_DENIED)
            return (refusal(asked.prefix, Action.DROP_POLICY_DENIED),)
        full = ControlReason.TABLE_FULL if wish.nonce >= NONCE_LIMIT else self.subscriptions.full(wish.name)
        if full is not None:
            self._outbox.drop(full)
            return told
        self._step(wish.name, Fact.WANTED, now, wish, told)
        return ()

    def handle_end(self, request: MapRequest, datagram: Datagram, port: int, now: Seconds) -> bool:
        """A Map-Request with no ITR-RLOC but AFI 0 came; whether it ends a subscription (section 5)."""
        record = request.records[0] if len(request.records) == 1 else None
        asked = prefix_named(record.eid, record.mask_len) if record else None
        if record is None or asked is None:
            return False
        wish = self.wish(request, record, asked, (), datagram, port)
        if wish is not None:
            self._unsubscribe(wish, now)
        return wish is not None

    def _unsubscribe(self, wish: Wish, now: Seconds) -> None:
        """The answer goes to where it came from, which must be an address that the subscription knows."""
        known = self.subscriptions.get(wish.name)
        if wish.nonce <= self.subscriptions.last_nonce(wish.name):
            return self._old(wish, now)
        if not self._removals.allow(wish.source, now):
            return self._outbox.drop(ControlReason.RATE_LIMITED)
        if known is not None and wish.source not in (*known.wish.rlocs, known.wish.source):
            self._outbox.drop(ControlReason.SENDER_UNEXPECTED)
            denied = refusal(wish.prefix, Action.DROP_POLICY_DENIED)
            reply = MapReply(nonce=wish.nonce, records=(record_from_mapping(denied),))
            return self._send(reply.encode(), wish, wish.source, wish.port)
        self._end(wish.name, wish.nonce)
        return self._send(removal(wish, wish.nonce), wish, wish.source, wish.port)

    def _old(self, wish: Wish, now: Seconds) -> None:
        self._outbox.drop(ControlReason.SUBSCRIPTION_OLD)
        if self._log.allow(None, now):
            fields = {"from": str(wish.source), "eid_prefix": str(wish.prefix), "nonce": f"{wish.nonce:#018x}"}
            self._outbox.event("subscription-old", "warning", **fields)

    # --- Changes and acknowledgements ---------------------------------------------------------------------------------

    def handle_changes(self, changed: list[EidPrefix], now: Seconds) -> None:
        """The mappings of these EID-prefixes are others now, or gone."""
        for prefix in changed:
            for subscription, told in self.subscriptions.concerned(prefix):
                subscription.dirty[told] = None
                if self.state(subscription.wish.name) is not State.CONFIRMING:
                    self._waiting[subscription.wish.name] = None
            for name in self._wanted:
                if name[1].covers(prefix) or prefix.covers(name[1]):
                    self._notices[name].missed[prefix if name[1].covers(prefix) else name[1]] = None
        self._pump(now)

    def handle_acknowledgement(self, message: MapNotifyAck, datagram: Datagram, now: Seconds) -> None:
        """A Map-Notify-Ack came."""
        if not self.enabled:
            return self._outbox.drop(ControlReason.NOT_FOR_ROLE)
        name = self._acknowledged(message, datagram)
        if name is None:
            return self._outbox.drop(ControlReason.NONCE_UNKNOWN)
        notice = self._notices[name]
        if verifying(datagram.payload, message, (notice.wish.key, *self._keys)) is None:
            return self._outbox.drop(ControlReason.MAC_WRONG)
        self._step(name, Fact.ACKNOWLEDGED, now)
        if self.subscriptions.get(name) is not None:
            self._settle(name, notice, now)
        return self._pump(now)

    def _acknowledged(self, message: MapNotifyAck, datagram: Datagram) -> Name | None:
        """Which Map-Notify: of several with one nonce that of the xTR-ID, or where none came of the address."""
        for name in self._by_nonce.get(message.nonce, ()):
            wish = self._notices[name].wish
            if message.identity == wish.identity if message.identity else datagram.source.address in wish.rlocs:
                return name
        return None

    def _settle(self, name: Name, notice: Notice, now: Seconds) -> None:
        """The xTR knows now what the notice told."""
        subscription = self.subscriptions.get(name)
        assert subscription is not None, "an acknowledged Map-Notify is of a confirmed subscription"
        subscription.heard = max(subscription.heard, notice.nonce)
        subscription.temporary = self._system.vacant(name[1])
        lifetime = TEMPORARY if subscription.temporary else LIFETIME
        self.subscriptions.expiry.set(name, Seconds(now + lifetime))
        if subscription.dirty:
            self._waiting[name] = None

    # --- Time ---------------------------------------------------------------------------------------------------------

    def handle_timeout(self, now: Seconds) -> None:
        """Send again what is not acknowledged, end what nobody renews, and go on with what the pace held back."""
        for name in self._timers.pop_due(now):
            exhausted = self._notices[name].tries > len(RETRIES)
            self._step(name, Fact.EXHAUSTED if exhausted else Fact.DUE, now)
        for name in self.subscriptions.expiry.pop_due(now):
            subscription = self.subscriptions.get(name)
            assert subscription is not None, "its deadline goes with it"
            self._end(name, told=not subscription.temporary)
        self._pump(now)

    def next_timeout(self) -> Timeout | None:
        """When a Map-Notify is to be sent."""
        waits = (self._timers.next(), self.subscriptions.expiry.next(), self._resume_at)
        moments = [at for at in waits if at is not None]
        why = "a Map-Notify waits for its acknowledgement or its turn"
        return Timeout(min(moments), SLACK, why) if moments else None

    def _pump(self, now: Seconds) -> None:
        while self._waiting and self._pace.allow(None, now):
            name, _ = self._waiting.popitem(last=False)
            if self.subscriptions.get(name) is not None:
                self._step(name, Fact.CHANGED, now)
        self._resume_at = self._pace.ready_at(None, now) if self._waiting else None

    # --- What is done -------------------------------------------------------------------------------------------------

    def _step(
        self, name: Name, fact: Fact, now: Seconds, wish: Wish | None = None, told: tuple[Mapping, ...] = ()
    ) -> None:
        _, do = consult(TABLE, self.state(name), fact)
        match do:
            case Do.CONFIRM:
                assert wish is not None, "a fact with its wish"
                self._confirm(wish, told, now)
            case Do.TELL:
                self._tell(name, now)
            case Do.REPEAT:
                self._transmit(name, now)
            case Do.SUBSCRIBE:
                self._subscribe(self._take(name), now)
            case Do.FORGET:
                self._forget(name)
            case Do.END:
                self._end(name, told=True)
            case Do.NOTHING:
                if fact is Fact.ACKNOWLEDGED:
                    self._take(name)

    def _confirm(self, wish: Wish, told: tuple[Mapping, ...], now: Seconds) -> None:
        self._take_back(wish.name)
        self._wanted[wish.name] = None
        if len(self._wanted) > MAX_WANTED:
            self._forget(next(iter(self._wanted)))
            self._outbox.drop(ControlReason.TABLE_FULL)
        self._put(Notice(wish, wish.nonce, told, signed(wish, wish.nonce, told), confirms=True), now)

    def _forget(self, name: Name) -> None:
        """A wish that nobody confirmed, maybe made up: what it held back is told to who is subscribed."""
        self._take(name)
        subscription = self.subscriptions.get(name)
        if subscription is not None and subscription.dirty:
            self._waiting[name] = None

    def _subscribe(self, notice: Notice, now: Seconds) -> None:
        """Its xTR has acknowledged; others of it may have been faster and have taken the room."""
        wish, name = notice.wish, notice.wish.name
        full = self.subscriptions.full(name)
        if full is not None:
            self._outbox.drop(full)
            return self._send(removal(wish, wish.nonce), wish, wish.rlocs[0], CONTROL_PORT)
        subscription = self.subscriptions.put(wish, now)
        subscription.dirty |= notice.missed
        fields = {"to": str(wish.source), "eid_prefix": str(wish.prefix)}
        return self._outbox.event("subscribed", **fields, xtr_id=f"{wish.identity.xtr_id:032x}")

    def _tell(self, name: Name, now: Seconds) -> None:
        """One Map-Notify with as much as fits, what is not acknowledged yet first."""
        self._take_back(name)
        subscription = self.subscriptions.get(name)
        assert subscription is not None, "only who is subscribed is told"
        told, wish = self._next(subscription), subscription.wish
        if not told:
            return
        for mapping in told:
            del subscription.dirty[mapping.prefix]
        subscription.nonce += 1
        nonce = Nonce(subscription.nonce)
        self._put(Notice(wish, nonce, told, signed(wish, nonce, told), confirms=False), now)
        prefixes = ",".join(str(mapping.prefix) for mapping in told)
        self._outbox.event("publication-sent", "debug", to=str(wish.rlocs[0]), eid_prefix=prefixes)

    def _next(self, subscription: Subscription) -> tuple[Mapping, ...]:
        """What is left to a more specific subscription of the xTR, confirmed since, is told by that."""
        told: tuple[Mapping, ...] = ()
        wish = subscription.wish
        for prefix in tuple(subscription.dirty):
            if self.subscriptions.telling(wish.name[0], prefix) is not subscription:
                del subscription.dirty[prefix]
                continue
            longer = (*told, self._system.published(prefix, wish.prefix))
            if told and len(signed(wish, Nonce(0), longer)) > room(wish):
                break
            told = longer
        return told

    def _take_back(self, name: Name) -> None:
        """Another Map-Notify takes the place of the one that is on its way: what that told is to be told still."""
        notice, subscription = self._notices.get(name), self.subscriptions.get(name)
        if notice is None:
            return
        self._take(name)
        if subscription is not None and not notice.confirms:
            again = dict.fromkeys(mapping.prefix for mapping in notice.told)
            subscription.dirty = again | subscription.dirty

    def _put(self, notice: Notice, now: Seconds) -> None:
        name = notice.wish.name
        self._notices[name] = notice
        self._by_nonce.setdefault(notice.nonce, {})[name] = None
        self._transmit(name, now)

    def _take(self, name: Name) -> Notice:
        notice = self._notices.pop(name)
        self._wanted.pop(name, None)
        self._timers.discard(name)
        names = self._by_nonce[notice.nonce]
        del names[name]
        if not names:
            del self._by_nonce[notice.nonce]
        return notice

    def _transmit(self, name: Name, now: Seconds) -> None:
        notice = self._notices[name]
        wish = notice.wish
        rloc = wish.rlocs[notice.tries % len(wish.rlocs)]
        if notice.confirms and notice.tries and not self._repeats.allow(rloc, now):
            self._outbox.drop(ControlReason.RATE_LIMITED)
        else:
            self._send(notice.payload, wish, rloc, wish.port if notice.confirms else CONTROL_PORT)
        wait = RETRIES[notice.tries] if notice.tries < len(RETRIES) else LAST_WAIT
        notice.tries += 1
        self._timers.set(name, Seconds(now + wait))

    def _end(self, name: Name, nonce: int = 0, *, told: bool = False) -> None:
        """The subscription is no more; where its xTR did not ask for that it is told once (section 5)."""
        if name in self._notices:
            self._take(name)
        self._waiting.pop(name, None)
        ended = self.subscriptions.remove(name, nonce)
        if ended is not None and told:
            wish = ended.wish
            self._send(removal(wish, Nonce(ended.nonce)), wish, wish.rlocs[0], CONTROL_PORT)
        if ended is not None:
            fields = {"to": str(ended.wish.source), "eid_prefix": str(name[1])}
            self._outbox.event("subscription-ended", **fields, xtr_id=f"{name[0][0]:032x}")

    def _send(self, payload: bytes, wish: Wish, to: Address, port: int) -> None:
        """From the address that was asked, where the family allows."""
        source = wish.local if wish.local.version == to.version else None
        self._outbox.put(Send(payload, Endpoint(to, port), source))
