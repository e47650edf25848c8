"""Nodes that subscribe to each other: the Map-Server tells of a move, and nobody else has to (RFC 9437)."""

from __future__ import annotations

import pytest

from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType, PubSub
from lispfast.wire.message import decode
from tests.scenarios.conftest import PUNCTUAL
from tests.sim.host import interface
from tests.sim.network import Conditions, Frame
from tests.sim.world import HOTEL, LAPTOP_V4, LTE, OFFICE, PHONE_V4, RANGES, TRAIN, WIFI, World, wlan, wwan

KEY = Key(b"known to the Map-Server and the nodes", KeyType.HMAC_SHA256, key_id=7)
PUBSUB = PubSub(subscribe=True, keys=(KEY,))
ON_WIFI, ON_LTE = (wlan(), wwan(up=False)), (wlan(up=False), wwan())
HOP = PUNCTUAL.delay
PHONE = f"{PHONE_V4}/32"


def pubsub_world(conditions: Conditions = PUNCTUAL, nodes: PubSub = PUBSUB, server: PubSub = PUBSUB, **kwargs) -> World:
    fields = {"node_settings": {"pubsub": nodes}, "server_settings": {"pubsub": server}}
    return World(conditions=conditions, proxy_reply=True, sites=RANGES, **fields, **kwargs)


@pytest.fixture
def world() -> World:
    """The phone on Wi-Fi and the laptop at the office have talked, a while ago; each is subscribed to the other."""
    world = pubsub_world()
    world.boot()
    world.talk()
    world.network.run(5)
    assert world.both_at(WIFI, OFFICE)
    assert len(subscriptions(world)) == 2
    return world


def subscriptions(world: World) -> dict[tuple[str, str], list[str]]:
    """EID-prefix and xTR-ID to ITR-RLOCs, as the Map-Server has them."""
    view = world.server.role.view("subscriptions", world.network.now)
    return {(one["eid_prefix"], one["xtr_id"]): one["itr_rlocs"] for one in view["subscriptions"]}


def follower(world: World) -> list[str]:
    """Where what happens to the phone is published to."""
    (rlocs,) = [rlocs for (prefix, _), rlocs in subscriptions(world).items() if prefix == PHONE]
    return rlocs


def of_pubsub(frame: Frame) -> bool:
    """Whether it is signed with the key of PubSub, and so no answer to a Map-Register."""
    return frame.kind in ("MapNotify", "MapNotifyAck") and decode(frame.content).key_id == KEY.key_id


def published(world: World, since: float = 0.0) -> list[Frame]:
    """What the Map-Server told of the phone."""
    frames = [frame for frame in world.network.frames("MapNotify", "server", since) if of_pubsub(frame)]
    return [frame for frame in frames if str(decode(frame.content).records[0].eid) == PHONE_V4]


def nobody_else_told(world: World, since: float) -> bool:
    """No SMR went out, and the laptop asked nobody."""
    asked = world.network.frames("ECM MapRequest", "laptop", since=since)
    return not world.network.frames("SMR", since=since) and not asked


def moves(world: World, *links) -> float:
    world.phone.attach(*links)
    return world.network.now


def follows(world: World, place: str, within: float) -> float:
    return world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [place], within=within)


@pytest.mark.parametrize("silent", [False, True], ids=["in-conversation", "laptop-only-sends"])
def test_the_peer_follows_within_one_round_trip_of_the_map_server_and_no_smr_is_sent(world, silent):
    if not silent:
        world.converse(1000, interval=0.005, start=10)
    world.network.run(1)
    moved = moves(world, *ON_LTE)
    took = follows(world, LTE, within=1)
    assert took == pytest.approx(2 * HOP), "the Map-Register there, the publication here"
    world.laptop.send(LAPTOP_V4, PHONE_V4, 1)
    world.network.run_until(lambda: 1 in world.phone.serials, within=HOP + 0.001)
    world.network.run(0.9)
    assert nobody_else_told(world, moved)
    if not silent:
        world.network.run(3)
        assert not world.network.frames("SMR", since=moved), "the phone heard it at the new place"


def test_every_one_of_many_moves_is_followed_at_once(world):
    for place, links in ((LTE, ON_LTE), (HOTEL, (wlan(HOTEL), wwan(up=False))), (WIFI, ON_WIFI)) * 4:
        moves(world, *links)
        follows(world, place, within=2 * HOP + 0.001)
        world.network.run(0.2)
    assert world.laptop.drops() == {}


def test_two_moves_in_a_row_before_the_first_is_acknowledged(world):
    moves(world, *ON_LTE)
    world.network.run(HOP * 1.5)
    moves(world, wlan(HOTEL), wwan(up=False))
    follows(world, HOTEL, within=2 * HOP + 0.001)
    world.network.run(30)
    assert world.laptop.way_to(PHONE_V4) == [HOTEL]
    assert len(subscriptions(world)) == 2


