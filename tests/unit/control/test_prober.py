"""RLOC-probes: when, to whom, and what their silence and their answers change."""

import itertools
from dataclasses import replace

import pytest

from lispfast.control import prober
from lispfast.control.prober import TABLE, Fact, State
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Probing
from lispfast.model.units import Seconds
from lispfast.wire.map_reply import MapReply
from lispfast.wire.records import record_from_mapping

from .mn_helpers import (
    LTE,
    NOWHERE,
    ON_LTE,
    ON_WIFI,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    PEER_RLOC_V6,
    WIFI,
    Bench,
    host,
    mapping,
    registered,
    settings,
)

PROBING = Probing(Seconds(10), 2, Seconds(2))


def probes(bench):
    return [(send, message) for send, message in bench.requests() if message.probe]


def timed(bench):
    return [pair for pair in zip(bench.sent, bench.sent_at, strict=True) if pair[0].payload[0] >> 4 == 1]


def watching(*rlocs, probing=PROBING):
    """A node without Map-Servers, so that only probes speak, that talks to a peer at these RLOCs."""
    bench = registered(settings(map_servers=(), probing=probing))
    bench.know(PEER, *(rlocs or (PEER_RLOC, PEER_RLOC_2)), ttl=1440)
    bench.clear()
    return bench


def run(bench, seconds, alive=(), idle=0.0):
    """Time passes in traffic; these RLOCs answer at once."""
    answered = set()
    for _ in range(round(seconds * 10)):
        bench.use(host(PEER), idle=idle)
        bench.pass_time(0.1)
        for send, message in probes(bench):
            if send.destination.address in alive and message.nonce not in answered:
                answered.add(message.nonce)
                answer(bench, message, send.destination.address)


def answer(bench, message, rloc, told=None, **flags):
    known = told or bench.node.cache.get(host(PEER)).mapping
    locators = tuple(replace(loc, probed=loc.address == rloc) for loc in known.locators)
    reply = MapReply(message.nonce, (record_from_mapping(replace(known, locators=locators, authoritative=True)),), True)
    bench.receive(replace(reply, **flags), rloc)


def state_of(bench, rloc):
    return bench.node.prober.path(rloc).state


def test_a_probe_goes_to_the_locator_itself_for_the_cached_prefix():
    bench = watching()
    run(bench, 12.6, alive=(PEER_RLOC, PEER_RLOC_2))
    (send, message) = probes(bench)[0]
    assert send.destination.address in (PEER_RLOC, PEER_RLOC_2)
    assert (send.destination.port, send.source, send.source_port) == (4342, WIFI, 4342)
    assert (message.source_eid, message.itr_rlocs, message.records[0].eid, message.records[0].mask_len) == (
        None,
        (WIFI,),
        PEER,
        32,
    )


def test_rounds_come_each_interval_with_a_jitter_and_not_together():
    bench = watching()
    run(bench, 300, alive=(PEER_RLOC, PEER_RLOC_2))
    times = {PEER_RLOC: [], PEER_RLOC_2: []}
    for send, at in timed(bench):
        times[send.destination.address].append(at)
    gaps = [later - earlier for each in times.values() for earlier, later in itertools.pairwise(each)]
    assert len(gaps) > 40
    assert 7.5 - 0.2 <= min(gaps) < 9
    assert 11 < max(gaps) <= 12.5 + 0.2
    assert {state_of(bench, rloc) for rloc in times} <= {State.UP, State.TESTING}


def test_an_interval_of_0_probes_nothing():
    bench = watching(probing=Probing(Seconds(0)))
    run(bench, 100)
    assert bench.sent == []


def test_an_idle_entry_is_not_probed():
    bench = watching()
    bench.pass_time(70)
    bench.clear()
    run(bench, 100, idle=61.0)
    assert bench.sent == []


def test_a_silent_rloc_is_left_out_after_its_retries_and_taken_back_when_it_answers():
    bench = watching()
    run(bench, 25, alive=(PEER_RLOC,))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
    silent = [at for send, at in timed(bench) if send.destination.address == PEER_RLOC_2]
    gaps = [later - earlier for earlier, later in itertools.pairwise(silent[:3])]
    assert all(2 <= gap <= 2 * (1 + prober.RETRY_JITTER) + 1e-6 for gap in gaps)
    (lost,) = [event for event in bench.events if event.name == "rloc-down"]
    assert (lost.fields["rloc"], lost.level) == (str(PEER_RLOC_2), "warning")
    run(bench, 25, alive=(PEER_RLOC, PEER_RLOC_2))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC), (WIFI, PEER_RLOC_2)]
    assert "rloc-up" in bench.event_names()


def test_an_rloc_that_nobody_uses_any_more_is_forgotten_not_found():
    bench = watching()
    run(bench, 25, alive=(PEER_RLOC,))
    bench.pass_time(60)
    bench.clear()
    run(bench, 30, idle=61.0)
    assert "rloc-up" not in bench.event_names()
    assert [rloc for _, rloc in bench.ways(PEER)] == [PEER_RLOC, PEER_RLOC_2]


def test_while_it_is_tested_an_rloc_stays_in_use():
    bench = watching()
    while not probes(bench):
        run(bench, 0.1)
    run(bench, 3)
    assert [rloc for _, rloc in bench.ways(PEER)] == [PEER_RLOC, PEER_RLOC_2]


def test_when_all_are_silent_they_all_stay():
    bench = watching()
    run(bench, 60)
    assert {state_of(bench, rloc) for rloc in (PEER_RLOC, PEER_RLOC_2)} <= {State.DOWN, State.RETESTING}
    assert [rloc for _, rloc in bench.ways(PEER)] == [PEER_RLOC, PEER_RLOC_2]


