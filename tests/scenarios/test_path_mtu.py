"""What a router says of the path to one peer, what a forger says, and how long it counts."""

from __future__ import annotations

from dataclasses import replace

from lispfast.model.underlay import Interface
from lispfast.model.units import WireMtu
from tests.scenarios.conftest import MakeWorld
from tests.sim.host import Host, interface
from tests.sim.world import LAPTOP_V4, OFFICE, PHONE_V4, World, wlan, wwan

TABLET_V4, TABLET_V6, HOME = "10.0.0.3", "fd00::3", "192.0.2.140"


def three(world: World) -> Host:
    """The phone talks to the laptop and to a tablet."""
    tablet = world.node("tablet", TABLET_V4, TABLET_V6, ("eth0",))
    world.boot()
    tablet.attach(interface("eth0", HOME))
    tablet.start()
    world.network.run_until(lambda: len(world.registered()) == 6, within=120)
    talk(world)
    return tablet


def talk(world: World) -> None:
    """A packet to each peer, so that their mappings are there and in use."""
    for eid in (LAPTOP_V4, TABLET_V4):
        world.phone.send(PHONE_V4, eid, 1)
    world.network.run_until(lambda: bool(world.phone.way_to(LAPTOP_V4) and world.phone.way_to(TABLET_V4)), within=5)


def talk_for(world: World, seconds: float) -> None:
    """A packet a minute to each keeps the mappings fresh."""
    for _ in range(int(seconds // 60)):
        world.network.run(60)
        talk(world)
    world.network.run(seconds % 60)


def test_a_hint_counts_for_that_peer_alone_and_for_ten_minutes(make_world: MakeWorld) -> None:
    world = make_world()
    three(world)
    heard = world.network.now
    world.phone.hint(OFFICE, 1400)
    assert (world.phone.mtu_to(LAPTOP_V4), world.phone.mtu_to(TABLET_V4)) == (1400, 1500)
    (event,) = world.phone.told("path-mtu-learnt")
    assert event.fields == {"locator": OFFICE, "mtu": 1400, "before": 1500}
    talk_for(world, heard + 599.9 - world.network.now)
    assert world.phone.mtu_to(LAPTOP_V4) == 1400, "refreshing the mapping does not forget it"
    talk_for(world, 0.2)
    assert world.phone.mtu_to(LAPTOP_V4) == 1500
    world.phone.hint(OFFICE, 1400)
    assert world.phone.mtu_to(LAPTOP_V4) == 1400, "the path is as it was, and a larger packet found out"


def test_a_forged_hint_for_a_stranger_changes_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    three(world)
    before = dict(world.phone.dataplane.table.verdicts)
    timeout = world.phone.role.poll_timeout()
    world.phone.hint("192.0.2.250", 576)
    world.phone.hint("2001:db8:0:b::9", 1280)
    assert world.phone.dataplane.table.verdicts == before
    assert world.phone.told("path-mtu-learnt") == []
    assert world.phone.role.poll_timeout() == timeout, "and wakes nobody later"


def test_a_forged_hint_for_a_peer_does_little_harm(make_world: MakeWorld) -> None:
    world = make_world()
    three(world)
    for mtu in (0, 1, 68, 9000):
        world.phone.hint(OFFICE, mtu)
    assert world.phone.mtu_to(LAPTOP_V4) == 576
    talk_for(world, 601)
    assert world.phone.mtu_to(LAPTOP_V4) == 1500


def test_a_move_forgets_what_was_heard_of_the_old_path(make_world: MakeWorld) -> None:
    world = make_world()
    three(world)
    world.phone.hint(OFFICE, 1400)
    world.phone.attach(wlan(up=False), wwan())
    assert world.phone.mtu_to(LAPTOP_V4) == 1500
    world.network.run(5)
    assert world.phone.mtu_to(LAPTOP_V4) == 1500


def test_an_interface_that_takes_less_bounds_every_peer(make_world: MakeWorld) -> None:
    world = make_world()
    three(world)
    world.phone.hint(OFFICE, 1400)
    world.phone.attach(with_mtu(wlan(), 1300))
    assert (world.phone.mtu_to(LAPTOP_V4), world.phone.mtu_to(TABLET_V4)) == (1300, 1300)
    world.phone.attach(with_mtu(wlan(), 1500))
    assert (world.phone.mtu_to(LAPTOP_V4), world.phone.mtu_to(TABLET_V4)) == (1400, 1500), "the path is still the same"


def with_mtu(one: Interface, mtu: int) -> Interface:
    return replace(one, mtu=WireMtu(mtu))
