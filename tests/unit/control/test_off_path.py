"""Who is not on the path: forged answers, solicitations and errors change no mapping and cost what the limits allow."""

import itertools
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.control import map_replies
from lispfast.control.outbox import Outbox
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.forwarding import Encapsulate, HeaderHint, Unreachable
from lispfast.model.mapping import Action
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Forwarding, Hints, Probing, Profile, ProxyEtr
from lispfast.wire.map_reply import MapReply
from lispfast.wire.records import EidRecord, record_from_mapping

from .mn_helpers import (
    EID,
    LTE,
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

FORGER = ip_address("203.0.113.66")
FORGED = mapping(f"{PEER}/32", FORGER)


def talking(**changes):
    bench = registered(settings(probing=Probing(), **changes))
    bench.know(PEER, PEER_RLOC)
    bench.use(host(PEER))
    bench.pass_time(1.5)
    bench.clear()
    return bench


def reply(*mappings, nonce, **flags):
    return MapReply(nonce, tuple(record_from_mapping(m) for m in mappings), **flags)


def cached(bench):
    return {str(entry.prefix): entry.mapping for entry in bench.node.cache.entries()}


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30))
def test_no_guessed_nonce_is_believed(nonces):
    bench = registered()
    bench.punt(PEER)
    true = bench.questions()[0].nonce
    guesses = [nonce for nonce in [*nonces, true ^ 1, true + 1 & 2**64 - 1, true >> 32, 0] if nonce != true]
    for nonce in guesses:
        bench.receive(reply(FORGED, nonce=nonce), SERVER)
        bench.receive(reply(replace(FORGED, authoritative=True), nonce=nonce, probe=True), SERVER)
    assert cached(bench) == {}
    assert bench.dropped == {ControlReason.NONCE_UNKNOWN: 2 * len(guesses)}
    bench.reply(mapping(f"{PEER}/32", PEER_RLOC))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]


def test_an_answer_played_again_changes_nothing():
    bench = talking()
    bench.punt(PEER + 1)
    nonce = bench.questions()[-1].nonce
    bench.reply(mapping(f"{PEER + 1}/32", PEER_RLOC))
    before = cached(bench)
    bench.receive(reply(mapping(f"{PEER + 1}/32", FORGER), nonce=nonce), SERVER)
    assert cached(bench) == before
    assert bench.dropped == {ControlReason.NONCE_UNKNOWN: 1}


def test_the_nonce_of_a_probe_answers_no_question_and_that_of_a_question_no_probe():
    bench = talking()
    bench.node.handle_punt(Unreachable(PEER_RLOC), bench.now)
    bench.take()
    _, probe = bench.requests()[-1]
    bench.receive(reply(FORGED, nonce=probe.nonce), PEER_RLOC)
    bench.punt(PEER + 1)
    told = replace(mapping(f"{PEER + 1}/32", FORGER), authoritative=True)
    bench.receive(reply(told, nonce=bench.questions()[-1].nonce, probe=True), PEER_RLOC)
    assert bench.dropped == {ControlReason.NONCE_UNKNOWN: 2}
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]


def test_a_probe_reply_changes_no_mapping_whatever_it_says():
    bench = talking()
    bench.node.handle_punt(Unreachable(PEER_RLOC), bench.now)
    bench.take()
    _, probe = bench.requests()[-1]
    before = cached(bench)
    wide = mapping("0.0.0.0/0", FORGER)
    told = [replace(m, authoritative=True) for m in (FORGED, wide, mapping(f"{EID}/32", FORGER))]
    bench.receive(reply(*told, nonce=probe.nonce, probe=True), PEER_RLOC)
    assert cached(bench) == before


def test_what_lies_beside_the_question_is_never_learned_from_its_answer():
    """A wider record is one that LISP-SEC bounds; what is beside it, and what is ours, needs no LISP-SEC."""
    bench = registered()
    bench.punt(PEER)
    bench.reply(
        mapping("10.0.0.0/16", PEER_RLOC),
        mapping("10.1.0.0/16", FORGER),
        mapping("192.0.2.0/24", FORGER),
        mapping(f"{EID}/32", FORGER),
    )
    assert list(cached(bench)) == ["10.0.0.0/16"]
    assert bench.dropped == {ControlReason.PREFIX_NOT_ALLOWED: 1}


