"""Questions to the mapping system: one a prefix, one a second, answered by nonce."""

import itertools
from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import request_pace, resolver
from lispfast.control.resolver import TABLE, Fact, State
from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import Drop, Reject, RejectCode, Resolve
from lispfast.model.mapping import Action
from lispfast.model.reasons import ControlReason
from lispfast.model.underlay import Underlay
from lispfast.model.units import InstanceId
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_reply import MapReply
from lispfast.wire.records import LocatorRecord, record_from_mapping

from .mn_helpers import (
    EID,
    EID_V6,
    LTE,
    LTE_V6,
    NOWHERE,
    ON_BOTH,
    ON_LTE,
    ON_LTE_DUAL,
    ON_LTE_V6,
    ON_WIFI,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    PEER_V6,
    SERVER,
    SERVER_2,
    WIFI,
    Bench,
    database_v6,
    host,
    interface,
    mapping,
    registered,
    settings,
)


def held(bench, address=PEER):
    return bench.verdict(address) == Reject(RejectCode.NO_ROUTE)


def test_a_miss_asks_the_map_resolver_as_the_rfc_has_it():
    bench = registered()
    bench.punt(PEER)
    ((send, message),) = bench.messages(EncapsulatedControl)
    inner = message.inner()
    (question,) = bench.questions()
    assert (send.destination.address, send.destination.port, send.source, send.ifindex) == (SERVER, 4342, WIFI, 3)
    assert (inner.source.address, inner.source.port) == (EID, 4342)
    assert (inner.destination.address, inner.destination.port) == (PEER, 4342)
    assert (question.source_eid, question.itr_rlocs) == (EID, (WIFI,))
    assert bench.asked() == [f"{PEER}/32"]
    assert not (question.smr)
    assert not (question.smr_invoked)
    assert not (question.probe)
    assert not (question.dont_reply)


def test_an_ipv6_eid_is_asked_for_from_our_ipv6_eid_over_ipv4():
    bench = registered()
    bench.punt(PEER_V6)
    ((_, message),) = bench.messages(EncapsulatedControl)
    assert (message.inner().source.address, message.inner().destination.address) == (EID_V6, PEER_V6)
    assert bench.asked() == [f"{PEER_V6}/128"]


def test_the_itr_rlocs_are_one_of_each_family():
    bench = registered(
        underlay=replace(ON_BOTH, interfaces=(interface("wlan0", WIFI), interface("wwan0", LTE, LTE_V6)))
    )
    bench.punt(PEER)
    assert bench.questions()[0].itr_rlocs == (WIFI, LTE_V6)


def test_an_answer_opens_the_way():
    bench = registered()
    assert bench.verdict(PEER) == Resolve()
    bench.punt(PEER)
    bench.pass_time(0.25)
    bench.reply(mapping("10.0.0.0/24", PEER_RLOC))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
    assert bench.ways(ip_address("10.0.0.77")) == [(WIFI, PEER_RLOC)]
    received = bench.events[-1]
    assert (received.name, received.fields["rtt_us"]) == ("map-reply-received", 250_000)
    assert len(bench.node.resolver) == 0


def test_the_answer_may_come_from_anybody_who_knows_the_nonce():
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping("10.0.0.2/32", PEER_RLOC), source=PEER_RLOC)
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]


def test_many_packets_make_one_question():
    bench = registered()
    for _ in range(100):
        bench.punt(PEER)
    assert len(bench.questions()) == 1


@pytest.mark.parametrize("asks", ["refresh", "verify", "locate"])
def test_a_packet_that_waits_for_a_question_of_another_purpose_is_refused_when_nobody_answers_it(asks):
    bench = registered()
    getattr(bench.node.resolver, asks)(host(PEER) if asks != "locate" else PEER, bench.now)
    bench.punt(PEER)
    bench.pass_time(3.5)
    assert held(bench)
    assert bench.asked() == [f"{PEER}/32"] * 3


def test_a_punt_that_the_answer_overtook_asks_nothing():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.clear()
    bench.punt(PEER)
    assert bench.sent == []


def test_our_own_eids_are_never_asked_for():
    bench = registered()
    bench.punt(EID)
    assert bench.sent == []