def test_a_lost_publication_is_sent_again_after_three_seconds(world):
    moved = moves(world, *ON_LTE)
    world.network.lose = lambda frame: frame.kind == "SMR" or (of_pubsub(frame) and frame.at < moved + 2.9)
    follows(world, LTE, within=3 + 2 * HOP + 0.1)
    assert len(published(world, moved)) == 2


def test_where_publications_do_not_arrive_an_smr_tells_after_a_second(world):
    world.network.lose = lambda frame: of_pubsub(frame) and frame.sender == "server"
    moved = moves(world, *ON_LTE)
    world.network.run(1)
    assert world.laptop.way_to(PHONE_V4) == [WIFI]
    world.network.lose = lambda frame: of_pubsub(frame) and frame.at < moved + 1
    follows(world, LTE, within=0.5)
    assert len(world.network.frames("SMR", "phone", since=moved)) == 2, "one about each of its EIDs"


def test_a_lost_acknowledgement_costs_a_repetition_and_no_more(world):
    world.converse(500, interval=0.02, start=10)
    world.network.run(1)
    moved = moves(world, *ON_LTE)
    world.network.lose = lambda frame: frame.kind == "MapNotifyAck" and frame.at < moved + 1
    world.network.run(8)
    frames = published(world, moved)
    assert [round(frame.at - moved, 2) for frame in frames] == [0.01, 3.01]
    assert frames[0].content == frames[1].content
    assert len(subscriptions(world)) == 2
    assert world.laptop.drops() == {}


def test_who_acknowledges_nothing_is_told_once_that_it_is_not_subscribed_any_more_and_subscribes_again(world):
    moved = moves(world, *ON_LTE)
    world.converse(300, interval=1, start=10)
    world.network.lose = lambda frame: frame.kind == "MapNotifyAck" and frame.at < moved + 60
    world.network.run(85)
    waits = [frame.at - moved for frame in published(world, moved)][:8]
    assert [round(at) for at in waits] == [0, 3, 6, 9, 15, 27, 51, 75], "RFC 9301 section 5.7, and the removal"
    assert world.server.told("subscription-ended")
    assert len(follower(world)) == 1, "there is one again"
    moves(world, *ON_WIFI)
    follows(world, WIFI, within=2 * HOP + 0.001)


def test_an_older_publication_that_comes_late_is_dropped_and_counted(world):
    moved = moves(world, *ON_LTE)
    follows(world, LTE, within=1)
    (old,) = published(world, moved)
    world.network.run(1)
    moves(world, wlan(HOTEL), wwan(up=False))
    follows(world, HOTEL, within=1)
    world.laptop.receive_control(old.content, old.source, old.destination)
    world.network.run(1)
    assert world.laptop.way_to(PHONE_V4) == [HOTEL]
    assert {reason.value: count for reason, count in world.laptop.drops().items()} == {"notify-old": 1}
    assert [event.level for event in world.laptop.told("publication-old")] == ["warning"]


def test_a_subscriber_that_moves_is_told_at_its_new_place(world):
    world.laptop.attach(interface("eth0", TRAIN))
    world.network.run(2 * HOP + 0.015)
    assert follower(world) == [TRAIN], "it subscribed again at once"
    moved = moves(world, *ON_LTE)
    follows(world, LTE, within=2 * HOP + 0.001)
    assert {str(frame.destination.address) for frame in published(world, moved)} == {TRAIN}


@pytest.mark.parametrize("apart", [0.0, HOP / 2, HOP, 1.5 * HOP, 2 * HOP, 3 * HOP])
def test_both_move_at_once_and_find_each_other_within_two_round_trips(world, apart):
    world.converse(100, interval=0.05, start=10)
    moves(world, *ON_LTE)
    world.network.run(apart)
    world.laptop.attach(interface("eth0", TRAIN))
    world.network.run_until(lambda: world.both_at(LTE, TRAIN), within=4 * HOP + 0.005)
    world.network.run(10)
    assert follower(world) == [TRAIN]
    assert world.both_at(LTE, TRAIN)


def test_a_map_server_that_restarts_has_forgotten_and_smrs_tell_until_it_is_asked_again(world):
    world.server.crash()
    world.server.start()
    world.network.run_until(lambda: len(world.registered()) == 4, within=61)
    moved = moves(world, *ON_LTE)
    follows(world, LTE, within=1.2)
    assert world.network.frames("SMR", "phone", since=moved)
    world.network.run(0.1)
    assert follower(world) == [OFFICE], "the question that the SMR made it ask subscribed again"
    world.network.run(2)
    moves(world, *ON_WIFI)
    follows(world, WIFI, within=2 * HOP + 0.001)


