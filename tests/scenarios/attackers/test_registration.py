"""Forged and replayed Map-Registers and Map-Notifies: nobody registers without the key, nothing is believed twice."""

from __future__ import annotations

import hmac
from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import auth
from lispfast.model.addresses import EidPrefix
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType, Probing
from lispfast.model.units import Minutes, Nonce, Seconds
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.records import record_from_mapping
from tests.scenarios.conftest import PUNCTUAL
from tests.sim.network import Frame
from tests.sim.world import KEY, LTE, SERVER_V4, WIFI, World, wlan, wwan

from .attacker import LAIR, LAPTOP, PHONE, VICTIM, caught, forge, knowledge, message_of, peaceful, unmoved

STOLEN = record_from_mapping(Mapping(EidPrefix.parse(PHONE), (Locator(ip_address(LAIR)),), Minutes(10)))
NEXT = Nonce(2**63)
"""Above every nonce that was used."""
CLAIM = MapRegister(NEXT, (STOLEN,), proxy_reply=True, want_map_notify=True)
WRONG = Key(b"not the shared secret", KeyType.HMAC_SHA256)


def test_the_claim_is_believed_under_the_key_so_that_what_follows_fails_for_its_mac():
    world = peaceful()
    forge(world, world.server, auth.sign(CLAIM, KEY))
    world.network.run(0.1)
    assert world.registered()[PHONE] == [LAIR]


@pytest.mark.parametrize("key", [WRONG, replace(WRONG, secret=b"")], ids=["another-key", "no-key"])
def test_a_map_register_under_another_key(key):
    world = peaceful()
    with unmoved(world, world.server, ControlReason.MAC_WRONG):
        forge(world, world.server, auth.sign(CLAIM, key))


@pytest.mark.parametrize("algorithm", [KeyType.NONE, KeyType.HMAC_SHA1, KeyType.HKDF_SHA256])
def test_a_map_register_by_another_algorithm_than_the_sites(algorithm):
    """Not even under the right key: the weakest algorithm that somebody asks for would count."""
    world = peaceful()
    with unmoved(world, world.server, ControlReason.KEY_UNKNOWN):
        forge(world, world.server, auth.sign(CLAIM, replace(KEY, algorithm=algorithm)))


def cut(payload: bytes, length: int, key: Key = KEY) -> bytes:
    """The same message with so many bytes of the MAC that is right for this length, zeros behind a whole one."""
    head, rest = payload[:14] + length.to_bytes(2, "big"), payload[16 + int.from_bytes(payload[14:16], "big") :]
    mac = hmac.digest(key.secret, head + bytes(length) + rest, "sha256")
    return head + mac.ljust(length, b"\0")[:length] + rest


@pytest.mark.parametrize("length", [0, 1, 4, 12, 15, 17, 20, 31, 33, 64])
def test_a_truncated_or_lengthened_mac(length):
    """16 or 32 bytes are a MAC; a single byte would be guessed in 128 tries."""
    world = peaceful()
    with unmoved(world, world.server, ControlReason.MAC_WRONG):
        forge(world, world.server, cut(auth.sign(CLAIM, KEY), length))


@pytest.mark.parametrize("length", [16, 32])
def test_the_two_lengths_that_are_a_mac(length):
    world = peaceful()
    forge(world, world.server, cut(auth.sign(CLAIM, KEY), length))
    world.network.run(0.1)
    assert world.registered()[PHONE] == [LAIR]
    with unmoved(world, world.server, ControlReason.MAC_WRONG):
        wrong = bytearray(cut(auth.sign(replace(CLAIM, nonce=Nonce(NEXT + 1)), KEY), length))
        wrong[16 + length - 1] ^= 1
        forge(world, world.server, bytes(wrong))


