"""How nodes come to be known to the Map-Server, and stay known."""

from __future__ import annotations

import itertools

import pytest

from lispfast.model.reasons import ControlReason
from tests.sim.network import Conditions
from tests.sim.world import (
    LAPTOP_V4,
    LAPTOP_V6,
    LTE,
    OFFICE,
    PHONE_V4,
    PHONE_V6,
    RANGES,
    SERVER_V4,
    WIFI,
    World,
    wlan,
    wwan,
)

PHONE = {f"{PHONE_V4}/32": [WIFI], f"{PHONE_V6}/128": [WIFI]}
LAPTOP = {f"{LAPTOP_V4}/32": [OFFICE], f"{LAPTOP_V6}/128": [OFFICE]}
EVERYBODY = PHONE | LAPTOP


@pytest.mark.parametrize("sites", [(), RANGES], ids=["a-site-each", "one-range"])
@pytest.mark.parametrize("proxy_reply", [False, True])
def test_two_nodes_register_within_one_round_trip(proxy_reply, sites):
    world = World(conditions=Conditions(delay=0.01), proxy_reply=proxy_reply, sites=sites)
    world.boot()
    assert world.registered() == EVERYBODY
    world.network.run(1)
    for node in (world.phone, world.laptop):
        assert [at - 1000 for at in node.told_at("map-notify-received")] == [pytest.approx(0.02)]
    assert {kind: len(world.network.frames(kind)) for kind in ("MapRegister", "MapNotify")} == {
        "MapRegister": 2,
        "MapNotify": 2,
    }
    assert world.server.drops() == world.phone.drops() == world.laptop.drops() == {}


@pytest.mark.parametrize("lateness", [0, 1], ids=["punctual", "dozing"])
def test_an_idle_day_is_a_registration_a_minute_and_nothing_else(online, lateness):
    """An hour after the last packet there is nothing left to probe, to refresh or to forget."""
    online.network.conditions = Conditions(delay=0.01, lateness=lateness)
    online.phone.send(PHONE_V4, LAPTOP_V4, 1)
    online.network.run(3600)
    began = online.network.now
    online.network.run(86_400)
    day = online.network.control(since=began)
    assert {frame.kind for frame in day} == {"MapRegister", "MapNotify"}
    registers = sum(frame.sender == "phone" and frame.kind == "MapRegister" for frame in day)
    if lateness:
        assert 86_400 / 65.1 <= registers <= 1440, "up to five seconds late, to share a wake-up with others"
    else:
        assert registers == 1440
    assert online.registered() == EVERYBODY
    assert len(online.phone.disk) == 1, "the disk of a node holds one number"
    assert not online.server.told("registration-expired")


@pytest.mark.parametrize("seed", range(5))
def test_bad_networks_only_delay_it(seed):
    world = World(seed, Conditions(loss=0.3, duplication=0.2, delay=0.05, jitter=0.2))
    world.boot()
    world.network.run(1800)
    assert world.registered() == EVERYBODY
    assert set(world.server.drops()) <= {ControlReason.NONCE_OLD, ControlReason.RATE_LIMITED}


@pytest.mark.parametrize("kind", ["MapRegister", "MapNotify"])
@pytest.mark.parametrize("count", [2, 5])
def test_several_lost_messages_are_made_up_for(kind, count):
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


@pytest.mark.parametrize("kind", ["MapRegister", "MapNotify"])
def test_a_refresh_that_is_lost_is_repeated_a_second_later(online, kind):
    online.network.run(30)
    gone: list[object] = []

    def lose(frame):
        if "phone" not in (frame.sender, online.network.owner(frame.destination.address).name):
            return False
        if frame.kind == kind and not gone:
            gone.append(frame)
            return True
        return False

    online.network.lose = lose
    online.network.run(600)
    assert gone
    registers = [frame.at for frame in online.network.frames("MapRegister", "phone")]
    # Refreshed a minute after the last Map-Notify; the one that was lost costs a second and no more.
    waits = [later - earlier for earlier, later in itertools.pairwise(registers)]
    assert waits[:3] == pytest.approx([60.02, 1.0, 60.02])
    assert not online.server.told("registration-expired")
    assert not online.phone.told("registration-lost")


def test_the_map_server_is_away_and_comes_back():
    world = World()
    world.boot()
    world.server.crash()
    world.network.run(600)
    assert world.phone.told("registration-lost"), "somebody is told"
    world.server.start()
    world.network.run_until(lambda: world.registered() == EVERYBODY, within=62)  # the back-off is capped at 60 s
    assert ControlReason.NONCE_OLD not in world.server.drops(), "it kept the nonces and the nodes went on rising"


def test_a_map_server_that_is_not_there_is_asked_ever_more_seldom(world):
    """RFC 9301 section 5.7: after one second, and twice as long each time, up to a minute."""
    world.server.crash()
    world.phone.attach(wlan())
    world.phone.start()
    world.network.run(300)
    tries = [frame.at - 1000 for frame in world.network.frames("MapRegister", "phone")]
    assert tries == pytest.approx([0, 1, 3, 7, 15, 31, 63, 123, 183, 243])
    (told,) = world.phone.told("registration-lost")
    assert "does not answer" in str(told.fields["why"])
    assert {frame.kind for frame in world.network.sent} == {"MapRegister"}, "the rest waits for a reason"
    world.server.start()
    world.network.run_until(lambda: world.registered() == PHONE, within=3.1)


def test_a_network_that_comes_asks_a_map_server_that_was_not_there_at_once(world):
    world.server.crash()
    world.phone.attach(wlan())
    world.phone.start()
    world.network.run(200)
    world.server.start()
    world.phone.attach(wlan(up=False), wwan())
    world.network.run_until(lambda: world.registered().get(f"{PHONE_V4}/32") == [LTE], within=0.011)


@pytest.mark.parametrize("clock", [0, -86_400], ids=["clock-runs", "clock-went-back"])
@pytest.mark.parametrize("end", ["stop", "crash"])
def test_a_restarted_node_is_believed_because_its_nonce_rose(online, clock, end):
    getattr(online.phone, end)()
    online.network.run(5)
    online.wall_clock = clock
    began = online.network.now
    online.phone.attach(wwan())
    online.phone.start()
    online.network.run(0.5)
    assert len(online.phone.told("map-notify-received", since=began)) == 1
    assert online.registered()[f"{PHONE_V4}/32"] == [LTE]
    assert online.server.drops() == {}


def test_a_node_that_stops_is_gone_at_once(online):
    online.phone.stop()
    online.network.run(0.1)
    assert online.registered() == LAPTOP
    online.laptop.send(LAPTOP_V4, PHONE_V4, 1)
    online.network.run(1)
    (entry,) = online.laptop.role.view("map-cache", online.network.now)["entries"]
    assert entry["action"] == "natively-forward"


def test_a_node_that_crashes_is_forgotten_after_three_minutes(online):
    online.phone.crash()
    online.network.run(179)
    assert online.registered() == EVERYBODY
    online.network.run_until(lambda: online.registered() == LAPTOP, within=3)
    assert len(online.server.told("registration-expired")) == 2


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
