"""A peer that asked us since the move knows where we are: no SMR tells it more."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import responder
from lispfast.control.solicitor import State
from lispfast.model.addresses import Endpoint
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.records import wire_eid

from .mn_helpers import (
    EID,
    EID_V6,
    LTE,
    ON_BOTH,
    ON_LTE,
    ON_WIFI,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    PEER_V6,
    SERVER,
    Bench,
    host,
    mapping,
    registered,
)

OTHER = ip_address("10.0.0.3")
ELSEWHERE = ip_address("192.0.2.150")


def told(bench: Bench) -> list[tuple[object, object]]:
    """(destination RLOC, Source-EID) of each SMR."""
    return [(send.destination.address, request.source_eid) for send, request in bench.requests() if request.smr]


def moving(*rlocs, eids=(PEER,)):
    """From both networks to LTE, with a peer; data proves nothing, as the peer had LTE before."""
    bench = registered(underlay=ON_BOTH)
    for eid in eids:
        bench.know(eid, *rlocs or (PEER_RLOC,))
    bench.clear()
    bench.move(ON_LTE)
    return bench


def ask(bench, eid=EID, source=PEER, itr=(PEER_RLOC,), *, direct=False, **flags):
    """A Map-Request for our EID, from the Map-Server or from the first of its ITR-RLOCs."""
    records = (RequestRecord(wire_eid(host(eid)), host(eid).length),)
    request = replace(MapRequest(bench.random.getrandbits(64), source, itr, records), **flags)
    if direct:
        bench.receive(request, itr[0])
    else:
        inner = EncapsulatedControl.wrap(Endpoint(ip_address("10.0.0.9"), 4342), Endpoint(EID, 4342), request.encode())
        bench.receive(inner.encode(), SERVER)


@pytest.mark.parametrize("smr_invoked", [True, False])
@pytest.mark.parametrize("direct", [True, False])
def test_a_peer_that_asked_is_not_told_again(direct, smr_invoked):
    bench = moving()
    bench.notify()
    bench.pass_time(0.1)
    ask(bench, direct=direct, smr_invoked=smr_invoked)
    assert len(bench.replies()) == 1
    bench.pass_time(20)
    assert told(bench) == [(PEER_RLOC, EID)]
    assert bench.node.solicitor.state is State.QUIET


def test_who_did_not_ask_is_told_again():
    bench = moving()
    bench.know(OTHER, PEER_RLOC_2)
    bench.move(ON_WIFI)
    bench.notify()
    bench.pass_time(0.1)
    ask(bench)
    bench.pass_time(20)
    assert [rloc for rloc, _ in told(bench)].count(PEER_RLOC) == 1
    assert [rloc for rloc, _ in told(bench)].count(PEER_RLOC_2) == 3


def test_a_peer_that_asked_before_it_was_told_is_not_told_at_all():
    bench = moving()
    ask(bench)
    bench.notify()
    bench.pass_time(20)
    assert told(bench) == []


def test_a_peer_that_asked_between_the_early_smr_and_the_map_notify_is_not_told_again():
    bench = moving()
    bench.pass_time(0.5)
    ask(bench)
    bench.notify()
    bench.pass_time(20)
    assert len(told(bench)) == 1


def test_what_was_asked_before_the_move_counts_for_nothing():
    bench = moving()
    bench.notify()
    ask(bench)
    bench.clear()
    bench.move(ON_WIFI)
    bench.notify()
    bench.pass_time(20)
    assert told(bench) == [(PEER_RLOC, EID)] * 3


def test_asking_for_one_of_our_eids_says_nothing_of_the_other():
    bench = moving(eids=(PEER, PEER_V6))
    bench.notify()
    ask(bench)
    bench.pass_time(20)
    assert told(bench) == [(PEER_RLOC, EID)] + [(PEER_RLOC, EID_V6)] * 3


def test_an_eid_that_a_peer_may_have_cached_is_told_once_and_not_again_when_it_asked_for_another():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.use(host(PEER), outer={PEER_RLOC: 1.0})
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    ask(bench)
    bench.pass_time(20)
    assert [eid for _, eid in told(bench)] == [EID, EID_V6]


def test_who_asked_before_it_was_told_is_still_told_of_the_eid_that_it_did_not_ask_for():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.use(host(PEER), outer={PEER_RLOC: 1.0})
    bench.clear()
    bench.move(ON_LTE)
    ask(bench)
    bench.notify()
    bench.pass_time(20)
    assert [eid for _, eid in told(bench)] == [EID_V6]


def test_a_host_is_known_by_its_source_eid_at_whatever_rloc_and_at_all_of_them():
    bench = moving(PEER_RLOC, PEER_RLOC_2)
    bench.notify()
    ask(bench, itr=(ELSEWHERE,))
    bench.pass_time(20)
    assert told(bench) == [(PEER_RLOC, EID), (PEER_RLOC_2, EID)]


def test_a_host_that_is_known_by_one_itr_rloc_is_known_at_all_of_its_rlocs():
    bench = moving(PEER_RLOC, PEER_RLOC_2)
    bench.notify()
    ask(bench, source=None)
    bench.pass_time(20)
    assert told(bench) == [(PEER_RLOC, EID), (PEER_RLOC_2, EID)]


def test_a_router_of_a_site_says_nothing_of_the_sites_other_one():
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping("10.0.0.0/28", PEER_RLOC, PEER_RLOC_2))
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    ask(bench)
    bench.pass_time(20)
    assert [rloc for rloc, _ in told(bench)] == [PEER_RLOC, PEER_RLOC_2, PEER_RLOC_2, PEER_RLOC_2]


def test_a_stranger_that_asks_changes_nothing():
    bench = moving()
    bench.notify()
    ask(bench, source=OTHER, itr=(ELSEWHERE,))
    bench.pass_time(20)
    assert len(told(bench)) == 3


@pytest.mark.parametrize("flags", [{"probe": True}, {"dont_reply": True}])
def test_neither_a_probe_nor_what_is_not_answered_counts(flags):
    bench = moving()
    bench.notify()
    ask(bench, direct=True, **flags)
    bench.pass_time(20)
    assert len(told(bench)) == 3


def test_a_question_whose_answer_was_held_back_does_not_count():
    bench = registered(underlay=ON_BOTH)
    bench.know(PEER, PEER_RLOC)
    for _ in range(responder.REPLY_BURST):
        ask(bench)
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    ask(bench)
    assert bench.replies() == []
    bench.pass_time(20)
    assert len(told(bench)) == 3


def test_an_smr_that_waits_for_its_rate_limit_is_not_sent_to_a_peer_that_asked():
    bench = moving()
    for underlay in [ON_WIFI, ON_LTE] * 4:
        bench.notify()
        bench.move(underlay)
    bench.notify()
    sent = len(told(bench))
    assert bench.node.solicitor._deferred.next() is not None
    ask(bench)
    assert [send.source for send, _ in bench.replies()] == [LTE]
    bench.pass_time(60)
    assert len(told(bench)) == sent
    assert bench.node.solicitor._answered == set()
