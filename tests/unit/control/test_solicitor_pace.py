"""How fast SMRs go out to one RLOC, however many EID-prefixes moved."""

import pytest

from lispfast.control import solicitor
from lispfast.control.solicitor import State

from .mn_helpers import EID, NOWHERE, ON_LTE, ON_WIFI, PEER, PEER_RLOC, PEER_RLOC_2, database, registered, settings

OURS = [EID + n for n in range(100, 200)]


def moved(*rlocs):
    """A router of many EID-prefixes that talked to a peer, moved and was confirmed."""
    bench = registered(settings(database=database(*OURS)))
    bench.know(PEER, *rlocs)
    bench.clear()
    bench.move(ON_LTE)
    for register in bench.registers():
        bench.notify(register)
    return bench


def told(bench):
    return [(send.destination.address, smr.source_eid) for send, smr in bench.requests() if smr.smr]


def test_a_router_of_many_eid_prefixes_tells_of_all_of_them_and_not_at_once():
    bench = moved(PEER_RLOC)
    assert len(told(bench)) == solicitor.RLOC_BURST
    bench.pass_time(4)
    assert len(told(bench)) == pytest.approx(solicitor.RLOC_BURST + 4 / solicitor.RLOC_INTERVAL, abs=1)
    bench.pass_time(60)
    assert {eid for _, eid in told(bench)} == set(OURS)
    assert bench.node.solicitor.next_timeout() is None


def test_each_rloc_has_a_pace_of_its_own():
    bench = moved(PEER_RLOC, PEER_RLOC_2)
    assert [rloc for rloc, _ in told(bench)].count(PEER_RLOC_2) == solicitor.RLOC_BURST


def test_what_waits_for_its_turn_wakes_nobody_but_for_one_message():
    bench = moved(PEER_RLOC)
    before, wakes = len(bench.sent), 0
    end = bench.now + 3
    while (timeout := bench.node.solicitor.next_timeout()) and timeout.at <= end:
        bench.now = max(bench.now, timeout.at)
        bench.node.handle_timeout(bench.now)
        bench.take()
        wakes += 1
    assert wakes <= len(bench.sent) - before + len(solicitor.REPEATS) + 1


def test_where_we_stood_is_remembered_of_the_last_moves_alone():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    for number in range(3 * solicitor.MAX_TOLD):
        bench.move(ON_WIFI if number % 2 else ON_LTE)
        bench.notify()
    assert bench.node.solicitor.state is State.TOLD
    assert len(bench.node.solicitor._told) == solicitor.MAX_TOLD


def test_a_network_that_comes_and_goes_puts_the_telling_off_no_further():
    bench = moved(PEER_RLOC)
    for number in range(20):
        bench.move(NOWHERE)
        bench.move(ON_WIFI if number % 2 else ON_LTE)
        for register in bench.registers()[-len(OURS) :]:
            bench.notify(register)
    bench.clear()
    bench.pass_time(len(OURS) * solicitor.RLOC_INTERVAL + 5)
    assert {eid for _, eid in told(bench)} == set(OURS)
