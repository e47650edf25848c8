"""Locator-Status-Bits: what we say of our locators, and that a peer's bits are only probed."""

from dataclasses import replace

import pytest

from lispfast.control import status_bits
from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import HeaderHint
from lispfast.model.mapping import Locator
from lispfast.model.settings import Hints, Probing, Profile
from lispfast.model.units import InstanceId, Seconds

from .mn_helpers import (
    EID,
    ON_BOTH,
    ON_LTE,
    ON_WIFI,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    WIFI,
    database,
    host,
    mapping,
    registered,
    settings,
)

PROBING = Probing(Seconds(30), retries=2, retry_interval=Seconds(2))
BITS = settings(profile=Profile.PRIVATE, hints=Hints(status_bits=True), probing=PROBING)
STRANGER = PEER_RLOC + 100


def talking(configured=BITS, underlay=ON_WIFI):
    bench = registered(configured, underlay)
    bench.know(PEER, PEER_RLOC, PEER_RLOC_2)
    bench.use(host(PEER))
    bench.clear()
    return bench


def head(bench):
    return bench.verdict(PEER).locators[0].header.hex()


def hint(bench, bits, rloc=PEER_RLOC, source=PEER):
    bench.node.handle_punt(HeaderHint(rloc, source, status_bits=bits), bench.now)
    bench.take()


def probed(bench):
    return [send.destination.address for send, message in bench.requests() if message.probe]


def settle(bench):
    """Five minutes later, in traffic."""
    for _ in range(31):
        bench.use(host(PEER))
        bench.pass_time(10)
        for question in bench.questions()[-1:]:
            if bench.node.resolver.match(question.nonce):
                bench.reply(mapping(f"{PEER}/32", PEER_RLOC, PEER_RLOC_2), request=question)


@pytest.mark.parametrize(("underlay", "bits"), [(ON_WIFI, 1), (ON_BOTH, 3)])
def test_packets_call_every_locator_of_ours_up_once_peers_know_them(underlay, bits):
    bench = talking(underlay=underlay)
    assert head(bench) == "00" * 8
    settle(bench)
    assert head(bench) == "40000000" + f"{bits:08x}"


def test_after_a_change_of_our_locators_no_bits_are_sent_for_five_minutes():
    bench = talking()
    settle(bench)
    bench.move(ON_LTE)
    assert head(bench) == "00" * 8
    bench.pass_time(status_bits.USE_LSB - 1)
    assert head(bench) == "00" * 8
    bench.know(PEER, PEER_RLOC)
    bench.pass_time(2 + status_bits.SLACK)
    assert head(bench) == "4000000000000001"


def test_where_our_eids_are_in_different_places_no_bits_are_sent():
    wlan, wwan = database(EID, EID + 8)
    mappings = (replace(wlan, locators=wlan.locators[:2]), replace(wwan, locators=wwan.locators[2:]))
    bench = talking(replace(BITS, database=mappings), ON_BOTH)
    settle(bench)
    assert head(bench) == "00" * 8


def test_behind_an_instance_id_there_are_eight_bits():
    machine = status_bits.StatusBits(registered().node.cache)
    own = mapping("10.0.0.1/32")
    own = replace(own, prefix=EidPrefix(own.prefix.network, InstanceId(7)))
    locators = tuple(Locator(PEER_RLOC + number) for number in range(20))
    bench = registered()
    machine.handle_position(replace(bench.node.position, mappings=(replace(own, locators=locators),)), 0.0)
    machine.handle_timeout(status_bits.USE_LSB)
    assert machine.carried(own) == 0xFF


def test_a_bit_that_is_0_is_probed_and_believed_by_nobody():
    bench = talking()
    hint(bench, 0b01)
    assert probed(bench) == [PEER_RLOC_2]
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC), (WIFI, PEER_RLOC_2)]


def test_bits_that_are_all_1_ask_nobody():
    bench = talking()
    hint(bench, 0b11)
    hint(bench, 0xFFFFFFFF)
    assert bench.sent == []


@pytest.mark.parametrize(("rloc", "source"), [(STRANGER, PEER), (PEER_RLOC, PEER + 50)])
def test_bits_from_who_is_no_locator_of_the_source_are_ignored(rloc, source):
    bench = talking()
    hint(bench, 0, rloc, source)
    assert bench.sent == []


def test_a_storm_of_bits_is_held_to_the_limit_of_hints():
    bench = talking()
    for number in range(500):
        hint(bench, number % 2)
    assert len(probed(bench)) == 2


def test_the_public_profile_has_none_of_it():
    bench = talking(replace(BITS, profile=Profile.PUBLIC))
    hint(bench, 0)
    assert bench.sent == []
    settle(bench)
    assert head(bench) == "00" * 8
