"""Being solicited: an SMR is followed by a question to the mapping system, and by nothing else."""

import itertools
from ipaddress import ip_address

import pytest

from lispfast.control import smr_responder
from lispfast.model.mapping import Action
from lispfast.model.reasons import ControlReason
from lispfast.wire.encapsulated_control import EncapsulatedControl

from .mn_helpers import (
    EID,
    LTE,
    ON_LTE,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    SERVER,
    WIFI,
    host,
    mapping,
    registered,
    settings,
)


def talking():
    """On Wi-Fi, with a peer that packets went to half a second ago."""
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.pass_time(0.5)
    bench.use(host(PEER))
    bench.clear()
    return bench


def test_an_smr_is_followed_by_a_question_to_the_mapping_system_and_the_old_entry_serves_meanwhile():
    bench = talking()
    bench.pass_time(1)
    bench.solicit(host(PEER), host(EID), LTE)
    ((send, _),) = bench.messages(EncapsulatedControl)
    (question,) = bench.questions()
    assert send.destination.address == SERVER
    assert (question.smr_invoked, question.smr, question.dont_reply) == (True, False, False)
    assert (question.source_eid, bench.asked()) == (EID, [f"{PEER}/32"])
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
    assert (bench.replies(), bench.event_names()[0]) == ([], "smr-received")
    bench.reply(mapping("10.0.0.2/32", PEER_RLOC_2))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC_2)]


def test_the_question_names_the_prefix_as_it_is_cached():
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping("10.0.0.0/28", PEER_RLOC))
    bench.clear()
    bench.solicit(host(PEER), host(EID))
    assert bench.asked() == ["10.0.0.0/28"]


def test_what_an_smr_wanted_of_a_question_that_a_wider_answer_ended_is_asked_where_we_stand_now():
    bench = registered()
    bench.punt(PEER)
    bench.punt(PEER + 1)
    bench.reply(mapping("10.0.0.0/28", action=Action.NATIVELY_FORWARD, ttl=15), request=bench.questions()[0])
    bench.pass_time(0.5)
    bench.solicit(host(PEER + 1), host(EID))
    bench.clear()
    bench.move(ON_LTE)
    bench.pass_time(0.6)
    assert [(question.itr_rlocs, question.smr_invoked) for question in bench.questions()] == [((LTE,), True)]
    assert bench.asked() == [f"{PEER + 1}/32"]


def test_an_smr_for_our_own_eid_is_only_counted_though_a_wider_entry_covers_it():
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping("10.0.0.0/28", PEER_RLOC))
    bench.pass_time(1)
    bench.clear()
    bench.solicit(host(EID), host(EID))
    assert bench.sent == []
    assert bench.dropped == {ControlReason.SMR_UNCACHED: 1}


def test_under_a_negative_answer_the_eid_itself_is_asked_for():
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping("10.0.0.0/28", action=Action.NATIVELY_FORWARD, ttl=15))
    bench.pass_time(1)
    bench.clear()
    bench.solicit(host(PEER), host(EID))
    assert bench.asked() == [f"{PEER}/32"]
    bench.reply(mapping(f"{PEER}/32", PEER_RLOC_2))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC_2)]


def test_eids_made_up_under_a_negative_answer_are_asked_for_within_a_limit():
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping("10.0.0.0/8", action=Action.NATIVELY_FORWARD, ttl=15))
    bench.clear()
    for number in range(1000):
        bench.solicit(host(ip_address("10.9.0.0") + number), host(EID))
    bench.pass_time(1)
    assert len(set(bench.asked())) == smr_responder.DOUBT_BURST
    assert bench.dropped == {ControlReason.RATE_LIMITED: 1000 - smr_responder.DOUBT_BURST}


def test_the_record_counts_where_the_source_eid_is_missing_or_not_cached():
    bench = talking()
    bench.solicit(host(ip_address("10.7.7.7")), host(PEER))
    bench.pass_time(1.1)
    assert bench.asked() == [f"{PEER}/32"]


def test_an_smr_without_a_source_eid():
    bench = talking()
    bench.pass_time(1)
    bench.solicit(host(PEER), host(PEER), source_eid=None)
    assert bench.asked() == [f"{PEER}/32"]
    assert bench.questions()[0].source_eid is None


@pytest.mark.parametrize("named", [ip_address("10.7.7.7"), EID])
def test_an_smr_for_what_is_not_cached_is_only_counted(named):
    bench = talking()
    bench.solicit(host(named), host(EID))
    assert (bench.sent, bench.dropped) == ([], {ControlReason.SMR_UNCACHED: 1})


