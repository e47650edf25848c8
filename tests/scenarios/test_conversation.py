"""First packets, answers and refusals: from a miss to a mapping, and what is done without one."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from lispfast.control.map_cache import REFRESH_JITTER
from lispfast.model.settings import ProxyEtr
from tests.sim.network import Conditions
from tests.sim.world import LAPTOP_V4, LAPTOP_V6, OFFICE, PHONE_V4, PHONE_V6, SERVER_V6, WIFI, World

ELSEWHERE, FAR = "10.99.0.99", "fd99::1"  # in no EID-prefix of anybody


@pytest.mark.parametrize("proxy_reply", [False, True])
@pytest.mark.parametrize(("source", "destination"), [(PHONE_V4, LAPTOP_V4), (PHONE_V6, LAPTOP_V6)])
def test_the_first_packets_wait_and_arrive_in_order(proxy_reply, source, destination):
    """And the first one back does, too."""
    world = World(proxy_reply=proxy_reply)
    world.boot()
    asked = world.network.now
    for serial in range(10):
        world.phone.send(source, destination, serial)
    world.network.run_until(lambda: len(world.laptop.serials) == 10, within=0.1)
    assert world.laptop.serials == list(range(10))
    assert len(world.network.frames("ECM MapRequest", "phone", since=asked)) == 1, "one question for ten packets"
    (reply,) = world.network.frames("MapReply", since=asked)
    assert reply.sender == ("server" if proxy_reply else "laptop"), "the one that is to answer does"
    forwarded = world.network.frames("ECM MapRequest", "server", since=asked)
    assert len(forwarded) == (0 if proxy_reply else 1)
    world.laptop.send(destination, source, 10)
    world.network.run_until(lambda: world.phone.serials == [10], within=0.1)
    for host in (world.phone, world.laptop):
        assert host.dataplane.drops == {}
        assert host.dataplane.rejected == []


@pytest.mark.parametrize("proxy_reply", [False, True])
@pytest.mark.parametrize(("source", "destination"), [(PHONE_V4, LAPTOP_V4), (PHONE_V6, LAPTOP_V6)])
def test_over_an_ipv6_underlay(proxy_reply, source, destination):
    world = World(proxy_reply=proxy_reply, server=SERVER_V6)
    world.boot("2001:db8:0:a::1", "2001:db8:0:b::1")
    world.phone.send(source, destination, 1)
    world.network.run_until(lambda: world.laptop.serials == [1], within=0.1)
    assert {frame.source.address.version for frame in world.network.sent} == {6}


@pytest.mark.parametrize("proxy_reply", [False, True])
def test_inside_an_instance(proxy_reply):
    world = World(proxy_reply=proxy_reply, iid=77)
    world.boot()
    assert set(world.registered()) == {
        f"[77]{eid}" for eid in (f"{PHONE_V4}/32", f"{LAPTOP_V4}/32", f"{PHONE_V6}/128", f"{LAPTOP_V6}/128")
    }
    world.phone.send(PHONE_V4, LAPTOP_V4, 1, iid=77)
    world.network.run_until(lambda: world.laptop.serials == [1], within=0.1)
    world.phone.send(PHONE_V4, LAPTOP_V4, 2)
    assert world.phone.dataplane.drops == {"inner-source": 1}, "that EID is another one"


def test_the_answer_serves_until_it_expires_and_is_refreshed_while_in_use():
    world = World()
    world.boot()
    world.talk()
    asked = len(world.network.frames("ECM MapRequest", "phone"))
    world.converse(1800, interval=1)
    world.network.run(1801)
    assert world.laptop.serials[1:] == list(range(1800)), "no packet was lost at an expiry"
    questions = len(world.network.frames("ECM MapRequest", "phone")) - asked
    assert 2 <= questions <= 6, "about one in the ten minutes of a record"


def test_an_answer_that_nobody_uses_runs_out_in_silence(online):
    """The record says ten minutes: not a second less, and nobody is asked about it again."""
    online.phone.send(PHONE_V4, LAPTOP_V4, 1)
    online.network.run_until(lambda: online.laptop.serials == [1], within=0.1)
    learned = online.phone.told_at("map-reply-received")[0]
    asked = len(online.network.frames("ECM MapRequest"))
    online.network.run(learned + 599.9 - online.network.now)
    assert online.phone.way_to(LAPTOP_V4) == [OFFICE]
    online.network.run(0.2)
    assert online.phone.way_to(LAPTOP_V4) == []
    assert len(online.network.frames("ECM MapRequest")) == asked
    online.phone.send(PHONE_V4, LAPTOP_V4, 2)
    online.network.run_until(lambda: online.laptop.serials == [1, 2], within=0.1)
    assert len(online.network.frames("ECM MapRequest", "phone")) == 2


def test_a_use_in_its_last_minutes_refreshes_an_answer_a_minute_before_its_end(online):
    online.phone.send(PHONE_V4, LAPTOP_V4, 1)
    online.network.run_until(lambda: online.laptop.serials == [1], within=0.1)
    learned = online.phone.told_at("map-reply-received")[0]
    online.network.run(learned + 500 - online.network.now)
    online.phone.send(PHONE_V4, LAPTOP_V4, 2)
    online.network.run(600)
    _, refresh = online.network.frames("ECM MapRequest", "phone")
    assert learned + 540 - 60 * REFRESH_JITTER <= refresh.at <= learned + 540
    assert online.phone.way_to(LAPTOP_V4) == [OFFICE], "it was renewed"
    online.network.run(45)
    assert online.phone.way_to(LAPTOP_V4) == [], "and ran out ten minutes later, unused"
    assert len(online.network.frames("ECM MapRequest", "phone")) == 2


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("kind", ["ECM MapRequest", "MapReply"])
def test_a_refresh_that_is_lost_costs_no_packet(online, kind, times):
    online.talk()
    gone = []

    def lose(frame):
        if frame.kind == kind and len(gone) < times:
            gone.append(frame)
            return True
        return False

    online.network.lose = lose
    online.converse(900, interval=1)
    online.network.run(901)
    assert len(gone) == times
    assert online.laptop.serials[1:] == online.phone.serials[1:] == list(range(900))


@pytest.mark.parametrize("seed", range(4))
def test_a_conversation_over_bad_networks(seed):
    world = World(seed, Conditions(loss=0.2, duplication=0.1, delay=0.02, jitter=0.05))
    world.boot()
    world.converse(60, interval=1, start=10_000)
    world.network.run_until(lambda: bool(world.phone.serials and world.laptop.serials), within=60)
    world.converse(500)
    world.network.run(15)
    for host in (world.phone, world.laptop):
        heard = [serial for serial in host.serials if serial < 500]
        assert len(set(heard)) > 350, "what the networks do not lose arrives"
        assert len(heard) > len(set(heard)), "these networks duplicate"


def test_outside_lisp_is_refused_at_once_without_a_proxy():
    world = World()
    world.boot()
    world.phone.send(PHONE_V4, ELSEWHERE, 1)
    world.phone.send(PHONE_V6, FAR, 2)
    world.network.run_until(lambda: len(world.phone.dataplane.rejected) == 2, within=0.1)
    before = len(world.network.sent)
    world.phone.send(PHONE_V4, ELSEWHERE, 3)
    assert len(world.phone.dataplane.rejected) == 3
    assert len(world.network.sent) == before, "the negative answer is remembered"


def test_outside_lisp_goes_to_the_proxy_etr():
    proxy = "203.0.113.250"
    world = World(proxy_etrs=(ProxyEtr(ip_address(proxy)),))
    world.boot()
    world.phone.send(PHONE_V4, ELSEWHERE, 1)
    world.network.run(0.1)
    (frame,) = world.network.frames("Data", "phone")
    assert (str(frame.destination.address), frame.content.serial) == (proxy, 1)
    assert str(frame.source.address) == WIFI


def test_a_negative_answer_holds_for_its_quarter_of_an_hour_only():
    world = World()
    world.boot()
    world.phone.send(PHONE_V4, ELSEWHERE, 1)
    world.network.run(1)
    assert len(world.network.frames("ECM MapRequest", "phone")) == 1
    world.network.run(14 * 60)
    world.phone.send(PHONE_V4, ELSEWHERE, 2)
    assert len(world.network.frames("ECM MapRequest", "phone")) <= 2
    world.network.run(17 * 60)
    before = len(world.network.frames("ECM MapRequest", "phone"))
    world.phone.send(PHONE_V4, ELSEWHERE, 3)
    assert len(world.network.frames("ECM MapRequest", "phone")) == before + 1


def test_a_refusal_that_nobody_uses_runs_out_in_silence(online):
    """An EID of a site that is not registered: the answer holds for a minute, and is not asked for again."""
    online.laptop.stop()
    online.network.run(1)
    online.phone.send(PHONE_V4, LAPTOP_V4, 1)
    online.network.run(600)
    assert len(online.phone.dataplane.rejected) == 1
    assert online.phone.role.view("map-cache", online.network.now)["entries"] == []
    assert len(online.network.frames("ECM MapRequest", "phone")) == 1


def test_a_peer_that_comes_up_later_is_reached_within_its_minute():
    world = World()
    world.boot()
    world.laptop.stop()
    world.network.run(1)
    world.phone.send(PHONE_V4, LAPTOP_V4, 1)
    world.network.run_until(lambda: world.phone.dataplane.rejected != [], within=1)
    world.laptop.start()
    up = world.network.now

    def say(serial: int = 2) -> None:
        world.phone.send(PHONE_V4, LAPTOP_V4, serial)
        world.network.after(1, lambda: say(serial + 1))

    say()
    world.network.run_until(lambda: world.laptop.serials != [], within=63)
    assert world.network.now > up + 1, "the negative answer was believed for a while"


def test_nobody_answers():
    world = World()
    world.boot()
    world.server.crash()
    world.phone.send(PHONE_V4, LAPTOP_V4, 1)
    world.network.run_until(lambda: bool(world.phone.dataplane.rejected), within=10)
    assert world.phone.told("map-request-failed")
    tries = len(world.network.frames("ECM MapRequest", "phone"))
    world.network.run(5)
    assert len(world.network.frames("ECM MapRequest", "phone")) == tries, "no packet, no question"
    world.server.start()
    world.network.run_until(lambda: len(world.registered()) == 4, within=70)
    world.phone.send(PHONE_V4, LAPTOP_V4, 2)
    world.network.run_until(lambda: world.laptop.serials == [2], within=35)


def test_strangers_change_nothing():
    """Messages that nobody asked for, to a node that has a conversation."""
    world = World()
    world.boot()
    world.talk()
    replies = [frame for frame in world.network.sent if frame.kind in ("MapReply", "MapNotify")]
    table = dict(world.phone.dataplane.table.verdicts)
    for frame in replies:
        world.phone.receive_control(frame.content, frame.source, frame.destination)
        world.server.receive_control(frame.content, frame.source, frame.destination)
    assert world.phone.dataplane.table.verdicts == table
    assert sum(world.phone.drops().values()) >= len(replies) - 1
    assert sum(world.server.drops().values()) == len(replies)
    assert world.registered()[f"{LAPTOP_V4}/32"] == [OFFICE]


def test_a_conversation_outlives_the_map_server():
    world = World()
    world.boot()
    world.talk()
    world.server.crash()
    world.converse(300, interval=1)
    world.network.run(301)
    assert world.laptop.serials[1:] == world.phone.serials[1:] == list(range(300))


def test_a_map_server_that_restarts_knows_nobody_until_they_register_again():
    world = World()
    world.boot()
    world.server.crash()
    world.server.start()
    assert world.registered() == {}
    world.network.run_until(lambda: len(world.registered()) == 4, within=70)
    world.phone.send(PHONE_V4, LAPTOP_V4, 1)
    world.network.run_until(lambda: world.laptop.serials == [1], within=1)