def test_an_unanswered_question_is_repeated_each_second_then_its_packets_are_refused_for_a_while():
    bench = registered()
    bench.punt(PEER)
    start = bench.now
    bench.pass_time(2.9)
    assert not held(bench)
    bench.pass_time(0.2 + 3 * resolver.JITTER)
    gaps = [later - earlier for earlier, later in itertools.pairwise(bench.sent_at)]
    assert [round(gap) for gap in gaps] == [1, 1]
    assert all(1 <= gap <= 1 + resolver.JITTER for gap in gaps)
    assert bench.sent_at[0] == start
    assert len({question.nonce for question in bench.questions()}) == 3
    assert held(bench)
    assert bench.events[-1].name == "map-request-failed"
    bench.pass_time(5)
    assert bench.verdict(PEER) == Resolve()
    assert len(bench.node.cache) == 0


@pytest.mark.parametrize("which", range(3))
def test_any_of_the_repeated_questions_may_be_answered(which):
    bench = registered()
    bench.punt(PEER)
    bench.pass_time(2.5)
    bench.reply(mapping("10.0.0.2/32", PEER_RLOC), request=bench.questions()[which])
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
    bench.reply(mapping("10.0.0.2/32", PEER_RLOC_2), request=bench.questions()[(which + 1) % 3])
    assert bench.dropped == {ControlReason.NONCE_UNKNOWN: 1}
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]


def test_never_more_than_one_a_second_and_thirty_seconds_of_silence_after_ten_repeats():
    bench = registered()
    start = bench.now
    for _ in range(3000):  # an application that never gives up, for five minutes
        bench.punt(PEER)
        bench.pass_time(0.1)
    times = [at - start for at, send in zip(bench.sent_at, bench.sent, strict=True) if send.payload[0] >> 4 == 8]
    gaps = [round(later - earlier, 6) for earlier, later in itertools.pairwise(times)]
    assert min(gaps) >= 1
    longest = [index for index, gap in enumerate(gaps) if gap >= 30]
    assert longest[0] == request_pace.RETRANSMITS_MAX
    assert all(later - earlier == 11 for earlier, later in itertools.pairwise(longest))
    assert all(29 < gap < 33 for gap in gaps if gap > 10)


def test_the_retries_are_those_configured():
    bench = registered(settings(map_request_retries=0))
    bench.punt(PEER)
    bench.pass_time(1.1)
    assert len(bench.questions()) == 1
    assert held(bench)


def test_a_silent_map_resolver_gives_way_to_the_next():
    bench = registered(settings(map_resolvers=(SERVER, SERVER_2)))
    bench.punt(PEER)
    bench.pass_time(1.5)
    assert [send.destination.address for send in bench.sent] == [SERVER, SERVER_2]
    bench.reply(mapping("10.0.0.2/32", PEER_RLOC))
    bench.clear()
    bench.punt(ip_address("10.0.0.3"))
    assert bench.sent[0].destination.address == SERVER_2


def test_a_map_resolver_that_answers_after_all_is_preferred_again():
    bench = registered(settings(map_resolvers=(SERVER, SERVER_2)))
    bench.punt(PEER)
    bench.pass_time(0.8)
    bench.punt(PEER + 1)
    bench.pass_time(0.4)  # the first question has turned to the other one
    bench.reply(mapping(f"{PEER + 1}/32", PEER_RLOC), request=bench.questions()[1])
    bench.clear()
    bench.punt(PEER + 2)
    assert bench.sent[0].destination.address == SERVER


def test_the_nonces_of_one_question_are_bounded_however_often_we_move():
    bench = registered()
    bench.punt(PEER)
    first = bench.questions()[0].nonce
    for number in range(resolver.MAX_NONCES + 5):
        bench.move(ON_WIFI if number % 2 else ON_LTE)
        bench.punt(PEER)
        bench.pass_time(1.05)
    (lookup,) = bench.node.resolver.lookups()
    assert len(bench.questions()) > resolver.MAX_NONCES + 1
    assert len(lookup.sent) == resolver.MAX_NONCES
    assert bench.node.resolver.match(first) is None
    assert bench.node.resolver.match(bench.questions()[-1].nonce) == host(PEER)


def test_a_map_resolver_of_a_family_that_we_lack_is_passed_over():
    bench = Bench(settings(map_resolvers=(ip_address("2001:db8::1"), SERVER)), ON_WIFI)
    bench.punt(PEER)
    assert bench.sent[-1].destination.address == SERVER


