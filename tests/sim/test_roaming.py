"""Nodes that move: their peers follow, and nobody else is asked to."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from lispfast.model.addresses import Eid
from lispfast.model.forwarding import Encapsulate
from lispfast.model.settings import Probing
from lispfast.model.units import Seconds

from .host import Host, interface
from .network import Conditions
from .world import HOTEL, LAPTOP_V4, LTE, OFFICE, PHONE_V4, PHONE_V6, TRAIN, WIFI, World, wlan, wwan


def way_to(host: Host, eid: str) -> list[str]:
    """The RLOCs that a host's data plane sends to for an EID."""
    found = host.dataplane.verdict(Eid(ip_address(eid)))
    if found is None or not isinstance(found[1], Encapsulate):
        return []
    return [str(locator.address) for locator in found[1].locators]


def both_at(world: World, phone: str, laptop: str) -> bool:
    """Whether each sends to where the other one is."""
    return way_to(world.laptop, PHONE_V4) == [phone] and way_to(world.phone, LAPTOP_V4) == [laptop]


def talking(**kwargs) -> World:
    world = World(**kwargs)
    world.boot()
    world.talk()
    return world


@pytest.mark.parametrize("proxy_reply", [False, True])
def test_the_peer_follows_within_a_few_round_trips(proxy_reply):
    world = talking(proxy_reply=proxy_reply)
    assert way_to(world.laptop, PHONE_V4) == [WIFI]
    world.network.run(10)
    moved = world.network.now
    world.phone.attach(wlan(up=False), wwan())
    took = world.network.run_until(lambda: way_to(world.laptop, PHONE_V4) == [LTE], within=1)
    assert took <= 0.1, "register, notify, SMR, request, reply: ten times 5 ms at most"
    smrs = world.network.frames("SMR", since=moved)
    assert {(frame.sender, str(frame.destination.address)) for frame in smrs} == {("phone", OFFICE)}
    invoked = world.network.frames("ECM MapRequest", "laptop", since=moved)
    assert invoked, "the answer to an SMR goes through the mapping system"


def test_packets_leave_the_new_way_at_once_and_none_of_them_is_lost():
    world = talking()
    world.network.run(10)
    world.converse(200, interval=0.005)
    world.network.after(0.4975, lambda: world.phone.attach(wlan(up=False), wwan()))
    world.network.run(3)
    assert [s for s in world.laptop.serials if s < 1000] == list(range(200)), "nothing from the phone is lost"
    missing = set(range(200)) - set(world.phone.serials)
    assert len(missing) * 0.005 <= 0.1, "to the phone, what was on its way to the old address"
    moved = [f for f in world.network.frames("Data", "phone") if str(f.source.address) == LTE]
    assert moved
    assert moved[0].content.serial == 100


def test_the_order_of_a_move():
    world = talking()
    world.network.run(10)
    moved = world.network.now
    world.phone.attach(wlan(up=False), wwan())
    world.network.run(1)
    kinds = [frame.kind for frame in world.network.sent if frame.sender == "phone" and frame.at >= moved]
    assert kinds[0] == "MapRegister"
    last_smr = max(frame.at for frame in world.network.frames("SMR", "phone", since=moved))
    first_notify = min(frame.at for frame in world.network.frames("MapNotify", since=moved))
    assert last_smr > first_notify, "the peers are solicited when the Map-Server knows"


def test_there_and_back_again_within_three_seconds():
    world = talking()
    world.network.run(10)
    for links, expected in (((wlan(up=False), wwan()), LTE), ((wlan(HOTEL), wwan(up=False)), HOTEL)):
        world.phone.attach(*links)
        world.network.run_until(lambda expected=expected: way_to(world.laptop, PHONE_V4) == [expected], within=1.2)
    world.phone.attach(wlan(up=False), wwan())
    world.network.run_until(lambda: way_to(world.laptop, PHONE_V4) == [LTE], within=4)


def test_both_move_at_the_same_moment():
    world = talking()
    world.network.run(10)
    world.phone.attach(wlan(up=False), wwan())
    world.laptop.attach(interface("eth0", TRAIN))
    world.converse(700, interval=1)
    world.network.run_until(lambda: both_at(world, LTE, TRAIN), within=600)  # the record's ten minutes
    world.converse(5, start=5000)
    world.network.run(2)
    for host in (world.phone, world.laptop):
        assert set(range(5000, 5005)) <= set(host.serials)


