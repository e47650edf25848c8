"""One control message is lost, each one singly, and the story ends as well as it does without.

A story is told once on a network that loses nothing. Then, for every control message that was sent in it, it is told
again and exactly this one is lost: a story is a function of its seed, so up to there it is the same one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from tests.scenarios.conftest import MakeWorld
from tests.sim.host import interface
from tests.sim.network import Frame
from tests.sim.world import LAPTOP_V4, LTE, OFFICE, PHONE_V4, TRAIN, WIFI, World, wlan, wwan

Story = Callable[[World], None]
LOOKUP = {"ECM Locate", "LocateReply"}


def each_one_singly(make_world: MakeWorld, story: Story, kinds: set[str]) -> Counter[str]:
    """Tell a story of exactly these kinds of message, once for each message; how many of each kind were lost.

    Where EIDs are resolved RLOCs are looked up too, and each of those messages is lost in its turn.
    """
    calm = make_world()
    story(calm)
    sent = calm.network.control()
    assert {frame.kind for frame in sent} == kinds | (LOOKUP if "ECM MapRequest" in kinds else set())
    for n, expected in enumerate(sent):
        world = make_world()
        lost: list[Frame] = []

        def lose(frame: Frame, n: int = n, world: World = world, lost: list[Frame] = lost) -> bool:
            if not lost and len(world.network.control()) == n + 1:
                lost.append(frame)
            return bool(lost) and lost[0] is frame

        world.network.lose = lose
        try:
            story(world)
        except AssertionError as error:
            error.add_note(f"without message {n}, a {expected.kind} of {expected.sender} at {expected.at - 1000:.3f} s")
            raise
        assert [(f.kind, f.sender, f.at) for f in lost] == [(expected.kind, expected.sender, expected.at)]
    return Counter(frame.kind for frame in sent)


def registers(world: World) -> None:
    world.phone.attach(wlan())
    world.phone.start()
    world.network.run_until(lambda: world.registered().get(f"{PHONE_V4}/32") == [WIFI], within=1.3)
    world.network.run(200)
    assert world.registered()[f"{PHONE_V4}/32"] == [WIFI]
    assert world.server.told("registration-expired") == []
    assert world.phone.told("registration-lost") == []


def test_of_registration(make_world):
    """One at once and one a minute for 200 s, each with its answer."""
    counts = each_one_singly(make_world, registers, {"MapRegister", "MapNotify"})
    assert counts == {"MapRegister": 4, "MapNotify": 4}


def resolves(world: World) -> None:
    world.boot()
    world.network.run(2)  # a question before the registration would be answered "no such EID" for a minute
    for serial in range(5):
        world.phone.send(PHONE_V4, LAPTOP_V4, serial)
    world.network.run_until(lambda: len(world.laptop.serials) == 5, within=1.3)
    assert world.laptop.serials == list(range(5)), "those that waited go in their order"
    world.laptop.send(LAPTOP_V4, PHONE_V4, 9)
    world.network.run_until(lambda: world.phone.serials == [9], within=1.3)
    world.network.run(2)  # the questions whether RLOCs are EIDs come behind
    assert world.phone.dataplane.drops == world.laptop.dataplane.drops == {}


def test_of_registration_and_resolution(make_world):
    counts = each_one_singly(make_world, resolves, {"MapRegister", "MapNotify", "ECM MapRequest", "MapReply"})
    assert counts["MapReply"] == 2, "one for each direction"


def roams(world: World) -> None:
    """There and back again under traffic, long enough for the first probes of each place."""
    world.boot()
    world.network.run(2)
    world.converse(280, interval=0.05)
    world.network.run(3)
    for links, place in (((wlan(up=False), wwan()), LTE), ((wlan(), wwan(up=False)), WIFI)):
        world.phone.attach(*links)
        world.network.run_until(lambda place=place: world.both_at(place, OFFICE), within=2.2)
        world.network.run(4)
        assert world.fresh(0.1)
    assert world.phone.told("rloc-down") == world.laptop.told("rloc-down") == []


def test_of_a_roam_in_both_directions(make_world):
    everything = {"MapRegister", "MapNotify", "ECM MapRequest", "MapReply", "SMR", "Probe", "ProbeReply"}
    counts = each_one_singly(make_world, roams, everything)
    assert all(counts[kind] >= 2 for kind in everything), "for each of the two moves"


def both_roam(world: World) -> None:
    world.boot()
    world.network.run(2)
    world.converse(400, interval=0.25)
    world.network.run(3)
    world.phone.attach(wlan(up=False), wwan())
    world.laptop.attach(interface("eth0", TRAIN))
    world.network.run_until(lambda: world.both_at(LTE, TRAIN), within=60)
    world.network.run(1)
    assert world.fresh(0.5)


def test_of_both_roaming_at_once(make_world):
    """Each tells the other's old place, so it is the probes that find out."""
    counts = each_one_singly(
        make_world, both_roam, {"MapRegister", "MapNotify", "ECM MapRequest", "MapReply", "SMR", "Probe"}
    )
    assert counts["Probe"] >= 3


def test_a_quarter_of_all_control_messages(world):
    dice = random.Random(7)
    world.network.lose = lambda frame: frame.kind != "Data" and dice.random() < 0.25
    world.boot()
    for links in ((wlan(up=False), wwan()), (wlan(), wwan(up=False)), (wlan(up=False), wwan())):
        world.converse(240, interval=0.25)
        world.network.run(60)
        world.phone.attach(*links)
    world.converse(480, interval=0.25)
    world.network.run(120)
    assert world.fresh(1)
    assert world.network.lost
