"""Echo-nonce: asking, echoing, and calling a path down on nothing less than proof."""

from dataclasses import replace

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lispfast.control import echo_nonce
from lispfast.control.echo_nonce import TABLE, Fact, State
from lispfast.model.forwarding import HeaderHint
from lispfast.model.settings import Hints, Profile
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.records import record_from_mapping

from .mn_helpers import (
    EID,
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

ECHOING = settings(profile=Profile.PRIVATE, hints=Hints(echo_nonce=True))
OTHER = PEER + 10
ROUND = echo_nonce.INTERVAL * (1 + echo_nonce.JITTER)


def tell(bench, peer, *rlocs, echoes=True, ttl=10, priorities=None):
    """The peer's ETR answers our question itself."""
    bench.punt(peer)
    told = mapping(f"{peer}/32", *rlocs, ttl=ttl, authoritative=True)
    if priorities:
        located = zip(told.locators, priorities, strict=True)
        told = replace(told, locators=tuple(replace(loc, priority=priority) for loc, priority in located))
    reply = MapReply(bench.questions()[-1].nonce, (record_from_mapping(told),), echo_nonce=echoes)
    bench.receive(reply, PEER_RLOC)


def talking(*rlocs, configured=ECHOING, **flags):
    bench = registered(configured)
    tell(bench, PEER, *(rlocs or (PEER_RLOC,)), **flags)
    bench.clear()
    return bench


def run(bench, seconds, *, heard=True, sends=True):
    """Time passes in traffic, in one direction or both."""
    for _ in range(round(seconds * 2)):
        bench.use(host(PEER), idle=0.0 if sends else 59.0, outer={PEER_RLOC: 0.0} if heard else {})
        bench.pass_time(0.5)


def until(bench, state, rloc=PEER_RLOC, **how):
    for _ in range(200):
        if bench.node.hints.echo_nonce.echo(rloc).state is state:
            return
        run(bench, 0.5, **how)
    raise AssertionError(f"never {state}")


def said(bench, address=PEER):
    """The first word of each locator's header."""
    return {locator.address: locator.header[:4].hex() for locator in bench.verdict(address).locators}


def hint(bench, rloc=PEER_RLOC, **fields):
    bench.node.handle_punt(HeaderHint(rloc, PEER, **fields), bench.now)
    bench.take()


def asking(bench, rloc=PEER_RLOC):
    return int(said(bench)[rloc][2:], 16)


def test_a_round_asks_in_every_packet_until_the_echo_comes():
    bench = talking()
    assert said(bench) == {PEER_RLOC: "00000000"}
    until(bench, State.ASKING)
    assert said(bench)[PEER_RLOC].startswith("a0")
    hint(bench, nonce=asking(bench))
    assert said(bench) == {PEER_RLOC: "00000000"}
    first = bench.node.hints.echo_nonce.echo(PEER_RLOC).nonce
    until(bench, State.ASKING)
    assert asking(bench) != first


def test_a_strange_echo_is_none():
    bench = talking()
    until(bench, State.ASKING)
    hint(bench, nonce=asking(bench) ^ 1)
    assert said(bench)[PEER_RLOC].startswith("a0")


def test_who_did_not_say_that_it_echoes_is_not_asked():
    bench = talking(echoes=False)
    run(bench, 3 * ROUND)
    assert said(bench) == {PEER_RLOC: "00000000"}


def test_what_a_proxy_says_of_it_counts_for_nothing():
    bench = registered(ECHOING)
    bench.punt(PEER)
    told = record_from_mapping(mapping(f"{PEER}/32", PEER_RLOC))
    bench.receive(MapReply(bench.questions()[-1].nonce, (told,), echo_nonce=True), PEER_RLOC)
    assert not bench.node.hints.echo_nonce.echo(PEER_RLOC).capable


def test_an_idle_path_is_not_asked():
    bench = talking()
    run(bench, 61, sends=False)
    bench.clear()
    run(bench, 2 * ROUND, sends=False)
    assert bench.node.hints.echo_nonce.echo(PEER_RLOC).state is State.QUIET


def test_packets_without_the_echo_say_that_the_path_is_down():
    bench = talking(PEER_RLOC, PEER_RLOC_2, priorities=(1, 2))
    until(bench, State.ASKING)
    run(bench, echo_nonce.WAIT + 1)
    assert bench.node.hints.down == {PEER_RLOC}
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC_2)]
    assert "rloc-no-echo" in bench.event_names()
    (entry,) = bench.node.view("map-cache", bench.now)["entries"]
    assert [locator["state"] for locator in entry["locators"]] == ["down", "up"]


