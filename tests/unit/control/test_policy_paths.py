"""Verdicts of what is not a plain RLOC: natively-forward, explicit paths, RLOCs that are EIDs of a visited site."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control.mobility import locate
from lispfast.control.policy import Outlook, header, native, verdict
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.forwarding import Drop, InnerTunnel, Native, Reject
from lispfast.model.mapping import Action, Hop, Locator
from lispfast.model.settings import Forwarding, ProxyEtr
from lispfast.model.units import InstanceId, WireMtu

from .mn_helpers import LTE_V6, ON_LTE_V6, ON_WIFI, PEER_RLOC, PEER_RLOC_2, WIFI, Bench, mapping, settings

PETR, PETR_2 = ip_address("192.0.2.50"), ip_address("192.0.2.51")
VISITOR = ip_address("172.20.1.9")  # an EID, and the RLOC of who visits that site
DOOR, DOOR_2 = ip_address("203.0.113.80"), ip_address("203.0.113.81")
HOP_EID = ip_address("172.21.0.1")
SITE = mapping("172.20.0.0/16", DOOR)


def outlook(underlay=ON_WIFI, **fields):
    return Outlook(locate(settings(), underlay), **fields)


def ways(made):
    return [locator.address for locator in made.locators]


def elp(*hops, **fields):
    path = tuple(hop if isinstance(hop, Hop) else Hop(hop) for hop in hops)
    return replace(mapping("10.0.0.2/32"), locators=(Locator(path[0].address, path=path, **fields),))


# --- Natively-forward -------------------------------------------------------------------------------------------------


def test_natively_forward_leaves_natively_only_where_that_is_on_and_no_proxy_takes_it():
    negative = mapping("0.0.0.0/1", action=Action.NATIVELY_FORWARD)
    assert verdict(negative, outlook()) == Reject()
    assert verdict(negative, outlook(native_forward=True)) == Native()
    assert ways(verdict(negative, outlook(native_forward=True, proxies=(ProxyEtr(PETR),)))) == [PETR]
    assert verdict(negative, outlook(native_forward=True, proxies=(ProxyEtr(PETR, versions=(6,)),))) == Native()


def test_a_proxy_of_priority_255_is_none():
    assert native(4, InstanceId(0), outlook(proxies=(ProxyEtr(PETR, 255),))) == Reject()


def test_a_proxy_that_is_down_is_used_only_where_no_other_is_left():
    proxies = (ProxyEtr(PETR), ProxyEtr(PETR_2, 2))
    assert ways(native(4, InstanceId(0), outlook(proxies=proxies, down=frozenset({PETR})))) == [PETR_2]
    assert ways(native(4, InstanceId(0), outlook(proxies=proxies, down=frozenset({PETR, PETR_2})))) == [PETR, PETR_2]


# --- Explicit paths ---------------------------------------------------------------------------------------------------


def test_packets_go_to_the_first_hop_with_the_locators_policy():
    (way,) = verdict(elp(PEER_RLOC, PEER_RLOC_2, priority=3, weight=7), outlook()).locators
    assert (way.address, way.priority, way.weight, way.inside) == (PEER_RLOC, 3, 7, None)


def test_who_stands_in_the_path_sends_to_the_hop_behind_itself():
    assert ways(verdict(elp(PEER_RLOC, WIFI, PEER_RLOC_2), outlook())) == [PEER_RLOC_2]
    assert verdict(elp(PEER_RLOC, WIFI), outlook()) == Drop()


def test_a_path_that_loops_is_not_used():
    assert verdict(elp(PEER_RLOC, PEER_RLOC_2, PEER_RLOC), outlook()) == Drop()


def test_a_hop_that_is_down_or_out_of_reach_is_left_out_unless_it_is_strict():
    down = frozenset({PEER_RLOC})
    assert ways(verdict(elp(PEER_RLOC, PEER_RLOC_2), outlook(down=down))) == [PEER_RLOC_2]
    assert ways(verdict(elp(Hop(PEER_RLOC, strict=True), PEER_RLOC_2), outlook(down=down))) == [PEER_RLOC]
    assert ways(verdict(elp(LTE_V6, PEER_RLOC), outlook())) == [PEER_RLOC]


def test_a_hop_with_the_lookup_bit_is_reached_at_the_rloc_of_its_mapping_and_nowhere_before_that_is_known():
    path = elp(Hop(HOP_EID, lookup=True), PEER_RLOC)
    strict = elp(Hop(HOP_EID, lookup=True, strict=True), PEER_RLOC)
    known = {HOP_EID: mapping("172.21.0.0/16", DOOR)}
    (way,) = verdict(strict, outlook(sites=known)).locators
    assert (way.address, way.inside) == (DOOR, None)
    assert ways(verdict(path, outlook())) == [PEER_RLOC]
    assert verdict(strict, outlook()) == Drop()


# --- RLOCs that are EIDs ----------------------------------------------------------------------------------------------


def test_an_rloc_of_a_visited_site_is_reached_in_a_tunnel_of_its_own():
    known = replace(mapping("10.0.0.2/32"), locators=(Locator(VISITOR, 3, 44),))
    (way,) = verdict(known, outlook(sites={VISITOR: SITE})).locators
    assert (way.address, way.priority, way.weight, way.header) == (DOOR, 3, 44, bytes(8))
    assert way.inside == InnerTunnel(VISITOR, 0, bytes(8))


def test_the_instance_stands_inside_and_the_sites_header_has_none():
    known = mapping("10.0.0.2/32", VISITOR)
    known = replace(known, prefix=replace(known.prefix, iid=InstanceId(5)))
    (way,) = verdict(known, outlook(sites={VISITOR: SITE})).locators
    assert (way.header, way.inside.header) == (header(InstanceId(0)), header(InstanceId(5)))


def test_before_the_answer_and_where_the_site_is_out_of_reach_packets_go_plainly():
    known = mapping("10.0.0.2/32", VISITOR)
    for sites in ({}, {VISITOR: mapping("172.20.0.0/16", LTE_V6)}, {VISITOR: mapping("172.20.0.0/16", WIFI)}):
        (way,) = verdict(known, outlook(sites=sites)).locators
        assert (way.address, way.inside) == (VISITOR, None), sites


def test_no_tunnel_is_inside_of_another_form_or_without_a_source_of_its_family():
    gpe = replace(mapping("10.0.0.2/32"), locators=(Locator(VISITOR, encapsulation=Encapsulation.LISP_GPE),))
    (way,) = verdict(gpe, outlook(sites={VISITOR: SITE})).locators
    assert (way.address, way.inside) == (VISITOR, None)
    v6_site = {VISITOR: mapping("172.20.0.0/16", ip_address("2001:db8:80::1"))}
    (way,) = verdict(mapping("10.0.0.2/32", VISITOR), outlook(ON_LTE_V6, sites=v6_site)).locators
    assert (way.address, way.inside) == (VISITOR, None)


@pytest.mark.parametrize("form", [Encapsulation.LISP_GPE, Encapsulation.VXLAN_GPE])
def test_an_rloc_in_a_visited_site_that_packets_of_another_form_go_to_plainly_is_told_once(form):
    static = replace(mapping("10.0.0.2/32"), locators=(Locator(VISITOR, encapsulation=form),))
    bench = Bench(settings(rloc_lookup=True, static_map_cache=(static, SITE)), ON_WIFI)
    told = [event for event in bench.events if event.name == "visited-site-unusable"]
    fields = {"eid_prefix": "10.0.0.2/32", "rloc": str(VISITOR), "site": str(SITE.prefix), "encapsulation": form.value}
    assert [(event.level, event.fields) for event in told] == [("warning", fields)]
    bench.move(ON_LTE_V6)
    bench.move(ON_WIFI)
    for _ in range(3):
        bench.node.table.touch_all()
        bench.node.table.flush(bench.node.outlook())
        bench.take()
    assert bench.event_names().count("visited-site-unusable") == 2, "anew only where it was not so between"


def test_the_form_of_all_packets_counts_too_and_in_lisp_nothing_is_to_be_told():
    plain = replace(mapping("10.0.0.2/32"), locators=(Locator(VISITOR),))
    for form, count in ((Encapsulation.VXLAN_GPE, 1), (Encapsulation.LISP, 0)):
        configured = settings(
            rloc_lookup=True, static_map_cache=(plain, SITE), forwarding=Forwarding(encapsulation=form)
        )
        assert Bench(configured, ON_WIFI).event_names().count("visited-site-unusable") == count, form


def test_the_best_rloc_of_the_site_is_taken_and_another_where_it_is_down():
    site = replace(SITE, locators=(Locator(DOOR, 1, 10), Locator(DOOR_2, 1, 20), Locator(PEER_RLOC, 2, 255)))
    known, sites = mapping("10.0.0.2/32", VISITOR), {VISITOR: site}
    assert ways(verdict(known, outlook(sites=sites))) == [DOOR_2]
    assert ways(verdict(known, outlook(sites=sites, down=frozenset({DOOR_2})))) == [DOOR]
    unusable = replace(site, locators=(Locator(DOOR, reachable=False), Locator(DOOR_2, 255)))
    (way,) = verdict(known, outlook(sites={VISITOR: unusable})).locators
    assert way.inside is None


def test_probes_that_get_no_answer_plainly_say_nothing_of_an_rloc_behind_a_site():
    known = mapping("10.0.0.2/32", VISITOR, PEER_RLOC)
    assert ways(verdict(known, outlook(sites={VISITOR: SITE}, down=frozenset({VISITOR})))) == [DOOR, PEER_RLOC]


@pytest.mark.parametrize(("learnt", "expected"), [({}, 1500), ({DOOR: 1400}, 1400), ({VISITOR: 1300}, 1336)])
def test_the_mtu_is_that_of_the_path_to_the_site_or_what_is_left_for_the_rest_of_it(learnt, expected):
    mtus = {rloc: WireMtu(mtu) for rloc, mtu in learnt.items()}
    (way,) = verdict(mapping("10.0.0.2/32", VISITOR), outlook(sites={VISITOR: SITE}, path_mtus=mtus)).locators
    assert way.mtu == expected
