"""What a spoofed source address gets out of us: bounded in bytes, whatever is asked and however often.

A Map-Request names in its ITR-RLOCs who is to be answered, so its sender may be anybody. Counted are the UDP payloads
that go to the victim against those that the attacker spends.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest

from lispfast.control import auth
from lispfast.control.map_requests import probe, question, solicitation
from lispfast.model.addresses import CONTROL_PORT, Address, EidPrefix, Endpoint
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.info_message import InfoMessage
from lispfast.wire.map_register import MapRegister
from lispfast.wire.records import record_from_mapping
from tests.scenarios.conftest import PUNCTUAL
from tests.scenarios.test_pubsub import pubsub_world
from tests.sim.host import Host
from tests.sim.world import KEY, LAPTOP_V4, OFFICE, World

from .attacker import LAPTOP, PHONE, PROBES, VICTIM, forge, peaceful, unmoved

SECONDS, RATE = 20, 100
LARGEST = 576 - 28
"""Bytes of one Map-Reply over IPv4: RFC 9301 section 5 for a path whose MTU is not known."""
Make = Callable[[int], bytes]


def to_victim(world: World, since: float, *also: str) -> int:
    """Bytes sent to the victim, and to the RLOCs of others that are named."""
    hit = {ip_address(one) for one in (VICTIM, *also)}
    frames = [f for f in world.network.control(since=since) if f.destination.address in hit and f.sender != "attacker"]
    return sum(len(frame.content) for frame in frames)


def flood(world: World, target: Host, make: Make, *also: str) -> tuple[int, int]:
    """Send RATE a second for SECONDS from the victim's address; the bytes spent, and the bytes that hit him."""
    began, spent = world.network.now, 0
    for n in range(SECONDS * RATE):
        payload = make(n)
        spent += len(payload)
        world.network.after(n / RATE, lambda payload=payload: forge(world, target, payload, VICTIM))
    world.network.run(SECONDS + 5)
    return spent, to_victim(world, began, *also)


def asks(eid: str, *itr_rlocs: str) -> Make:
    rlocs: tuple[Address, ...] = tuple(ip_address(one) for one in itr_rlocs or (VICTIM,))
    return lambda n: question(EidPrefix.parse(eid), None, rlocs, Nonce(n)).encode()


def wrapped(make: Make, inner_source: str = VICTIM) -> Make:
    ends = Endpoint(ip_address(inner_source), CONTROL_PORT), Endpoint(ip_address(LAPTOP_V4), CONTROL_PORT)
    return lambda n: EncapsulatedControl.wrap(*ends, make(n)).encode()


def probes(n: int) -> bytes:
    return probe(EidPrefix.parse(PHONE), (ip_address(VICTIM),), Nonce(n)).encode()


def smrs(n: int) -> bytes:
    return solicitation(EidPrefix.parse(LAPTOP), EidPrefix.parse(PHONE), (ip_address(VICTIM),), Nonce(n)).encode()


def registers(key: Key, nonce: int = 2**63) -> Make:
    locator = Locator(ip_address(VICTIM))
    record = record_from_mapping(Mapping(EidPrefix.parse(PHONE), (locator,), Minutes(1)))
    return lambda n: auth.sign(MapRegister(Nonce(nonce + n), (record,), want_map_notify=True), key)


AT_THE_NODE: dict[str, Make] = {
    "map-request": asks(PHONE),
    "map-request-for-a-stranger": asks("10.99.0.0/16"),
    "probe": probes,
    "smr": smrs,
    "in-an-ecm": wrapped(asks(PHONE)),
    "info-request": lambda n: InfoMessage.decode(bytes.fromhex("70000000") + n.to_bytes(8, "big") + bytes(14)).encode(),
}
AT_THE_SERVER: dict[str, Make] = {
    "map-request": asks(PHONE),
    "map-request-for-a-hole": asks("172.16.0.0/32"),
    "many-holes": lambda n: asks(f"172.16.{n // 250}.{n % 250}/32")(n),
    "in-an-ecm": wrapped(asks(LAPTOP)),
    "probe": probes,
    "smr": smrs,
    "map-register-without-the-key": registers(Key(b"guessed", KeyType.HMAC_SHA256)),
}


@pytest.mark.parametrize("kind", AT_THE_NODE)
def test_a_flood_of_one_question_gives_less_than_it_costs_at_the_node(kind):
    world = peaceful()
    spent, hit = flood(world, world.phone, AT_THE_NODE[kind])
    assert hit < spent / 4, f"{hit} bytes for {spent}"


