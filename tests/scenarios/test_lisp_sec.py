"""LISP-SEC from ITR to ETR (RFC 9303), and those on the path who would have it otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import lisp_sec
from lispfast.model.addresses import EidPrefix
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType, LispSec, Use
from lispfast.model.units import Minutes
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.message import decode
from lispfast.wire.records import record_from_mapping
from tests.sim.network import Conditions, Frame
from tests.sim.world import KEY, LAPTOP_V4, LTE, OFFICE, PHONE_V4, RANGES, WIFI, World, wlan, wwan

SECRET = Key(b"of ITRs and Map-Resolver", KeyType.HMAC_SHA256, 7)
REQUIRED = LispSec(Use.REQUIRED, (SECRET,))
ON = LispSec(Use.ON, (SECRET,))
PUNCTUAL = Conditions(delay=0.01, lateness=0)
ATTACKER = ip_address("203.0.113.66")


def make_world(proxy_reply: bool = True, phone: LispSec = REQUIRED, server: LispSec = ON, seed: int = 1) -> World:
    return World(
        seed,
        conditions=PUNCTUAL,
        proxy_reply=proxy_reply,
        sites=RANGES,
        node_settings={"lisp_sec": phone},
        server_settings={"lisp_sec": server},
    )


@pytest.fixture(params=[True, False], ids=["proxy-reply", "etr-replies"])
def world(request: pytest.FixtureRequest) -> World:
    """Both nodes want it, the Map-Server has it."""
    world = make_world(request.param)
    world.boot()
    return world


def messages(world: World, kind: type) -> list[tuple[Frame, object]]:
    decoded = [(frame, decode(frame.content)) for frame in world.network.control()]  # type: ignore[arg-type]
    return [(frame, message) for frame, message in decoded if isinstance(message, kind)]


def reached(world: World, serial: int, within: float = 5) -> None:
    world.phone.send(PHONE_V4, LAPTOP_V4, serial)
    world.network.run_until(lambda: serial in world.laptop.serials, within=within)


def drops(world: World) -> dict[ControlReason, int]:
    return world.phone.drops() | world.laptop.drops() | world.server.drops()


def test_every_message_of_a_conversation_is_protected(world):
    reached(world, 1, within=0.1)
    world.talk()
    for kind in (MapRegister, MapReply, EncapsulatedControl):
        found = messages(world, kind)
        assert found
        assert all(message.security for _, message in found), "RFC 9301 section 1.1"
    assert drops(world) == {}
    assert world.both_at(WIFI, OFFICE)


def test_no_one_time_key_and_no_secret_is_ever_seen(world):
    """What goes on to an ETR is another key than the ITR's, wrapped under another secret."""
    reached(world, 1)
    keys = set()
    for _, message in messages(world, EncapsulatedControl):
        secret = KEY if message.to_etr else SECRET
        keys.add(lisp_sec.unwrap(message.authentication.key, [secret], decode(message.inner().payload).nonce))
    assert len(keys) == len(messages(world, EncapsulatedControl))
    seen = b"".join(frame.content for frame in world.network.control())
    told = "".join(repr(host.events) for host in (world.phone, world.laptop, world.server))
    for noun in ("status", "map-cache", "database"):
        told += repr(world.phone.role.view(noun, world.network.now))
    for noun in ("status", "sites"):
        told += repr(world.server.role.view(noun, world.network.now))
    for secret in (*keys, SECRET.secret, KEY.secret):
        assert secret not in seen
        assert secret.hex() not in told
        assert repr(secret)[2:-1] not in told


def test_a_move_is_followed_with_protection(world):
    world.talk()
    moved = world.network.now
    world.phone.attach(wlan(up=False), wwan())
    world.network.run_until(lambda: world.laptop.way_to(PHONE_V4) == [LTE], within=5)
    after = [m for f, m in messages(world, MapReply) if f.at >= moved and not m.probe]
    assert after
    assert all(message.security for message in after)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("proxy_reply", [True, False])
def test_loss_duplication_and_reordering_only_delay_it(seed, proxy_reply):
    world = make_world(proxy_reply, seed=seed)
    world.network.conditions = Conditions(loss=0.2, duplication=0.2, delay=0.05, jitter=0.2)
    world.boot()
    world.network.run_until(lambda: _tries(world), within=300)
    assert not set(drops(world)) - {
        ControlReason.NONCE_UNKNOWN,
        ControlReason.NONCE_OLD,
        ControlReason.RATE_LIMITED,
        ControlReason.SMR_KNOWN,
    }