def test_without_a_network_a_question_waits_and_goes_out_with_the_first_one():
    bench = registered()
    bench.move(NOWHERE)
    bench.punt(PEER)
    assert (bench.questions(), bench.node.poll_timeout()) == ([], None)
    bench.pass_time(5)
    bench.move(ON_LTE)
    assert bench.questions()[0].itr_rlocs == (LTE,)


def test_a_question_that_nobody_waits_for_any_more_is_not_asked_after_the_gap():
    bench = registered()
    bench.move(NOWHERE)
    bench.punt(PEER)
    bench.pass_time(60)
    bench.move(ON_LTE)
    assert (bench.questions(), len(bench.node.resolver)) == ([], 0)


def test_a_move_asks_anew_because_the_answer_goes_to_where_we_were():
    bench = registered()
    bench.punt(PEER)
    bench.pass_time(0.5)
    bench.move(ON_LTE)
    bench.pass_time(0.6)
    assert [question.itr_rlocs for question in bench.questions()] == [(WIFI,), (LTE,)]
    assert bench.sent_at[-1] - bench.sent_at[0] == pytest.approx(1)


def test_a_move_lifts_the_refusal_of_packets_that_nobody_answered_for():
    bench = registered()
    bench.punt(PEER)
    bench.pass_time(3.5)
    assert held(bench)
    bench.move(ON_LTE)
    assert bench.verdict(PEER) == Resolve()


def test_a_move_lifts_no_refusal_while_the_thirty_seconds_of_silence_last():
    bench = registered(settings(map_request_retries=10))
    bench.punt(PEER)
    bench.pass_time(13)
    assert (held(bench), len(bench.questions())) == (True, 1 + request_pace.RETRANSMITS_MAX)
    bench.move(ON_LTE)
    assert held(bench)
    bench.pass_time(31)
    assert bench.verdict(PEER) == Resolve()


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("10.0.1.0/24", ControlReason.PREFIX_NOT_ALLOWED),
        ("fd00::2/128", ControlReason.PREFIX_NOT_ALLOWED),
        ("10.0.0.1/32", ControlReason.PREFIX_NOT_ALLOWED),
    ],
)
def test_a_reply_about_something_else_is_no_answer(told, reason):
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping(told, PEER_RLOC))
    assert bench.dropped == {reason: 1}
    assert bench.ways(PEER) == []
    assert len(bench.node.cache) == 0
    assert len(bench.node.resolver) == 1


def test_another_instance_is_something_else():
    bench = registered()
    bench.punt(PEER)
    told = mapping("10.0.0.2/32", PEER_RLOC)
    bench.reply(replace(told, prefix=EidPrefix(told.prefix.network, InstanceId(7))))
    assert bench.dropped == {ControlReason.PREFIX_NOT_ALLOWED: 1}


def test_more_specifics_of_a_covering_record_are_believed_and_strangers_beside_it_not():
    bench = registered()
    bench.punt(PEER)
    told = [mapping("10.0.0.0/16", PEER_RLOC), mapping("10.0.9.0/24", PEER_RLOC_2), mapping("10.9.0.0/16", LTE)]
    bench.reply(*told)
    assert bench.ways(ip_address("10.0.9.1")) == [(WIFI, PEER_RLOC_2)]
    assert bench.ways(ip_address("10.9.0.1")) == []
    assert bench.dropped == {ControlReason.PREFIX_NOT_ALLOWED: 1}


def test_a_reply_to_nothing_is_counted():
    bench = registered()
    bench.receive(MapReply(123, (record_from_mapping(mapping("10.0.0.2/32", PEER_RLOC)),)), SERVER)
    assert bench.dropped == {ControlReason.NONCE_UNKNOWN: 1}


def test_a_reply_without_a_record_is_no_answer_and_counted():
    bench = registered()
    bench.punt(PEER)
    bench.receive(MapReply(bench.questions()[-1].nonce, ()), SERVER)
    assert bench.dropped == {ControlReason.MALFORMED: 1}
    assert len(bench.node.resolver) == 1