@pytest.mark.parametrize("kind", AT_THE_SERVER)
def test_a_flood_of_one_question_gives_less_than_it_costs_at_the_map_server(kind):
    """Many holes are many questions: each is answered once, by no more bytes than it took."""
    world = peaceful()
    spent, hit = flood(world, world.server, AT_THE_SERVER[kind])
    assert hit < (spent * 1.1 if kind == "many-holes" else spent / 4), f"{hit} bytes for {spent}"


@pytest.mark.parametrize(
    ("eid", "xtr_id"),
    [
        (lambda n: PHONE, lambda n: 7),
        (lambda n: PHONE, lambda n: n),
        (lambda n: f"172.16.{n // 250}.{n % 250}/32", lambda n: n),
    ],
    ids=["one", "in-many-names", "to-many-holes"],
)
def test_a_flood_of_subscriptions_hits_nobody_with_repeats(eid, xtr_id):
    """Each wish is a question of its own, answered with a MAC and IDs: 88 bytes for 52. Few of those are sent again."""
    world = pubsub_world()
    world.boot()
    world.talk()
    world.network.run(20)
    began = world.network.now

    def make(n: int) -> bytes:
        names = EidPrefix.parse(eid(n)), None, (ip_address(VICTIM),), Nonce(2**40 + n)
        return question(*names, subscriber=XtrIdentity(xtr_id(n), 0)).encode()

    spent, _ = flood(world, world.server, make)
    world.network.run(120)
    assert 0 < to_victim(world, began) < 2 * spent
    assert world.server.role.drops()[ControlReason.RATE_LIMITED] > 0


def test_one_question_each_is_answered_so_that_the_floods_can_hit():
    world = peaceful()
    for target, make in ((world.phone, asks(PHONE)), (world.phone, probes), (world.server, wrapped(asks(LAPTOP)))):
        began = world.network.now
        forge(world, target, make(1), VICTIM)
        world.network.run(0.1)
        assert to_victim(world, began) > 0
    world.network.run(20)
    began = world.network.now
    forge(world, world.server, registers(KEY)(0), VICTIM)
    world.network.run(0.1)
    assert to_victim(world, began) > 0, "a Map-Notify, for who has the key"


@pytest.mark.parametrize("forwarded", [False, True], ids=["proxy-reply", "etr-replies"])
def test_an_etr_is_not_flooded_through_the_map_server(forwarded):
    """Requests that the Map-Server forwards hit an ETR and, by its Map-Replies, the victim."""
    world = peaceful(proxy_reply=not forwarded)
    spent, hit = flood(world, world.server, wrapped(asks(LAPTOP)), OFFICE)
    assert hit < spent / 2
    began = world.network.now
    world.network.run(30)
    forge(world, world.server, wrapped(asks(LAPTOP))(0), VICTIM)
    world.network.run(0.1)
    sent = {frame.sender for frame in world.network.control(since=began) if str(frame.destination.address) == VICTIM}
    assert sent == {"laptop" if forwarded else "server"}, "whoever answers, it was about him"


def test_a_question_about_a_crowded_prefix_gives_one_packet_of_bounded_size():
    """RFC 9301 section 5.5 wants all more-specifics in the answer: as many as fit, narrowed round the EID."""
    registered = tuple(
        Mapping(EidPrefix.parse(f"{net}/32"), (Locator(ip_address(OFFICE)),), Minutes(10))
        for net in ip_network("10.200.0.0/24")
    )
    whole = Mapping(EidPrefix.parse("10.200.0.0/16"), (Locator(ip_address(OFFICE)),), Minutes(10))
    world = World(conditions=PUNCTUAL, probing=PROBES, server_settings={"static_registrations": (whole, *registered)})
    began = world.network.now
    payload = wrapped(asks("10.200.255.1/32"))(1)
    forge(world, world.server, payload, VICTIM)
    world.network.run(1)
    (reply,) = world.network.frames("MapReply", "server", since=began)
    assert len(reply.content) <= LARGEST
    assert str(reply.destination.address) == VICTIM
    spent, hit = flood(world, world.server, wrapped(asks("10.200.0.7/32")))
    assert hit < spent / 4


@pytest.mark.parametrize("rloc", ["255.255.255.255", "224.0.0.1", "127.0.0.1", "0.0.0.0", "169.254.0.1"])
def test_a_map_reply_never_goes_to_everybody_or_to_this_host(rloc):
    """Nor does the good ITR-RLOC beside it suffer: that one is answered."""
    world = peaceful()
    for target in (world.server, world.phone):
        eid = LAPTOP if target is world.server else PHONE
        with unmoved(world, target, ControlReason.NO_ITR_RLOC):
            forge(world, target, asks(eid, rloc)(1), VICTIM)
        with unmoved(world, target, says=("MapReply",)):
            forge(world, target, asks(eid, rloc, VICTIM)(1), VICTIM)
