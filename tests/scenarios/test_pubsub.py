"""Nodes that subscribe to each other: the Map-Server tells of a move, and nobody else has to (RFC 9437)."""

from __future__ import annotations

import pytest

from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType, PubSub
from tests.scenarios.conftest import PUNCTUAL
from tests.sim.host import interface
from tests.sim.network import Frame
from tests.sim.world import HOTEL, LAPTOP_V4, LTE, OFFICE, PHONE_V4, RANGES, SERVER_V4, TRAIN, WIFI, World, wlan, wwan

KEY = Key(b"known to the Map-Server and the nodes", KeyType.HMAC_SHA256, key_id=7)
PUBSUB = PubSub(subscribe=True, keys=(KEY,))
ON_WIFI, ON_LTE = (wlan(), wwan(up=False)), (wlan(up=False), wwan())
HOP = PUNCTUAL.delay


def pubsub_world(**kwargs) -> World:
    fields = {"node_settings": {"pubsub": PUBSUB}, "server_settings": {"pubsub": PUBSUB}}
    return World(conditions=PUNCTUAL, proxy_reply=True, sites=RANGES, **{**fields, **kwargs})


@pytest.fixture
def world() -> World:
    """The phone on Wi-Fi and the laptop at the office have talked, a while ago; each is subscribed to the other."""
    world = pubsub_world()
    world.boot()
    world.talk()
    world.network.run(5)
    assert world.both_at(WIFI, OFFICE)
    return world


def published(world: World, since: float = 0.0) -> list[Frame]:
    """The Map-Notifies that answer no Map-Register."""
    frames = world.network.frames("MapNotify", "server", since)
    return [frame for frame in frames if world.decoded(frame).key_id == KEY.key_id]


def test_the_peer_follows_within_one_round_trip_of_the_map_server_and_no_smr_is_sent(world):
    moved = world.network.now
    world.phone.attach(*ON_LTE)
    took = world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [LTE], within=1)
    assert took == pytest.approx(2 * HOP), "the Map-Register there, the publication here"
    world.laptop.send(LAPTOP_V4, PHONE_V4, 1)
    world.network.run_until(lambda: 1 in world.phone.serials, within=HOP + 0.001)
    asked = world.network.frames("ECM MapRequest", "laptop", since=moved)
    assert (world.network.frames("SMR", since=moved), asked) == ([], []), "nothing else could have told the laptop"
