"""From mappings to verdicts: which locators, which slot, which header, and what without any."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control.mobility import locate
from lispfast.control.policy import Outlook, header, native, verdict
from lispfast.model.addresses import EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.forwarding import Drop, Encapsulate, Reject, RejectCode
from lispfast.model.mapping import Action, Locator
from lispfast.model.settings import ProxyEtr
from lispfast.model.underlay import Underlay
from lispfast.model.units import InstanceId

from .mn_helpers import (
    LTE_V6,
    NOWHERE,
    ON_LTE_V6,
    ON_WIFI,
    PEER_RLOC,
    PEER_RLOC_2,
    PEER_RLOC_V6,
    WIFI,
    interface,
    mapping,
    settings,
)

PETR = ip_address("192.0.2.50")
PETR_V6_ONLY = ip_address("192.0.2.51")


def outlook(underlay=ON_WIFI, proxies=(), down=()):
    return Outlook(locate(settings(), underlay), proxies, frozenset(down))


def chosen(made):
    return [locator.address for locator in made.locators]


def test_a_locator_is_compiled_with_its_slot_header_mtu_and_policy():
    known = replace(mapping("10.0.0.2/32"), locators=(Locator(PEER_RLOC, 3, 44),))
    made = verdict(known, outlook(Underlay((interface("wlan0", WIFI, mtu=1400),))))
    (locator,) = made.locators
    assert (locator.address, locator.slot, locator.port, locator.mtu) == (PEER_RLOC, 0, 4341, 1400)
    assert (locator.priority, locator.weight, locator.header) == (3, 44, bytes(8))


@pytest.mark.parametrize(
    ("iid", "expected"), [(0, "0000000000000000"), (1, "0800000000000100"), (0xABCDEF, "08000000abcdef00")]
)
def test_the_header_carries_the_instance_id_and_nothing_else(iid, expected):
    assert header(InstanceId(iid)).hex() == expected


@pytest.mark.parametrize(
    ("form", "iid", "expected"),
    [
        (Encapsulation.LISP, 5, "0800000000000500"),
        (Encapsulation.LISP_GPE, 0, "0400000000000000"),
        (Encapsulation.LISP_GPE, 0xABCDEF, "0c000000abcdef00"),
        (Encapsulation.VXLAN_GPE, 0, "0c00000000000000"),
        (Encapsulation.VXLAN_GPE, 0xABCDEF, "0c000000abcdef00"),
    ],
)
def test_the_headers_of_the_other_forms_leave_the_next_protocol_to_the_data_plane(form, iid, expected):
    assert header(InstanceId(iid), form).hex() == expected


@pytest.mark.parametrize("own", [Encapsulation.LISP, Encapsulation.VXLAN_GPE])
def test_a_locator_has_the_form_that_it_names_or_the_nodes_own(own):
    plain, named = Locator(PEER_RLOC), Locator(PEER_RLOC_2, encapsulation=Encapsulation.LISP_GPE)
    known = replace(mapping("10.0.0.2/32"), locators=(plain, named))
    first, second = verdict(known, replace(outlook(), encapsulation=own)).locators
    assert (first.encapsulation, first.port, first.header) == (own, own.port, header(InstanceId(0), own))
    assert (second.encapsulation, second.port, second.header.hex()) == (
        Encapsulation.LISP_GPE,
        4341,
        "0400000000000000",
    )


def test_a_proxy_has_the_form_that_it_names():
    made = native(4, InstanceId(0), outlook(proxies=(ProxyEtr(PETR, encapsulation=Encapsulation.VXLAN_GPE),)))
    assert (made.locators[0].encapsulation, made.locators[0].port) == (Encapsulation.VXLAN_GPE, 4790)


def test_a_path_mtu_counts_where_it_is_less_than_the_interfaces():
    known = mapping("10.0.0.2/32", PEER_RLOC, PEER_RLOC_2)
    made = verdict(known, replace(outlook(), path_mtus={PEER_RLOC: 1400, PEER_RLOC_2: 1600}))
    assert [locator.mtu for locator in made.locators] == [1400, 1500]


@pytest.mark.parametrize("bad", [{"reachable": False}, {"priority": 255}])
def test_locators_that_must_not_be_used_are_left_out(bad):
    good, unusable = Locator(PEER_RLOC), replace(Locator(PEER_RLOC_2), **bad)
    assert chosen(verdict(replace(mapping("10.0.0.2/32"), locators=(good, unusable)), outlook())) == [PEER_RLOC]
    assert verdict(replace(mapping("10.0.0.2/32"), locators=(unusable,)), outlook()) == Drop()
    assert verdict(replace(mapping("10.0.0.2/32"), locators=(unusable,)), outlook(down=[PEER_RLOC_2])) == Drop()


def test_only_families_that_we_can_send_in_are_used():
    known = mapping("10.0.0.2/32", PEER_RLOC, PEER_RLOC_V6)
    assert chosen(verdict(known, outlook(ON_WIFI))) == [PEER_RLOC]
    assert chosen(verdict(known, outlook(ON_LTE_V6))) == [PEER_RLOC_V6]
    both = Underlay((interface("wlan0", WIFI, LTE_V6),))
    made = verdict(known, outlook(both))
    assert [(locator.address, locator.slot) for locator in made.locators] == [(PEER_RLOC, 0), (PEER_RLOC_V6, 1)]


def test_without_a_way_out_the_locators_stay_for_the_store_that_brings_one():
    known = mapping("10.0.0.2/32", PEER_RLOC)
    assert chosen(verdict(known, outlook(NOWHERE))) == [PEER_RLOC]
    assert chosen(verdict(known, outlook(ON_LTE_V6))) == [PEER_RLOC]


def test_rlocs_that_probes_call_down_are_left_out_unless_all_are():
    known = mapping("10.0.0.2/32", PEER_RLOC, PEER_RLOC_2)
    assert chosen(verdict(known, outlook(down=[PEER_RLOC]))) == [PEER_RLOC_2]
    assert chosen(verdict(known, outlook(down=[PEER_RLOC, PEER_RLOC_2]))) == [PEER_RLOC, PEER_RLOC_2]


def test_an_rloc_that_is_down_is_better_than_one_of_a_family_that_we_lack():
    known = mapping("10.0.0.2/32", PEER_RLOC, PEER_RLOC_V6)
    assert chosen(verdict(known, outlook(ON_WIFI, down=[PEER_RLOC]))) == [PEER_RLOC]


def test_natively_forward_goes_to_the_proxies_of_its_family():
    proxies = (ProxyEtr(PETR, 1, 60), ProxyEtr(PETR_V6_ONLY, 1, 40, (6,)))
    v4 = mapping("0.0.0.0/1", action=Action.NATIVELY_FORWARD)
    v6 = mapping("::/1", action=Action.NATIVELY_FORWARD)
    assert chosen(verdict(v4, outlook(proxies=proxies))) == [PETR]
    assert chosen(verdict(v6, outlook(proxies=proxies))) == [PETR, PETR_V6_ONLY]
    assert verdict(v4, outlook(proxies=proxies[1:])) == Reject(RejectCode.NO_ROUTE)
    assert verdict(v4, outlook()) == Reject(RejectCode.NO_ROUTE)


def test_the_proxy_gets_the_instance_id_too():
    made = native(4, InstanceId(9), outlook(proxies=(ProxyEtr(PETR),)))
    assert isinstance(made, Encapsulate)
    assert made.locators[0].header == header(InstanceId(9))


def test_a_mapping_in_an_instance_is_encapsulated_in_it():
    known = mapping("10.0.0.2/32", PEER_RLOC)
    made = verdict(replace(known, prefix=EidPrefix(known.prefix.network, InstanceId(5))), outlook())
    assert made.locators[0].header == header(InstanceId(5))


def test_every_action_has_a_verdict():
    for action in Action:
        assert verdict(mapping("10.0.0.0/8", action=action), outlook()) is not None
