"""Solicit-Map-Requests: whom we tell of a move, when and how often."""

from dataclasses import replace
from ipaddress import ip_address

from lispfast.control import solicitor
from lispfast.control.solicitor import TABLE, State
from lispfast.model.mapping import Hop, Locator
from lispfast.model.settings import MapServerSettings
from lispfast.model.underlay import Underlay
from lispfast.model.units import InstanceId

from .mn_helpers import (
    EID,
    EID_V6,
    KEY,
    LTE,
    LTE_V6,
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
    database,
    host,
    interface,
    mapping,
    registered,
    settings,
)

PITR = ip_address("192.0.2.60")
STRANGER = ip_address("192.0.2.99")
OTHER_PEER = ip_address("10.0.0.3")


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
    assert [rloc for rloc, _ in times] == [PEER_RLOC, PEER_RLOC_2, PEER_RLOC_2, PEER_RLOC_2]
    assert [round(at) for _, at in times] == [0, 0, 1, 3]
    assert all(0 <= at - round(at) <= round(at) * solicitor.JITTER for _, at in times)
    assert bench.node.solicitor.state is State.QUIET


def test_a_host_that_is_heard_from_one_of_its_rlocs_is_not_told_again_at_the_others():
    bench = registered()
    bench.know(PEER, PEER_RLOC, PEER_RLOC_2)
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    bench.pass_time(0.5)
    bench.use(outer={PEER_RLOC: 0.1})
    bench.pass_time(20)
    assert told(bench) == [(PEER_RLOC, EID, PEER), (PEER_RLOC_2, EID, PEER)]


def test_a_router_of_a_site_that_is_heard_says_nothing_of_the_sites_other_one():
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping("10.0.0.0/28", PEER_RLOC, PEER_RLOC_2))
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    bench.pass_time(0.5)
    bench.use(outer={PEER_RLOC: 0.1})
    bench.pass_time(20)
    assert [rloc for rloc, *_ in told(bench)] == [PEER_RLOC, PEER_RLOC_2, PEER_RLOC_2, PEER_RLOC_2]


def test_a_second_family_that_comes_before_anybody_was_told_takes_no_proof_away():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.clear()
    bench.move(ON_LTE)
    bench.move(Underlay((interface("wwan0", LTE, LTE_V6),)))
    bench.notify()
    bench.pass_time(0.5)
    bench.use(outer={PEER_RLOC: 0.1})
    bench.pass_time(20)
    assert len(told(bench)) == 1


def test_back_where_we_were_a_peer_that_is_heard_is_right_whenever_it_was_told():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    for underlay in (ON_LTE, ON_WIFI):
        bench.clear()
        bench.move(underlay)
        bench.notify()
        bench.pass_time(0.5)
    bench.use(outer={PEER_RLOC: 0.1})
    bench.pass_time(20)
    assert len(told(bench)) == 1


def test_all_rlocs_of_a_peer_are_told_under_one_nonce_and_again_under_another():
    bench = registered()
    bench.know(PEER, PEER_RLOC, PEER_RLOC_2)
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    bench.pass_time(1.5)
    nonces = [smr.nonce for _, smr in bench.requests()]
    assert nonces[0] == nonces[1] != nonces[2] == nonces[3]


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


def test_at_the_end_of_a_path_the_peer_itself_is_told():
    path = (Hop(PEER_RLOC), Hop(PEER_RLOC_2))
    known = replace(mapping("10.0.0.2/32"), locators=(Locator(PEER_RLOC, path=path),))
    bench = registered(settings(static_map_cache=(known,)))
    bench.use(host(PEER))
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    assert told(bench) == [(PEER_RLOC, EID, PEER), (PEER_RLOC_2, EID, PEER)]


def test_who_only_sent_to_us_is_told_too():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.pass_time(120)
    bench.use(outer={STRANGER: 5, PEER_RLOC: 3, PEER_RLOC_2: 61})
    bench.move(ON_LTE)
    bench.notify()
    assert told(bench) == [
        (PEER_RLOC, EID, PEER),
        (PEER_RLOC, EID_V6, PEER),
        (STRANGER, EID, EID),
        (STRANGER, EID_V6, EID_V6),
    ]


def test_who_sends_to_us_is_told_of_our_eids_of_the_family_that_we_do_not_send_to_it_in():
    """It sent packets to one of our EIDs, and nobody tells us to which."""
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.know(OTHER_PEER, PEER_RLOC_2)
    bench.use(host(PEER), host(OTHER_PEER), outer={PEER_RLOC: 1.0})
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    assert told(bench) == [(PEER_RLOC, EID, PEER), (PEER_RLOC, EID_V6, PEER), (PEER_RLOC_2, EID, OTHER_PEER)]


def test_of_one_eid_a_router_is_told_once_however_many_of_its_prefixes_we_know():
    bench = registered()
    for peer in (PEER, OTHER_PEER, PEER_V6):
        bench.know(peer, PEER_RLOC)
    bench.use(host(PEER), host(OTHER_PEER), host(PEER_V6), outer={PEER_RLOC: 1.0})
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    assert [one for one in told(bench) if one[1] == EID_V6] == [(PEER_RLOC, EID_V6, PEER_V6)]
    bench = registered()
    for peer in (PEER, OTHER_PEER):
        bench.know(peer, PEER_RLOC)
    bench.use(host(PEER), host(OTHER_PEER), outer={PEER_RLOC: 1.0})
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    assert len([one for one in told(bench) if one[1] == EID_V6]) == 1


def test_a_host_that_sends_from_one_of_its_rlocs_is_told_of_the_other_family_at_all_of_them():
    bench = registered()
    bench.know(PEER, PEER_RLOC, PEER_RLOC_2)
    bench.use(host(PEER), outer={PEER_RLOC: 1.0})
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    assert [one for one in told(bench) if one[1] == EID_V6] == [
        (PEER_RLOC, EID_V6, PEER),
        (PEER_RLOC_2, EID_V6, PEER),
    ]


def test_of_an_eid_of_another_instance_nobody_is_told_who_is_not_known_there():
    (ours,) = database(EID)
    elsewhere = replace(ours, prefix=replace(host(EID_V6), iid=InstanceId(7)))
    bench = registered(settings(database=(ours, elsewhere)))
    bench.know(PEER, PEER_RLOC)
    bench.use(host(PEER), outer={PEER_RLOC: 1.0})
    bench.clear()
    bench.move(ON_LTE)
    bench.notify()
    assert told(bench) == [(PEER_RLOC, EID, PEER)]


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


def test_without_a_change_of_locators_a_change_of_mtu_tells_nobody():
    bench = talking()
    slower = replace(ON_WIFI, interfaces=(replace(ON_WIFI.interfaces[0], mtu=1400),))
    bench.move(slower)
    bench.pass_time(5)
    assert (bench.sent, [loc.mtu for loc in bench.verdict(PEER).locators]) == ([], [1400])
