"""The subscriber of a node against a slow model of what it may believe: EID-prefixes and their last nonces."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lispfast.control import subscriber as module
from lispfast.control.auth import sign, verify
from lispfast.control.effects import Datagram, Send
from lispfast.control.mobility import locate
from lispfast.control.outbox import Outbox
from lispfast.control.subscriber import VACANCY, Subscriber
from lispfast.control.subscription import TABLE, Do, Fact, State
from lispfast.model.addresses import EidPrefix, Endpoint
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import DatabaseMapping, InterfaceLocator, Key, KeyType, Mode, PubSub, Settings
from lispfast.model.underlay import Attachment, Interface, Underlay
from lispfast.model.units import Minutes, Nonce, Seconds, WireMtu
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_request import MapRequest
from lispfast.wire.records import record_from_mapping

KEY = Key(b"pubsub", KeyType.HMAC_SHA256, 3)
SETTINGS = Settings(
    Mode.MN,
    map_resolvers=(ip_address("192.0.2.1"),),
    database=(DatabaseMapping(EidPrefix.parse("10.9.0.1/32"), (InterfaceLocator("wlan0", 4),)),),
    pubsub=PubSub(True, (KEY,)),
)
SERVER = Endpoint(ip_address("192.0.2.1"), 4342)
PREFIXES = [EidPrefix.parse(p) for p in ("10.1.0.0/16", "10.1.1.0/24", "10.1.1.1/32", "10.2.0.0/16")]
prefixes = st.sampled_from(PREFIXES)
HELD = (State.SUBSCRIBED, State.STALE, State.VACANT, State.LEAVING)


def at(rloc: str):
    return locate(SETTINGS, Underlay((Interface("wlan0", 2, True, WireMtu(1500), Attachment(ip_address(rloc)), None),)))


class SubscriberMachine(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.now, self.outbox = Seconds(0), Outbox()
        drawn = iter(range(1, 1_000_000))
        self.subscriber = Subscriber(SETTINGS, 1 << 60, lambda: Nonce(next(drawn)), self.outbox)
        self.place, self.counter = 1, 0
        self.heard: dict[EidPrefix, int] = {}  # the model: what is subscribed to, and the last nonce of it
        self.last: dict[EidPrefix, bytes] = {}
        self.asked: dict[EidPrefix, int] = {}
        self.sent: dict[EidPrefix, int] = {}
        self.subscriber.handle_position(at("198.51.100.1"), lambda prefix: None, self.now)

    # --- What the model says ------------------------------------------------------------------------------------------

    def owner(self, prefix: EidPrefix) -> EidPrefix | None:
        return max((s for s in self.heard if s.covers(prefix)), key=lambda s: s.length, default=None)

    def notify(self, prefix, nonce, *, ttl=10, asked=None, action=Action.NO_ACTION, key=KEY, at_old=False):
        """A Map-Notify comes; what the subscriber made of it, what it acknowledged, and what it dropped."""
        self.counter += 1
        locators = (Locator(ip_address(f"203.0.113.{self.counter % 250 + 1}")),) if ttl else ()
        mapping = Mapping(prefix, locators, Minutes(ttl), action)
        message = MapNotify(Nonce(nonce), (record_from_mapping(mapping),), identity=self.subscriber.identity)
        return self.receive(sign(message, key), asked, at_old)

    def receive(self, payload, asked=None, at_old=False):
        rloc = ip_address(f"198.51.100.{self.place - at_old}")
        before = self.outbox.drops()
        self.outbox.take_effects()
        datagram = Datagram(payload, SERVER, Endpoint(rloc, 4342))
        published = self.subscriber.handle_notify(MapNotify.decode(payload), datagram, asked, self.now)
        dropped = [reason for reason, count in self.outbox.drops().items() if count > before[reason]]
        acknowledged = [e.payload for e in self.outbox.take_effects() if self.is_ack(e)]
        return published, acknowledged, dropped

    def is_ack(self, effect) -> bool:
        assert isinstance(effect, Send)
        if effect.payload[0] >> 4 != MapNotifyAck.TYPE:
            return False
        return verify(effect.payload, MapNotifyAck.decode(effect.payload), KEY)

    # --- Questions and answers ----------------------------------------------------------------------------------------

    @rule(prefix=prefixes, attempt=st.integers(1, 3))
    def ask(self, prefix, attempt):
        asked = self.subscriber.subscription(prefix, attempt, 3, self.now)
        assert (asked is None) is (attempt == 3)
        if asked:
            nonce, identity = asked
            assert identity == self.subscriber.identity
            owner = self.owner(prefix)
            assert owner is None or nonce > self.heard[owner]
            self.asked[prefix] = nonce

    @precondition(lambda self: getattr(self, "asked", None))
    @rule(data=st.data(), at_old=st.booleans())
    def confirm(self, data, at_old):
        asked = data.draw(st.sampled_from(sorted(self.asked, key=str)))
        at_old = at_old and self.place > 1
        nonce = self.asked[asked]
        late = nonce <= self.heard.get(asked, 0)
        published, acks, _ = self.notify(asked, nonce, asked=asked, at_old=at_old)
        owner = self.owner(asked)
        if (at_old and (owner is None or nonce <= self.heard[owner])) or late:
            assert (published, acks) == (None, [])
            return
        assert published is not None
        assert published.confirms is not at_old
        assert len(acks) == 1
        if at_old:
            self.heard[owner] = nonce
        else:
            assert [mapping.prefix for mapping in published.learn] == [asked]
            self.heard[asked] = nonce
            del self.asked[asked]

    @precondition(lambda self: getattr(self, "asked", None))
    @rule(data=st.data(), refusal=st.booleans())
    def reply(self, data, refusal):
        asked = data.draw(st.sampled_from(sorted(self.asked, key=str)))
        action = Action.DROP_POLICY_DENIED if refusal else Action.NATIVELY_FORWARD
        leaving = self.state(asked) is State.LEAVING
        mapping = Mapping(asked, (), Minutes(1), action)
        taken = self.subscriber.handle_reply(asked, Nonce(self.asked.pop(asked)), (mapping,), self.now)
        assert taken is not refusal
        if refusal:
            assert self.subscriber.subscription(asked, 1, 3, self.now) is None
            self.now = Seconds(self.now + module.PAUSE)
            self.time_passes()
        if not leaving:
            self.heard.pop(asked, None)

    # --- Publications -------------------------------------------------------------------------------------------------

    @rule(prefix=prefixes, ahead=st.integers(-2, 3), ttl=st.sampled_from([10, 0]))
    def publish(self, prefix, ahead, ttl):
        owner = self.owner(prefix)
        nonce = max(0, self.heard.get(owner, 5) + ahead)
        published, acks, dropped = self.notify(prefix, nonce, ttl=ttl or 10 * (ahead <= 0))  # no literal repetition
        if owner is None or ahead <= 0:
            assert (published, acks) == (None, [])
            assert dropped == [ControlReason.NOT_SUBSCRIBED if owner is None else ControlReason.NOTIFY_OLD]
            return
        assert len(acks) == 1
        self.heard[owner] = nonce
        assert published is not None
        learns = self.state(owner) is not State.LEAVING
        assert [mapping.prefix for mapping in published.learn] == ([prefix] if learns else [])

    @rule(prefix=prefixes)
    def forge(self, prefix):
        wrong = Key(b"guess", KeyType.HMAC_SHA256, 3)
        assert self.notify(prefix, 2**63, key=wrong) == (None, [], [ControlReason.MAC_WRONG])

    @rule(prefix=prefixes)
    def repeat(self, prefix):
        owner = self.owner(prefix)
        if owner is None:
            return
        self.now = Seconds(self.now + 3)
        self.time_passes()
        owner = self.owner(prefix)
        if owner is None:
            return
        message = MapNotify(
            Nonce(self.heard[owner] + 1),
            (record_from_mapping(Mapping(prefix, (Locator(ip_address("203.0.113.9")),), Minutes(10))),),
            identity=self.subscriber.identity,
        )
        first, acks, _ = self.receive(sign(message, KEY))
        again, acks_again, dropped = self.receive(sign(message, KEY))
        assert (first is not None, again, dropped, acks) == (True, None, [], acks_again)
        self.heard[owner] += 1

    @rule(prefix=prefixes, ahead=st.integers(-1, 1))
    def end(self, prefix, ahead):
        """The Map-Server says that the subscription is no more."""
        if prefix not in self.heard:
            return
        state = self.state(prefix)
        nonce = self.heard[prefix] + ahead
        published, acks, _ = self.notify(prefix, nonce, ttl=0, action=Action.DROP_AUTH_FAILURE)
        assert acks == []
        if ahead < 0:
            assert published is None
        else:
            assert published is not None
            assert published.lost is (state in (State.SUBSCRIBED, State.STALE))
            del self.heard[prefix]

    # --- Life ---------------------------------------------------------------------------------------------------------

    @rule()
    def move(self):
        self.place += 1
        held = {prefix for prefix in self.heard if self.state(prefix) in (State.SUBSCRIBED, State.STALE)}
        self.subscriber.handle_position(at(f"198.51.100.{self.place}"), lambda prefix: None, self.now)
        assert set(self.subscriber.take_renewals(self.now)) == held
        self.check_leaves()

    @rule(prefix=prefixes)
    def gone(self, prefix):
        self.subscriber.handle_cache([prefix], lambda prefix: False, self.now)
        assert self.state(prefix) in (None, State.VACANT, State.LEAVING)
        self.check_leaves()

    @rule(wait=st.sampled_from([1.0, 30.0, VACANCY]))
    def wait(self, wait):
        self.now = Seconds(self.now + wait)
        self.time_passes()

    def time_passes(self):
        leaving = {prefix for prefix in self.heard if self.state(prefix) is State.LEAVING}
        self.subscriber.handle_timeout(self.now)
        self.subscriber.take_renewals(self.now)
        self.check_leaves()
        for prefix in leaving:
            if self.state(prefix) is None:
                del self.heard[prefix]

    def check_leaves(self):
        """What goes out is an unsubscription with a nonce that rises."""
        for effect in self.outbox.take_effects():
            request = MapRequest.decode(EncapsulatedControl.decode(effect.payload).inner().payload)
            assert (request.itr_rlocs, request.records[0].reserved) == ((None,), 0x80)
            assert request.identity == self.subscriber.identity

    def state(self, prefix: EidPrefix) -> State | None:
        found = [s.state for s in self.subscriber.subscriptions() if s.prefix == prefix]
        return found[0] if found else None

    @invariant()
    def it_holds_what_the_model_holds(self):
        if hasattr(self, "heard"):
            assert {s.prefix for s in self.subscriber.subscriptions()} == set(self.heard)
            assert all(s.state in HELD for s in self.subscriber.subscriptions())


SubscriberMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestSubscriber = SubscriberMachine.TestCase


def test_every_fact_in_every_state_is_in_the_table_or_cannot_be():
    facts = set(Fact)
    possible = {
        State.ASKED: {Fact.CONFIRMED},
        State.SUBSCRIBED: facts - {Fact.DUE, Fact.EXHAUSTED},
        State.STALE: facts - {Fact.EXHAUSTED},
        State.VACANT: facts - {Fact.EXHAUSTED},
        State.LEAVING: facts,
        State.DONE: set(),
    }
    assert set(TABLE) == {(state, fact) for state, some in possible.items() for fact in some}
    assert {do for _, do in TABLE.values()} == set(Do)
