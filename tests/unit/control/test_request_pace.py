"""How fast and how often the mapping system is asked, whatever asks: the limits, and what a scan can do to them."""

import itertools
from collections import defaultdict
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.control import auth, map_cache, piggyback, request_pace, resolver
from lispfast.control.request_pace import Purpose, RequestPace
from lispfast.control.resolver import State
from lispfast.model.forwarding import Reject, RejectCode, Resolve
from lispfast.model.mapping import Action
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType, PubSub
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.records import record_from_mapping

from .mn_helpers import EID, PEER, PEER_RLOC, PEER_RLOC_2, SERVER, WIFI, host, mapping, registered, settings

PEERS = [ip_address(f"10.0.0.{n}") for n in range(2, 5)]
AFAR = ip_address("10.200.0.0")


def bringing(told, source=PEER, **flags):
    """A Map-Request for our EID that brings a mapping along."""
    request = MapRequest(9, source, (PEER_RLOC,), (RequestRecord(EID, 32),), map_data=record_from_mapping(told))
    return replace(request, **flags)


def scan(bench, count, seconds=0.0):
    for number in range(count):
        bench.punt(AFAR + number)
        bench.pass_time(seconds / count)


@given(
    st.lists(
        st.tuples(st.sampled_from(PEERS), st.sampled_from(Purpose), st.floats(0, 2), st.booleans()),
        min_size=1,
        max_size=60,
    )
)
def test_no_mixture_of_purposes_asks_for_a_prefix_twice_in_a_second(steps):
    pace, now, taken = RequestPace(), 100.0, defaultdict(list)
    for peer, purpose, wait, fails in steps:
        now += wait
        if pace.ready_at(host(peer), purpose, now) <= now:
            pace.take(host(peer), purpose, now)
            taken[peer].append(now)
            if fails:
                pace.unanswered(host(peer), now)
    for times in taken.values():
        assert all(later - earlier >= 1 - 1e-6 for earlier, later in itertools.pairwise(times))


def test_ten_retransmits_without_an_answer_and_then_thirty_seconds_of_silence():
    pace = RequestPace()
    for number in range(request_pace.RETRANSMITS_MAX):
        assert not pace.unanswered(host(PEER), float(number))
    assert pace.unanswered(host(PEER), 10.0)
    assert pace.ready_at(host(PEER), Purpose.REFRESH, 10.0) == 40.0
    assert pace.ready_at(host(PEERS[1]), Purpose.MISS, 10.0) == 10.0


def test_a_move_starts_the_count_anew_and_keeps_a_pause():
    pace = RequestPace()
    for _ in range(request_pace.RETRANSMITS_MAX):
        pace.unanswered(host(PEER), 0.0)
    pace.moved(1.0)
    assert not pace.unanswered(host(PEER), 1.0)
    for _ in range(request_pace.RETRANSMITS_MAX):
        pace.unanswered(host(PEER), 2.0)
    pace.moved(3.0)
    assert pace.not_before(host(PEER)) == 32.0


def test_to_ask_when_is_free_and_remembers_nothing():
    pace = RequestPace()
    pace.take(host(PEER), Purpose.MISS, 0.0)
    for number in range(10_000):
        pace.ready_at(host(AFAR + number), Purpose.MISS, 0.0)
    assert pace.ready_at(host(PEER), Purpose.MISS, 0.0) == 1.0


def test_the_tries_of_many_lookups_do_not_stay_in_step():
    bench = registered()
    for number in range(20):
        bench.punt(AFAR + number)
    bench.pass_time(2.2)
    assert len({round(at, 6) for at in bench.sent_at[20:40]}) > 15


