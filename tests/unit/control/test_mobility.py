"""From settings and an underlay to where the node stands, and what a move stores."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control.mobility import Position, compare, locate
from lispfast.model.forwarding import SourceRloc
from lispfast.model.mapping import Hop, Locator
from lispfast.model.settings import AddressLocator, InterfaceLocator
from lispfast.model.underlay import Underlay

from .mn_helpers import (
    EID,
    LTE,
    LTE_V6,
    NOWHERE,
    ON_BOTH,
    ON_LTE,
    ON_LTE_DUAL,
    ON_LTE_V6,
    ON_WIFI,
    WIFI,
    database,
    database_v6,
    interface,
    settings,
)


def with_locators(*locators):
    return settings(database=(replace(database(EID)[0], locators=locators),))


def rlocs(configured, underlay):
    return [locator.address for locator in locate(configured, underlay).mappings[0].locators]


def test_nowhere_has_no_way_and_no_locator():
    position = locate(settings(), NOWHERE)
    assert (position.ways, position.rlocs, rlocs(settings(), NOWHERE)) == ((), (), [])


def test_every_interface_gives_locators_and_the_best_priority_is_the_way_out():
    position = locate(settings(), ON_BOTH)
    assert [(loc.address, loc.priority, loc.local) for loc in position.mappings[0].locators] == [
        (WIFI, 1, True),
        (LTE, 3, True),
    ]
    assert position.source(4).address == WIFI
    assert position.source(6) is None
    assert position.rlocs == (WIFI,)


def test_equal_priorities_keep_the_order_of_the_configuration():
    configured = with_locators(InterfaceLocator("wlan0", 4), InterfaceLocator("wwan0", 4))
    assert locate(configured, ON_BOTH).source(4).address == WIFI
    swapped = Underlay(tuple(reversed(ON_BOTH.interfaces)))
    assert locate(configured, swapped).source(4).address == LTE


def test_an_interface_that_is_down_has_no_locator():
    down = Underlay((interface("wlan0", WIFI, up=False), interface("wwan0", LTE)))
    assert rlocs(settings(), down) == [LTE]


def test_an_attachment_without_a_default_route_counts_only_where_none_has_one():
    unrouted = Underlay((interface("wlan0", WIFI, routed=False), interface("wwan0", LTE)))
    assert rlocs(settings(), unrouted) == [LTE]
    alone = Underlay((interface("wlan0", WIFI, routed=False),))
    assert rlocs(settings(), alone) == [WIFI]


def test_routedness_is_judged_in_each_family():
    mixed = Underlay((interface("wlan0", WIFI, routed=False), interface("wwan0", LTE_V6)))
    position = locate(settings(), mixed)
    assert (position.source(4).address, position.source(6).address) == (WIFI, LTE_V6)


def test_a_default_route_in_a_family_that_is_not_configured_does_not_count():
    configured = with_locators(InterfaceLocator("wlan0", 4))
    both = Underlay((interface("wlan0", WIFI, routed=False), interface("wwan0", LTE)))
    assert locate(configured, both).source(4).address == WIFI


def test_our_own_eid_is_never_an_rloc():
    assert locate(settings(), Underlay((interface("wlan0", EID),))).ways == ()


def test_a_configured_address_counts_while_an_interface_has_it():
    configured = with_locators(AddressLocator(LTE, 5, 50))
    assert rlocs(configured, ON_LTE) == [LTE]
    assert locate(configured, ON_LTE).source(4).address == LTE
    assert (rlocs(configured, ON_WIFI), locate(configured, ON_WIFI).ways) == ([], ())


def test_a_path_counts_while_an_interface_has_its_last_hop():
    router = ip_address("192.0.2.200")
    path = (Hop(router, strict=True), Hop(LTE))
    configured = with_locators(AddressLocator(router, 5, 50, path=path))
    assert locate(configured, ON_LTE).mappings[0].locators == (Locator(router, 5, 50, local=True, path=path),)
    assert locate(configured, ON_LTE).source(4).address == LTE, "packets leave from where we are, not from the router"
    assert (rlocs(configured, ON_WIFI), locate(configured, ON_WIFI).ways) == ([], ())


def test_somebody_elses_locator_stays_and_is_no_way_out():
    other = ip_address("192.0.2.200")
    configured = with_locators(InterfaceLocator("wlan0", 4), AddressLocator(other, 2, 10, local=False))
    position = locate(configured, ON_WIFI)
    assert position.mappings[0].locators == (Locator(other, 2, 10), Locator(WIFI, 1, 100, local=True))
    assert [way.address for way in position.ways] == [WIFI]


def test_the_same_address_twice_keeps_the_better_priority():
    configured = with_locators(InterfaceLocator("wlan0", 4, 7), AddressLocator(WIFI, 2, 30))
    assert locate(configured, ON_WIFI).mappings[0].locators == (Locator(WIFI, 2, 30, local=True),)


@pytest.mark.parametrize(
    ("before", "after", "stores"),
    [
        (NOWHERE, ON_WIFI, (SourceRloc(0, WIFI, 3),)),
        (ON_WIFI, ON_LTE, (SourceRloc(0, LTE, 4),)),
        (ON_WIFI, NOWHERE, (SourceRloc(0, None),)),
        (ON_WIFI, ON_LTE_V6, (SourceRloc(0, None), SourceRloc(1, LTE_V6, 4))),
        (ON_WIFI, ON_BOTH, ()),
        (ON_BOTH, ON_WIFI, ()),
        (ON_BOTH, ON_LTE, (SourceRloc(0, LTE, 4),)),
        (ON_WIFI, ON_WIFI, ()),
    ],
)
def test_a_move_is_one_store_for_each_family_that_changed(before, after, stores):
    move = compare(locate(settings(), before), locate(settings(), after))
    assert move.sources == stores
    assert bool(move.mappings) == (before != after)


def test_verdicts_are_compiled_anew_only_for_another_family_or_mtu():
    def outlook(before, after):
        return compare(locate(settings(), before), locate(settings(), after)).outlook

    assert not outlook(ON_WIFI, ON_LTE)
    assert outlook(ON_WIFI, ON_LTE_V6)
    assert outlook(ON_WIFI, NOWHERE)
    assert outlook(ON_WIFI, Underlay((interface("wlan0", WIFI, mtu=1400),)))


def test_our_mapping_of_an_eid_is_the_most_specific_one():
    wide, narrow = database(EID, ip_address("10.0.0.5"))
    wide = replace(wide, prefix=wide.prefix.parse("10.0.0.0/24"))
    position = locate(settings(database=(wide, narrow)), ON_WIFI)
    assert position.mapping(narrow.prefix).prefix == narrow.prefix
    assert position.mapping(wide.prefix.parse("10.0.0.6/32")).prefix == wide.prefix
    assert position.mapping(wide.prefix.parse("10.0.0.0/16")) is None
    assert Position().mapping(wide.prefix) is None


# --- The mapping system in a family without a locator -----------------------------------------------------------------

V6_ONLY = settings(database=database_v6(EID))
WIFI_V6 = ip_address("2001:db8:10::10")


def control_source(configured, underlay, version=4):
    source = locate(configured, underlay).control_source(version)
    return source and (source.address, source.interface)


def test_an_address_beside_the_locators_leads_to_the_mapping_system_and_is_nothing_else():
    position = locate(V6_ONLY, ON_LTE_DUAL)
    assert control_source(V6_ONLY, ON_LTE_DUAL) == (LTE, "wwan0")
    assert control_source(V6_ONLY, ON_LTE_DUAL, 6) == (LTE_V6, "wwan0")
    assert (position.source(4), position.source_at(LTE), position.rlocs) == (None, None, (LTE_V6,))
    assert rlocs(V6_ONLY, ON_LTE_DUAL) == [LTE_V6]


def test_a_way_out_of_the_family_goes_before_any_address_beside():
    only_wlan = with_locators(InterfaceLocator("wwan0", 4), InterfaceLocator("wlan0", 6))
    underlay = Underlay((interface("wlan0", WIFI, WIFI_V6), interface("wwan0", LTE, routed=False)))
    assert control_source(only_wlan, underlay) == (LTE, "wwan0")
    assert locate(only_wlan, underlay).beside == ()


@pytest.mark.parametrize(("routed", "expected"), [((True, True), WIFI), ((False, True), LTE), ((False, False), WIFI)])
def test_beside_the_locators_a_default_route_counts_first_and_then_the_preferred_interface(routed, expected):
    def underlay(order):
        by_name = {"wlan0": (WIFI, WIFI_V6), "wwan0": (LTE, LTE_V6)}
        v4 = dict(zip(by_name, routed, strict=True))
        both = {name: interface(name, *addresses) for name, addresses in by_name.items()}
        return Underlay(tuple(replace(both[n], v4=replace(both[n].v4, routed=v4[n])) for n in order))

    for order in (("wlan0", "wwan0"), ("wwan0", "wlan0")):
        assert control_source(V6_ONLY, underlay(order))[0] == expected


def test_without_an_rloc_no_address_leads_anywhere():
    position = locate(V6_ONLY, ON_LTE)
    assert position.control_source(4) is None
    assert position.obstacle(4) == "no network: no interface has an address that a locator of ours names"
    assert position.obstacle(6) == "no network: no interface has an IPv6 address"


def test_our_own_eid_is_no_address_beside_either():
    underlay = Underlay((interface("wlan0", EID, WIFI_V6),))
    assert control_source(V6_ONLY, underlay) is None


def test_an_address_beside_that_comes_or_goes_redirects_questions_and_nothing_else():
    there, gone = locate(V6_ONLY, ON_LTE_DUAL), locate(V6_ONLY, ON_LTE_V6)
    for move in (compare(gone, there), compare(there, gone)):
        assert (move.sources, move.mappings, move.outlook, move.rerouted) == ((), (), False, False)
        assert move.redirected
    assert not compare(there, there).redirected
    assert compare(locate(settings(), ON_WIFI), locate(settings(), ON_LTE)).redirected
