"""Stories of two mobile nodes and their Map-Server, every message real, in virtual time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from lispfast.control.map_server import MapServer
from lispfast.control.mobile_node import MobileNode
from lispfast.model.addresses import Eid, EidPrefix
from lispfast.model.settings import (
    DatabaseMapping,
    InterfaceLocator,
    Key,
    KeyType,
    MapServerSettings,
    Mode,
    Probing,
    Settings,
    Site,
)
from lispfast.model.units import Nonce, Seconds
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest
from tests.sim.internet import Host, Internet, attached

KEY = Key(b"s3cret", KeyType.HMAC_SHA256)
MAP_SERVER = ip_address("192.0.2.1")
PHONE, PHONE_V6 = "172.16.1.1", "fd00:1::1"
LAPTOP, LAPTOP_V6 = "172.16.2.1", "fd00:2::1"
WIFI = attached("wlan0", 2, "198.51.100.10")
LTE = attached("wwan0", 3, "203.0.113.20")
CABLE = attached("eth0", 2, "192.0.2.130")
OTHER_CABLE = attached("eth0", 2, "192.0.2.140")


@dataclass
class World:
    internet: Internet
    server: Host
    phone: Host
    laptop: Host


def host_prefix(eid: str) -> EidPrefix:
    return Eid(ip_address(eid)).prefix


def node(internet: Internet, eids: tuple[str, ...], interfaces: tuple[str, ...], proxy_reply: bool) -> MobileNode:
    locators = tuple(InterfaceLocator(name, v, n + 1) for n, name in enumerate(interfaces) for v in (4, 6))
    settings = Settings(
        Mode.MN,
        map_servers=(MapServerSettings(MAP_SERVER, KEY, proxy_reply),),
        map_resolvers=(MAP_SERVER,),
        database=tuple(DatabaseMapping(host_prefix(eid), locators) for eid in eids),
        probing=Probing(Seconds(30), 2, Seconds(1)),
    )
    return MobileNode(settings, lambda: Nonce(internet.random.getrandbits(64)), 1)


def make_world(proxy_reply: bool, latency: float = 0.01) -> World:
    internet = Internet(latency)
    sites = tuple(Site(EidPrefix.parse(p), KEY, True) for p in ("172.16.0.0/16", "fd00::/16"))
    server = internet.add("server", MapServer(Settings(Mode.MS, sites=sites), lambda: Nonce(0), {}))
    server.attach(attached("eth0", 2, str(MAP_SERVER)))
    phone = internet.add("phone", node(internet, (PHONE, PHONE_V6), ("wlan0", "wwan0"), proxy_reply))
    laptop = internet.add("laptop", node(internet, (LAPTOP, LAPTOP_V6), ("eth0",), proxy_reply))
    return World(internet, server, phone, laptop)


@pytest.fixture(params=[True, False], ids=["proxy-reply", "etr-replies"])
def world(request):
    return make_world(request.param)


def online(world: World) -> None:
    world.phone.attach(WIFI)
    world.laptop.attach(CABLE)
    world.internet.run(0.5)


def stream(world: World, seconds: float, every: float = 0.01) -> None:
    """The laptop sends to the phone, and the phone answers each packet."""
    for _ in range(round(seconds / every)):
        number = f"{world.internet.now:.3f}"
        world.laptop.packet(f"down {number}", LAPTOP, PHONE)
        world.phone.packet(f"up {number}", PHONE, LAPTOP)
        world.internet.run(every)


def last_gap(host: Host) -> float:
    times = [at for at, _ in host.delivered]
    return max(later - earlier for earlier, later in itertools.pairwise(times))


def test_two_nodes_register_within_one_round_trip(world):
    online(world)
    assert [world.phone.event_times("map-notify-received")[0] - 1000] == [pytest.approx(0.02)]
    assert world.internet.count(MapRegister) == 2
    assert world.internet.count(MapNotify) == 2


@pytest.mark.parametrize(("source", "destination"), [(PHONE, LAPTOP), (PHONE_V6, LAPTOP_V6)])
def test_the_first_packet_is_not_lost_and_not_the_first_answer(world, source, destination):
    online(world)
    world.phone.packet("ping", source, destination)
    world.internet.run(0.2)
    assert [label for _, label in world.laptop.delivered] == ["ping"]
    world.laptop.packet("pong", destination, source)
    world.internet.run(0.2)
    assert [label for _, label in world.phone.delivered] == ["pong"]
    assert (world.phone.lost, world.laptop.lost) == (0, 0)


def test_a_roam_under_traffic_costs_three_one_way_trips_and_a_round_trip(world):
    online(world)
    stream(world, 1)
    world.phone.delivered.clear()
    moved = world.internet.now
    world.phone.attach(LTE)
    assert world.phone.event_times("source-locator-changed")[-1] == moved
    stream(world, 2)
    # Map-Register and Map-Notify, SMR, the question and its answer (one hop more through the ETR), the packet itself.
    hops = 6 if world.internet.count(MapReply, "phone") == 0 else 7
    first = world.phone.delivered[0][0]
    back = next(at for at, label in world.phone.delivered if float(label.split()[1]) >= moved)
    assert back - moved <= hops * world.internet.latency + 0.011
    assert first >= moved
    assert last_gap(world.laptop) < 0.03  # upwards nothing is lost: packets leave the new way at once
    assert world.phone.lost == 0


def test_a_node_that_moves_to_and_fro_is_found_every_time(world):
    online(world)
    stream(world, 1)
    for place in (LTE, WIFI, LTE, WIFI):
        world.phone.attach(place)
        stream(world, 1.5)
        assert world.phone.delivered[-1][0] > world.internet.now - 0.05


def test_make_before_break_loses_nothing(world):
    online(world)
    stream(world, 1)
    world.phone.attach(WIFI, LTE)
    stream(world, 1)
    world.phone.attach(LTE)
    sent_up = len(world.laptop.delivered)
    stream(world, 1)
    assert len(world.laptop.delivered) - sent_up >= 99


def test_a_gap_without_a_network_is_quiet_and_heals(world):
    online(world)
    stream(world, 1)
    world.phone.attach()
    before = sum(name == "phone" for _, name, _ in world.internet.log)
    stream(world, 5)
    assert sum(name == "phone" for _, name, _ in world.internet.log) == before
    assert world.phone.role.poll_timeout() is None or "map-cache" in world.phone.role.poll_timeout().why
    world.phone.attach(LTE)
    came_back = world.internet.now
    stream(world, 1)
    assert world.phone.delivered[-1][0] > world.internet.now - 0.05
    assert next(at for at, _ in world.phone.delivered if at > came_back) - came_back < 0.2


def test_both_roam_at_once_and_find_each_other_through_the_mapping_system(world):
    online(world)
    stream(world, 1)
    world.phone.attach(LTE)
    world.laptop.attach(OTHER_CABLE)
    stream(world, 200, every=0.25)
    assert world.phone.delivered[-1][0] > world.internet.now - 1
    assert world.laptop.delivered[-1][0] > world.internet.now - 1


@pytest.mark.parametrize("kind", [MapRegister, MapNotify, MapReply, MapRequest])
@pytest.mark.parametrize("which", range(3))
def test_one_lost_message_of_any_kind_is_made_up_for(world, kind, which):
    seen = []

    def lose(sender, message):
        if isinstance(message, kind):
            seen.append(message)
            return len(seen) == which + 1
        return False

    world.internet.loss = lose
    online(world)
    world.internet.run(2)  # a question before the registration would be answered "no such EID" for a minute
    stream(world, 3)
    world.phone.attach(LTE)
    stream(world, 4)
    assert world.phone.delivered[-1][0] > world.internet.now - 0.05
    assert world.laptop.delivered[-1][0] > world.internet.now - 0.05


def test_a_quarter_of_the_control_messages_may_be_lost(world):
    world.internet.loss = lambda sender, message: world.internet.random.random() < 0.25
    online(world)
    for place in (LTE, WIFI, LTE):
        stream(world, 60, every=0.25)
        world.phone.attach(place)
    stream(world, 120, every=0.25)
    assert world.phone.delivered[-1][0] > world.internet.now - 1
    assert world.laptop.delivered[-1][0] > world.internet.now - 1


def test_an_idle_day_is_a_registration_a_minute_and_nothing_else(world):
    online(world)
    world.phone.packet("ping", PHONE, LAPTOP)
    world.internet.run(3600)
    world.internet.log.clear()
    world.internet.run(86_400)
    names = {type(message).__name__ for _, _, message in world.internet.log}
    assert names == {"MapRegister", "MapNotify"}
    assert world.internet.count(MapRegister, "phone") == 1440


def test_a_node_that_leaves_is_gone_at_once(world):
    online(world)
    world.phone.role.stop(world.internet.now)
    world.internet.carry_out(world.phone)
    world.internet.run(0.1)
    world.laptop.packet("late", LAPTOP, PHONE)
    world.internet.run(1)
    (entry,) = world.laptop.role.view("map-cache", world.internet.now)["entries"]
    assert entry["action"] == "natively-forward"


def test_a_restarted_node_is_believed_because_its_nonce_rose(world):
    online(world)
    world.phone.role.stop(world.internet.now)
    world.internet.carry_out(world.phone)
    world.internet.hosts.remove(world.phone)
    first = world.phone.saved["register-nonce"] + 1
    settings = world.phone.role.settings
    again = world.internet.add(
        "phone-again", MobileNode(settings, lambda: Nonce(world.internet.random.getrandbits(64)), first)
    )
    again.attach(LTE)
    world.internet.run(0.5)
    assert len(again.event_times("map-notify-received")) == 1