def test_an_unsubscription_keeps_the_one_a_second_of_its_prefix_too():
    """The N-bit stands in a Map-Request, and a packet may come just when nobody used the mapping any more."""
    key = Key(b"shared with the Map-Server", KeyType.HMAC_SHA256)
    bench = registered(settings(pubsub=PubSub(subscribe=True, keys=(key,))))
    bench.punt(PEER)
    told = record_from_mapping(mapping(f"{PEER}/32", PEER_RLOC, ttl=1))
    bench.receive(auth.sign(MapNotify(bench.questions()[0].nonce, (told,)), key), SERVER)
    assert len(bench.node.subscriber) == 1
    bench.clear()
    bench.pass_time(60.2)
    assert [question.itr_rlocs for question in bench.questions()] == [(None,)], "it ran out, unused"
    bench.punt(PEER)
    assert len(bench.questions()) == 1
    bench.pass_time(1.1)
    left, asked = bench.questions()[0], bench.questions()[1]
    assert (left.itr_rlocs, asked.itr_rlocs) == ((None,), (WIFI,))
    assert bench.sent_at[1] - bench.sent_at[0] >= 1 - 1e-6


# --- A scan -----------------------------------------------------------------------------------------------------------


def test_a_negative_answer_that_covers_a_scan_ends_its_questions():
    bench = registered()
    scan(bench, 250)
    asked = len(bench.questions())
    bench.reply(mapping("10.128.0.0/9", ttl=15, action=Action.NATIVELY_FORWARD), request=bench.questions()[0])
    assert {lookup.state for lookup in bench.node.resolver.lookups()} == {State.LAST}
    bench.pass_time(30)
    assert len(bench.questions()) == asked
    assert len(bench.node.resolver) == 0
    assert len(bench.node.cache) == 1
    scan(bench, 250)
    assert len(bench.questions()) == asked
    assert bench.verdict(AFAR + 77) == Reject(RejectCode.NO_ROUTE)


def test_an_answer_on_its_way_still_counts_after_a_wider_one_came():
    bench = registered()
    bench.punt(PEERS[0])
    bench.punt(PEERS[1])
    first, second = bench.questions()
    bench.reply(mapping("10.0.0.0/8", PEER_RLOC), request=first)
    bench.reply(mapping(f"{PEERS[1]}/32", PEER_RLOC_2), request=second)
    assert bench.ways(PEERS[0]) == [(WIFI, PEER_RLOC)]
    assert bench.ways(PEERS[1]) == [(WIFI, PEER_RLOC_2)]
    assert bench.dropped == {}


def test_an_answer_that_never_comes_holds_nothing_once_a_wider_one_has():
    bench = registered()
    bench.punt(PEERS[0])
    bench.punt(PEERS[1])
    bench.reply(mapping("10.0.0.0/8", PEER_RLOC), request=bench.questions()[0])
    bench.pass_time(5)
    assert bench.ways(PEERS[1]) == [(WIFI, PEER_RLOC)]
    assert len(bench.questions()) == 2


@pytest.mark.parametrize(("ttl", "action"), [(0, Action.NO_ACTION), (1, Action.SEND_MAP_REQUEST)])
def test_what_says_to_ask_and_what_is_withdrawn_ends_no_question(ttl, action):
    bench = registered()
    bench.punt(PEERS[0])
    bench.punt(PEERS[1])
    bench.reply(mapping("10.0.0.0/8", ttl=ttl, action=action), request=bench.questions()[0])
    assert [lookup.state for lookup in bench.node.resolver.lookups()] == [State.ASKED]
    assert bench.verdict(PEERS[1]) == Resolve()


def test_a_scan_neither_displaces_nor_delays_the_refresh_of_a_mapping_in_use():
    bench = registered()
    bench.know(PEER, PEER_RLOC, ttl=1)
    bench.pass_time(47)
    bench.use(host(PEER))
    scan(bench, 2000, 5)  # of EIDs that nobody answers for, while the refresh is due
    refreshes = [at for at, q in zip(bench.sent_at, bench.questions(), strict=True) if q.source_eid is None]
    assert len(refreshes) >= 2
    assert refreshes[0] == pytest.approx(bench.now - 3, abs=1.1)
    assert bench.node.view("status", bench.now)["lookups_displaced"] > 0


def test_the_lookup_that_gives_way_is_the_oldest_miss(monkeypatch):
    monkeypatch.setattr(resolver, "MAX_LOOKUPS", 3)
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.solicit(host(PEER), host(EID))
    scan(bench, 4)
    assert [lookup.asked for lookup in bench.node.resolver.lookups()] == [host(PEER), host(AFAR + 2), host(AFAR + 3)]


