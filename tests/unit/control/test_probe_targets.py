"""What is probed besides a mapping's own RLOCs: proxy-ETRs while they are used, and the hops of a path."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import prober
from lispfast.control.prober import State
from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import PathMtu, Unreachable
from lispfast.model.mapping import Action, Hop, Locator
from lispfast.model.settings import Probing, ProxyEtr
from lispfast.model.units import Seconds, WireMtu
from lispfast.wire.map_reply import MapReply
from lispfast.wire.records import record_from_mapping

from .mn_helpers import (
    LTE,
    LTE_V6,
    NOWHERE,
    ON_LTE,
    ON_LTE_DUAL,
    ON_WIFI,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    SERVER,
    WIFI,
    Bench,
    host,
    mapping,
    registered,
    settings,
)

PROBING = Probing(Seconds(10), 2, Seconds(2))
PETR, PETR_2, PETR_V6 = ip_address("192.0.2.50"), ip_address("192.0.2.51"), ip_address("2001:db8:50::50")
OUTSIDE = ip_address("8.8.8.8")
NEGATIVE = mapping("8.0.0.0/7", action=Action.NATIVELY_FORWARD, ttl=1440)
PROXIES = (ProxyEtr(PETR), ProxyEtr(PETR_2, 2))
A_ROUND = PROBING.interval * (1 + prober.JITTER) + 3 * PROBING.retry_interval * (1 + prober.RETRY_JITTER)


def outside(*proxies, underlay=ON_WIFI, **changes):
    """A node that learned that a destination is outside of LISP."""
    words = {"probing": PROBING, "proxy_etrs": proxies or PROXIES, **changes}
    bench = registered(settings(**words), underlay)
    if bench.node.settings.map_resolvers:
        bench.punt(OUTSIDE)
        bench.reply(NEGATIVE)
    bench.clear()
    return bench


def run(bench, seconds, alive=(), prefix=NEGATIVE.prefix, records=None):
    """Time passes in traffic to a prefix; these RLOCs answer at once."""
    answered = set()
    for _ in range(round(seconds * 5)):
        bench.use(prefix)
        bench.pass_time(0.2)
        for send, message in bench.requests():
            if message.probe and send.destination.address in alive and message.nonce not in answered:
                answered.add(message.nonce)
                bench.receive(MapReply(message.nonce, records, True), send.destination.address)


def authoritative(told):
    return (record_from_mapping(replace(told, authoritative=True)),)


PROXY_SAYS = authoritative(mapping("0.0.0.0/0", PETR))


def probed(bench):
    return {send.destination.address for send, message in bench.requests() if message.probe}


def ways(bench, address=OUTSIDE):
    """In the order of the configuration, whatever their priority."""
    return [locator.address for locator in bench.verdict(address).locators]


def state_of(bench, rloc):
    path = bench.node.prober.path(rloc)
    return path.state if path else None


# --- Proxy-ETRs -------------------------------------------------------------------------------------------------------


def test_a_proxy_etr_in_use_is_asked_for_the_prefix_whose_packets_it_gets():
    bench = outside()
    run(bench, 13, (PETR, PETR_2), records=PROXY_SAYS)
    assert probed(bench) == {PETR, PETR_2}, "the second too: it is where packets go next"
    for send, message in bench.requests():
        assert (send.destination.port, send.source, message.source_eid) == (4342, WIFI, None)
        (record,) = message.records
        assert EidPrefix.parse(f"{record.eid}/{record.mask_len}", 0) == NEGATIVE.prefix


def test_a_proxy_etr_that_answered_before_and_no_longer_does_is_left_out_until_it_answers_again():
    bench = outside()
    assert ways(bench) == [PETR, PETR_2]
    run(bench, 13, (PETR, PETR_2), records=PROXY_SAYS)
    run(bench, A_ROUND, (PETR_2,), records=PROXY_SAYS)
    assert ways(bench) == [PETR_2]
    run(bench, A_ROUND, (PETR, PETR_2), records=PROXY_SAYS)
    assert ways(bench) == [PETR, PETR_2]


def test_a_proxy_etr_that_never_answered_is_never_down():
    bench = outside()
    run(bench, 5 * A_ROUND, (PETR_2,), records=PROXY_SAYS)
    assert PETR in probed(bench)
    assert ways(bench) == [PETR, PETR_2]
    assert "rloc-down" not in bench.event_names()
    assert bench.node.prober.down == frozenset()


def test_with_every_proxy_etr_down_all_of_them_stay():
    bench = outside()
    run(bench, 13, (PETR, PETR_2), records=PROXY_SAYS)
    run(bench, 2 * A_ROUND)
    assert bench.node.prober.down == {PETR, PETR_2}
    assert ways(bench) == [PETR, PETR_2]


def test_an_answer_that_is_no_authority_proves_nothing():
    bench = outside()
    run(bench, 13, (PETR, PETR_2), records=(record_from_mapping(mapping("0.0.0.0/0", PETR)),))
    run(bench, 2 * A_ROUND)
    assert bench.node.prober.down == frozenset()


def test_what_a_proxy_etr_answers_is_neither_a_mapping_nor_a_reason_to_ask():
    bench = outside()
    run(bench, 3 * A_ROUND, (PETR, PETR_2), records=authoritative(mapping("8.0.0.0/7", PETR)))
    assert bench.questions() == []
    assert bench.node.cache.get(NEGATIVE.prefix).mapping == NEGATIVE


def test_the_packet_that_asked_is_use_enough_for_the_first_round():
    bench = outside()
    bench.pass_time(13)
    assert probed(bench) == {PETR, PETR_2}


def test_proxy_etrs_are_not_probed_while_nothing_leaves_lisp_so_that_an_idle_node_sleeps():
    bench = outside()
    bench.pass_time(61)
    bench.know(PEER, PEER_RLOC)
    bench.clear()
    run(bench, 70, (PEER_RLOC,), prefix=host(PEER), records=authoritative(mapping("10.0.0.2/32", PEER_RLOC)))
    assert probed(bench) == {PEER_RLOC}
    run(bench, 13, (PETR, PETR_2), records=PROXY_SAYS)
    bench.pass_time(100)
    bench.clear()
    bench.pass_time(500)
    assert probed(bench) == set()
    assert state_of(bench, PETR) is None


def test_a_proxy_etr_that_answered_once_owes_answers_when_it_is_used_again():
    bench = outside()
    run(bench, 13, (PETR, PETR_2), records=PROXY_SAYS)
    bench.pass_time(200)
    assert state_of(bench, PETR) is None
    run(bench, A_ROUND, (PETR_2,), records=PROXY_SAYS)
    assert ways(bench) == [PETR_2]


def test_only_the_proxy_etrs_of_the_family_that_leaves_lisp_are_probed():
    bench = outside(ProxyEtr(PETR, versions=(4,)), ProxyEtr(PETR_2, versions=(6,)), ProxyEtr(SERVER, 255))
    run(bench, 30, (PETR,), records=PROXY_SAYS)
    assert probed(bench) == {PETR}


def test_without_a_map_resolver_the_default_is_what_the_proxy_is_asked_for():
    bench = outside(map_servers=(), map_resolvers=())
    run(bench, 13, (PETR, PETR_2), prefix=EidPrefix.parse("0.0.0.0/0", 0), records=PROXY_SAYS)
    assert probed(bench) == {PETR, PETR_2}
    run(bench, A_ROUND, (PETR_2,), prefix=EidPrefix.parse("0.0.0.0/0", 0), records=PROXY_SAYS)
    assert ways(bench) == [PETR_2]


def test_a_proxy_etr_of_a_family_that_we_lack_is_parked_and_a_move_forgets_who_was_down():
    bench = outside(*PROXIES, ProxyEtr(PETR_V6, 3))
    run(bench, 13, (PETR, PETR_2), records=PROXY_SAYS)
    assert state_of(bench, PETR_V6) is State.PARKED
    run(bench, A_ROUND, (PETR_2,), records=PROXY_SAYS)
    assert ways(bench) == [PETR_2]
    bench.move(ON_LTE)
    assert ways(bench) == [PETR, PETR_2]
    bench.move(NOWHERE)
    assert {state_of(bench, rloc) for rloc in (PETR, PETR_2, PETR_V6)} == {State.PARKED}
    bench.move(ON_LTE_DUAL)
    bench.clear()
    run(bench, 13, (PETR, PETR_2, PETR_V6), records=PROXY_SAYS)
    assert probed(bench) == {PETR, PETR_2, PETR_V6}
    assert {send.source for send, message in bench.requests() if message.probe} == {LTE, LTE_V6}


def test_an_icmp_error_about_a_proxy_etr_is_probed_and_not_believed():
    bench = outside()
    run(bench, 1)
    bench.clear()
    bench.node.handle_punt(Unreachable(PETR), bench.now)
    bench.take()
    assert probed(bench) == {PETR}
    assert ways(bench) == [PETR, PETR_2]


def test_an_interval_of_0_probes_no_proxy_etr():
    bench = outside(probing=Probing(Seconds(0)))
    run(bench, 60)
    assert bench.requests() == []


# --- Explicit locator paths -------------------------------------------------------------------------------------------


def by_path(*hops, probing=PROBING, underlay=ON_WIFI):
    """A node that reaches a peer by a path; mappings from the operator, so that no Map-Request disturbs."""
    path = tuple(hop if isinstance(hop, Hop) else Hop(hop, probe=True) for hop in hops)
    known = replace(mapping("10.0.0.2/32"), locators=(Locator(path[0].address, path=path),))
    return Bench(settings(map_servers=(), probing=probing, static_map_cache=(known,)), underlay)


def to_peer(bench, seconds, alive=()):
    told = authoritative(mapping("10.0.0.2/32", PEER_RLOC_2))
    run(bench, seconds, alive, prefix=host(PEER), records=told)


def test_the_hop_that_packets_go_to_is_probed_and_the_ones_behind_it_are_not():
    bench = by_path(PEER_RLOC, PEER_RLOC_2)
    to_peer(bench, 60, alive=(PEER_RLOC,))
    assert probed(bench) == {PEER_RLOC}


def test_a_silent_hop_is_left_out_and_both_are_probed_until_it_answers_again():
    bench = by_path(PEER_RLOC, PEER_RLOC_2)
    to_peer(bench, A_ROUND, alive=(PEER_RLOC_2,))
    assert ways(bench, PEER) == [PEER_RLOC_2]
    bench.clear()
    to_peer(bench, 2 * A_ROUND, alive=(PEER_RLOC_2,))
    assert probed(bench) == {PEER_RLOC, PEER_RLOC_2}
    assert state_of(bench, PEER_RLOC_2) is not State.DOWN
    to_peer(bench, A_ROUND, alive=(PEER_RLOC, PEER_RLOC_2))
    assert ways(bench, PEER) == [PEER_RLOC]


def test_a_hop_that_names_itself_or_who_is_behind_it_is_no_reason_to_ask_and_a_stranger_is():
    bench = registered(settings(probing=PROBING))
    path = (Hop(PEER_RLOC, probe=True), Hop(PEER_RLOC_2, probe=True))
    bench.punt(PEER)
    bench.reply(replace(mapping("10.0.0.2/32", ttl=1440), locators=(Locator(PEER_RLOC, path=path),)))
    bench.clear()
    for rloc in (PEER_RLOC, PEER_RLOC_2):
        told = authoritative(mapping("10.0.0.2/32", rloc))
        run(bench, A_ROUND, (PEER_RLOC,), prefix=host(PEER), records=told)
    assert bench.questions() == []
    run(bench, A_ROUND, (PEER_RLOC,), prefix=host(PEER), records=authoritative(mapping("10.0.0.2/32", PETR)))
    assert bench.questions() != []


def test_a_hop_without_the_probe_bit_is_not_probed_and_so_never_down():
    bench = by_path(Hop(PEER_RLOC), Hop(PEER_RLOC_2, probe=True))
    to_peer(bench, 60)
    assert probed(bench) == set()
    assert ways(bench, PEER) == [PEER_RLOC]


def test_who_stands_in_the_path_probes_the_hop_behind_itself():
    bench = by_path(PEER_RLOC, WIFI, PEER_RLOC_2)
    to_peer(bench, 30, alive=(PEER_RLOC_2,))
    assert probed(bench) == {PEER_RLOC_2}


def test_a_strict_hop_that_is_down_is_still_the_way_and_nothing_behind_it_is_probed():
    bench = by_path(Hop(PEER_RLOC, probe=True, strict=True), PEER_RLOC_2)
    to_peer(bench, 3 * A_ROUND)
    assert ways(bench, PEER) == [PEER_RLOC]
    assert probed(bench) == {PEER_RLOC}


def test_a_hop_that_is_an_eid_is_not_probed():
    bench = by_path(Hop(ip_address("172.21.0.1"), lookup=True, probe=True), PEER_RLOC_2)
    to_peer(bench, 30, alive=(PEER_RLOC_2,))
    assert probed(bench) == {PEER_RLOC_2}


@pytest.mark.parametrize("alive", [(PEER_RLOC,), (PEER_RLOC_2,)], ids=["first-hop", "last-hop"])
def test_a_router_on_the_way_to_the_hop_in_use_may_say_what_it_takes(alive):
    bench = by_path(PEER_RLOC, PEER_RLOC_2)
    to_peer(bench, A_ROUND, alive=alive)
    bench.node.handle_punt(PathMtu(alive[0], WireMtu(1400)), bench.now)
    bench.take()
    (way,) = bench.verdict(PEER).locators
    assert (way.address, way.mtu) == (alive[0], 1400)


def test_an_rloc_inside_of_a_visited_site_is_not_probed_plainly_and_the_sites_own_is():
    visitor, door = ip_address("172.20.1.9"), ip_address("203.0.113.80")
    static = (mapping("10.0.0.2/32", visitor), mapping("172.20.0.0/16", door))
    bench = Bench(settings(map_servers=(), rloc_lookup=True, probing=PROBING, static_map_cache=static), ON_WIFI)
    to_peer(bench, 60, alive=(door,))
    assert probed(bench) == {door}
    assert "rloc-down" not in bench.event_names()


# --- What is shown ----------------------------------------------------------------------------------------------------


def test_the_status_says_which_proxy_etr_is_down_and_which_one_answers():
    bench = outside()
    run(bench, 13, (PETR, PETR_2), records=PROXY_SAYS)
    run(bench, A_ROUND, (PETR_2,), records=PROXY_SAYS)
    shown = bench.node.view("status", bench.now)["proxy_etrs"]
    assert [(one["address"], one["state"], one["priority"]) for one in shown] == [
        (str(PETR), "down", 1),
        (str(PETR_2), "up", 2),
    ]
    assert shown[1]["rtt_ms"] is not None


def test_a_path_is_shown_with_the_hop_that_packets_go_to_and_its_state():
    bench = by_path(PEER_RLOC, PEER_RLOC_2)
    for alive, hop, state in (((PEER_RLOC,), PEER_RLOC, "up"), ((PEER_RLOC_2,), PEER_RLOC_2, "up"), ((), None, "down")):
        to_peer(bench, 2 * A_ROUND, alive=alive)
        (entry,) = bench.node.view("map-cache", bench.now)["entries"]
        (shown,) = entry["locators"]
        assert (shown["next_hop"], shown["state"]) == (str(hop or PEER_RLOC_2), state), alive
