"""Forged Map-Replies: only an answer to an open question counts, and only for what was asked."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.model.addresses import EidPrefix
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.map_reply import MapReply
from lispfast.wire.records import EidRecord, record_from_mapping
from tests.sim.world import LAPTOP_V4, OFFICE, PHONE_V4, SERVER_V4, World

from .attacker import LAIR, LAPTOP, PHONE, forge, message_of, peaceful, unmoved


def pointing(prefix: str, *rlocs: str, ttl: int = 1440, action: Action = Action.NO_ACTION) -> EidRecord:
    locators = tuple(Locator(ip_address(rloc)) for rloc in rlocs)
    return record_from_mapping(Mapping(EidPrefix.parse(prefix), locators, Minutes(ttl), action))


@pytest.fixture
def asking() -> tuple[World, MapReply]:
    """The phone has asked for the laptop, and the answer did not come yet; in a second it asks again."""
    world = peaceful()
    world.phone.crash()
    world.phone.start()
    world.network.run(2)
    world.network.lose = lambda frame: frame.kind == "MapReply" and frame.sender == "server"
    asked = world.network.now
    world.phone.send(PHONE_V4, LAPTOP_V4, 1)
    world.network.run(0.1)
    (lost,) = world.network.frames("MapReply", "server", since=asked)
    world.network.lose = lambda frame: False
    true = message_of(lost)
    assert isinstance(true, MapReply)
    return world, true


def test_the_answer_itself_is_believed_wherever_it_comes_from(asking):
    """So what is forged below fails for its content."""
    world, true = asking
    forge(world, world.phone, true)
    world.network.run(0.1)
    assert world.phone.way_to(LAPTOP_V4) == [OFFICE]


def test_a_wrong_nonce(asking):
    world, true = asking
    with unmoved(world, world.phone, ControlReason.NONCE_UNKNOWN):
        forge(world, world.phone, replace(true, nonce=Nonce(true.nonce ^ 1), records=(pointing(LAPTOP, LAIR),)))
    with unmoved(world, world.phone, ControlReason.NONCE_UNKNOWN):
        forge(world, world.phone, replace(true, nonce=Nonce(true.nonce ^ 1)), SERVER_V4)


def test_a_thousand_guesses(asking):
    world, _ = asking
    with unmoved(world, world.phone, *[ControlReason.NONCE_UNKNOWN] * 1000):
        for guess in range(1000):
            forge(world, world.phone, MapReply(Nonce(guess * 0x9E3779B97F4A7C15 % 2**64), (pointing(LAPTOP, LAIR),)))


def test_an_answer_that_is_played_back(asking):
    world, true = asking
    forge(world, world.phone, true)
    world.network.run(0.1)
    with unmoved(world, world.phone, ControlReason.NONCE_UNKNOWN):
        forge(world, world.phone, true)
    with unmoved(world, world.phone, ControlReason.NONCE_UNKNOWN):
        forge(world, world.phone, replace(true, records=(pointing(LAPTOP, LAIR),)), SERVER_V4)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (pointing("10.9.0.0/16", LAIR), ControlReason.PREFIX_NOT_ALLOWED),
        (pointing("10.0.0.3/32", LAIR), ControlReason.PREFIX_NOT_ALLOWED),
        (pointing(PHONE, LAIR), ControlReason.PREFIX_NOT_ALLOWED),
        (replace(pointing(LAPTOP, LAIR), mask_len=33), ControlReason.MALFORMED),
        (replace(pointing("fd00::2/128", LAIR), mask_len=129), ControlReason.MALFORMED),
    ],
    ids=["another-prefix", "a-neighbour", "our-own-eid", "over-long", "over-long-v6"],
)
def test_the_right_nonce_does_not_tell_what_was_not_asked(asking, record, reason):
    """The answerer is honest about one EID-prefix, if at all, and claims another."""
    world, true = asking
    with unmoved(world, world.phone, reason):
        forge(world, world.phone, replace(true, records=(record,)))
    forge(world, world.phone, true)
    world.network.run(0.1)
    assert world.phone.way_to(LAPTOP_V4) == [OFFICE], "the question is still open to the true answer"


def test_more_specifics_of_somebody_else_beside_the_true_answer(asking):
    world, true = asking
    drops = world.phone.drops()
    forge(world, world.phone, replace(true, records=(*true.records, pointing("10.0.0.3/32", LAIR))))
    world.network.run(0.1)
    assert world.phone.way_to(LAPTOP_V4) == [OFFICE]
    assert world.phone.way_to("10.0.0.3") == []
    assert world.phone.drops()[ControlReason.PREFIX_NOT_ALLOWED] == drops.get(ControlReason.PREFIX_NOT_ALLOWED, 0) + 1


@pytest.mark.parametrize("rloc", ["255.255.255.255", "224.0.0.1", "0.0.0.0", "127.0.0.1", "169.254.0.1", "ff02::1"])
def test_locators_that_are_no_rlocs(asking, rloc):
    """They would make packets a broadcast, or turn them round inside of us; what is sound beside them stays."""
    world, true = asking
    forge(world, world.phone, replace(true, records=(pointing(LAPTOP, rloc, OFFICE),)))
    world.network.run(0.1)
    assert world.phone.way_to(LAPTOP_V4) == [OFFICE]
    assert world.phone.drops()[ControlReason.LOCATOR_REFUSED] == 1


def test_unsolicited_ones_of_every_kind():
    world = peaceful()
    forgeries = [
        MapReply(Nonce(7), (pointing(LAPTOP, LAIR),)),
        MapReply(Nonce(7), (pointing("0.0.0.0/0", LAIR),)),
        MapReply(Nonce(7), (pointing(LAPTOP, ttl=15, action=Action.NATIVELY_FORWARD),)),
        MapReply(Nonce(7), (pointing(LAPTOP, OFFICE, ttl=0),)),
        MapReply(Nonce(7), ()),
    ]
    with unmoved(world, world.phone, *[ControlReason.NONCE_UNKNOWN] * len(forgeries)):
        for forgery in forgeries:
            forge(world, world.phone, forgery, SERVER_V4)
    with unmoved(world, world.server, *[ControlReason.NOT_FOR_ROLE] * len(forgeries)):
        for forgery in forgeries:  # RFC 9301 section 8.3: a Map-Server discards Map-Replies
            forge(world, world.server, forgery, OFFICE)


def test_one_that_comes_to_no_port_of_ours(asking):
    world, true = asking
    with unmoved(world, world.phone):
        forge(world, world.phone, true, to_port=5000)
    forge(world, world.phone, true, port=5000)
    world.network.run(0.1)
    assert world.phone.way_to(LAPTOP_V4) == [OFFICE]