def test_a_scan_costs_no_more_than_its_limits_in_questions_and_memory():
    bench = registered(settings(map_cache_size=100))
    start = bench.now
    scan(bench, 3000, 5)
    asked = len(bench.questions())
    assert asked <= request_pace.TOTAL_BURST + (bench.now - start) / request_pace.TOTAL_INTERVAL + 1
    assert len(bench.node.resolver) <= resolver.MAX_LOOKUPS
    assert len(bench.node.cache) <= 100


# --- Mapping data that a Map-Request brings along ---------------------------------------------------------------------


def test_a_mapping_brought_along_is_asked_for_and_only_the_answer_is_used():
    bench = registered()
    bench.receive(bringing(mapping("10.0.0.0/24", PEER_RLOC)), PEER_RLOC)
    assert len(bench.replies()) == 1
    assert bench.asked() == [f"{PEER}/32"]
    assert (bench.questions()[0].smr_invoked, bench.questions()[0].source_eid) == (False, None)
    assert (len(bench.node.cache), bench.ways(PEER)) == (0, [])
    bench.reply(mapping("10.0.0.0/24", PEER_RLOC_2))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC_2)]


@pytest.mark.parametrize("source", [None, ip_address("10.9.0.1")])
def test_without_a_source_eid_in_it_the_prefix_itself_is_asked_for(source):
    bench = registered()
    bench.receive(bringing(mapping("10.0.0.0/24", PEER_RLOC), source), PEER_RLOC)
    assert bench.asked() == ["10.0.0.0/24"]


def test_a_mapping_that_is_cached_is_not_asked_for_again():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.clear()
    bench.pass_time(2)
    bench.receive(bringing(mapping(f"{PEER}/32", PEER_RLOC_2)), PEER_RLOC)
    assert bench.questions() == []
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]


@pytest.mark.parametrize("flags", [{"probe": True}, {"records": (RequestRecord(PEER, 32),)}, {"dont_reply": True}])
def test_only_what_comes_with_a_question_that_we_answer_is_looked_at(flags):
    bench = registered()
    bench.receive(bringing(mapping("10.0.0.0/24", PEER_RLOC), **flags), PEER_RLOC)
    assert bench.questions() == []


def test_a_mapping_of_our_own_eid_is_nobodys_to_bring():
    bench = registered()
    bench.receive(bringing(mapping(f"{EID}/32", PEER_RLOC), EID), PEER_RLOC)
    assert bench.questions() == []


def test_an_unanswered_verification_leaves_nothing():
    bench = registered()
    bench.receive(bringing(mapping("10.0.0.0/24", PEER_RLOC)), PEER_RLOC)
    bench.pass_time(10)
    assert (len(bench.node.cache), len(bench.node.resolver)) == (0, 0)
    assert bench.verdict(PEER) == Resolve()


def test_mappings_made_up_by_many_senders_make_few_questions():
    bench = registered()
    for number in range(500):
        peer, rloc = AFAR + number, PEER_RLOC + number
        told = mapping(f"{peer}/32", rloc)
        bench.receive(bringing(told, peer, itr_rlocs=(rloc,), nonce=number), rloc)
    bench.pass_time(0.5)
    assert len(bench.questions()) == piggyback.VERIFY_BURST
    assert bench.dropped[ControlReason.RATE_LIMITED] == 500 - piggyback.VERIFY_BURST


def test_what_is_verified_keeps_the_one_a_second_of_its_prefix():
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping("10.9.0.0/16", PEER_RLOC))  # no answer
    bench.receive(bringing(mapping(f"{PEER}/32", PEER_RLOC)), PEER_RLOC)
    assert len(bench.questions()) == 1
    bench.reply(mapping(f"{PEER}/32", PEER_RLOC, ttl=0))
    bench.receive(bringing(mapping(f"{PEER}/32", PEER_RLOC)), PEER_RLOC, None)
    assert len(bench.questions()) == 1
    bench.pass_time(1.1)
    assert len(bench.questions()) == 2


def test_the_share_of_an_entry_left_for_asking_again_takes_several_tries():
    assert 60 * map_cache.REFRESH_SHARE > 5 * (1 + resolver.JITTER)