def test_the_round_trip_time_is_kept_and_shown():
    bench = watching(PEER_RLOC)
    while not probes(bench):
        run(bench, 0.1)
    _, message = probes(bench)[0]
    bench.pass_time(0.3)
    answer(bench, message, PEER_RLOC)
    elapsed = bench.now - bench.sent_at[0]
    assert bench.node.prober.path(PEER_RLOC).rtt == pytest.approx(elapsed)
    (entry,) = bench.node.view("map-cache", bench.now)["entries"]
    assert entry["locators"][0]["rtt_ms"] == pytest.approx(elapsed * 1000, abs=0.01)


def test_a_probe_reply_without_authority_or_with_a_strange_nonce_is_ignored():
    bench = watching(PEER_RLOC)
    while not probes(bench):
        run(bench, 0.1)
    _, message = probes(bench)[0]
    known = bench.node.cache.get(host(PEER)).mapping
    bench.receive(MapReply(message.nonce, (record_from_mapping(known),), True), PEER_RLOC)
    bench.receive(MapReply(message.nonce, (), True), PEER_RLOC)
    answer(bench, replace(message, nonce=1), PEER_RLOC)
    assert bench.dropped == {ControlReason.NOT_AUTHORITATIVE: 2, ControlReason.NONCE_UNKNOWN: 1}
    assert state_of(bench, PEER_RLOC) is State.TESTING


def test_an_answer_that_names_other_rlocs_asks_the_mapping_system_and_changes_nothing_itself():
    bench = watching(PEER_RLOC)
    while not probes(bench):
        run(bench, 0.1)
    _, message = probes(bench)[0]
    answer(bench, message, PEER_RLOC, told=mapping("10.0.0.2/32", PEER_RLOC, PEER_RLOC_2))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
    assert bench.asked() == [f"{PEER}/32"]


@pytest.mark.parametrize("field", [{"priority": 7}, {"weight": 3}, {"reachable": False}, {"local": True}])
def test_an_answer_that_says_another_policy_asks_the_mapping_system(field):
    bench = watching(PEER_RLOC)
    while not probes(bench):
        run(bench, 0.1)
    _, message = probes(bench)[0]
    told = mapping("10.0.0.2/32", PEER_RLOC)
    answer(bench, message, PEER_RLOC, told=replace(told, locators=(replace(told.locators[0], **field),)))
    assert bench.asked() == ([] if "local" in field else [f"{PEER}/32"])


def test_a_move_forgets_what_was_found_on_the_old_path():
    bench = watching()
    run(bench, 25, alive=(PEER_RLOC,))
    bench.move(ON_LTE)
    assert bench.ways(PEER) == [(LTE, PEER_RLOC), (LTE, PEER_RLOC_2)]
    assert bench.node.prober.down == frozenset()


def test_without_a_network_nothing_is_probed_and_nothing_found_down():
    bench = watching()
    bench.move(NOWHERE)
    assert {state_of(bench, rloc) for rloc in (PEER_RLOC, PEER_RLOC_2)} == {State.PARKED}
    run(bench, 60)
    assert bench.sent == []
    bench.move(ON_WIFI)
    run(bench, 13, alive=(PEER_RLOC, PEER_RLOC_2))
    assert {send.destination.address for send, _ in probes(bench)} == {PEER_RLOC, PEER_RLOC_2}


def test_after_a_move_the_first_round_comes_soon():
    bench = watching()
    bench.move(ON_LTE)
    run(bench, 2.6, alive=(PEER_RLOC, PEER_RLOC_2))
    assert len(probes(bench)) == 2


def test_who_does_not_answer_is_asked_for_at_the_mapping_system_each_round():
    bench = watching(PEER_RLOC)
    run(bench, 60)
    assert 2 <= len([question for question in bench.questions() if question.source_eid is None]) <= 10
    while not len(bench.node.resolver):
        run(bench, 0.1)
    bench.reply(mapping("10.0.0.2/32", PEER_RLOC_2))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC_2)]


def test_an_rloc_of_a_family_that_we_lack_is_parked():
    bench = watching(PEER_RLOC, PEER_RLOC_V6)
    run(bench, 30, alive=(PEER_RLOC,))
    assert state_of(bench, PEER_RLOC_V6) is State.PARKED
    assert {send.destination.address for send, _ in probes(bench)} == {PEER_RLOC}


def test_an_rloc_that_the_cache_no_longer_names_is_forgotten():
    bench = watching(PEER_RLOC)
    bench.pass_time(86_400)
    assert len(bench.node.cache) == 0
    assert bench.node.prober.path(PEER_RLOC) is None
    assert bench.node.poll_timeout() is None


def test_the_probed_rlocs_are_bounded(monkeypatch):
    monkeypatch.setattr(prober, "MAX_RLOCS", 1)
    bench = watching()
    run(bench, 30, alive=(PEER_RLOC, PEER_RLOC_2))
    assert len({send.destination.address for send, _ in probes(bench)}) == 1
    assert len(bench.ways(PEER)) == 2


def test_every_state_knows_a_move_and_a_lost_network():
    assert {state for state, fact in TABLE if fact is Fact.MOVED} == set(State)
    assert {state for state, fact in TABLE if fact is Fact.STRANDED} == set(State)


def test_static_entries_are_probed_while_used():
    static = (mapping("10.0.0.2/32", PEER_RLOC, PEER_RLOC_2),)
    bench = Bench(settings(map_servers=(), probing=PROBING, static_map_cache=static), ON_WIFI)
    run(bench, 40, alive=(PEER_RLOC_2,))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC_2)]
