"""Nodes that move: their peers follow, and nobody else is asked to."""

from __future__ import annotations

import itertools

import pytest

from lispfast.model.settings import Probing
from lispfast.model.units import Seconds
from lispfast.wire.message import decode
from tests.scenarios.conftest import PROBES, PUNCTUAL
from tests.sim.host import interface
from tests.sim.network import Conditions, Frame
from tests.sim.world import HOTEL, LAPTOP_V4, LTE, OFFICE, PHONE_V4, PHONE_V6, SERVER_V4, TRAIN, WIFI, World, wlan, wwan

ON_WIFI = wlan(), wwan(up=False)
ON_LTE = wlan(up=False), wwan()


def converse_at(world: World, place: str) -> None:
    """The phone is there, and they have talked."""
    world.phone.attach(*(ON_WIFI if place == WIFI else ON_LTE))
    world.laptop.attach(interface("eth0", OFFICE))
    world.phone.start()
    world.laptop.start()
    world.network.run_until(lambda: len(world.registered()) == 4, within=1)
    world.talk()


def at_place(frame: Frame, place: str) -> bool:
    """Whether it is sent from there."""
    return str(frame.source.address) == place


@pytest.fixture(params=[(WIFI, LTE), (LTE, WIFI)], ids=["to-lte", "to-wifi"])
def ways(world, request):
    """A world in conversation, where the phone is to be attached next, and its address there: in both directions."""
    here, there = request.param
    converse_at(world, here)
    return world, (ON_WIFI if there == WIFI else ON_LTE), there


def talking(**kwargs) -> World:
    world = World(**kwargs)
    world.boot()
    world.talk()
    return world


@pytest.mark.parametrize("proxy_reply", [False, True])
def test_the_peer_follows_within_a_few_round_trips(proxy_reply):
    world = talking(proxy_reply=proxy_reply)
    assert world.laptop.way_to(PHONE_V4) == [WIFI]
    world.network.run(10)
    moved = world.network.now
    world.phone.attach(*ON_LTE)
    took = world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [LTE], within=1)
    assert took <= 0.1, "register, notify, SMR, request, reply: ten times 5 ms at most"
    smrs = world.network.frames("SMR", since=moved)
    assert {(frame.sender, str(frame.destination.address)) for frame in smrs} == {("phone", OFFICE)}
    invoked = world.network.frames("ECM MapRequest", "laptop", since=moved)
    assert invoked, "the answer to an SMR goes through the mapping system"


def test_a_roam_under_traffic_costs_six_one_way_trips_one_more_through_the_etr(ways):
    """Map-Register and Map-Notify, SMR, the question and its answer, the packet itself; upwards it costs nothing."""
    world, links, place = ways
    world.network.run(10)
    began = world.network.now
    interval, hop = 0.005, world.network.conditions.delay
    world.converse(400, interval)
    world.network.run(100 * interval - 0.0025)
    moved = world.network.now
    world.phone.attach(*links)
    assert world.phone.told_at("source-locator-changed")[-1] == moved
    world.network.run(3)
    hops = 6 if world.proxy_reply else 7
    came = dict(zip(world.phone.serials, world.phone.arrivals, strict=True))
    back = min(at for serial, at in came.items() if 100 <= serial < 400)
    assert back - moved <= hops * hop + interval + 0.001
    missing = set(range(400)) - set(came)
    assert len(missing) <= (hops * hop) / interval + 1, "what was on its way to the old address"
    assert [s for s in world.laptop.serials if s < 400] == list(range(400)), "nothing from the phone is lost"
    sent_up = [at for serial, at in zip(world.laptop.serials, world.laptop.arrivals, strict=True) if serial < 400]
    assert max(later - earlier for earlier, later in itertools.pairwise(sent_up)) < interval + 0.001
    new_way = [f.content.serial for f in world.network.frames("Data", "phone", since=began) if at_place(f, place)]
    assert new_way[0] == 100
    assert (world.phone.dataplane.drops, world.phone.dataplane.rejected) == ({}, [])


def test_the_order_of_a_move():
    world = talking()
    world.network.run(10)
    moved = world.network.now
    world.phone.attach(*ON_LTE)
    world.network.run(1)
    kinds = [frame.kind for frame in world.network.sent if frame.sender == "phone" and frame.at >= moved]
    assert kinds[0] == "MapRegister"
    last_smr = max(frame.at for frame in world.network.frames("SMR", "phone", since=moved))
    first_notify = min(frame.at for frame in world.network.frames("MapNotify", since=moved))
    assert last_smr > first_notify, "the peers are solicited when the Map-Server knows"


