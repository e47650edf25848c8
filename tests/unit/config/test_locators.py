"""Explicit locator paths: what an rloc-address may name in place of an address."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from lispfast.config.locators import MAX_HOPS
from lispfast.model.mapping import Hop, Locator
from lispfast.model.settings import AddressLocator

from .samples import MAP_SERVER, NODE, RESOLVER, SERVER, said_after_node, settings

FIRST, LAST = ip_address("192.0.2.1"), ip_address("2001:db8::9")
PATH = """explicit-locator-path {
    elp-name = by-frankfurt
    elp-node { address = 192.0.2.1 strict = true probe = on lookup = yes }
    elp-node { address = 2001:db8::9 }
}
"""
HOPS = (Hop(FIRST, lookup=True, probe=True, strict=True), Hop(LAST))
CACHED = "static-map-cache { eid-prefix = 192.0.2.128/25 rloc-address { address = %s weight = 7 } }\n"


@pytest.mark.parametrize("text", [PATH + CACHED, CACHED + PATH])
def test_a_mapping_goes_to_the_first_hop_wherever_the_path_stands(text: str) -> None:
    (mapping,) = settings(NODE + text.replace("%s", "by-frankfurt")).static_map_cache
    assert mapping.locators == (Locator(FIRST, 1, 7, path=HOPS),)


def test_a_static_registration_has_paths_too() -> None:
    text = "ms-static-registered-site { eid-prefix = 192.0.2.0/24 rloc-address { address = by-frankfurt } }"
    (mapping,) = settings(MAP_SERVER + PATH + text).static_registrations
    assert mapping.locators == (Locator(FIRST, path=HOPS),)


def test_our_own_eid_is_reached_by_a_path() -> None:
    text = """database-mapping { eid-prefix = 203.0.113.7/32
        rloc-address { address = by-frankfurt priority = 2 }
        rloc-address { address = 2001:db8::9 priority = 3 } }"""
    assert settings(SERVER + RESOLVER + PATH + text).database[0].locators == (
        AddressLocator(FIRST, 2, path=HOPS),
        AddressLocator(LAST, 3),
    )


def test_a_locator_form_goes_with_a_path() -> None:
    text = PATH + CACHED.replace("%s", "by-frankfurt encapsulation = VXLAN-GPE")
    (locator,) = settings(NODE + text).static_map_cache[0].locators
    assert (locator.path, str(locator.encapsulation)) == (HOPS, "VXLAN-GPE")


MANY = "".join(f"elp-node {{ address = 198.18.0.{n} }} " for n in range(1, MAX_HOPS + 2))
PROBLEMS = [
    (
        PATH + CACHED.replace("%s", "by-frankfrt"),
        '6:73: error: "by-frankfrt" is no explicit-locator-path and no address (did you mean "by-frankfurt"?)',
    ),
    (PATH + CACHED.replace("%s", "192.0.2"), '6:73: error: "192.0.2" is no explicit-locator-path and no address (an'),
    (CACHED.replace("%s", "by-frankfurt"), '1:73: error: "by-frankfurt" is no IPv4 or IPv6 address'),
    (PATH * 2, '7:16: error: elp-name "by-frankfurt" is given twice (the first is in line 5)'),
    (
        PATH.replace("2001:db8::9", "192.0.2.1"),
        "4:26: error: 192.0.2.1 is in the path twice: packets would go in a circle",
    ),
    (
        PATH.replace("2001:db8::9", "203.0.113.7"),
        "4:26: error: elp-node 203.0.113.7 is inside the EID-prefix 203.0.113.7/32 (it must be reached outside",
    ),
    (
        "explicit-locator-path { elp-name = none }",
        '1:1: error: explicit-locator-path "none" has no hop (elp-node { address = ... })',
    ),
    (
        f"explicit-locator-path {{ elp-name = long {MANY} }}",
        '1:1: error: explicit-locator-path "long" has more than 16 hops',
    ),
    (
        "explicit-locator-path { elp-name = 192.0.2.7 elp-node { address = 192.0.2.1 } }",
        '1:36: error: "192.0.2.7" is an address and cannot be a name',
    ),
    (PATH.replace("probe = on", "probe = 3"), '3:58: error: "3" is neither on nor off'),
    (
        "explicit-locator-path { elp-node { address = 192.0.2.1 } }",
        "1:1: error: explicit-locator-path has no elp-name (it needs a text)",
    ),
]


@pytest.mark.parametrize(("text", "problem"), PROBLEMS)
def test_one_problem_with_its_place(text: str, problem: str) -> None:
    found = said_after_node(text)
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_a_path_in_error_is_not_an_unknown_one_as_well() -> None:
    found = said_after_node(PATH.replace("2001:db8::9", "<ip-address>") + CACHED.replace("%s", "by-frankfurt"))
    assert found == ['4:26: error: placeholder "<ip-address>": put an address here']
