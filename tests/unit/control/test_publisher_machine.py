"""A Map-Server's publisher against xTRs that are slow and obviously right: whoever is subscribed knows in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lispfast.control.auth import sign, verify
from lispfast.control.effects import Datagram, Send
from lispfast.control.mapping_system import MappingSystem
from lispfast.control.outbox import Outbox
from lispfast.control.publisher import LIFETIME, RETRIES, TABLE, Do, Fact, Publisher, State
from lispfast.control.registrations import Entry, Registrations
from lispfast.control.sites import SiteTable
from lispfast.control.subscriptions import Wish
from lispfast.model.addresses import EidPrefix, Endpoint
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.settings import Key, KeyType, PubSub, Site
from lispfast.model.units import Minutes, Nonce, Seconds
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.records import mapping_from_record

KEY = Key(b"pubsub", KeyType.HMAC_SHA256, 3)
SITE = Site(EidPrefix.parse("10.0.0.0/8"), Key(b"etr", KeyType.HMAC_SHA256), True, True)
PREFIXES = [EidPrefix.parse(p) for p in ("10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "10.1.1.1/32", "10.2.0.0/16")]
RLOCS = [ip_address(f"198.51.100.{n}") for n in (1, 2, 3)]
SERVER = Endpoint(ip_address("192.0.2.1"), 4342)
LIMIT = 3


def wider(one: EidPrefix, other: EidPrefix) -> EidPrefix:
    return one if one.covers(other) else other


@dataclass
class Xtr:
    """What an xTR knows: the last nonce of each subscription, and the mappings it was told."""

    identity: XtrIdentity
    rloc: object
    asked: dict[EidPrefix, int] = field(default_factory=dict)
    heard: dict[EidPrefix, int] = field(default_factory=dict)
    told: dict[EidPrefix, Mapping] = field(default_factory=dict)

    def owner(self, prefix: EidPrefix) -> EidPrefix | None:
        """The most specific of its subscriptions that covers a prefix."""
        return max((s for s in self.heard if s.covers(prefix)), key=lambda s: s.length, default=None)

    def hear(self, message: MapNotify) -> bool:
        """Take a Map-Notify; whether it is to be acknowledged."""
        mappings = [mapping_from_record(record) for record in message.records]
        first = mappings[0].prefix
        if mappings[0].action is Action.DROP_AUTH_FAILURE:
            self.heard.pop(first, None)
            return False
        # A publication may have the nonce of a question: it answers where its first record is about that.
        same = [asked for asked, nonce in self.asked.items() if nonce == message.nonce]
        confirms = [asked for asked in same if asked.covers(first) or first.covers(asked)]
        subscription = wider(confirms[0], first) if confirms else self.owner(first)
        if subscription is None or message.nonce < self.heard.get(subscription, 0):
            return False
        self.heard[subscription] = message.nonce
        for asked in confirms:
            del self.asked[asked]
        for mapping in mappings:
            owner = self.owner(mapping.prefix)
            if owner is None or owner.covers(subscription):  # else a more specific one knows better
                self.told[mapping.prefix] = mapping
        return True


class PublisherMachine(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.now = Seconds(0)
        self.outbox = Outbox()
        self.registrations = Registrations()
        self.system = MappingSystem(SiteTable([SITE]), self.registrations, ())
        self.publisher = Publisher(PubSub(True, (KEY,), LIMIT), self.system, self.outbox)
        self.xtrs = [Xtr(XtrIdentity(n, n), rloc) for n, rloc in enumerate(RLOCS, 1)]
        self.nonces: dict[tuple[int, EidPrefix], int] = {}
        self.first = 0
        self.flying: list[tuple[Xtr, MapNotify]] = []

    def collect(self):
        """What was sent flies; each is signed, and to somebody's RLOC."""
        for effect in self.outbox.take_effects():
            assert isinstance(effect, Send)
            message = MapNotify.decode(effect.payload)
            assert verify(effect.payload, message, KEY)
            (xtr,) = [x for x in self.xtrs if x.rloc == effect.destination.address]
            assert message.identity == xtr.identity
            assert len(effect.payload) <= 548
            self.flying.append((xtr, message))

    def deliver(self, at: int, *, lose: bool = False, lose_ack: bool = False):
        xtr, message = self.flying.pop(at)
        if lose or not xtr.hear(message) or lose_ack:
            return
        ack = sign(MapNotifyAck(message.nonce, message.records, identity=message.identity), KEY)
        datagram = Datagram(ack, Endpoint(xtr.rloc, 4342), SERVER)
        self.publisher.handle_acknowledgement(MapNotifyAck.decode(ack), datagram, self.now)
        self.collect()

    def answer(self, asked: EidPrefix) -> tuple[Mapping, ...]:
        return self.system.answer(asked, lambda mappings: True, Seconds(0.0)).mappings

    @rule(who=st.integers(0, 2), asked=st.sampled_from(PREFIXES), ahead=st.sampled_from([1, 1, 1, 5, -1]))
    def subscribe(self, who, asked, ahead):
        xtr = self.xtrs[who]
        prefix = wider(asked, self.answer(asked)[0].prefix)
        self.first += 1_000_000  # as far apart as random numbers are
        last = max(xtr.heard.get(prefix, 0), self.nonces.setdefault((who, prefix), self.first))
        seen = self.publisher.subscriptions.last_nonce(((xtr.identity.xtr_id, xtr.identity.site_id), prefix))
        nonce = Nonce(last + ahead if ahead > 0 else seen)  # no xTR uses a nonce twice, but somebody may replay it
        wish = Wish(xtr.identity, asked, (xtr.rloc,), 4342, xtr.rloc, SERVER.address, nonce, KEY)
        name = (wish.name[0], prefix)
        known, old = self.publisher.subscriptions.get(name), nonce <= self.publisher.subscriptions.last_nonce(name)
        room = known is not None or sum(s.wish.identity == xtr.identity for s in self.publisher.subscriptions) < LIMIT
        before = self.publisher.state(name), list(self.publisher.subscriptions)
        taken = not self.publisher.subscribe(wish, self.answer(asked), self.now)
        assert taken is (old or room), "over the limit it is answered by a Map-Reply"
        if old or not room:
            assert (self.publisher.state(name), list(self.publisher.subscriptions)) == before
        else:
            assert self.publisher.state(name) is State.CONFIRMING
            xtr.asked[asked] = nonce
            self.nonces[who, prefix] = nonce
        self.collect()

    @rule(who=st.integers(0, 2), prefix=st.sampled_from(PREFIXES))
    def unsubscribe(self, who, prefix):
        xtr = self.xtrs[who]
        known = self.publisher.subscriptions.get(((xtr.identity.xtr_id, xtr.identity.site_id), prefix))
        nonce = Nonce(max(xtr.heard.get(prefix, 0), self.nonces.get((who, prefix), 0), known.heard if known else 0) + 1)
        self.nonces[who, prefix] = nonce
        wish = Wish(xtr.identity, prefix, (), 4342, xtr.rloc, SERVER.address, nonce, KEY)
        before = len(self.publisher.subscriptions)
        self.publisher._unsubscribe(wish, self.now)
        assert len(self.publisher.subscriptions) == before - (known is not None)
        self.collect()

    @rule(prefix=st.sampled_from(PREFIXES), rloc=st.integers(1, 250))
    def register(self, prefix, rloc):
        mapping = Mapping(prefix, (Locator(ip_address(f"203.0.113.{rloc}")),), Minutes(10))
        entry = Entry(mapping, None, SERVER, self.now, Seconds(1e9), True)
        self.registrations.register(SITE, entry)
        self.publisher.handle_changes(self.registrations.take_changes(), self.now)
        self.collect()

    @rule(prefix=st.sampled_from(PREFIXES))
    def withdraw(self, prefix):
        self.registrations.withdraw(prefix, None)
        self.publisher.handle_changes(self.registrations.take_changes(), self.now)
        self.collect()

    @rule(at=st.integers(0, 20), fate=st.sampled_from(["arrives", "lost", "acknowledgement lost"]))
    def fly(self, at, fate):
        if self.flying:
            self.deliver(at % len(self.flying), lose=fate == "lost", lose_ack=fate.endswith("lost"))

    @rule(wait=st.sampled_from([0.0, 0.5, 3.0, 6.0, 30.0]))
    def wait(self, wait):
        self.now = Seconds(self.now + wait)
        self.publisher.handle_timeout(self.now)
        self.collect()

    @rule()
    def all_arrives(self):
        """Where nothing is lost any more, every subscriber knows what the mapping system knows."""
        for _ in range(200):
            while self.flying:
                self.deliver(0)
            if all(self.publisher.state(s.wish.name) is State.IDLE for s in self.publisher.subscriptions):
                break
            timeout = self.publisher.next_timeout()
            assert timeout is not None, "what waits has a timer"
            self.now = max(self.now, timeout.at)
            self.publisher.handle_timeout(self.now)
            self.collect()
        for subscription in self.publisher.subscriptions:
            assert not subscription.dirty
            (xtr,) = [x for x in self.xtrs if x.identity == subscription.wish.identity]
            prefix = subscription.wish.prefix
            if prefix not in xtr.told:  # it asked for more than there is one answer for
                continue
            told, true = xtr.told[prefix], self.system.published(prefix, prefix)
            assert told.locators == true.locators, (str(prefix), told, true)

    @invariant()
    def within_bounds(self):
        if not hasattr(self, "publisher"):
            return
        for xtr in self.xtrs:
            assert sum(s.wish.identity == xtr.identity for s in self.publisher.subscriptions) <= LIMIT
        assert len(self.publisher._notices) <= 3 * (len(PREFIXES) + 8)


PublisherMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestPublisher = PublisherMachine.TestCase


def test_what_a_wish_held_back_that_nobody_confirmed_is_told():
    """Else one made-up Map-Request in an xTR's name would keep a change from it for good."""
    eid, more = PREFIXES[0], PREFIXES[4]
    machine = PublisherMachine()
    machine.start()
    machine.subscribe(who=0, asked=eid, ahead=1)
    machine.all_arrives()
    machine.subscribe(who=0, asked=eid, ahead=5)
    machine.flying.clear()  # it goes to who knows where
    machine.register(prefix=more, rloc=1)
    assert not machine.flying
    machine.xtrs[0].asked.clear()
    for wait in (*RETRIES, 30, 0):
        machine.flying = [one for one in machine.flying if mapping_from_record(one[1].records[0]).prefix == more]
        machine.wait(float(wait))
    machine.all_arrives()
    assert machine.xtrs[0].told[more].locators


def test_what_changed_while_two_nested_wishes_were_unconfirmed_is_told_by_the_more_specific_alone():
    """Both would tell of it, the wider one that it is gone, the other that the wider mapping holds."""
    wide, part = PREFIXES[:2]
    machine = PublisherMachine()
    machine.start()
    machine.register(prefix=wide, rloc=1)
    machine.register(prefix=part, rloc=2)
    machine.subscribe(who=2, asked=part, ahead=1)
    machine.subscribe(who=2, asked=wide, ahead=1)
    machine.withdraw(prefix=part)
    machine.all_arrives()
    assert [str(locator.address) for locator in machine.xtrs[2].told[part].locators] == ["203.0.113.1"]


def test_every_fact_in_every_state_is_in_the_table_or_cannot_be():
    impossible = {(State.IDLE, fact) for fact in (Fact.DUE, Fact.EXHAUSTED, Fact.ACKNOWLEDGED)}
    assert set(TABLE) == {(state, fact) for state in State for fact in Fact} - impossible
    assert {do for _, do in TABLE.values()} == set(Do)


def test_retries_are_three_times_three_seconds_and_then_double():
    assert RETRIES == (3, 3, 3, 6, 12, 24)
    assert LIFETIME > 3600


if __name__ == "__main__":
    pytest.main([__file__])