def test_there_and_back_again_within_three_seconds():
    world = talking()
    world.network.run(10)
    for links, expected in ((ON_LTE, LTE), ((wlan(HOTEL), wwan(up=False)), HOTEL)):
        world.phone.attach(*links)
        world.network.run_until(lambda expected=expected: world.laptop.way_to(PHONE_V4) == [expected], within=1.2)
    world.phone.attach(*ON_LTE)
    world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [LTE], within=4)


def test_a_node_that_moves_to_and_fro_under_traffic_is_found_every_time(world):
    converse_at(world, WIFI)
    world.converse(600, interval=0.01)
    for place, links in ((LTE, ON_LTE), (WIFI, ON_WIFI), (LTE, ON_LTE), (WIFI, ON_WIFI)):
        world.phone.attach(*links)
        world.network.run(1.499)
        assert world.laptop.way_to(PHONE_V4) == [place]
        assert world.network.now - world.phone.arrivals[-1] < 0.05


def test_a_silent_peer_that_asks_us_is_told_once_a_move_and_follows_every_one():
    """Its own limit of one question a second, and of SMR-invoked ones, is left for the moves that come."""
    world = World(conditions=PUNCTUAL)
    converse_at(world, WIFI)
    world.network.run(5)
    for serial, (place, links) in enumerate([(LTE, ON_LTE), (WIFI, ON_WIFI)] * 4):
        world.phone.send(PHONE_V4, LAPTOP_V4, serial)
        moved = world.network.now
        world.phone.attach(*links)
        world.network.run_until(lambda place=place: world.laptop.way_to(PHONE_V4) == [place], within=0.1)
        world.network.run(4.3)
        smrs = world.network.frames("SMR", "phone", since=moved)
        about = [str(decode(frame.content).source_eid) for frame in smrs]
        assert about == [PHONE_V4, PHONE_V6], "it sends, and may have sent to the other EID"
        assert len(world.network.frames("ECM MapRequest", "laptop", since=moved)) == 1


def test_make_before_break_loses_nothing(world):
    converse_at(world, WIFI)
    world.converse(200, interval=0.01)
    world.network.run(0.5)
    world.phone.attach(wlan(), wwan())
    world.network.run(0.5)
    assert world.laptop.way_to(PHONE_V4) == [WIFI, LTE], "two locators, Wi-Fi before LTE"
    world.phone.attach(*ON_LTE)
    world.network.run(2)
    assert [serial for serial in world.laptop.serials if serial < 200] == list(range(200))
    assert world.phone.dataplane.drops == {}


def test_both_move_at_the_same_moment():
    world = talking()
    world.network.run(10)
    world.phone.attach(*ON_LTE)
    world.laptop.attach(interface("eth0", TRAIN))
    world.converse(700, interval=1)
    world.network.run_until(lambda: world.both_at(LTE, TRAIN), within=600)  # the record's ten minutes
    world.converse(5, start=5000)
    world.network.run(2)
    for host in (world.phone, world.laptop):
        assert set(range(5000, 5005)) <= set(host.serials)


@pytest.mark.parametrize(
    ("probing", "within"), [(PROBES, 200), (Probing(Seconds(10), 1, Seconds(2)), 60)], ids=["usual", "eager"]
)
@pytest.mark.parametrize("proxy_reply", [False, True])
def test_both_move_and_probes_find_out_soon(proxy_reply, probing, within):
    """Each tells the other's old place; whoever answers no probe is asked for."""
    world = talking(proxy_reply=proxy_reply, probing=probing)
    world.network.run(25)
    world.phone.attach(*ON_LTE)
    world.laptop.attach(interface("eth0", TRAIN))
    world.converse(round(within / 0.25), interval=0.25)
    took = world.network.run_until(lambda: world.both_at(LTE, TRAIN), within=within)
    world.network.run(within - took)
    assert world.both_at(LTE, TRAIN)
    assert world.fresh(1)


