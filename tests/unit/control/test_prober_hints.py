"""Hints that an RLOC is down are probed and never believed; the p-bit; and the prober in the hands of chance."""

from dataclasses import replace

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lispfast.control import prober
from lispfast.control.prober import TABLE, Fact, State
from lispfast.model.forwarding import Unreachable
from lispfast.model.mapping import Locator
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Probing
from lispfast.model.units import Seconds
from lispfast.wire.map_reply import MapReply
from lispfast.wire.records import record_from_mapping

from .mn_helpers import (
    NOWHERE,
    ON_LTE,
    ON_WIFI,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    WIFI,
    Bench,
    host,
    mapping,
    registered,
    settings,
)

PROBING = Probing(Seconds(30), retries=2, retry_interval=Seconds(2))
STRANGER = PEER_RLOC + 100
OTHER = PEER + 10


def watching(*rlocs):
    bench = registered(settings(probing=PROBING))
    bench.know(PEER, *(rlocs or (PEER_RLOC, PEER_RLOC_2)))
    bench.use(host(PEER))
    bench.clear()
    return bench


def hint(bench, rloc):
    bench.node.handle_punt(Unreachable(rloc), bench.now)
    bench.take()


def probed(bench):
    return [send.destination.address for send, message in bench.requests() if message.probe]


def answer(bench, *marked, records=None):
    """The peer answers the last probe, with the p-bit on these."""
    _, message = [one for one in bench.requests() if one[1].probe][-1]
    known = bench.node.cache.get(host(PEER)).mapping
    locators = tuple(replace(loc, probed=loc.address in marked) for loc in known.locators)
    told = records or (record_from_mapping(replace(known, locators=locators, authoritative=True)),)
    bench.receive(MapReply(message.nonce, told, probe=True), PEER_RLOC)


def state(bench, rloc):
    return bench.node.prober.path(rloc).state


def test_an_icmp_error_is_probed_at_once_and_believed_by_nobody():
    bench = watching()
    hint(bench, PEER_RLOC)
    assert probed(bench) == [PEER_RLOC]
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC), (WIFI, PEER_RLOC_2)]
    answer(bench, PEER_RLOC)
    assert state(bench, PEER_RLOC) is State.UP
    assert bench.node.prober.down == frozenset()


def test_what_does_not_answer_the_probe_after_an_icmp_error_is_down_long_before_its_round():
    bench = watching()
    hint(bench, PEER_RLOC)
    bench.pass_time(3 * 2 * (1 + prober.RETRY_JITTER))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC_2)]


def test_icmp_errors_for_what_we_do_not_send_to_are_nothing():
    bench = watching()
    hint(bench, STRANGER)
    assert (bench.sent, bench.dropped) == ([], {})
    bench.use(host(PEER), idle=61.0)
    bench.pass_time(62)
    bench.clear()
    hint(bench, PEER_RLOC)
    assert bench.sent == []


def test_a_storm_of_icmp_errors_makes_a_probe_in_ten_seconds():
    bench = watching(PEER_RLOC)
    start = bench.now
    for _ in range(300):
        bench.use(host(PEER))
        hint(bench, PEER_RLOC)
        if state(bench, PEER_RLOC) is State.TESTING:
            answer(bench, PEER_RLOC)
        bench.pass_time(0.1)
    rounds = 1 + (bench.now - start) / (30 * (1 - prober.JITTER))
    assert len(probed(bench)) <= 1 + (bench.now - start) / prober.HINT_INTERVAL + rounds
    assert bench.dropped[ControlReason.RATE_LIMITED] > 250
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]


def test_a_storm_over_many_rlocs_is_bounded_too():
    bench = registered(settings(probing=PROBING))
    rlocs = [PEER_RLOC + number for number in range(100)]
    bench.know(PEER, *rlocs)
    bench.use(host(PEER))
    bench.clear()
    for rloc in rlocs:
        hint(bench, rloc)
    assert len(probed(bench)) == prober.HINT_TOTAL_BURST


def test_without_probing_and_without_traffic_from_it_nobody_is_down():
    bench = registered(settings(probing=Probing(Seconds(0))))
    bench.know(PEER, PEER_RLOC, PEER_RLOC_2)
    for _ in range(500):
        bench.use(host(PEER))
        hint(bench, PEER_RLOC)
        bench.pass_time(1)
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC), (WIFI, PEER_RLOC_2)]


def test_a_peer_that_sends_nothing_but_answers_probes_is_not_down():
    bench = watching()
    for _ in range(2000):
        bench.use(host(PEER), outer={})
        bench.pass_time(0.1)
        if any(state(bench, rloc) is State.TESTING for rloc in (PEER_RLOC, PEER_RLOC_2)):
            answer(bench)
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC), (WIFI, PEER_RLOC_2)]
    assert "rloc-down" not in bench.event_names()


def test_the_round_trip_time_is_smoothed_until_a_move():
    bench = watching(PEER_RLOC)
    rtts = [0.1, 0.3, 0.2]
    for rtt in rtts:
        hint(bench, PEER_RLOC)
        bench.pass_time(rtt)
        answer(bench)
        bench.pass_time(11)
        bench.use(host(PEER))
    expected = rtts[0]
    for rtt in rtts[1:]:
        expected += (rtt - expected) / 8
    path = bench.node.prober.path(PEER_RLOC)
    assert path.smoothed == pytest.approx(expected)
    (entry,) = bench.node.view("map-cache", bench.now)["entries"]
    assert entry["locators"][0]["smoothed_rtt_ms"] == pytest.approx(expected * 1000, abs=0.01)
    bench.move(ON_LTE)
    assert path.smoothed is None


# --- The p-bit --------------------------------------------------------------------------------------------------------