def test_locators_that_are_no_unicast_rlocs_are_left_out_and_counted():
    bench = registered()
    bench.punt(PEER)
    record = record_from_mapping(mapping("10.0.0.2/32", PEER_RLOC))
    bad = (LocatorRecord(ip_address("224.0.0.1")), LocatorRecord(ip_address("127.0.0.1")))
    bench.receive(MapReply(bench.questions()[-1].nonce, (replace(record, locators=record.locators + bad),)), SERVER)
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
    assert bench.dropped == {ControlReason.LOCATOR_REFUSED: 1}


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        (Action.NATIVELY_FORWARD, Reject(RejectCode.NO_ROUTE)),
        (Action.DROP, Reject(RejectCode.NO_ROUTE)),
        (Action.DROP_POLICY_DENIED, Drop()),
        (Action.DROP_AUTH_FAILURE, Drop()),
        (Action.NO_ACTION, Drop()),
        (Action.SEND_MAP_REQUEST, Resolve()),
    ],
)
def test_negative_answers_do_what_their_action_says(action, verdict):
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping("10.0.0.0/8", ttl=15, action=action))
    assert bench.verdict(ip_address("10.77.0.1")) == verdict
    bench.pass_time(15 * 60)
    assert bench.verdict(ip_address("10.77.0.1")) == Resolve()


def test_send_map_request_lets_each_packet_ask_within_the_limit():
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping("10.0.0.0/8", ttl=1, action=Action.SEND_MAP_REQUEST))
    for _ in range(5):
        bench.punt(PEER)
    assert len(bench.questions()) == 1
    bench.pass_time(1.1)
    assert len(bench.questions()) == 2


def test_the_lookups_are_bounded_and_the_oldest_goes():
    bench = registered()
    for n in range(resolver.MAX_LOOKUPS + 20):
        bench.punt(ip_address(f"10.2.{n >> 8}.{n & 255}"))
    assert len(bench.node.resolver) == resolver.MAX_LOOKUPS
    assert bench.node.view("status", bench.now)["lookups_displaced"] == 20
    assert bench.node.resolver.lookups()[0].asked == host(ip_address("10.2.0.20"))
    bench.pass_time(0.5)
    assert len(bench.questions()) <= request_pace.TOTAL_BURST + 0.5 / request_pace.TOTAL_INTERVAL + 1


def test_every_lookup_can_end_and_no_row_leads_nowhere():
    reached = {next_state for next_state, _ in TABLE.values()}
    assert reached == set(State)
    assert {state for state, fact in TABLE if fact is Fact.ANSWERED} == set(State) - {State.DONE}


def test_a_node_without_map_resolvers_refuses_and_never_asks():
    bench = registered(settings(map_resolvers=()))
    assert held(bench)
    bench.punt(PEER)
    assert bench.sent == []


def test_a_v6_only_network_cannot_ask_a_v4_map_resolver():
    bench = Bench(underlay=ON_LTE_V6)
    bench.punt(PEER)
    assert bench.questions() == []
    bench.move(ON_WIFI)
    assert len(bench.questions()) == 1


def test_nobody_may_tell_us_where_our_own_eids_are():
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping("10.0.0.0/16", PEER_RLOC), mapping(f"{EID}/32", PEER_RLOC_2))
    assert [str(entry.prefix) for entry in bench.node.cache.entries()] == ["10.0.0.0/16"]
    assert bench.dropped == {ControlReason.PREFIX_NOT_ALLOWED: 1}


def test_a_map_resolver_of_a_family_without_a_locator_is_asked_from_an_address_that_is_none():
    bench = Bench(settings(database=database_v6(EID)), ON_LTE_DUAL)
    bench.clear()
    bench.punt(PEER)
    ((send, _),) = bench.messages(EncapsulatedControl)
    assert (send.source, send.ifindex, send.destination.address) == (LTE, 4, SERVER)
    assert bench.questions()[0].itr_rlocs == (LTE_V6,)


def test_without_an_address_of_any_map_resolvers_family_it_warns_once_and_asks_when_one_comes():
    bench = Bench(settings(database=database_v6(EID)), ON_LTE_V6)
    bench.punt(PEER)
    bench.move(Underlay((interface("wlan0", LTE_V6),)))
    (warning,) = [event for event in bench.events if event.name == "map-resolver-lost"]
    assert warning.level == "warning"
    assert warning.fields == {"map_resolver": str(SERVER), "why": "no network: no interface has an IPv4 address"}
    assert bench.questions() == []
    bench.move(ON_LTE_DUAL)
    assert bench.asked() == [f"{PEER}/32"]