def test_a_move_while_the_map_server_is_out_of_reach(world):
    """The peers are told without it, but what they ask finds nobody until it is back."""
    converse_at(world, WIFI)
    cut_off = world.network.now
    world.network.lose = lambda frame: SERVER_V4 in (str(frame.source.address), str(frame.destination.address))
    world.phone.attach(*ON_LTE)
    world.converse(400, interval=0.1, start=1000)
    world.network.run(20)
    first = world.network.frames("SMR", "phone", since=cut_off)[0]
    assert first.at - cut_off == pytest.approx(0.3), "no Map-Notify came in that time"
    assert str(first.destination.address) == OFFICE
    assert world.network.frames("ECM MapRequest", "laptop", since=cut_off), "it asks where the phone is"
    assert world.laptop.way_to(PHONE_V4) == [WIFI]
    assert set(range(1000, 1199)) <= set(world.laptop.serials), "the phone's packets arrive all the while"
    world.network.lose = lambda frame: False
    next_try = cut_off + 31.02 - world.network.now  # its Map-Registers went out at 0, 1, 3, 7 and 15 s
    world.network.run_until(lambda: world.registered()[f"{PHONE_V4}/32"] == [LTE], within=next_try)
    # Nobody answers its probes either: it may have asked just before, and asks once a second (RFC 9301 section 5.3).
    world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [LTE], within=1.2)
    world.network.run(1)
    assert world.fresh(0.15)


def test_a_peer_that_was_refused_and_moves_is_followed_at_once(world):
    """Another Map-Server, which never knew anybody, tells the laptop that there is no phone; then the phone moves."""
    converse_at(world, WIFI)
    world.laptop.crash()
    world.laptop.start()
    world.server.crash()
    world.server.disk.clear()
    world.server.start()
    world.laptop.send(LAPTOP_V4, PHONE_V4, 1)
    world.network.run_until(lambda: len(world.laptop.dataplane.rejected) == 1, within=0.1)
    world.network.run(2)  # RFC 9301 section 5.3: one question a second for an EID
    world.phone.attach(*ON_LTE)
    world.network.run_until(lambda: f"{PHONE_V4}/32" in world.registered(), within=0.1)
    world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [LTE], within=0.2)


def test_the_smr_is_lost():
    world = talking()
    world.network.run(10)
    world.network.lose = lambda frame: frame.kind == "SMR"
    world.phone.attach(*ON_LTE)
    world.network.run(5)
    assert world.laptop.way_to(PHONE_V4) == [WIFI], "nothing else tells the laptop"
    world.converse(700, interval=1)
    world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [LTE], within=660)


@pytest.mark.parametrize("seed", range(6))
def test_a_move_over_bad_networks(seed):
    world = World(seed, Conditions(loss=0.15, duplication=0.1, delay=0.02, jitter=0.05))
    world.boot()
    world.converse(100, interval=0.1)
    world.network.run_until(lambda: world.both_at(WIFI, OFFICE), within=60)
    world.phone.attach(*ON_LTE)
    world.converse(700, interval=1)
    world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [LTE], within=700)
    world.network.run_until(lambda: world.registered()[f"{PHONE_V4}/32"] == [LTE], within=130)


def test_a_second_family_comes_up():
    """The peer has both families, so that one of them is always common."""
    world = World()
    world.laptop.attach(interface("eth0", OFFICE, "2001:db8:0:2::2"))
    world.phone.attach(interface("wlan0", WIFI, index=2))
    world.phone.start()
    world.laptop.start()
    world.network.run_until(lambda: len(world.registered()) == 4, within=1)
    world.talk()
    world.network.run(2)
    world.phone.attach(interface("wlan0", WIFI, "2001:db8:0:9::9", index=2))
    world.network.run_until(lambda: len(world.laptop.way_to(PHONE_V4)) == 2, within=1)
    world.converse(3, start=50)
    world.network.run(1)
    assert {50, 51, 52} <= set(world.phone.serials) & set(world.laptop.serials)


def test_an_idle_peer_is_not_told():
    """Whom we did not talk to for a minute is not solicited (RFC 9301 section 6.1)."""
    world = talking()
    world.network.run(90)
    moved = world.network.now
    world.phone.attach(*ON_LTE)
    world.network.run(10)
    assert world.network.frames("SMR", since=moved) == []


def test_the_other_family_of_eids_moves_along():
    world = talking()
    world.phone.send(PHONE_V6, "fd00::2", 1)
    world.laptop.send("fd00::2", PHONE_V6, 2)
    world.network.run(1)
    assert world.laptop.way_to(PHONE_V6) == [WIFI]
    world.phone.attach(*ON_LTE)
    world.network.run_until(lambda: world.laptop.way_to(PHONE_V6) == [LTE], within=1)
    world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [LTE], within=1)