def test_both_move_and_probes_find_out_soon():
    world = talking(probing=Probing(interval=Seconds(10), retries=1, retry_interval=Seconds(2)))
    world.network.run(25)
    world.phone.attach(wlan(up=False), wwan())
    world.laptop.attach(interface("eth0", TRAIN))
    world.converse(120, interval=0.5)
    world.network.run_until(lambda: both_at(world, LTE, TRAIN), within=60)


def test_the_smr_is_lost():
    world = talking()
    world.network.run(10)
    world.network.lose = lambda frame: frame.kind == "SMR"
    world.phone.attach(wlan(up=False), wwan())
    world.network.run(5)
    assert way_to(world.laptop, PHONE_V4) == [WIFI], "nothing else tells the laptop"
    world.converse(700, interval=1)
    world.network.run_until(lambda: way_to(world.laptop, PHONE_V4) == [LTE], within=660)


def test_the_answer_to_the_smr_is_lost_once():
    world = talking()
    world.network.run(10)
    gone = []

    def lose(frame):
        if frame.kind == "ECM MapRequest" and frame.sender == "laptop" and not gone:
            gone.append(frame)
            return True
        return False

    world.network.lose = lose
    world.phone.attach(wlan(up=False), wwan())
    world.network.run_until(lambda: way_to(world.laptop, PHONE_V4) == [LTE], within=5)
    assert gone


@pytest.mark.parametrize("seed", range(6))
def test_a_move_over_bad_networks(seed):
    world = World(seed, Conditions(loss=0.15, duplication=0.1, delay=0.02, jitter=0.05))
    world.boot()
    world.converse(100, interval=0.1)
    world.network.run_until(lambda: both_at(world, WIFI, OFFICE), within=60)
    world.phone.attach(wlan(up=False), wwan())
    world.converse(700, interval=1)
    world.network.run_until(lambda: way_to(world.laptop, PHONE_V4) == [LTE], within=700)
    world.network.run_until(lambda: world.registered()[f"{PHONE_V4}/32"] == [LTE], within=130)


def test_no_network_for_an_hour_in_silence():
    world = talking()
    world.network.run(70)
    lost = world.network.now
    world.phone.attach(wlan(up=False), wwan(up=False))
    world.phone.send(PHONE_V4, LAPTOP_V4, 7)
    world.network.run(3600)
    assert [frame for frame in world.network.sent if frame.sender == "phone" and frame.at > lost] == []
    assert world.phone.refused_sends == 0, "nothing was even tried"
    assert f"{PHONE_V4}/32" not in world.registered()
    world.phone.attach(wlan(HOTEL))
    world.network.run_until(lambda: world.registered().get(f"{PHONE_V4}/32") == [HOTEL], within=0.1)


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
    world.network.run_until(lambda: len(way_to(world.laptop, PHONE_V4)) == 2, within=1)
    world.converse(3, start=50)
    world.network.run(1)
    assert {50, 51, 52} <= set(world.phone.serials) & set(world.laptop.serials)


def test_an_idle_peer_is_not_told():
    """Whom we did not talk to for a minute is not solicited (RFC 9301 section 6.1)."""
    world = talking()
    world.network.run(90)
    moved = world.network.now
    world.phone.attach(wlan(up=False), wwan())
    world.network.run(10)
    assert world.network.frames("SMR", since=moved) == []


def test_the_other_family_of_eids_moves_along():
    world = talking()
    world.phone.send(PHONE_V6, "fd00::2", 1)
    world.laptop.send("fd00::2", PHONE_V6, 2)
    world.network.run(1)
    assert way_to(world.laptop, PHONE_V6) == [WIFI]
    world.phone.attach(wlan(up=False), wwan())
    world.network.run_until(lambda: way_to(world.laptop, PHONE_V6) == [LTE], within=1)
    world.network.run_until(lambda: way_to(world.laptop, PHONE_V4) == [LTE], within=1)
