"""A Map-Server with a list of who may subscribe to what: who is not on it loses nothing but being told (RFC 9437)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control.map_requests import encapsulated, question
from lispfast.model.addresses import EidPrefix, Endpoint
from lispfast.model.mapping import Action
from lispfast.model.settings import Admitted
from lispfast.model.units import Nonce
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.message import decode
from tests.scenarios.test_pubsub import ON_LTE, PHONE, PUBSUB, follows, moves, pubsub_world, subscriptions
from tests.sim.world import LAPTOP_V4, LTE, OFFICE, PHONE_V4, SERVER_V4, WIFI, World

STRANGER = Endpoint(ip_address("203.0.113.66"), 4342)


def laptop_id() -> XtrIdentity:
    world = pubsub_world()
    world.boot()
    return world.laptop.role.subscriber.identity


@pytest.fixture
def world() -> World:
    """The laptop may subscribe to the phone; the phone, which asks for everything too, to nothing."""
    listed = Admitted(laptop_id().xtr_id.to_bytes(16, "big"), EidPrefix.parse(PHONE))
    world = pubsub_world(server=replace(PUBSUB, admitted=(listed,)))
    world.boot()
    world.talk()
    world.network.run(5)
    return world


def counted(world: World, reason: str) -> int:
    return {name.value: count for name, count in world.server.drops().items()}.get(reason, 0)


def test_who_is_not_on_the_list_gets_the_mapping_by_asking_once_more(world):
    assert world.both_at(WIFI, OFFICE), "both have the mapping of the other"
    assert [prefix for prefix, _ in subscriptions(world)] == [PHONE]
    assert counted(world, "subscription-denied") == 1
    assert len(world.phone.told("subscription-refused")) == 1
    answers = [decode(frame.content) for frame in world.network.frames("MapReply", "server")]
    told = [answer.records[0].action for answer in answers if not answer.records[0].locators]
    assert Action.DROP_POLICY_DENIED in told
    assert not world.laptop.told("subscription-refused")


def test_a_refusal_is_respected_for_a_while(world):
    since = world.network.now
    world.converse(5000, interval=0.1, start=10)
    world.network.run(500)
    assert counted(world, "subscription-denied") == 1
    assert world.both_at(WIFI, OFFICE)
    assert len(world.network.frames("ECM MapRequest", "phone", since)) <= 2


def test_who_is_on_the_list_is_told_of_a_move_as_ever(world):
    moves(world, *ON_LTE)
    follows(world, LTE, within=1)


@pytest.mark.parametrize("asked", [f"{LAPTOP_V4}/32", "0.0.0.0/0"])
@pytest.mark.parametrize("known", [True, False], ids=["in the name of who is on the list", "in no name"])
def test_what_a_stranger_may_not_be_told_changes_nothing_and_is_answered_once(world, asked, known):
    identity = laptop_id() if known else XtrIdentity(0xBAD, 0)
    prefix = EidPrefix.parse(asked)
    request = question(prefix, None, (STRANGER.address,), Nonce(2**62), subscriber=identity)
    payload = encapsulated(request, ip_address(PHONE_V4), prefix)
    before, since = subscriptions(world), world.network.now
    world.server.receive_control(payload, STRANGER, Endpoint(ip_address(SERVER_V4), 4342))
    world.network.run(70)
    frames = [f for f in world.network.control(since=since) if f.destination.address == STRANGER.address]
    assert [decode(frame.content).records[0].action for frame in frames] == [Action.DROP_POLICY_DENIED]
    assert len(frames[0].content) <= len(payload), "no amplification"
    assert subscriptions(world) == before
