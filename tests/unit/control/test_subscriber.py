"""What a subscriber asks for and when it does without, who it is, and how much it keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lispfast.control import request_pace
from lispfast.control import subscriber as module
from lispfast.control.auth import sign
from lispfast.control.mobility import Position
from lispfast.control.outbox import Outbox
from lispfast.control.subscriber import PATIENCE, PAUSE, RENEWALS, Subscriber, identity_of
from lispfast.model.addresses import EidPrefix
from lispfast.model.mapping import Action, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import PubSub
from lispfast.model.units import Minutes, Nonce, Seconds
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.records import record_from_mapping

from .test_subscriber_machine import KEY, SETTINGS, SubscriberMachine, at

EID = EidPrefix.parse("10.1.0.0/16")
NOW = Seconds(100)


def subscriber(settings=SETTINGS) -> Subscriber:
    made = Subscriber(settings, 1 << 60, lambda: Nonce(7), Outbox())
    made.handle_position(at("198.51.100.1"), lambda prefix: None, NOW)
    return made


@pytest.mark.parametrize("pubsub", [PubSub(), PubSub(True), PubSub(False, (KEY,))])
def test_it_takes_the_switch_and_a_key(pubsub):
    some = subscriber(replace(SETTINGS, pubsub=pubsub))
    assert (some.enabled, some.subscription(EID, 1, 3, NOW)) == (False, None)


@pytest.mark.parametrize(("tries", "with_it"), [(1, [1]), (2, [1]), (3, [1, 2]), (4, [1, 2])])
def test_the_last_tries_are_without(tries, with_it):
    some = subscriber()
    assert [n for n in range(1, tries + 1) if some.subscription(EID, n, tries, NOW)] == with_it


def test_a_refusal_is_no_mapping_and_is_respected_for_a_while():
    some = subscriber()
    nonce, _ = some.subscription(EID, 1, 3, NOW)
    denied = Mapping(EID, (), Minutes(15), Action.DROP_POLICY_DENIED)
    assert not some.handle_reply(EID, nonce, (denied,), NOW)
    assert some.subscription(EID, 1, 3, NOW) is None
    assert some.handle_reply(EID, Nonce(1), (denied,), NOW), "asked for alone it is a mapping"
    assert some.subscription(EID, 1, 3, Seconds(NOW + PAUSE)) is not None


def test_what_is_answered_only_without_is_asked_without_after_a_few_times():
    some = subscriber()
    for n in range(PATIENCE):
        asked = EidPrefix.parse(f"10.{n}.0.0/16")
        assert [some.subscription(asked, attempt, 3, NOW) is None for attempt in (1, 2, 3)] == [False, False, True]
        some.handle_reply(asked, Nonce(1), (Mapping(asked, (), Minutes(1)),), NOW)
    assert some.subscription(EID, 1, 3, NOW) is None
    assert some.subscription(EID, 1, 3, Seconds(NOW + PAUSE)) is not None


def test_an_answer_of_either_kind_ends_the_doubt():
    some = subscriber()
    for n in range(3 * PATIENCE):
        asked = EidPrefix.parse(f"10.{n}.0.0/16")
        nonce, _ = some.subscription(asked, 1, 3, NOW)
        if n % PATIENCE:
            some.subscription(asked, 3, 3, NOW)
            nonce = Nonce(1)
        some.handle_reply(asked, nonce, (Mapping(asked, (), Minutes(1)),), NOW)
    assert some.subscription(EID, 1, 3, NOW) is not None


def test_who_we_are_is_configured_or_the_same_at_every_start():
    configured = replace(SETTINGS, xtr_id=bytes(range(16)), site_id=bytes(7) + b"\x05")
    assert identity_of(configured) == XtrIdentity(int.from_bytes(bytes(range(16)), "big"), 5)
    derived = identity_of(SETTINGS)
    assert derived == identity_of(replace(SETTINGS, map_resolvers=()))
    assert derived != identity_of(replace(SETTINGS, database=()))


def many(count: int) -> SubscriberMachine:
    machine = SubscriberMachine()
    machine.start()
    for n in range(count):
        asked = EidPrefix.parse(f"10.{n // 256}.{n % 256}.0/24")
        nonce, _ = machine.subscriber.subscription(asked, 1, 3, machine.now)
        assert machine.notify(asked, nonce, asked=asked)[0]
    return machine


def test_a_move_renews_a_few_at_once_those_in_use_first_and_all_soon():
    machine = many(100)
    some = machine.subscriber
    used = {s.prefix: Seconds(n) for n, s in enumerate(reversed(some.subscriptions())) if n < 5}
    some.handle_position(at("198.51.100.9"), used.get, machine.now)
    batch = some.take_renewals(machine.now)
    assert (len(batch), batch[:5]) == (RENEWALS, list(used))
    assert some.take_renewals(machine.now) == []
    renewed = list(batch)
    for _ in range(3):
        timeout = some.next_timeout()
        assert timeout is not None
        machine.now = timeout.at
        renewed += some.take_renewals(machine.now)
    assert sorted(map(str, renewed)) == sorted(str(s.prefix) for s in some.subscriptions())


def test_the_number_of_subscriptions_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_SUBSCRIPTIONS", 5)
    some = many(5).subscriber
    assert some.subscription(EidPrefix.parse("192.0.2.0/24"), 1, 3, Seconds(0)) is None
    assert some.subscription(EidPrefix.parse("10.0.1.0/24"), 1, 3, Seconds(0)) is not None, "a renewal"


def test_many_that_end_at_once_are_not_a_flood():
    machine = many(300)
    machine.outbox.take_effects()
    machine.subscriber.handle_cache(
        [s.prefix for s in machine.subscriber.subscriptions()], lambda p: False, machine.now
    )
    assert len(machine.outbox.take_effects()) == request_pace.TOTAL_BURST
    for _ in range(2000):
        timeout = machine.subscriber.next_timeout()
        if timeout is None:
            break
        machine.now = Seconds(timeout.at + 0.01)
        machine.subscriber.handle_timeout(machine.now)
        assert len(machine.outbox.take_effects()) <= request_pace.TOTAL_BURST
    assert len(machine.subscriber) == 0


def test_without_a_network_nothing_is_renewed_and_nothing_is_sent():
    machine = many(3)
    machine.outbox.take_effects()
    machine.subscriber.handle_position(Position(), lambda prefix: None, machine.now)
    assert machine.subscriber.take_renewals(machine.now) == []
    machine.subscriber.close(machine.now)
    assert machine.outbox.take_effects() == []


def subscribed_to(prefix: EidPrefix) -> tuple[SubscriberMachine, int]:
    machine = SubscriberMachine()
    machine.start()
    nonce, _ = machine.subscriber.subscription(prefix, 1, 3, machine.now)
    assert machine.notify(prefix, nonce, asked=prefix)[0]
    return machine, nonce


def told(machine: SubscriberMachine, nonce: int, *prefixes: EidPrefix) -> bytes:
    records = tuple(record_from_mapping(Mapping(prefix, (), Minutes(10))) for prefix in prefixes)
    return sign(MapNotify(Nonce(nonce), records, identity=machine.subscriber.identity), KEY)


def test_a_map_notify_does_not_answer_a_question_that_did_not_subscribe():
    """Its nonce was a random one, and only a Map-Reply is due to it."""
    machine = SubscriberMachine()
    machine.start()
    published, acknowledged, dropped = machine.notify(EID, 77, asked=EID)
    assert (published, acknowledged, dropped) == (None, [], [ControlReason.NOT_SUBSCRIBED])


def test_an_answer_with_a_record_beside_the_question_is_none():
    machine = SubscriberMachine()
    machine.start()
    nonce, _ = machine.subscriber.subscription(EID, 1, 3, machine.now)
    payload = told(machine, nonce, EID, EidPrefix.parse("10.2.0.0/16"))
    assert machine.receive(payload, EID) == (None, [], [ControlReason.NOT_SUBSCRIBED])
    assert len(machine.subscriber) == 0


def test_what_a_wider_one_says_in_passing_of_a_subscription_of_its_own_is_not_learnt():
    """Map-Notifies of two subscriptions overtake each other; each counts for its own EID-prefix."""
    more = EidPrefix.parse("10.1.1.0/24")
    machine, _ = subscribed_to(EID)
    question, _ = machine.subscriber.subscription(more, 1, 3, machine.now)
    assert machine.notify(more, question, asked=more)[0]
    again, _ = machine.subscriber.subscription(EID, 1, 3, machine.now)
    published, acknowledged, _ = machine.receive(told(machine, again, EID, more), EID)
    assert ([mapping.prefix for mapping in published.learn], len(acknowledged)) == ([EID], 1)


def test_a_refusal_of_a_more_specific_does_not_end_the_subscription():
    machine, nonce = subscribed_to(EID)
    published, acknowledged, _ = machine.notify(
        EidPrefix.parse("10.1.1.0/24"), nonce + 1, ttl=0, action=Action.DROP_AUTH_FAILURE
    )
    assert (published.asked, published.lost, len(acknowledged)) == (EID, False, 1)
    assert machine.subscriber.subscribed(EID)


def test_who_repeats_a_publication_gets_few_acknowledgements_and_few_lines_of_old_ones():
    machine, nonce = subscribed_to(EID)
    machine.subscriber._outbox.take_events()
    old, new = told(machine, nonce + 1, EID), told(machine, nonce + 2, EID)
    for payload in (old, new):
        assert machine.receive(payload)[0]
    answers = [machine.receive(new)[1] for _ in range(50)]
    assert sum(map(len, answers)) == module.REPEAT_BURST
    assert machine.outbox.drops()[ControlReason.RATE_LIMITED] == 50 - module.REPEAT_BURST
    for _ in range(50):
        assert machine.receive(old) == (None, [], [ControlReason.NOTIFY_OLD])
    lines = [event.name for event in machine.outbox.take_events()]
    assert lines.count("publication-old") == module.LOG_BURST


def test_what_is_remembered_of_questions_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MEMORY", 5)
    some = subscriber()
    for n in range(50):
        asked = EidPrefix.parse(f"10.{n}.0.0/16")
        nonce, _ = some.subscription(asked, 1, 3, NOW)
        some.subscription(asked, 3, 3, NOW)
        some.handle_reply(asked, nonce, (Mapping(asked, (), Minutes(15), Action.DROP_POLICY_DENIED),), NOW)
    assert [len(memory) for memory in (some._asked, some._plain, some._refused)] == [5, 5, 5]
