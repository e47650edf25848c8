"""Map-Versions: their order, what is carried, and what follows from a packet that carries another one."""

import itertools
from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import versions
from lispfast.control.versions import newer
from lispfast.model.forwarding import HeaderHint
from lispfast.model.settings import Hints, Profile
from lispfast.wire.map_request import MapRequest, RequestRecord

from .mn_helpers import (
    EID,
    EID_V6,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    database,
    host,
    mapping,
    registered,
    settings,
)

OURS = 100


def versioned(profile=Profile.PRIVATE, ours=OURS, theirs=7, **changes):
    """Registered and talking to a peer whose mapping has a version."""
    mappings = tuple(replace(entry, version=ours) for entry in database(EID, EID_V6))
    asked = settings(profile=profile, hints=Hints(map_versioning=True), database=mappings, **changes)
    bench = registered(asked)
    bench.punt(PEER)
    bench.reply(mapping(f"{PEER}/32", PEER_RLOC, version=theirs))
    bench.pass_time(1)
    bench.clear()
    return bench


def hint(bench, destination=OURS, source=7, rloc=PEER_RLOC, eid=PEER):
    said = HeaderHint(rloc, eid, source_version=source, destination_version=destination)
    bench.node.handle_punt(said, bench.now)
    bench.take()


def smrs(bench):
    return [(send, message) for send, message in bench.requests() if message.smr]


def head(bench, address=PEER):
    return bench.verdict(address).locators[0].header.hex()


def slow_newer(one, other):
    """RFC 9302 section 6, word by word: V2 is `one`, V1 `other`."""
    if one == 0 or other == 0 or one == other:
        return False
    return (one > other and one - other <= 2**11) or (other > one and other - one > 2**11)


def test_the_order_of_versions_is_that_of_the_rfc():
    for one in [*range(1, 4096, 37), 0, 2047, 2048, 2049, 4095]:
        assert [newer(one, other) for other in range(4096)] == [slow_newer(one, other) for other in range(4096)]


def test_of_two_versions_exactly_one_is_newer():
    assert all(newer(one, 69) is not newer(69, one) for one in range(1, 4096) if one != 69)
    assert [one for one in range(1, 4096) if newer(one, 69)] == list(range(70, 69 + 2049))


def test_our_records_carry_the_configured_version():
    bench = versioned()
    request = MapRequest(3, PEER, (PEER_RLOC,), (RequestRecord(EID, 32),))
    bench.receive(request, PEER_RLOC)
    (_, reply), *_ = bench.replies()
    assert [record.map_version for record in reply.records] == [OURS]
    bench.pass_time(61)
    assert [record.map_version for record in bench.registers()[0].records] == [OURS, OURS]


def test_packets_carry_both_versions():
    assert head(versioned()) == "10" + f"{OURS:03x}" + f"{7:03x}" + "00000000"


def test_packets_to_a_mapping_without_a_version_carry_none():
    assert head(versioned(theirs=0)) == "00" * 8


def test_without_a_version_of_ours_the_source_version_is_null():
    assert head(versioned(ours=0)) == "10000" + f"{7:03x}" + "00000000"


def test_where_our_mappings_have_several_versions_the_source_version_is_null():
    both = database(EID, EID + 8)
    mappings = (replace(both[0], version=3), replace(both[1], version=4))
    bench = registered(settings(profile=Profile.PRIVATE, hints=Hints(map_versioning=True), database=mappings))
    bench.punt(PEER)
    bench.reply(mapping(f"{PEER}/32", PEER_RLOC, version=7))
    assert head(bench) == "10000" + f"{7:03x}" + "00000000"
    assert bench.node.position.mapping(host(EID)).version == 3


@pytest.mark.parametrize("destination", [OURS - 1, 4095, 2149])
def test_a_peer_with_an_old_mapping_of_ours_is_solicited(destination):
    bench = versioned()
    hint(bench, destination=destination)
    ((send, message),) = smrs(bench)
    assert (send.destination.address, message.source_eid, message.records[0].eid) == (PEER_RLOC, EID, PEER)
    assert message.dont_reply


