"""A private network: what two nodes learn of each other by their LISP headers alone."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control.echo_nonce import INTERVAL, State
from lispfast.control.mobile_node import MobileNode
from lispfast.model.settings import Hints, Profile
from tests.sim.host import Host, interface
from tests.sim.network import Frame, Packet
from tests.sim.world import LAPTOP_V4, LTE, OFFICE, PHONE_V4, TRAIN, WIFI, World, nonces, wlan, wwan

ECHO = {"profile": Profile.PRIVATE, "hints": Hints(echo_nonce=True)}
VERSIONS = {"profile": Profile.PRIVATE, "hints": Hints(map_versioning=True)}
BITS = {"profile": Profile.PRIVATE, "hints": Hints(status_bits=True)}


def headers(world: World, sender: str) -> list[bytes]:
    """Of the data packets of one of them."""
    return [frame.content.header for frame in world.network.sent if is_data(frame) and frame.sender == sender]


def is_data(frame: Frame) -> bool:
    return isinstance(frame.content, Packet)


def with_version(world: World, host: Host, version: int) -> None:
    """When it boots again its mappings have this version."""
    make = host._make_role

    def versioned(disk: dict[str, int]) -> MobileNode:
        settings = make(disk).settings
        database = tuple(replace(entry, version=version) for entry in settings.database)
        return MobileNode(replace(settings, database=database), nonces(world.network), 10**19 + version * 10**6)

    host._make_role = versioned


# --- Echo-nonce -------------------------------------------------------------------------------------------------------


def test_two_nodes_ask_and_echo_and_find_the_path_up():
    world = World(node_settings=ECHO)
    world.boot()
    world.talk()
    world.converse(4000, interval=0.05)
    world.network.run(200)
    for asking, echoing in (("phone", "laptop"), ("laptop", "phone")):
        asked = {head[1:4] for head in headers(world, asking) if head[0] == 0xA0}
        echoed = {head[1:4] for head in headers(world, echoing) if head[0] == 0x80}
        assert 3 <= len(asked) <= 200 / (INTERVAL * 0.7), asking
        assert asked == echoed
    assert world.phone.told("rloc-no-echo") == world.laptop.told("rloc-no-echo") == []
    assert all(host.serials[1:] == list(range(4000)) for host in (world.phone, world.laptop))


def test_a_path_that_fails_in_one_direction_is_found_by_the_missing_echo():
    world = World(node_settings=ECHO)
    world.boot()
    world.talk()
    world.converse(2400, interval=0.05)
    world.network.run(5)
    world.network.lose = lambda frame: is_data(frame) and frame.sender == "phone"
    world.network.run(INTERVAL * 1.25 + 12)  # the other may be asking just then, and goes first
    (lost,) = world.phone.told("rloc-no-echo")[:1]
    assert lost.fields == {"rloc": OFFICE}
    assert world.phone.way_to(LAPTOP_V4) == [OFFICE], "it has no other"
    assert world.laptop.told("rloc-no-echo") == [], "who hears nothing concludes nothing"
    world.network.lose = lambda frame: False
    world.network.run(INTERVAL * 1.25 + 4)
    assert world.phone.role.hints.echo_nonce.echo(ip_address(OFFICE)).state is not State.LOST


def test_a_one_way_flow_is_never_called_down():
    world = World(node_settings=ECHO)
    world.boot()
    world.talk()
    for number in range(1500):
        world.network.after(number * 0.1, lambda number=number: world.phone.send(PHONE_V4, LAPTOP_V4, number))
    world.network.run(160)
    assert world.phone.told("rloc-no-echo") == []
    assert world.laptop.serials[1:] == list(range(1500))


def test_nobody_asks_on_the_public_internet():
    world = World(node_settings={**ECHO, "profile": Profile.PUBLIC})
    world.boot()
    world.talk()
    world.converse(1000, interval=0.1)
    world.network.run(110)
    assert set(headers(world, "phone") + headers(world, "laptop")) == {bytes(8)}


# --- Map-Versions -----------------------------------------------------------------------------------------------------


def test_a_peer_with_an_old_version_hears_of_the_new_one_by_its_own_packets():
    """The laptop comes back with other locators, and so another version, and knows of nobody whom to tell."""
    world = World(node_settings=VERSIONS)
    with_version(world, world.phone, 7)
    with_version(world, world.laptop, 1)
    world.boot()
    world.talk()
    assert headers(world, "phone")[-1].hex() == "1000700100000000"
    world.laptop.crash()
    with_version(world, world.laptop, 2)
    world.laptop.attach(interface("eth0", OFFICE), interface("eth1", TRAIN, index=3))
    world.laptop.start()
    world.network.run(2)
    assert world.phone.told("smr-received") == []
    world.phone.send(PHONE_V4, LAPTOP_V4, 5)
    world.network.run(2)
    assert len(world.phone.told("smr-received")) == 1
    world.phone.send(PHONE_V4, LAPTOP_V4, 6)
    assert headers(world, "phone")[-1].hex() == "1000700200000000"
    world.network.run(1)
    assert world.laptop.serials[-2:] == [5, 6], "an old version is no reason to drop"


def test_a_newer_version_in_a_packet_asks_the_mapping_system():
    world = World(node_settings=VERSIONS)
    with_version(world, world.phone, 7)
    with_version(world, world.laptop, 1)
    world.boot()
    world.talk()
    world.laptop.crash()
    with_version(world, world.laptop, 2)
    world.laptop.start()
    world.network.run(2)
    asked = world.network.now
    world.laptop.send(LAPTOP_V4, PHONE_V4, 5)
    world.network.run(2)
    assert len(world.network.frames("ECM MapRequest", "phone", since=asked)) == 1
    world.phone.send(PHONE_V4, LAPTOP_V4, 6)
    assert headers(world, "phone")[-1].hex() == "1000700200000000"


@pytest.mark.parametrize("version", [0, 3])
def test_a_version_that_cannot_be_is_dropped_by_the_data_plane(version):
    world = World(node_settings=VERSIONS)
    with_version(world, world.phone, 7)
    with_version(world, world.laptop, 1)
    world.boot()
    world.talk()
    forged = Packet(ip_address(PHONE_V4), ip_address(LAPTOP_V4), 99, header=bytes((0x10, 0, 0x70, version)) + bytes(4))
    known = next(frame for frame in world.network.sent if is_data(frame) and frame.sender == "phone")
    world.laptop.receive_data(forged, known.source)
    assert 99 not in world.laptop.serials
    assert world.laptop.dataplane.drops == {"map-version": 1}


# --- Locator-Status-Bits ----------------------------------------------------------------------------------------------


def test_bits_are_carried_once_peers_know_the_locators_and_not_after_a_move():
    world = World(node_settings=BITS)
    world.boot()
    world.phone.attach(wlan(WIFI), wwan())
    world.network.run(2)
    world.converse(700, interval=1)
    world.network.run(310)
    assert headers(world, "phone")[-1].hex() == "4000000000000003"
    assert headers(world, "laptop")[-1].hex() == "4000000000000001"
    world.phone.attach(wlan(up=False), wwan())
    world.network.run(5)
    assert headers(world, "phone")[-1] == bytes(8)
    assert world.laptop.way_to(PHONE_V4) == [LTE]
    world.network.run(310)
    assert headers(world, "phone")[-1].hex() == "4000000000000001"