def _tries(world: World) -> bool:
    world.phone.send(PHONE_V4, LAPTOP_V4, 1)
    return bool(world.laptop.serials)


# --- Who has it and who has not ---------------------------------------------------------------------------------------


def legacy_laptop(phone: LispSec) -> World:
    """The laptop answers for itself and has never heard of LISP-SEC."""
    world = make_world(proxy_reply=False, phone=phone)
    world.laptop.crash()
    world.network.hosts.remove(world.laptop)
    world.node_settings = {}
    world.laptop = world.node("laptop", LAPTOP_V4, "fd00::2", ("eth0",))
    world.boot()
    return world


def test_on_reaches_an_etr_without_it_and_says_so():
    """RFC 9303 section 6.7, the third rule."""
    world = legacy_laptop(ON)
    reached(world, 1)
    (told,) = world.phone.told("lisp-sec-downgraded")
    assert told.level == "warning"
    assert world.phone.drops() == {ControlReason.LISP_SEC_CANT_SIGN: 1}
    first, second = (message for message in messages(world, MapReply) if message[0].kind == "MapReply")
    assert first[1].security
    assert first[1].authentication.eid.signed.cant_sign
    assert not second[1].security


def test_required_does_not_reach_it_and_its_packets_are_refused():
    world = legacy_laptop(REQUIRED)
    world.phone.send(PHONE_V4, LAPTOP_V4, 1)
    world.network.run(10)
    assert world.laptop.serials == []
    (entry,) = world.phone.role.view("map-cache", world.network.now)["entries"]
    assert entry["action"] == Action.DROP.name.lower()
    assert not world.phone.told("lisp-sec-downgraded")


@pytest.mark.parametrize(("use", "serials"), [(ON, [1]), (REQUIRED, [])])
def test_a_map_resolver_without_it_is_asked_again_only_by_who_may(use, serials):
    world = make_world(phone=use, server=LispSec())
    world.boot()
    world.phone.send(PHONE_V4, LAPTOP_V4, 1)
    world.network.run(3)
    assert world.laptop.serials == serials
    assert world.phone.drops()[ControlReason.LISP_SEC_MISSING] >= 1
    assert len(world.phone.told("lisp-sec-downgraded")) == len(serials)


def test_a_wrong_secret_is_refused_by_the_map_resolver():
    world = make_world(server=LispSec(Use.ON, (replace(SECRET, secret=b"another"),)))
    world.boot()
    world.phone.send(PHONE_V4, LAPTOP_V4, 1)
    world.network.run(3)
    assert world.laptop.serials == []
    assert set(world.server.drops()) == {ControlReason.LISP_SEC_UNWRAP}
    assert world.server.told("map-request-refused")


def test_secrets_are_rolled_over_at_the_map_resolver_first():
    new = Key(b"the new secret", KeyType.HMAC_SHA256, 8)
    world = make_world(server=LispSec(Use.ON, (new, SECRET)), phone=LispSec(Use.REQUIRED, (new, SECRET)))
    world.boot()
    reached(world, 1, within=0.1)
    world = make_world(server=LispSec(Use.ON, (new, SECRET)), phone=LispSec(Use.REQUIRED, (SECRET,)))
    world.boot()
    reached(world, 1, within=0.1)


# --- Attackers on the path --------------------------------------------------------------------------------------------


class Middle:
    """Somebody on the path of the phone who passes its Map-Replies on, changed."""

    def __init__(self, world: World, change: Callable[[MapReply], MapReply]) -> None:
        self.world = world
        self.change = change
        self.seen: list[MapReply] = []
        world.network.lose = self.take

    def take(self, frame: Frame) -> bool:
        if frame.kind != "MapReply" or self.world.network.owner(frame.destination.address) is not self.world.phone:
            return False
        true = decode(frame.content)  # type: ignore[arg-type]
        self.seen.append(true)
        self.deliver(self.change(true), frame)
        return True

    def deliver(self, reply: MapReply, frame: Frame) -> None:
        phone = self.world.phone
        self.world.network.after(0.01, lambda: phone.receive_control(reply.encode(), frame.source, frame.destination))


def own_locator(reply: MapReply) -> MapReply:
    (record,) = reply.records
    (locator,) = record.locators
    return replace(reply, records=(replace(record, locators=(replace(locator, address=ATTACKER),)),))