def lost(bench, *rlocs):
    """These are found down."""
    for rloc in rlocs:
        hint(bench, rloc)
    bench.pass_time(7)
    assert bench.node.prober.down >= set(rlocs)
    bench.use(host(PEER))


def test_an_answer_counts_for_the_locator_that_the_p_bit_marks():
    bench = watching()
    lost(bench, PEER_RLOC_2)
    hint(bench, PEER_RLOC)
    answer(bench, PEER_RLOC_2)
    assert bench.node.prober.down == frozenset()


def test_of_several_p_bits_the_first_counts():
    third = PEER_RLOC_2 + 1
    bench = watching(PEER_RLOC, PEER_RLOC_2, third)
    lost(bench, PEER_RLOC_2, third)
    hint(bench, PEER_RLOC)
    answer(bench, PEER_RLOC_2, third)
    assert bench.node.prober.down == {third}


def test_the_p_bit_says_nothing_of_other_mappings_locators():
    bench = watching(PEER_RLOC)
    bench.know(OTHER, STRANGER)
    bench.use(host(PEER), host(OTHER))
    lost(bench, STRANGER)
    hint(bench, PEER_RLOC)
    forged = replace(mapping(f"{PEER}/32", authoritative=True), locators=(Locator(STRANGER, probed=True),))
    answer(bench, records=(record_from_mapping(forged),))
    assert STRANGER in bench.node.prober.down


def test_one_record_without_authority_spoils_the_reply():
    bench = watching(PEER_RLOC)
    hint(bench, PEER_RLOC)
    known = bench.node.cache.get(host(PEER)).mapping
    told = (record_from_mapping(replace(known, authoritative=True)), record_from_mapping(known))
    answer(bench, records=told)
    assert bench.dropped == {ControlReason.NOT_AUTHORITATIVE: 1}
    assert state(bench, PEER_RLOC) is State.TESTING


def test_priority_255_and_r_0_are_neither_used_nor_probed():
    bench = registered(settings(probing=PROBING))
    bench.punt(PEER)
    told = mapping(f"{PEER}/32", PEER_RLOC, PEER_RLOC_2, STRANGER)
    first, second, third = told.locators
    bench.reply(replace(told, locators=(first, replace(second, priority=255), replace(third, reachable=False))))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
    for _ in range(100):
        bench.use(host(PEER))
        hint(bench, PEER_RLOC_2)
        hint(bench, STRANGER)
        bench.pass_time(1)
    assert set(probed(bench)) == {PEER_RLOC}


# --- Chance -----------------------------------------------------------------------------------------------------------

PEERS = [PEER, OTHER]
RLOCS = [PEER_RLOC, PEER_RLOC_2, STRANGER]


class Life(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.bench = Bench(settings(probing=PROBING), ON_WIFI)

    @property
    def prober(self):
        return self.bench.node.prober

    @rule(underlay=st.sampled_from([NOWHERE, ON_WIFI, ON_LTE]))
    def move(self, underlay):
        self.bench.move(underlay)

    @rule(seconds=st.sampled_from([0.1, 2.3, 31.0, 700.0]))
    def pass_time(self, seconds):
        self.bench.pass_time(seconds)

    @precondition(lambda self: self.bench.node.position.ways)
    @rule(peer=st.sampled_from(PEERS), rlocs=st.sets(st.sampled_from(RLOCS)), ttl=st.sampled_from([0, 1, 10]))
    def learn(self, peer, rlocs, ttl):
        self.bench.punt(peer)
        for question in self.bench.questions():
            if question.records[0].eid == peer and self.bench.node.resolver.match(question.nonce):
                self.bench.reply(mapping(f"{peer}/32", *sorted(rlocs), ttl=ttl), request=question)

    @rule(peer=st.sampled_from(PEERS), idle=st.sampled_from([0.0, 59.0, 61.0]))
    def use(self, peer, idle):
        self.bench.use(host(peer), idle=idle)

    @rule(rloc=st.sampled_from(RLOCS))
    def hint(self, rloc):
        hint(self.bench, rloc)

    @precondition(lambda self: self.bench.node.position.ways and any(m.probe for _, m in self.bench.requests()))
    @rule(marked=st.sampled_from([None, *RLOCS]), authoritative=st.booleans(), back=st.integers(1, 3))
    def answer(self, marked, authoritative, back):
        probes = [one for one in self.bench.requests() if one[1].probe][-back:]
        send, message = probes[0]
        locators = tuple(Locator(rloc, probed=rloc == marked) for rloc in RLOCS)
        told = replace(mapping(f"{PEER}/32", authoritative=authoritative), locators=locators)
        reply = MapReply(message.nonce, (record_from_mapping(told),), probe=True)
        self.bench.receive(reply, send.destination.address)

    @invariant()
    def nothing_leaks(self):
        assert set(self.prober._paths) == set(self.bench.node.cache.rlocs())
        assert sum(len(path.sent) for path in self.prober._paths.values()) == len(self.prober._by_nonce)
        parked = [path.rloc for path in self.prober._paths.values() if path.state is State.PARKED]
        assert len(self.prober._timers) == len(self.prober._paths) - len(parked)
        assert bool(parked) <= (not self.bench.node.position.ways)

    @invariant()
    def what_is_down_was_asked_and_did_not_answer(self):
        for rloc in self.prober.down:
            assert len([one for one, _ in self.bench.requests() if one.destination.address == rloc]) > PROBING.retries


TestLife = Life.TestCase
TestLife.settings = hypothesis_settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_every_state_knows_a_hint():
    assert {state for state, fact in TABLE if fact is Fact.HINTED} == set(State)
    assert {row[0] for row in TABLE.values()} == set(State)
