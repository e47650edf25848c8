"""Solicit-Map-Requests: whom we tell of a move and when, and what we do when told."""

import itertools
from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import solicitor
from lispfast.control.solicitor import TABLE, State
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import MapServerSettings
from lispfast.wire.encapsulated_control import EncapsulatedControl

from .mn_helpers import (
    EID,
    EID_V6,
    KEY,
    LTE,
    NOWHERE,
    ON_BOTH,
    ON_LTE,
    ON_LTE_V6,
    ON_WIFI,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    PEER_RLOC_V6,
    PEER_V6,
    SERVER,
    SERVER_2,
    WIFI,
    host,
    mapping,
    registered,
    settings,
)

PITR = ip_address("192.0.2.60")
STRANGER = ip_address("192.0.2.99")


def told(bench):
    """(destination RLOC, Source-EID, record EID) of each SMR."""
    return [(s.destination.address, m.source_eid, m.records[0].eid) for s, m in bench.requests() if m.smr]


def talking(configured=None, **outer):
    """On Wi-Fi, with two peers of the same RLOC and another."""
    bench = registered(configured)
    bench.know(PEER, PEER_RLOC)
    bench.know(PEER_V6, PEER_RLOC)
    bench.pass_time(0.5)
    bench.use(host(PEER), host(PEER_V6))
    bench.clear()
    return bench


# --- Telling ----------------------------------------------------------------------------------------------------------


def test_a_move_first_sends_the_new_way_then_registers_then_tells_its_peers_once_confirmed():
    bench = talking()
    bench.move(ON_LTE)
    assert bench.order[:2] == ["Commit", "Send"]
    assert bench.ways(PEER) == [(LTE, PEER_RLOC)]
    assert bench.event_names() == ["source-locator-changed", "map-register-sent"]
    assert told(bench) == []
    bench.pass_time(0.05)
    bench.notify()
    assert told(bench) == [(PEER_RLOC, EID, PEER), (PEER_RLOC, EID_V6, PEER_V6)]
    assert bench.event_names()[2:] == ["map-notify-received", "smr-sent", "smr-sent"]


def test_the_form_of_an_smr():
    bench = talking()
    bench.move(ON_LTE)
    bench.notify()
    (send, message) = bench.requests()[0]
    assert (send.source, send.ifindex, send.destination.port) == (LTE, 4, 4342)
    assert (message.smr, message.dont_reply, message.smr_invoked, message.probe) == (True, True, False, False)
    assert message.itr_rlocs == (LTE,)
    assert message.records[0].mask_len == 32


def test_without_a_map_notify_peers_are_told_after_a_bound_and_again_after_it():
    bench = talking()
    bench.move(ON_LTE)
    bench.pass_time(solicitor.NOTIFY_BOUND - 0.01)
    assert told(bench) == []
    bench.pass_time(0.02)
    assert len(told(bench)) == 2
    bench.pass_time(1)
    bench.notify()
    assert len(told(bench)) == 4


def test_an_smr_is_repeated_to_those_that_are_not_heard():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.know(ip_address("10.0.0.3"), PEER_RLOC_2)
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    moved = bench.now
    bench.pass_time(0.5)
    bench.use(outer={PEER_RLOC: 0.1})
    bench.pass_time(20)
    times = [
        (s.destination.address, at - moved)
        for s, at in zip(bench.sent, bench.sent_at, strict=True)
        if s.payload[0] >> 4 == 1
    ]
    assert times == [(PEER_RLOC, 0), (PEER_RLOC_2, 0), (PEER_RLOC_2, 1), (PEER_RLOC_2, 3)]
    assert bench.node.solicitor.state is State.QUIET


def test_hearing_a_peer_proves_nothing_while_the_old_rloc_is_still_there():
    bench = registered(underlay=ON_BOTH)
    bench.know(PEER, PEER_RLOC)
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    bench.pass_time(0.5)
    bench.use(outer={PEER_RLOC: 0.1})
    bench.pass_time(20)
    assert len(told(bench)) == 3


def test_each_map_server_that_confirms_sends_the_peers_there_again():
    servers = (MapServerSettings(SERVER, KEY), MapServerSettings(SERVER_2, KEY))
    bench = talking(settings(map_servers=servers))
    bench.move(ON_LTE)
    bench.notify(server=SERVER)
    assert len(told(bench)) == 2
    bench.notify(server=SERVER_2)
    assert len(told(bench)) == 4
    assert bench.node.solicitor.state is State.TOLD


def test_a_refresh_tells_nobody():
    bench = talking()
    bench.pass_time(60)
    bench.notify()
    assert told(bench) == []