def wider(reply: MapReply) -> MapReply:
    """In the EID-AD and in the record alike."""
    signed = replace(reply.authentication.eid.signed, records=(RequestRecord(ip_address("10.0.0.0"), 8),))
    eid = replace(reply.authentication.eid, signed=signed)
    record = replace(reply.records[0], eid=ip_address("10.0.0.0"), mask_len=8)
    return replace(reply, records=(record,), authentication=replace(reply.authentication, eid=eid))


def stripped(reply: MapReply) -> MapReply:
    return replace(own_locator(reply), authentication=None)


def signed_with_a_guess(reply: MapReply) -> MapReply:
    guess = bytes(16)
    prefixes = [EidPrefix.parse("10.0.0.0/8")]
    eid = lisp_sec.sign_prefixes(guess, lisp_sec.KdfId.HKDF_SHA256, lisp_sec.HmacId.SHA256_128, prefixes)
    key = lisp_sec.derive(lisp_sec.KdfId.HKDF_SHA256, guess)
    return lisp_sec.sign_reply(key, lisp_sec.HmacId.SHA256_128, own_locator(reply), eid)


def other_nonce(reply: MapReply) -> MapReply:
    return replace(own_locator(reply), nonce=reply.nonce ^ 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (own_locator, ControlReason.LISP_SEC_PKT_HMAC),
        (wider, ControlReason.LISP_SEC_EID_HMAC),
        (stripped, ControlReason.LISP_SEC_MISSING),
        (signed_with_a_guess, ControlReason.LISP_SEC_EID_HMAC),
        (other_nonce, ControlReason.NONCE_UNKNOWN),
    ],
)
def test_who_changes_map_replies_gains_nothing(world, change, reason):
    Middle(world, change)
    world.phone.send(PHONE_V4, LAPTOP_V4, 1)
    world.network.run(4)
    assert world.phone.way_to(LAPTOP_V4) == []
    assert world.laptop.serials == []
    assert set(world.phone.drops()) == {reason}
    world.network.lose = lambda frame: False
    world.network.run(10)
    reached(world, 2)
    assert world.phone.way_to(LAPTOP_V4) == [OFFICE]


def test_who_replays_a_map_reply_gains_nothing(world):
    """Once more after it counted, and once more to the next Map-Request."""
    middle = Middle(world, lambda reply: reply)
    reached(world, 1)
    (old,) = middle.seen
    middle.change = lambda reply: replace(old, nonce=reply.nonce)
    frame = messages(world, MapReply)[0][0]
    middle.deliver(old, frame)
    world.network.run(1)
    assert world.phone.drops() == {ControlReason.NONCE_UNKNOWN: 1}
    world.phone.send(PHONE_V4, "10.0.0.77", 2)
    world.network.run(3)
    assert world.phone.drops()[ControlReason.LISP_SEC_EID_HMAC] >= 1
    assert world.phone.way_to("10.0.0.77") == []


def test_an_etr_cannot_claim_more_than_it_registered():
    """It has its own secret, opens the MS-OTK and signs what it likes: the EID-AD stands in its way."""
    world = make_world(proxy_reply=False)
    world.boot()
    claimed = Mapping(EidPrefix.parse("10.0.0.0/8"), (Locator(ATTACKER),), Minutes(60), authoritative=True)

    def answer(frame: Frame) -> bool:
        message = decode(frame.content) if isinstance(frame.content, bytes) else None
        if not isinstance(message, EncapsulatedControl) or not message.to_etr:
            return False
        request = decode(message.inner().payload)
        assert isinstance(request, MapRequest)
        key = lisp_sec.unwrap(message.authentication.key, [KEY], request.nonce)
        plain = MapReply(request.nonce, (record_from_mapping(claimed),))
        reply = lisp_sec.sign_reply(key, lisp_sec.HmacId.SHA256_128, plain, message.authentication.eid)
        world.network.after(0.01, lambda: world.phone.receive_control(reply.encode(), frame.destination, frame.source))
        return True

    world.network.lose = answer
    world.phone.send(PHONE_V4, LAPTOP_V4, 1)
    world.network.run(3)
    assert world.phone.way_to(LAPTOP_V4) == world.phone.way_to("10.9.9.9") == []
    assert set(world.phone.drops()) == {ControlReason.LISP_SEC_OVERCLAIM}
    assert world.phone.told("map-reply-refused"), "a log action MUST be taken (section 6.9.1)"