def test_a_late_echo_brings_the_path_back():
    bench = talking(PEER_RLOC, PEER_RLOC_2, priorities=(1, 2))
    until(bench, State.ASKING)
    nonce = asking(bench)
    until(bench, State.LOST)
    hint(bench, nonce=nonce)
    assert PEER_RLOC in dict(said(bench))
    assert bench.node.hints.down == frozenset()


def test_a_path_that_was_lost_is_tried_again():
    bench = talking(PEER_RLOC, PEER_RLOC_2, priorities=(1, 2))
    until(bench, State.LOST)
    until(bench, State.ASKING)
    assert said(bench)[PEER_RLOC].startswith("a0")


@pytest.mark.parametrize("how", [{"heard": False}, {"sends": False}])
def test_silence_is_no_proof_on_a_one_way_path(how):
    bench = talking()
    for _ in range(5):
        until(bench, State.ASKING)
        until(bench, State.QUIET, **how)
    assert "rloc-no-echo" not in bench.event_names()


def test_a_missing_echo_proves_nothing_where_no_packet_need_have_gone():
    bench = talking(PEER_RLOC, PEER_RLOC_2)
    run(bench, 5 * ROUND)
    assert bench.node.hints.down == frozenset()


def test_a_peer_that_asks_gets_its_nonce_back_until_it_stops():
    bench = talking(echoes=False)
    hint(bench, nonce=0xABCDEF, echo=True)
    assert said(bench) == {PEER_RLOC: "80abcdef"}
    hint(bench, nonce=0x123456, echo=True)
    assert said(bench) == {PEER_RLOC: "80123456"}
    hint(bench)
    assert said(bench) == {PEER_RLOC: "00000000"}


def test_an_echo_ends_by_itself():
    bench = talking(echoes=False)
    hint(bench, nonce=0xABCDEF, echo=True)
    run(bench, echo_nonce.ECHO_TIME + 1)
    assert said(bench) == {PEER_RLOC: "00000000"}


def test_where_both_ask_we_echo_first_and_ask_later():
    bench = talking()
    until(bench, State.ASKING)
    hint(bench, nonce=0xABCDEF, echo=True)
    assert said(bench) == {PEER_RLOC: "80abcdef"}
    run(bench, 10)
    assert bench.node.hints.down == frozenset()
    hint(bench)
    until(bench, State.ASKING)


def test_where_both_asked_an_echo_says_that_the_peer_asks_no_more():
    bench = talking()
    until(bench, State.ASKING)
    ours = asking(bench)
    hint(bench, nonce=0xABCDEF, echo=True)
    hint(bench, nonce=ours)
    assert bench.node.hints.echo_nonce.echo(PEER_RLOC).state is State.QUIET
    assert said(bench) == {PEER_RLOC: "00000000"}


def test_a_peer_that_asks_often_puts_off_our_own_round_by_no_more_than_its_own():
    bench = talking()
    start = bench.now
    while not said(bench)[PEER_RLOC].startswith("a0"):
        run(bench, 5)
        if not said(bench)[PEER_RLOC].startswith("a0"):
            hint(bench, nonce=0xABCDEF, echo=True)
            run(bench, 1)
            hint(bench)
    assert bench.now - start <= ROUND + 2 * echo_nonce.WAIT + 6


def test_nonces_to_different_rlocs_differ():
    bench = talking(PEER_RLOC, PEER_RLOC_2)
    for _ in range(400):
        run(bench, 0.5)
        words = [word for word in said(bench).values() if word.startswith("a0")]
        if len(words) == 2:
            assert words[0] != words[1]
            return
    raise AssertionError("never both at once")


def test_nonces_differ_though_chance_draws_the_same_one():
    bench = talking(PEER_RLOC, PEER_RLOC_2)
    bench.node.hints.echo_nonce._nonces = lambda: 7
    for _ in range(200):
        run(bench, 0.5)
        echoes = [bench.node.hints.echo_nonce.echo(rloc).nonce for rloc in (PEER_RLOC, PEER_RLOC_2)]
        if None not in echoes:
            break
    assert sorted(echoes) == [7, 8]


def test_a_packet_that_left_before_the_question_came_is_no_proof():
    bench = talking(PEER_RLOC, PEER_RLOC_2, priorities=(1, 2))
    until(bench, State.ASKING)
    bench.use(host(PEER), outer={PEER_RLOC: 0.0})
    run(bench, echo_nonce.WAIT + 1, heard=False)
    assert bench.node.hints.echo_nonce.echo(PEER_RLOC).state is State.QUIET
    assert bench.node.hints.down == frozenset()


