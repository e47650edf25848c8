"""Who is not the Map-Server, or not the subscriber: whatever he sends changes nothing and is counted by name."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control.auth import sign
from lispfast.control.map_requests import encapsulated, question, unsubscription
from lispfast.model.addresses import EidPrefix, Endpoint
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.settings import Key, KeyType
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.message import decode
from lispfast.wire.records import record_from_mapping
from tests.scenarios.test_pubsub import (
    HOP,
    KEY,
    ON_LTE,
    ON_WIFI,
    PHONE,
    follower,
    follows,
    moves,
    published,
    pubsub_world,
)
from tests.sim.host import interface
from tests.sim.world import LAPTOP_V4, LTE, OFFICE, PHONE_V4, SERVER_V4, WIFI, World

SERVER, AT_LAPTOP = (Endpoint(ip_address(address), 4342) for address in (SERVER_V4, OFFICE))
ATTACKER = "203.0.113.66"
OTHER_KEY = Key(b"a guess", KeyType.HMAC_SHA256, key_id=7)
HIGH = Nonce(2**63)


@pytest.fixture
def world() -> World:
    """The phone and the laptop have talked and are subscribed to each other; from here on nothing is usual."""
    world = pubsub_world()
    world.boot()
    world.talk()
    world.network.run(5)
    world.laptop.forget()
    return world


def mine(prefix: str = PHONE, rloc: str = ATTACKER, ttl: int = 10) -> Mapping:
    locators = (Locator(ip_address(rloc)),) if ttl else ()
    return Mapping(EidPrefix.parse(prefix), locators, Minutes(ttl))


def laptop_id(world: World) -> XtrIdentity:
    return world.laptop.role.subscriber.identity


def notify(world: World, *mappings: Mapping, nonce: Nonce = HIGH, key: Key = KEY, identity=None) -> bytes:
    records = tuple(record_from_mapping(mapping) for mapping in mappings)
    return sign(MapNotify(nonce, records, identity=identity or laptop_id(world)), key)


def refused(world: World, payload: bytes, reason: str) -> None:
    """The laptop changes nothing, answers nothing, and counts it under this name."""
    before, sent = (world.laptop.way_to(PHONE_V4), world.laptop.drops()), len(world.network.control("laptop"))
    told = len(world.laptop.events)
    world.laptop.receive_control(payload, SERVER, AT_LAPTOP)
    counted = {name.value: count - before[1].get(name, 0) for name, count in world.laptop.drops().items()}
    assert {name: count for name, count in counted.items() if count} == {reason: 1}
    assert world.laptop.way_to(PHONE_V4) == before[0]
    assert len(world.network.control("laptop")) == sent
    assert all(event.level == "warning" for _, event in world.laptop.events[told:])


def test_a_publication_with_another_key(world):
    refused(world, notify(world, mine(), key=OTHER_KEY), "mac-wrong")


@pytest.mark.parametrize("length", [0, 4, 16, 31])
def test_a_truncated_mac(world, length):
    whole = decode(notify(world, mine()))
    refused(world, replace(whole, auth_data=whole.auth_data[:length]).encode(), "mac-wrong")


def test_every_changed_bit_of_a_publication_is_noticed(world):
    payload = notify(world, mine())
    for at in range(4, len(payload)):
        changed = bytes((*payload[:at], payload[at] ^ 1, *payload[at + 1 :]))
        world.laptop.receive_control(changed, SERVER, AT_LAPTOP)
        assert world.laptop.way_to(PHONE_V4) == [WIFI]


def test_a_replayed_publication_of_an_earlier_move(world):
    moved = moves(world, *ON_LTE)
    follows(world, LTE, within=1)
    (old,) = published(world, moved)
    world.network.run(1)
    moves(world, *ON_WIFI)
    follows(world, WIFI, within=1)
    world.network.run(0.5)
    refused(world, old.content, "notify-old")


def test_the_answer_to_a_question_replayed(world):
    (answer,) = published(world)[:1]
    moves(world, *ON_LTE)
    follows(world, LTE, within=1)
    refused(world, answer.content, "notify-old")


def test_a_publication_for_another_that_has_the_same_key(world):
    refused(world, notify(world, mine(), identity=XtrIdentity(1, 2)), "xtr-id-other")


def test_a_publication_of_what_we_did_not_subscribe_to(world):
    refused(world, notify(world, mine("10.0.0.77/32")), "not-subscribed")


def test_a_publication_wider_than_the_subscription(world):
    refused(world, notify(world, mine("10.0.0.0/24")), "not-subscribed")
    refused(world, notify(world, mine(), mine("10.0.0.77/32")), "not-subscribed")


def test_a_publication_of_our_own_eid_goes_to_the_registrar_which_has_another_key(world):
    refused(world, notify(world, mine(f"{LAPTOP_V4}/32")), "mac-wrong")
    refused(world, notify(world, mine(), mine(f"{LAPTOP_V4}/32")), "mac-wrong")


def test_our_own_eid_that_comes_up_in_a_hole_is_acknowledged_and_not_learnt():
    world = pubsub_world()
    world.laptop.attach(interface("eth0", OFFICE))
    world.network.lose = lambda frame: frame.kind == "MapRegister"
    world.laptop.start()
    world.laptop.send(LAPTOP_V4, PHONE_V4, 1)
    world.network.run(1)
    world.network.lose = lambda frame: False
    world.network.run_until(lambda: f"{LAPTOP_V4}/32" in world.registered(), within=10)
    world.network.run(30)
    assert world.laptop.told("subscription-published")
    assert world.laptop.drops() == {}
    assert world.server.drops() == {}
    assert world.laptop.role.cache.get(EidPrefix.parse(f"{LAPTOP_V4}/32")) is None


def test_a_removal_with_another_nonce_than_the_last_one(world):
    gone = Mapping(EidPrefix.parse(PHONE), (), Minutes(0), Action.DROP_AUTH_FAILURE)
    refused(world, notify(world, gone, nonce=Nonce(5)), "notify-old")


def test_a_forged_acknowledgement_does_not_end_the_repetition(world):
    world.network.lose = lambda frame: frame.kind in ("SMR", "MapNotifyAck")
    moved = moves(world, *ON_LTE)
    world.network.run(2.5 * HOP)
    (frame,) = published(world, moved)
    told = decode(frame.content)
    forged = sign(MapNotifyAck(told.nonce, told.records, identity=told.identity), OTHER_KEY)
    wrong = sign(MapNotifyAck(Nonce(told.nonce + 1), told.records, identity=told.identity), KEY)
    for payload in (forged, wrong):
        world.server.receive_control(payload, AT_LAPTOP, SERVER)
    counted = {reason.value: count for reason, count in world.server.drops().items()}
    assert counted == {"mac-wrong": 1, "nonce-unknown": 1}
    world.network.run(3.1)
    assert len(published(world, moved)) == 2


def ask(world: World, rloc: str, nonce: Nonce = HIGH) -> None:
    """A question in the name of the laptop, which wants the publications of the phone elsewhere."""
    phone, source = EidPrefix.parse(PHONE), ip_address(LAPTOP_V4)
    request = question(phone, None, (ip_address(rloc),), nonce, subscriber=laptop_id(world))
    world.server.receive_control(encapsulated(request, source, phone), Endpoint(ip_address(rloc), 4342), SERVER)


def test_a_subscription_in_anothers_name_counts_for_nothing_without_its_acknowledgement(world):
    ask(world, ATTACKER)
    world.network.run(1)
    assert follower(world) == [OFFICE]
    moves(world, *ON_LTE)
    world.network.run(70)
    assert follower(world) == [OFFICE]
    assert world.laptop.way_to(PHONE_V4) == [LTE]
    assert [str(f.destination.address) for f in published(world)].count(ATTACKER) <= 7, "what one datagram provokes"


def test_a_replayed_subscription_is_dropped_and_told(world):
    questions = world.network.frames("ECM MapRequest", "laptop")
    world.network.run(1)
    for frame in questions:
        world.server.receive_control(frame.content, frame.source, frame.destination)
    assert {reason.value for reason in world.server.drops()} == {"subscription-old"}
    assert world.server.told("subscription-old")
    assert follower(world) == [OFFICE]


@pytest.mark.parametrize("nonce", [Nonce(1), HIGH, Nonce(2**64 - 1)])
def test_an_unsubscription_from_elsewhere_is_denied(world, nonce):
    phone = EidPrefix.parse(PHONE)
    payload = encapsulated(unsubscription(phone, nonce, laptop_id(world)), ip_address(LAPTOP_V4), phone)
    world.server.receive_control(payload, Endpoint(ip_address(ATTACKER), 4342), SERVER)
    assert follower(world) == [OFFICE]
    reason = "subscription-old" if nonce == 1 else "sender-unexpected"
    assert {name.value: count for name, count in world.server.drops().items()} == {reason: 1}


def test_an_unsubscription_from_a_forged_address_of_ours_is_mended_at_once(world):
    world.converse(100, interval=0.1, start=10)
    world.network.run(1)
    phone = EidPrefix.parse(PHONE)
    payload = encapsulated(unsubscription(phone, HIGH, laptop_id(world)), ip_address(LAPTOP_V4), phone)
    world.server.receive_control(payload, AT_LAPTOP, SERVER)
    world.network.run(0.1)
    assert follower(world) == [OFFICE], "the Map-Notify that ended it came to the laptop, which subscribed again"
    moves(world, *ON_LTE)
    follows(world, LTE, within=2 * HOP + 0.001)