prefixes = st.builds(
    lambda length, bits: mapping(f"{ip_address(bits >> 32 - length << 32 - length)}/{length}", PEER_RLOC),
    st.integers(0, 32),
    st.integers(0, 3).map(lambda bits: int(ip_address("10.0.0.0")) | bits | bits << 14),
)


@given(prefixes, st.lists(prefixes, min_size=1, max_size=6))
def test_what_is_believed_answers_the_question_or_lies_under_what_does(asked, told):
    position = registered().node.position
    message = reply(*told, nonce=1)
    believed = map_replies.believable(message, asked.prefix, position, Outbox())
    for one in believed:
        answers = one.prefix.covers(asked.prefix) or asked.prefix.covers(one.prefix)
        wider = any(m.prefix.covers(asked.prefix) and m.prefix.covers(one.prefix) for m in told)
        assert answers or wider
        assert position.mapping(one.prefix) is None


@pytest.mark.parametrize("action", [6, 7])
def test_an_action_that_nobody_assigned_is_no_action(action):
    bench = registered()
    bench.punt(PEER)
    record = EidRecord(PEER, 32, 5, action=action)
    bench.receive(MapReply(bench.questions()[-1].nonce, (record,)), SERVER)
    assert cached(bench)[f"{PEER}/32"].action is Action.NO_ACTION
    assert bench.ways(PEER) == []


def test_a_storm_of_everything_forged_changes_nothing_and_stays_within_the_limits():
    bench = talking()
    before, start = cached(bench), bench.now
    for number in range(1000):
        bench.solicit(host(PEER), host(EID), FORGER)
        bench.solicit(host(PEER + 100 + number), host(EID), FORGER)
        bench.receive(reply(FORGED, nonce=number), SERVER)
        bench.node.handle_punt(Unreachable(PEER_RLOC), bench.now)
        bench.node.handle_punt(HeaderHint(PEER_RLOC, PEER, nonce=number, echo=True, status_bits=0), bench.now)
        bench.take()
        bench.pass_time(0.01)
    seconds = bench.now - start
    assert cached(bench) == before
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
    times = [at for at, send in zip(bench.sent_at, bench.sent, strict=True) if send.payload[0] >> 4 == 8]
    assert len(times) <= seconds + 1
    assert all(later - earlier >= 1 - 1e-6 for earlier, later in itertools.pairwise(times))
    assert len(bench.sent) <= 3 * seconds + 5
    assert bench.dropped[ControlReason.SMR_KNOWN] + bench.dropped[ControlReason.SMR_UNCACHED] >= 1900
    assert bench.dropped[ControlReason.NONCE_UNKNOWN] == 1000


@given(
    st.sampled_from(Encapsulation),
    st.integers(0, 4095),
    st.lists(st.tuples(st.integers(0, 2**24 - 1), st.booleans(), st.integers(0, 4095)), max_size=6),
)
def test_no_template_of_the_public_profile_has_n_l_e_or_v(form, version, hints):
    every = Hints(echo_nonce=True, map_versioning=True, status_bits=True)
    configured = settings(
        profile=Profile.PUBLIC,
        hints=every,
        forwarding=Forwarding(encapsulation=form),
        proxy_etrs=(ProxyEtr(PEER_RLOC_2),),
        static_map_cache=(replace(mapping("10.3.0.0/16", LTE), version=version),),
    )
    bench = registered(configured)
    bench.punt(PEER)
    told = mapping(f"{PEER}/32", PEER_RLOC, version=version)
    bench.receive(reply(told, nonce=bench.questions()[-1].nonce, echo_nonce=True), SERVER)
    bench.punt(PEER + 1)
    bench.reply(mapping(f"{PEER + 1}/32", action=Action.NATIVELY_FORWARD))
    for nonce, echo, said in hints:
        hint = HeaderHint(PEER_RLOC, PEER, nonce=nonce, echo=echo, status_bits=nonce)
        bench.node.handle_punt(hint, bench.now)
        bench.node.handle_punt(replace(hint, nonce=None, source_version=said, destination_version=said), bench.now)
        bench.use(host(PEER), outer={PEER_RLOC: 0.0})
        bench.pass_time(100)
    headers = [
        locator.header
        for verdict in bench.table.verdicts.values()
        if isinstance(verdict, Encapsulate)
        for locator in verdict.locators
    ]
    assert headers
    for header in headers:
        assert not header[0] & 0xF0
        assert header[1:3] == bytes(2)
        assert header[7] == 0