def test_each_bit_of_the_mac_counts():
    world = peaceful()
    signed = auth.sign(CLAIM, KEY)
    with unmoved(world, world.server, *[ControlReason.MAC_WRONG] * 256):
        for bit in range(256):
            flipped = bytearray(signed)
            flipped[16 + bit // 8] ^= 1 << bit % 8
            forge(world, world.server, bytes(flipped))


@pytest.mark.parametrize("prefix", ["10.0.0.0/24", "0.0.0.0/0", "10.0.0.3/32"])
def test_an_honest_key_for_an_eid_prefix_that_is_not_its_own(prefix):
    """Every EID-prefix of a Map-Register is checked (RFC 9301 section 9), the ones behind a good one too."""
    world = peaceful()
    wide = record_from_mapping(Mapping(EidPrefix.parse(prefix), (Locator(ip_address(LAIR)),), Minutes(10)))
    for records in ((wide,), (STOLEN, wide)):
        with unmoved(world, world.server, ControlReason.PREFIX_NOT_ALLOWED):
            forge(world, world.server, auth.sign(replace(CLAIM, records=records), KEY))


def test_an_old_map_register_does_not_bring_the_phone_back_where_it_was():
    world = peaceful()
    old = world.network.frames("MapRegister", "phone")[-1]
    world.phone.attach(wlan(up=False), wwan())
    world.network.run(5)
    assert world.registered()[PHONE] == [LTE]
    with unmoved(world, world.server, ControlReason.NONCE_OLD):
        forge(world, world.server, old.content, WIFI)


def test_the_newest_map_register_played_back_is_answered_to_its_sender_a_few_times_and_changes_nothing():
    """RFC 9301 section 5.7 wants a repeat answered; whoever repeats another's hits him with at most one a second."""
    world = peaceful()
    newest = world.network.frames("MapRegister", "phone")[-1]
    before, began = knowledge(world), world.network.now
    for _ in range(100):
        forge(world, world.server, newest.content, VICTIM)
    world.network.run(0.2)
    answers = world.network.control("server", since=began)
    assert {str(frame.destination.address) for frame in answers} == {WIFI}, "not to who played it back"
    assert len(answers) <= 3
    assert world.server.drops()[ControlReason.RATE_LIMITED] == 100 - len(answers)
    assert knowledge(world) == before


# --- Map-Notify -------------------------------------------------------------------------------------------------------


def registering() -> tuple[World, Frame]:
    """The phone has moved and waits for the Map-Notify, which is on its way."""
    world = World(conditions=PUNCTUAL, probing=Probing(Seconds(0)))
    world.boot()
    world.network.run(20)
    world.network.lose = lambda frame: frame.kind == "MapNotify" and frame.sender == "server"
    moved = world.network.now
    world.phone.attach(wlan(up=False), wwan())
    world.network.run(0.1)
    (notify,) = world.network.frames("MapNotify", "server", since=moved)
    world.network.lose = lambda frame: False
    return world, notify


def waits(world: World) -> bool:
    """Whether the phone still is not sure to be registered."""
    (registration,) = world.phone.role.registrar.registrations
    return registration.state.value == "registering"


def test_the_map_notify_itself_is_believed():
    world, notify = registering()
    assert waits(world)
    forge(world, world.phone, notify.content, SERVER_V4)
    world.network.run(0.1)
    assert not waits(world)


@pytest.mark.parametrize("length", [0, 12, 15, 20, 31, 33])
def test_a_map_notify_with_a_truncated_mac(length):
    world, notify = registering()
    with unmoved(world, world.phone, ControlReason.MAC_WRONG):
        forge(world, world.phone, cut(notify.content, length), SERVER_V4)
    assert waits(world)


def test_a_map_notify_under_another_key_or_from_another_place():
    world, notify = registering()
    told = message_of(notify)
    assert isinstance(told, MapNotify)
    with unmoved(world, world.phone, ControlReason.MAC_WRONG):
        forge(world, world.phone, auth.sign(told, WRONG), SERVER_V4)
    with unmoved(world, world.phone, ControlReason.SENDER_UNEXPECTED):
        forge(world, world.phone, notify.content, LAIR)
    assert waits(world)


def test_a_map_notify_of_an_earlier_place_proves_nothing_of_this_one():
    world, _ = registering()
    earlier = world.network.frames("MapNotify", "server")[0]
    assert str(earlier.destination.address) == WIFI
    with unmoved(world, world.phone, ControlReason.NONCE_UNKNOWN):
        forge(world, world.phone, earlier.content, SERVER_V4)
    assert waits(world)


def test_a_map_notify_played_back_is_counted_and_changes_nothing():
    world = peaceful()
    notify = caught(world, "MapNotify", "phone")
    with unmoved(world, world.phone, *[ControlReason.NONCE_UNKNOWN] * 10):
        for _ in range(10):
            forge(world, world.phone, notify.content, SERVER_V4)


def test_map_notifies_of_an_earlier_run_played_back_are_acknowledged_within_a_limit():
    """After a restart nobody can tell them from unsolicited ones, which are to be acknowledged; once each at least."""
    world = peaceful()
    notify = caught(world, "MapNotify", "phone")
    world.phone.crash()
    world.phone.start()
    world.network.run(10)
    began, before, told = world.network.now, knowledge(world), len(world.phone.told("map-notify-unsolicited"))
    forge(world, world.phone, notify.content, SERVER_V4)
    world.network.run(0.1)
    assert len(world.network.frames("MapNotifyAck", "phone", since=began)) == 1
    for n in range(1000):
        world.network.after(n / 100, lambda: forge(world, world.phone, notify.content, SERVER_V4))
    world.network.run(10.1)
    acknowledged = len(world.network.frames("MapNotifyAck", "phone", since=began))
    assert acknowledged <= 8 + 11
    assert len(world.phone.told("map-notify-unsolicited")) - told == acknowledged, "nor does it fill the log"
    assert world.phone.drops()[ControlReason.RATE_LIMITED] == 1001 - acknowledged
    assert knowledge(world) == before


def test_a_map_notify_for_somebody_elses_eid():
    """The laptop's, whose key is the same: it is not the phone's to be notified of."""
    world = peaceful()
    notify = caught(world, "MapNotify", "laptop")
    assert LAPTOP.startswith(str(message_of(notify).records[0].eid))
    with unmoved(world, world.phone, ControlReason.EID_NOT_OURS):
        forge(world, world.phone, notify.content, SERVER_V4)