@pytest.mark.parametrize("probe", [True, False])
@pytest.mark.parametrize("dont_reply", [True, False])
def test_an_smr_is_never_answered_with_a_map_reply(dont_reply, probe):
    bench = talking()
    bench.solicit(host(PEER), host(EID), dont_reply=dont_reply, probe=probe)
    bench.solicit(host(ip_address("10.7.7.7")), host(EID), dont_reply=dont_reply, probe=probe)
    assert bench.replies() == []


def test_a_static_entry_is_not_solicited():
    bench = registered(settings(static_map_cache=(mapping("10.0.0.2/32", PEER_RLOC),)))
    bench.solicit(host(PEER), host(EID))
    assert bench.dropped == {ControlReason.SMR_UNCACHED: 1}


def test_an_smr_within_the_second_is_deferred_to_its_end():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.clear()
    asked_at = bench.now
    bench.pass_time(0.4)
    bench.solicit(host(PEER), host(EID))
    assert bench.sent == []
    bench.pass_time(0.7)
    assert bench.sent_at == [pytest.approx(asked_at + 1)]
    assert bench.questions()[0].smr_invoked


def test_an_smr_that_crosses_its_question_is_followed_again_because_the_answer_may_be_old():
    bench = talking()
    bench.pass_time(1)
    bench.solicit(host(PEER), host(EID))
    bench.solicit(host(PEER), host(EID))
    bench.reply(mapping("10.0.0.2/32", PEER_RLOC))
    bench.pass_time(1.1)
    assert [question.smr_invoked for question in bench.questions()] == [True, True]
    bench.reply(mapping("10.0.0.2/32", PEER_RLOC_2))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC_2)]
    bench.pass_time(10)
    assert len(bench.questions()) == 2


def test_an_smr_that_comes_after_the_last_try_of_a_question_is_followed_when_that_is_given_up():
    """The question was a probe's or a refresh's, and its answers went to where the peer no longer is."""
    bench = talking()
    bench.pass_time(1)
    bench.node.resolver.refresh(mapping("10.0.0.2/32", PEER_RLOC).prefix, bench.now)
    bench.take()
    while len(bench.questions()) < 3:
        bench.pass_time(0.1)
    bench.solicit(host(PEER), host(EID))
    bench.pass_time(1.2)
    assert [question.smr_invoked for question in bench.questions()] == [False, False, False, True]
    bench.reply(mapping("10.0.0.2/32", PEER_RLOC_2))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC_2)]


def test_one_smr_that_comes_at_several_of_our_rlocs_is_followed_once():
    bench = talking()
    bench.pass_time(1)
    for _ in range(2):
        bench.solicit(host(PEER), host(EID), nonce=77)
    bench.reply(mapping("10.0.0.2/32", PEER_RLOC_2))
    bench.solicit(host(PEER), host(EID), nonce=77)
    bench.pass_time(10)
    assert (len(bench.questions()), bench.event_names().count("smr-received")) == (1, 1)
    bench.solicit(host(PEER), host(EID), nonce=78)
    assert len(bench.questions()) == 2


def test_a_storm_of_smrs_is_counted_and_does_not_fill_the_log():
    bench = talking()
    bench.pass_time(1)
    for _ in range(1000):
        bench.solicit(host(PEER), host(EID))
    assert bench.event_names().count("smr-received") <= 2
    assert bench.dropped[ControlReason.SMR_KNOWN] >= 998


def test_a_storm_of_smrs_makes_one_question_a_second_at_the_most():
    bench = talking()
    start = bench.now
    for _ in range(300):
        bench.solicit(host(PEER), host(EID))
        if bench.questions() and bench.node.resolver.match(bench.questions()[-1].nonce):
            bench.reply(mapping("10.0.0.2/32", PEER_RLOC))
        bench.pass_time(0.1)
    times = [at for at, send in zip(bench.sent_at, bench.sent, strict=True) if send.payload[0] >> 4 == 8]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) >= 1 - 1e-6
    assert len(bench.questions()) <= 3 + (bench.now - start) / 3 + 1


def test_an_smr_cannot_be_probed_out_of_us_by_its_other_bits():
    bench = talking()
    bench.pass_time(1)
    bench.solicit(host(PEER), host(EID), smr_invoked=True)
    assert (len(bench.questions()), bench.replies()) == (1, [])


def test_an_unanswered_solicited_question_leaves_the_entry():
    bench = talking()
    bench.pass_time(1)
    bench.solicit(host(PEER), host(EID))
    bench.pass_time(10)
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
    assert "map-request-failed" in bench.event_names()
