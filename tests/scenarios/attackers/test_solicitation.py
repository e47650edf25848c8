"""Forged SMRs and mapping data: reasons to ask the mapping system now and then, and never knowledge."""

from __future__ import annotations

import itertools
from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control.map_requests import solicitation
from lispfast.control.request_pace import SOLICITED_BURST, SOLICITED_INTERVAL
from lispfast.model.addresses import EidPrefix
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.records import record_from_mapping
from tests.sim.host import interface
from tests.sim.world import LAPTOP_V4, OFFICE, PHONE_V4, TRAIN, World

from .attacker import LAIR, LAPTOP, PHONE, VICTIM, forge, knowledge, peaceful, unmoved

STRANGER = "10.77.0.1"


def smr(nonce: int, moved: str = LAPTOP, to: str = PHONE, *rlocs: str) -> MapRequest:
    """Says that somebody moved to the attacker's place."""
    prefixes = EidPrefix.parse(moved), EidPrefix.parse(to)
    return solicitation(*prefixes, tuple(map(ip_address, rlocs or (LAIR,))), Nonce(nonce))


def questions(world: World, since: float) -> int:
    return len(world.network.frames("ECM MapRequest", "phone", since=since))


@pytest.fixture
def world() -> World:
    return peaceful()


def test_an_smr_that_tells_the_truth_is_followed_by_one_question(world):
    """The laptop did move, and its own SMRs are lost."""
    world.network.lose = lambda frame: frame.kind == "SMR" and frame.sender == "laptop"
    world.laptop.attach(interface("eth0", TRAIN))
    world.network.run(5)
    assert world.phone.way_to(LAPTOP_V4) == [OFFICE]
    began = world.network.now
    forge(world, world.phone, smr(1), TRAIN)
    world.network.run(0.2)
    assert world.phone.way_to(LAPTOP_V4) == [TRAIN]
    assert questions(world, began) == 1


@pytest.mark.parametrize("source", [LAIR, OFFICE])
def test_a_forged_one_costs_one_question_whose_answer_is_what_was_known(world, source):
    with unmoved(world, world.phone, says=("ECM MapRequest",)):
        forge(world, world.phone, smr(1), source)


@pytest.mark.parametrize("proxy_reply", [True, False])
def test_a_storm_provokes_no_more_than_the_rate_limited_questions(proxy_reply):
    """A thousand a second for ten seconds, each from another address and with another nonce."""
    world = peaceful(proxy_reply=proxy_reply)
    before, began = knowledge(world), world.network.now
    for n in range(10_000):
        source = f"203.0.{n // 250 % 250}.{n % 250}"
        world.network.after(n / 1000, lambda n=n, source=source: forge(world, world.phone, smr(n), source))
    world.network.run(11)
    assert questions(world, began) <= SOLICITED_BURST + 11 / SOLICITED_INTERVAL + 1
    assert knowledge(world).registered == before.registered
    assert world.phone.way_to(LAPTOP_V4) == [OFFICE]
    assert world.phone.drops()[ControlReason.SMR_KNOWN] > 9_900
    (entry,) = [e for e in world.phone.role.cache.entries() if e.prefix == EidPrefix.parse(LAPTOP)]
    assert entry.mapping.locators == before.caches["phone"][EidPrefix.parse(LAPTOP)].locators
    answers = [f for f in world.network.control("phone", since=began) if f.kind not in ("ECM MapRequest", "Probe")]
    assert {frame.kind for frame in answers} <= {"MapRegister", "ProbeReply"}, "an SMR itself is never answered"


def test_one_for_an_eid_that_nobody_asked_for(world):
    with unmoved(world, world.phone, ControlReason.SMR_UNCACHED):
        forge(world, world.phone, smr(1, f"{STRANGER}/32"))


def test_one_about_our_own_eid(world):
    with unmoved(world, world.phone, ControlReason.SMR_UNCACHED):
        forge(world, world.phone, smr(1, PHONE))


def test_a_thousand_made_up_eids_under_a_negative_answer_do_not_flood_the_resolver(world):
    """One of them is asked for, as a negative answer may be outdated for any EID that it covers."""
    world.phone.send(PHONE_V4, STRANGER, 5)
    world.network.run(1)
    negative = world.phone.role.cache.cover(EidPrefix.parse(f"{STRANGER}/32")).prefix
    assert negative.length < 22
    eids = itertools.islice((f"{host}/32" for host in negative.network.hosts()), 1000)
    began = world.network.now
    for n, moved in enumerate(eids):
        world.network.after(n / 100, lambda n=n, moved=moved: forge(world, world.phone, smr(n, moved)))
    world.network.run(10)
    assert 1 <= questions(world, began) <= 8 + 10 + 1
    assert world.phone.way_to(LAPTOP_V4) == [OFFICE]


def test_the_map_server_takes_none(world):
    with unmoved(world, world.server, ControlReason.NOT_FOR_ROLE):
        forge(world, world.server, smr(1))


# --- The M-bit --------------------------------------------------------------------------------------------------------


def bringing(source: str, claimed: str, *rlocs: str) -> MapRequest:
    """Asks for the phone and brings a mapping along."""
    mapping = Mapping(EidPrefix.parse(claimed), tuple(Locator(ip_address(one)) for one in rlocs), Minutes(1440))
    record = RequestRecord(ip_address(PHONE_V4), 32)
    brought = record_from_mapping(mapping)
    return MapRequest(Nonce(9), ip_address(source), (ip_address(LAIR),), (record,), map_data=brought)


def test_the_request_alone_is_answered(world):
    """By a Map-Reply to whom it names; that is no more than the mapping system tells him."""
    with unmoved(world, world.phone, says=("MapReply",)):
        forge(world, world.phone, replace(bringing(LAPTOP_V4, LAPTOP, LAIR), map_data=None))


def test_a_mapping_that_is_brought_along_does_not_replace_what_is_known(world):
    with unmoved(world, world.phone, says=("MapReply",)):
        forge(world, world.phone, bringing(LAPTOP_V4, LAPTOP, LAIR))


def test_a_mapping_of_a_stranger_is_asked_for_and_never_used_as_it_comes(world):
    """RFC 9301 section 5.3: not before the mapping system has confirmed it. It says that there is no such EID."""
    began = world.network.now
    forge(world, world.phone, bringing(STRANGER, f"{STRANGER}/32", LAIR))
    world.network.run(0.005)
    assert world.phone.way_to(STRANGER) == []
    world.network.run(1)
    assert questions(world, began) == 1
    assert world.phone.way_to(STRANGER) == []
    assert world.phone.way_to(LAPTOP_V4) == [OFFICE]


def test_a_hundred_strangers_with_mappings_cost_a_bounded_number_of_questions(world):
    began = world.network.now
    for n in range(100):
        eid = f"10.{n + 1}.0.1"
        request = replace(bringing(eid, f"{eid}/32", LAIR), nonce=Nonce(n), itr_rlocs=(ip_address(f"203.0.113.{n}"),))
        forge(world, world.phone, request, f"203.0.113.{n}")
    world.network.run(0.2)
    assert 1 <= questions(world, began) <= 8
    assert world.phone.drops()[ControlReason.RATE_LIMITED] >= 50


def test_our_own_eid_is_nobodys_to_bring(world):
    with unmoved(world, world.phone, says=("MapReply",)):
        forge(world, world.phone, bringing(PHONE_V4, PHONE, VICTIM))