def test_our_map_replies_say_that_we_echo_where_it_is_on():
    for configured, echoes in ((ECHOING, True), (settings(), False), (replace(ECHOING, profile="public"), False)):
        bench = registered(configured)
        bench.receive(MapRequest(3, PEER, (PEER_RLOC,), (RequestRecord(EID, 32),)), PEER_RLOC)
        assert [reply.echo_nonce for _, reply in bench.replies()] == [echoes]


def test_the_public_profile_neither_asks_nor_echoes():
    bench = talking(configured=replace(ECHOING, profile=Profile.PUBLIC))
    hint(bench, nonce=0xABCDEF, echo=True, status_bits=0, source_version=9, destination_version=9)
    run(bench, 2 * ROUND)
    assert said(bench) == {PEER_RLOC: "00000000"}
    assert bench.sent == [] or not bench.requests()


def test_a_nonce_goes_before_versions_and_never_beside_them():
    both = replace(ECHOING, hints=Hints(echo_nonce=True, map_versioning=True))
    bench = registered(both)
    bench.punt(PEER)
    bench.reply(mapping(f"{PEER}/32", PEER_RLOC, version=7))
    assert said(bench) == {PEER_RLOC: "10000007"}
    hint(bench, nonce=0xABCDEF, echo=True)
    assert said(bench) == {PEER_RLOC: "80abcdef"}


def test_every_state_has_a_row_for_what_comes_from_outside():
    for fact in (Fact.ASKED, Fact.ECHOED, Fact.STOPPED, Fact.MOVED):
        assert {state for state, known in TABLE if known is fact} == set(State)


rlocs = [PEER_RLOC, PEER_RLOC_2]


class Life(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.bench = Bench(ECHOING, ON_WIFI)

    @property
    def machine(self):
        return self.bench.node.hints.echo_nonce

    @precondition(lambda self: self.bench.node.position.ways)
    @rule(peer=st.sampled_from([PEER, OTHER]), rlocs=st.sets(st.sampled_from(rlocs)), echoes=st.booleans())
    def learn(self, peer, rlocs, echoes):
        self.bench.pass_time(1.5)
        self.bench.punt(peer)
        if self.bench.questions() and self.bench.node.resolver.match(self.bench.questions()[-1].nonce):
            question = self.bench.questions()[-1]
            told = mapping(f"{question.records[0].eid}/32", *sorted(rlocs), authoritative=True)
            reply = MapReply(question.nonce, (record_from_mapping(told),), echo_nonce=echoes)
            self.bench.receive(reply, PEER_RLOC)

    @rule(underlay=st.sampled_from([NOWHERE, ON_WIFI, ON_LTE]))
    def move(self, underlay):
        self.bench.move(underlay)

    @rule(seconds=st.sampled_from([0.5, 3.1, 40.0, 700.0]))
    def pass_time(self, seconds):
        self.bench.pass_time(seconds)

    @rule(idle=st.sampled_from([0.0, 2.0, 61.0]), heard=st.sets(st.sampled_from(rlocs)))
    def use(self, idle, heard):
        self.bench.use(host(PEER), host(OTHER), idle=idle, outer=dict.fromkeys(heard, idle))

    @rule(rloc=st.sampled_from(rlocs), nonce=st.none() | st.integers(0, 3), echo=st.booleans())
    def hear(self, rloc, nonce, echo):
        hint(self.bench, rloc, nonce=nonce, echo=echo and nonce is not None)

    @rule(rloc=st.sampled_from(rlocs))
    def echoed(self, rloc):
        known = self.machine.echo(rloc)
        if known and known.nonce is not None:
            hint(self.bench, rloc, nonce=known.nonce)

    @invariant()
    def nothing_leaks(self):
        assert set(self.machine._echoes) == set(self.bench.node.cache.rlocs())
        assert len(self.machine._timers) == len(self.machine)
        assert set(self.machine._heard) <= set(self.machine._echoes)

    @invariant()
    def headers_say_what_the_states_are(self):
        nonces = []
        for prefix, verdict in self.bench.table.verdicts.items():
            for locator in getattr(verdict, "locators", ()):
                state = self.machine.echo(locator.address).state
                flags = locator.header[0] & 0xF0
                assert flags == {State.ASKING: 0xA0, State.ECHOING: 0x80}.get(state, 0), prefix
                if state is State.ASKING:
                    nonces.append((locator.address, locator.header[1:4]))
        assert len({nonce for _, nonce in nonces}) == len({address for address, _ in nonces})


TestLife = Life.TestCase
TestLife.settings = hypothesis_settings(max_examples=40, stateful_step_count=30, deadline=None)
