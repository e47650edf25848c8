"""How nodes come to be known to the Map-Server, and stay known."""

from __future__ import annotations

import pytest

from lispfast.model.reasons import ControlReason

from .network import Conditions
from .world import LAPTOP_V4, LAPTOP_V6, LTE, OFFICE, PHONE_V4, PHONE_V6, SERVER_V4, WIFI, World, wlan, wwan

EVERYBODY = {
    f"{PHONE_V4}/32": [WIFI],
    f"{PHONE_V6}/128": [WIFI],
    f"{LAPTOP_V4}/32": [OFFICE],
    f"{LAPTOP_V6}/128": [OFFICE],
}


def test_both_nodes_register_at_once():
    world = World()
    world.boot()
    assert world.registered() == EVERYBODY
    assert world.network.now < 1000.1, "one round trip"
    world.network.run(1)
    assert world.server.drops() == world.phone.drops() == world.laptop.drops() == {}


def test_a_day_of_idling_keeps_the_registrations_and_sends_little():
    world = World()
    world.boot()
    world.network.run(86_400)
    assert world.registered() == EVERYBODY
    kinds = {frame.kind for frame in world.network.sent}
    assert kinds == {"MapRegister", "MapNotify"}
    minutes = 86_400 / 60
    assert len(world.network.frames("MapRegister", "phone")) <= 2 * minutes * 1.1
    assert len(world.phone.disk) == 1, "the disk of a node holds one number"
    assert not world.server.told("registration-expired")


def test_a_node_without_a_network_is_silent_and_then_registers():
    world = World()
    world.laptop.start()
    world.phone.start()
    world.network.run(3600)
    assert world.network.sent == []
    world.phone.attach(wlan())
    world.network.run_until(lambda: set(world.registered()) == {f"{PHONE_V4}/32", f"{PHONE_V6}/128"}, within=1)


@pytest.mark.parametrize("seed", range(5))
def test_bad_networks_only_delay_it(seed):
    world = World(seed, Conditions(loss=0.3, duplication=0.2, delay=0.05, jitter=0.2))
    world.boot()
    world.network.run(1800)
    assert world.registered() == EVERYBODY
    assert set(world.server.drops()) <= {ControlReason.NONCE_OLD, ControlReason.RATE_LIMITED}


@pytest.mark.parametrize("kind", ["MapRegister", "MapNotify"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_lost_messages_are_made_up_for(kind, count):
    world = World()
    first: list[object] = []

    def lose(frame):
        if frame.kind != kind or len(first) >= count:
            return False
        first.append(frame)
        return True

    world.network.lose = lose
    world.boot()
    world.network.run(90)
    assert world.registered() == EVERYBODY
    assert len(first) == count
    assert len(world.phone.told("map-notify-received")) >= 1


def test_the_map_server_is_away_and_comes_back():
    world = World()
    world.boot()
    world.server.crash()
    world.network.run(600)
    assert world.phone.told("registration-lost"), "somebody is told"
    world.server.start()
    world.network.run_until(lambda: world.registered() == EVERYBODY, within=62)  # the back-off is capped at 60 s
    assert ControlReason.NONCE_OLD not in world.server.drops(), "it kept the nonces and the nodes went on rising"


def test_a_restarted_node_goes_on_with_rising_nonces():
    world = World()
    world.boot()
    world.phone.crash()
    world.network.run(5)
    world.phone.start()
    world.network.run(5)
    assert world.phone.told("map-notify-received")
    assert world.server.drops() == {}


def test_a_node_that_stops_is_withdrawn():
    world = World()
    world.boot()
    world.phone.stop()
    world.network.run(1)
    assert set(world.registered()) == {f"{LAPTOP_V4}/32", f"{LAPTOP_V6}/128"}


def test_a_node_that_crashes_is_forgotten_after_three_minutes():
    world = World()
    world.boot()
    world.phone.crash()
    world.network.run_until(lambda: len(world.registered()) == 2, within=182)
    assert len(world.server.told("registration-expired")) == 2


def test_a_move_registers_at_once_from_the_new_place():
    world = World()
    world.boot()
    world.network.run(30)
    moved = world.network.now
    world.phone.attach(wlan(up=False), wwan())
    world.network.run_until(lambda: world.registered()[f"{PHONE_V4}/32"] == [LTE], within=0.1)
    frames = world.network.frames("MapRegister", "phone", since=moved)
    assert {str(frame.source.address) for frame in frames} == {LTE}
    assert {str(frame.destination.address) for frame in frames} == {SERVER_V4}


def test_the_same_seed_gives_the_same_history():
    def history():
        world = World(7, Conditions(loss=0.2, duplication=0.2, jitter=0.1))
        world.boot()
        world.network.run(300)
        return world.network.sent

    assert history() == history()