def test_only_those_that_we_talked_to_in_the_last_minute_are_told_newest_first():
    bench = registered()
    others = [ip_address(f"10.0.1.{n}") for n in range(3)]
    for n, other in enumerate(others):
        bench.know(other, ip_address(f"192.0.2.{100 + n}"))
    bench.pass_time(100)
    bench.use(host(others[0]), idle=50)
    bench.use(host(others[1]), idle=10)
    bench.move(ON_LTE)
    bench.notify()
    assert [rloc for rloc, _, _ in told(bench)] == [ip_address("192.0.2.101"), ip_address("192.0.2.100")]


def test_every_usable_locator_of_a_peer_is_told():
    bench = registered()
    bench.know(PEER, PEER_RLOC, PEER_RLOC_2, PEER_RLOC_V6)
    bench.move(ON_LTE)
    bench.notify()
    assert [rloc for rloc, _, _ in told(bench)] == [PEER_RLOC, PEER_RLOC_2]


def test_who_only_sent_to_us_is_told_too():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.pass_time(120)
    bench.use(outer={STRANGER: 5, PEER_RLOC: 3, PEER_RLOC_2: 61})
    bench.move(ON_LTE)
    bench.notify()
    assert told(bench) == [
        (PEER_RLOC, EID, PEER),
        (STRANGER, EID, EID),
        (STRANGER, EID_V6, EID_V6),
    ]


def test_proxy_itrs_are_told_in_their_own_form():
    bench = talking(settings(proxy_itrs=(PITR,)))
    bench.move(ON_LTE)
    bench.notify()
    assert told(bench)[2:] == [(PITR, EID, EID), (PITR, EID_V6, EID_V6)]


def test_a_second_move_within_seconds_is_not_held_up_and_a_storm_is():
    bench = talking()
    for underlay in (ON_LTE, ON_WIFI):
        bench.move(underlay)
        bench.notify()
    assert len(told(bench)) == 4
    for _ in range(10):
        for underlay in (ON_LTE, ON_WIFI):
            bench.move(underlay)
            bench.notify()
    assert len(told(bench)) == 2 * solicitor.SMR_BURST
    bench.pass_time(3.1)
    assert len(told(bench)) == 2 * solicitor.SMR_BURST + 2
    bench.pass_time(30)
    assert len(told(bench)) <= 2 * solicitor.SMR_BURST + 6


def test_peers_that_were_not_told_before_the_network_went_are_told_when_it_is_back():
    bench = talking()
    bench.move(ON_LTE)
    bench.move(NOWHERE)
    bench.pass_time(300)
    assert told(bench) == []
    bench.move(ON_LTE)
    bench.notify()
    assert told(bench) == [(PEER_RLOC, EID, PEER), (PEER_RLOC, EID_V6, PEER_V6)]


def test_back_at_the_same_place_there_is_nothing_to_tell():
    bench = talking()
    bench.move(NOWHERE)
    bench.move(ON_WIFI)
    bench.notify()
    assert told(bench) == []


def test_a_peer_of_a_family_that_we_lost_cannot_be_told():
    bench = talking()
    bench.move(ON_LTE_V6)
    bench.pass_time(5)
    assert told(bench) == []


def test_targets_are_bounded(monkeypatch):
    monkeypatch.setattr(solicitor, "MAX_TARGETS", 5)
    bench = registered(settings(proxy_itrs=(PITR,)))
    bench.use(outer={ip_address(f"192.0.3.{n}"): 60 - n for n in range(50)})
    bench.move(ON_LTE)
    bench.notify()
    destinations = list(dict.fromkeys(rloc for rloc, _, _ in told(bench)))
    assert destinations == [*(ip_address(f"192.0.3.{n}") for n in (49, 48, 47, 46)), PITR]


def test_every_row_leads_to_a_state_that_can_be_left():
    assert {next_state for next_state, _ in TABLE.values()} == set(State)
    assert {state for state, _ in TABLE} == set(State)


# --- Being told -------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("dont_reply", [True, False])
def test_an_smr_is_never_answered_with_a_map_reply(dont_reply):
    bench = talking()
    bench.solicit(host(PEER), host(EID), dont_reply=dont_reply)
    bench.solicit(host(ip_address("10.7.7.7")), host(EID), dont_reply=dont_reply)
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


def test_without_a_change_of_locators_a_change_of_mtu_tells_nobody():
    bench = talking()
    slower = replace(ON_WIFI, interfaces=(replace(ON_WIFI.interfaces[0], mtu=1400),))
    bench.move(slower)
    bench.pass_time(5)
    assert (bench.sent, [loc.mtu for loc in bench.verdict(PEER).locators]) == ([], [1400])