def test_a_move_right_after_a_restart_of_the_map_server_loses_no_peer(world):
    """The mover asks for a peer that has not registered anew."""
    world.server.crash()
    world.server.start()
    world.network.run(1)
    moved = world.network.now
    world.phone.attach(*ON_LTE)
    world.converse(70, start=1000, interval=1)
    world.network.run(71)
    assert world.network.frames("ECM MapRequest", "phone", since=moved)
    assert world.phone.dataplane.rejected == []
    assert len([serial for serial in world.phone.serials if serial >= 1000]) >= 68
    assert len([serial for serial in world.laptop.serials if serial >= 1000]) >= 68
    assert world.server.drops()[ControlReason.RELEARNING] > 0


def test_a_withdrawn_mapping_is_gone_at_once_and_back_at_once(world):
    world.phone.stop()
    gone = world.network.now
    world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [], within=2 * HOP + 0.001)
    world.network.run(30)
    world.phone.start()
    follows(world, WIFI, within=2 * HOP + 0.001)
    assert nobody_else_told(world, gone)


def test_a_registration_that_times_out_is_published(world):
    world.phone.crash()
    world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [], within=182)
    assert PHONE not in world.registered()


def test_who_asks_for_nobody_is_told_when_somebody_comes():
    world = pubsub_world()
    world.laptop.attach(interface("eth0", OFFICE))
    world.laptop.start()
    world.phone.attach(*ON_WIFI)
    world.network.run(1)
    world.laptop.send(LAPTOP_V4, PHONE_V4, 1)
    world.network.run(1)
    assert len(world.laptop.dataplane.rejected) == 1
    came = world.network.now
    world.phone.start()
    follows(world, WIFI, within=2 * HOP + 0.001)
    assert nobody_else_told(world, came)


def test_a_subscriber_that_restarts_is_believed_at_its_first_question(world):
    world.network.run(1)
    world.laptop.crash()
    world.laptop.start()
    world.laptop.send(LAPTOP_V4, PHONE_V4, 1)
    world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [WIFI], within=0.1)
    moves(world, *ON_LTE)
    follows(world, LTE, within=2 * HOP + 0.001)


def test_who_stops_unsubscribes(world):
    world.laptop.stop()
    world.network.run(1)
    assert [prefix for prefix, _ in subscriptions(world)] == [f"{LAPTOP_V4}/32"]
    world.network.run(15 * 60)
    assert subscriptions(world) == {}, "the phone waited so long for the laptop to come back"


def test_who_does_not_use_a_mapping_any_more_unsubscribes(world):
    world.network.run(920)  # that an RLOC is no EID holds for 15 minutes
    assert (subscriptions(world), len(world.laptop.role.cache), len(world.laptop.role.subscriber)) == ({}, 0, 0)


@pytest.mark.parametrize(
    ("nodes", "server"), [(PUBSUB, PubSub()), (PubSub(), PUBSUB), (PUBSUB, PubSub(True))], ids=["none", "old", "no-key"]
)
def test_without_pubsub_on_one_side_smrs_tell_as_ever(nodes, server):
    world = pubsub_world(nodes=nodes, server=server)
    world.boot()
    world.talk()
    world.network.run(5)
    moves(world, *ON_LTE)
    follows(world, LTE, within=5 * HOP + 0.001)
    assert not published(world)


def test_a_mapping_system_that_drops_what_subscribes_costs_two_seconds_at_first_and_nothing_later():
    world = pubsub_world()
    world.network.lose = lambda frame: frame.kind == "ECM MapRequest" and has_identity(frame)
    world.boot()
    for serial in range(4):
        world.laptop.send(LAPTOP_V4, f"10.0.0.{100 + serial}", serial)
        world.network.run(40)
    assert world.laptop.told("subscriptions-paused")
    world.laptop.send(LAPTOP_V4, PHONE_V4, 9)
    world.network.run_until(lambda: 9 in world.phone.serials, within=0.1)


def has_identity(frame: Frame) -> bool:
    return decode(decode(frame.content).inner().payload).identity is not None


@pytest.mark.parametrize("seed", range(3))
def test_over_bad_networks_every_move_is_followed(seed):
    world = pubsub_world(Conditions(loss=0.15, duplication=0.1, delay=0.02, jitter=0.05), seed=seed)
    world.boot()
    world.converse(400, interval=1, start=10)
    world.network.run_until(lambda: world.both_at(WIFI, OFFICE), within=60)
    for place, links in ((LTE, ON_LTE), (WIFI, ON_WIFI)) * 3:
        world.network.run(30)
        moves(world, *links)
        follows(world, place, within=30)