@pytest.mark.parametrize("destination", [OURS, OURS + 1, 2148, 0, None])
def test_a_peer_that_is_up_to_date_or_says_nonsense_is_not(destination):
    bench = versioned()
    hint(bench, destination=destination)
    assert smrs(bench) == []


def test_a_peer_is_solicited_ten_times_and_then_in_each_half_minute_while_it_sends():
    bench = versioned()
    hint(bench, destination=5)
    start = bench.now
    for _ in range(1500):
        bench.use(host(PEER), outer={PEER_RLOC: 0.0})
        bench.pass_time(0.1)
    times = [at - start for at, send in zip(bench.sent_at, bench.sent, strict=True) if send.payload[:1] == b"\x11"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(3 <= gap <= 3.5 for gap in gaps[:9])
    assert all(30 <= gap <= 33.5 for gap in gaps[9:])
    assert 12 <= len(times) <= 14
    hint(bench, destination=OURS)
    bench.clear()
    bench.use(host(PEER), outer={PEER_RLOC: 0.0})
    bench.pass_time(100)
    assert (smrs(bench), len(bench.node.hints.versions)) == ([], 0)


def test_a_peer_that_no_longer_sends_is_forgotten():
    bench = versioned()
    hint(bench, destination=5)
    for _ in range(10):
        bench.use(host(PEER), outer={PEER_RLOC: 60.0})
        bench.pass_time(1)
    assert (len(smrs(bench)), len(bench.node.hints.versions)) == (1, 0)


def test_versions_made_up_from_many_sources_are_bounded():
    bench = versioned()
    for number in range(1000):
        hint(bench, destination=5, rloc=PEER_RLOC_2 + number)
    assert len(smrs(bench)) <= versions.TOTAL_BURST
    assert len(bench.node.hints.versions) <= versions.MAX_PEERS


def test_a_newer_version_of_the_peers_mapping_asks_the_mapping_system_and_changes_nothing_itself():
    bench = versioned()
    hint(bench, source=8)
    assert bench.asked() == [f"{PEER}/32"]
    assert bench.node.cache.get(host(PEER)).mapping.version == 7
    bench.reply(mapping(f"{PEER}/32", PEER_RLOC_2, version=8))
    assert head(bench) == "10" + f"{OURS:03x}" + f"{8:03x}" + "00000000"


@pytest.mark.parametrize("source", [7, 6, 0, None, 7 + 2049])
def test_another_version_of_the_peers_mapping_asks_nobody(source):
    bench = versioned()
    hint(bench, source=source)
    assert bench.questions() == []


def test_a_version_of_what_is_not_cached_is_ignored():
    bench = versioned()
    hint(bench, source=8, eid=ip_address("10.77.0.1"))
    assert bench.questions() == []


def test_random_versions_make_a_question_in_three_seconds_at_the_most():
    bench = versioned()
    start = bench.now
    for number in range(300):
        hint(bench, source=8 + number % 1000)
        if bench.questions() and bench.node.resolver.match(bench.questions()[-1].nonce):
            bench.reply(mapping(f"{PEER}/32", PEER_RLOC, version=7))
        bench.pass_time(0.1)
    assert len(bench.questions()) <= 1 + (bench.now - start) / versions.ASK_INTERVAL


def test_the_public_profile_has_none_of_it():
    bench = versioned(profile=Profile.PUBLIC)
    assert head(bench) == "00" * 8
    hint(bench, destination=5, source=8)
    assert bench.sent == []
    assert {one.version for one in bench.node.position.mappings} == {0}


def test_an_old_version_that_is_one_of_ours_tells_nobody():
    """The header does not say which EID of ours it speaks of."""
    pair = zip(database(EID, EID + 20), (OURS, OURS + 1), strict=True)
    bench = registered(
        settings(
            profile=Profile.PRIVATE,
            hints=Hints(map_versioning=True),
            database=tuple(replace(entry, version=version) for entry, version in pair),
        )
    )
    hint(bench, destination=OURS)
    bench.pass_time(5)
    assert smrs(bench) == []
    hint(bench, destination=OURS - 1)
    assert {smr.source_eid for _, smr in smrs(bench)} == {EID, EID + 20}
