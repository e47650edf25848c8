"""Answers for our own EIDs: whom, from where, how often, and what is never answered."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import responder
from lispfast.control.effects import Datagram
from lispfast.model.addresses import Endpoint
from lispfast.model.reasons import ControlReason
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.records import eid_prefix, record_from_mapping, wire_eid

from .mn_helpers import (
    EID,
    LTE,
    LTE_V6,
    ON_BOTH,
    PEER,
    PEER_RLOC,
    PEER_RLOC_V6,
    SERVER,
    WIFI,
    Bench,
    database,
    host,
    interface,
    mapping,
    registered,
    settings,
)

ITR = PEER_RLOC


def request(*prefixes, itr=(ITR,), nonce=0xAB, **flags):
    records = tuple(RequestRecord(wire_eid(p), p.length) for p in prefixes or (host(EID),))
    return replace(MapRequest(nonce, PEER, itr, records), **flags)


def through_the_map_server(bench, message, source_port=50_123):
    inner = EncapsulatedControl.wrap(Endpoint(PEER, source_port), Endpoint(EID, 4342), message.encode())
    bench.receive(inner.encode(), SERVER)


def prefixes(reply):
    return [str(eid_prefix(record.eid, record.mask_len)) for record in reply.records]


@pytest.fixture
def bench():
    return registered()


def test_a_map_request_is_answered_with_authority_to_its_itr_rloc(bench):
    through_the_map_server(bench, request())
    ((send, reply),) = bench.replies()
    assert (send.destination, send.source, send.source_port) == (Endpoint(ITR, 50_123), WIFI, 4342)
    assert (reply.nonce, reply.probe, prefixes(reply)) == (0xAB, False, ["10.0.0.1/32"])
    (record,) = reply.records
    assert (record.ttl, record.authoritative) == (10, True)
    assert [(loc.address, loc.local, loc.reachable, loc.probed) for loc in record.locators] == [
        (WIFI, True, True, False)
    ]


def test_a_direct_map_request_is_answered_to_the_port_it_came_from(bench):
    bench.receive(request(), ITR)
    ((send, _),) = bench.replies()
    assert send.destination == Endpoint(ITR, 4342)


@pytest.mark.parametrize("port", [0, 4341])
def test_a_port_that_hears_no_map_reply_gets_none(bench, port):
    bench.node.handle_datagram(Datagram(request().encode(), Endpoint(ITR, port), Endpoint(WIFI, 4342)), bench.now)
    bench.take()
    assert (bench.replies(), bench.dropped) == ([], {ControlReason.WRONG_PORT: 1})


def test_the_first_itr_rloc_of_a_family_that_we_have_is_taken(bench):
    through_the_map_server(bench, request(itr=(PEER_RLOC_V6, ip_address("224.0.0.1"), EID, ITR)))
    assert bench.replies()[0][0].destination.address == ITR


@pytest.mark.parametrize("itr", [(PEER_RLOC_V6,), (None,), (ip_address("127.0.0.1"),), (EID,)])
def test_without_an_itr_rloc_to_send_to_there_is_no_answer(bench, itr):
    bench.receive(request(itr=itr), PEER_RLOC)
    assert (bench.sent, bench.dropped) == ([], {ControlReason.NO_ITR_RLOC: 1})


@pytest.mark.parametrize("asked", ["10.0.0.2/32", "10.0.0.0/24", "fd00::9/128"])
def test_other_eids_are_not_ours_to_answer_for(bench, asked):
    bench.receive(request(host(EID).parse(asked)), ITR)
    assert (bench.sent, bench.dropped) == ([], {ControlReason.EID_NOT_OURS: 1})


def test_several_records_get_an_answer_each(bench):
    bench.receive(request(host(EID), host(PEER), host(ip_address("fd00::1"))), ITR)
    assert [prefixes(reply) for _, reply in bench.replies()] == [["10.0.0.1/32"], ["fd00::1/128"]]
    assert bench.dropped == {ControlReason.EID_NOT_OURS: 1}


def test_of_many_records_a_bounded_number_is_answered(bench):
    bench.receive(request(*[host(EID), host(ip_address("fd00::1"))] * 50), ITR)
    assert len(bench.replies()) == 2 * responder.REPLY_BURST
    cut, limited = 1, responder.MAX_RECORDS - 2 * responder.REPLY_BURST
    assert bench.dropped == {ControlReason.RATE_LIMITED: cut + limited}


def test_a_question_without_a_record_is_counted(bench):
    bench.receive(replace(request(), records=()), ITR)
    assert (bench.sent, bench.dropped) == ([], {ControlReason.MALFORMED: 1})


def test_the_best_match_comes_with_its_more_specifics():
    narrow, wide = database(ip_address("10.0.0.5"), EID)
    wide = replace(wide, prefix=wide.prefix.parse("10.0.0.0/24"), ttl=3)
    bench = registered(settings(database=(narrow, wide)))
    bench.receive(request(host(ip_address("10.0.0.9"))), ITR)
    bench.receive(request(host(ip_address("10.0.0.5"))), ITR)
    first, second = (reply for _, reply in bench.replies())
    assert prefixes(first) == ["10.0.0.0/24", "10.0.0.5/32"]
    assert [record.ttl for record in first.records] == [3, 3]
    assert prefixes(second) == ["10.0.0.5/32"]


def test_a_reply_with_many_more_specifics_fits_an_unknown_path():
    wide = replace(database(EID)[0], prefix=host(EID).parse("10.0.0.0/16"))
    many = tuple(replace(wide, prefix=host(ip_address(f"10.0.1.{n}"))) for n in range(60))
    bench = registered(settings(database=(wide, *many), map_servers=()))
    bench.receive(request(host(ip_address("10.0.9.9"))), ITR)
    ((send, reply),) = bench.replies()
    assert prefixes(reply)[0] == "10.0.0.0/16"
    assert 500 < len(send.payload) <= 548


def test_a_probe_is_answered_by_the_locator_that_was_probed():
    bench = registered(underlay=ON_BOTH)
    bench.receive(request(probe=True, nonce=7), ITR, LTE)
    ((send, reply),) = bench.replies()
    assert (send.source, send.ifindex, send.destination.address) == (LTE, 4, ITR)
    assert (reply.probe, reply.nonce) == (True, 7)
    assert [(loc.address, loc.probed) for loc in reply.records[0].locators] == [(WIFI, False), (LTE, True)]
    assert all(record.authoritative for record in reply.records)


def test_a_probe_from_one_of_its_itr_rlocs_is_answered_there():
    bench = registered(underlay=replace(ON_BOTH, interfaces=(interface("wlan0", WIFI, LTE_V6),)))
    bench.receive(request(probe=True, itr=(ITR, PEER_RLOC_V6)), PEER_RLOC_V6, LTE_V6)
    ((send, _),) = bench.replies()
    assert (send.destination.address, send.source) == (PEER_RLOC_V6, LTE_V6)


def test_a_probe_through_the_mapping_system_is_dropped(bench):
    through_the_map_server(bench, request(probe=True))
    assert (bench.sent, bench.dropped) == ([], {ControlReason.PROBE_VIA_SYSTEM: 1})


def test_dont_reply_is_not_replied_to(bench):
    bench.receive(request(dont_reply=True), ITR)
    assert bench.sent == []


def test_a_piggybacked_mapping_is_answered_but_not_used(bench):
    bench.receive(request(map_data=record_from_mapping(mapping("10.0.0.2/32", ITR))), ITR)
    assert len(bench.replies()) == 1
    assert len(bench.node.cache) == 0
    assert bench.ways(PEER) == []


def test_answers_to_one_rloc_about_one_prefix_are_limited_with_a_burst(bench):
    for _ in range(20):
        bench.receive(request(), ITR)
    assert len(bench.replies()) == responder.REPLY_BURST
    assert bench.dropped == {ControlReason.RATE_LIMITED: 20 - responder.REPLY_BURST}
    bench.receive(request(host(ip_address("fd00::1"))), ITR)
    bench.receive(request(itr=(ip_address("192.0.2.99"),)), ITR)
    assert len(bench.replies()) == responder.REPLY_BURST + 2
    bench.pass_time(3)
    bench.receive(request(), ITR)
    assert len(bench.replies()) == responder.REPLY_BURST + 3


def test_answers_to_one_rloc_are_limited_whatever_it_asks_for():
    eids = [EID + n for n in range(100)]
    bench = registered(settings(database=database(*eids), map_servers=()))
    for eid in eids:
        bench.receive(request(host(eid)), ITR)
    assert len(bench.replies()) == responder.RLOC_BURST
    bench.receive(request(itr=(ITR + 1,)), ITR + 1)
    assert len(bench.replies()) == responder.RLOC_BURST + 1
    bench.pass_time(responder.RLOC_INTERVAL)
    bench.receive(request(host(eids[-1])), ITR)
    assert len(bench.replies()) == responder.RLOC_BURST + 2


def test_the_answer_follows_a_move():
    bench = Bench(underlay=ON_BOTH)
    bench.move(replace(ON_BOTH, interfaces=ON_BOTH.interfaces[1:]))
    bench.clear()
    bench.receive(request(), ITR)
    ((send, reply),) = bench.replies()
    assert (send.source, [loc.address for loc in reply.records[0].locators]) == (LTE, [LTE])
