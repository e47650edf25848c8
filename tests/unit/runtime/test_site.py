"""An xTR's rules and routes: made once, taken back whole, nobody else's touched; what keeps hosts from being served."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_twin import Kernel

from lispfast.model.addresses import EidPrefix
from lispfast.model.settings import DatabaseMapping, Mode, Settings
from lispfast.model.underlay import Underlay
from lispfast.model.units import WireMtu
from lispfast.runtime.hostview import TABLE_MAIN, Hop, HostAddress, HostView, Kind, Link
from lispfast.runtime.netmon import Watch, survey
from lispfast.runtime.plan import Holdings, make_plan, withdraw
from lispfast.runtime.rtnl import decode_rule, make_route, make_rule
from lispfast.runtime.site import (
    FROM_MAIN,
    FROM_TABLE,
    RLOC_PRIORITY,
    TO_MAIN,
    TO_TABLE,
    allow_any_way_back,
    missing_forwarding,
    site_prefixes,
    site_rules,
    tunnel_addresses,
)

UP = 0x1 | 0x40 | 0x10000
LMN0, UPLINK, LAN = (Link(n, name, UP, WireMtu(1500)) for n, name in ((9, "lmn0"), (2, "wan0"), (3, "lan0")))
SITE = tuple(ip_network(text) for text in ("10.1.0.0/16", "2001:db8:e::/48", "10.9.0.0/24"))
HOLDINGS = Holdings("lmn0", {}, {"wan0": 5, "lmn0": 6}, priority=RLOC_PRIORITY, site=SITE)
ROUTES = (
    make_route(TABLE_MAIN, ip_network("192.0.2.0/24"), Hop(2), source=ip_address("192.0.2.5")),
    make_route(TABLE_MAIN, ip_network("0.0.0.0/0"), Hop(2, ip_address("192.0.2.1"))),
    make_route(TABLE_MAIN, ip_network("10.1.1.0/24"), Hop(3), source=ip_address("10.1.1.1")),
)
FOREIGN = (
    make_rule(TO_MAIN, ip_address("192.0.2.77"), 77),
    make_rule(FROM_TABLE, ip_network("10.1.0.0/16"), 78),
    make_rule(100, None, TABLE_MAIN, destination=ip_network("10.1.0.0/16"), suppress=0),
    make_rule(TO_MAIN, None, TABLE_MAIN, destination=ip_network("10.2.0.0/16"), suppress=0),
    make_rule(TO_MAIN, None, TABLE_MAIN, destination=ip_network("10.1.0.0/16")),
)


def kernel(*rules: object, links: tuple[Link, ...] = (UPLINK, LAN, LMN0)) -> Kernel:
    addresses = (HostAddress(2, ip_address("192.0.2.5"), 24, 0, 0), HostAddress(3, ip_address("10.1.1.1"), 24, 0, 0))
    return Kernel(HostView(links, addresses, ROUTES, rules))  # type: ignore[arg-type]


def plan(made: Kernel, holdings: Holdings = HOLDINGS):  # type: ignore[no-untyped-def]
    watch = Watch(("wan0",), eids=SITE)
    return make_plan(made.view(), survey(made.view(), watch, Underlay()), holdings)


def carry_out(made: Kernel, holdings: Holdings = HOLDINGS) -> None:
    found = plan(made, holdings)
    made.apply((*found.policy, *found.main, *found.obsolete))


@pytest.mark.parametrize("prefix", SITE)
def test_each_eid_prefix_has_its_four_rules_around_those_of_the_rlocs(prefix: IPv4Network | IPv6Network) -> None:
    """Without the second, packets to an address of the site that nobody has would follow the default to outside."""
    rules = site_rules([prefix], 6)
    assert [(r.priority, r.source, r.destination, r.table, r.suppress) for r in rules] == [
        (TO_MAIN, None, prefix, TABLE_MAIN, 0),
        (TO_TABLE, None, prefix, 6, None),
        (FROM_MAIN, prefix, None, TABLE_MAIN, 0),
        (FROM_TABLE, prefix, None, 6, None),
    ]
    assert TO_MAIN < TO_TABLE < RLOC_PRIORITY < FROM_MAIN < FROM_TABLE


def test_the_hosts_own_default_stays_and_lmn0_has_one_in_its_own_table() -> None:
    made = kernel()
    carry_out(made)
    assert [route.indices for route in made.view().defaults(4)] == [{2}]
    (into,) = [r for r in made.view().table(6, 4) if r.is_default and r.kind == Kind.UNICAST]
    assert into.indices == {9}
    assert {str(r.destination) for r in made.view().table(6, 4) if r.kind == Kind.UNREACHABLE} == {
        "10.1.0.0/16",
        "10.9.0.0/24",
        "0.0.0.0/0",
    }


def test_a_plan_carried_out_leaves_nothing_to_do() -> None:
    made = kernel()
    carry_out(made)
    again = plan(made)
    assert (again.policy, again.main, again.obsolete, again.moves) == ((), (), (), ())


@given(st.lists(st.sampled_from(FOREIGN), unique_by=lambda rule: rule.body))
def test_what_is_taken_back_is_ours_alone(foreign: list[object]) -> None:
    made = kernel(*foreign)
    before = sorted(rule.body for rule in made.rules), sorted((r.table, r.identity()) for r in made.routes)
    carry_out(made)
    made.apply(withdraw(made.view(), HOLDINGS))
    assert (sorted(rule.body for rule in made.rules), sorted((r.table, r.identity()) for r in made.routes)) == before


def test_what_a_killed_daemon_left_is_found_without_lmn0_and_its_names() -> None:
    made = kernel(*FOREIGN)
    carry_out(made)
    made.remove_link(9)
    left = Holdings("", {}, {"5": 5, "6": 6}, priority=RLOC_PRIORITY, site=SITE)
    made.apply(withdraw(made.view(), left))
    assert {rule.body for rule in made.rules} == {rule.body for rule in FOREIGN}
    assert {route.table for route in made.routes} == {TABLE_MAIN}


def test_without_lmn0_nothing_of_the_site_leaves_natively() -> None:
    made = kernel(links=(UPLINK, LAN))
    carry_out(made)
    assert {r.kind for r in made.view().table(6, 4)} == {Kind.UNREACHABLE}


def test_a_prefix_that_is_no_longer_ours_loses_its_rules() -> None:
    made = kernel()
    carry_out(made)
    fewer = dataclasses.replace(HOLDINGS, site=SITE[:2])
    made.apply(withdraw(made.view(), HOLDINGS))
    carry_out(made, fewer)
    ends = {rule.source or rule.destination for rule in made.rules if rule.plain and rule.priority != RLOC_PRIORITY}
    assert ends == set(SITE[:2])


@pytest.mark.parametrize("rule", [*FOREIGN, make_rule(5, ip_network("2001:db8:e::/48"), 4000)])
def test_a_rule_is_read_back_as_it_was_made(rule: object) -> None:
    assert decode_rule(rule.body) == rule  # type: ignore[attr-defined]


def database(*prefixes: str) -> tuple[DatabaseMapping, ...]:
    return tuple(DatabaseMapping(EidPrefix.parse(*p.split("@")), ()) for p in prefixes)  # type: ignore[arg-type]


def test_a_mobile_node_has_no_site_and_an_xtr_gives_lmn0_the_addresses_of_hosts_alone() -> None:
    prefixes = database("10.1.0.0/16", "10.2.0.1/32", "0.0.0.0/0", "10.1.0.0/16")
    xtr, mobile = Settings(Mode.XTR, database=prefixes), Settings(Mode.MN, database=database("10.2.0.1/32"))
    assert site_prefixes(mobile) == ()
    assert site_prefixes(xtr) == (ip_network("10.1.0.0/16"), ip_network("10.2.0.1/32"))
    assert tunnel_addresses(xtr) == tunnel_addresses(mobile) == (ip_address("10.2.0.1"),)


def settings_of(root: Path, v4: str, v6: str) -> Path:
    for name, value in (("net/ipv4/ip_forward", v4), ("net/ipv6/conf/all/forwarding", v6)):
        path = root / name
        path.parent.mkdir(parents=True)
        path.write_text(f"{value}\n")
    return root


def test_forwarding_that_is_off_is_told_with_its_remedy(tmp_path: Path) -> None:
    root = settings_of(tmp_path, "0", "0")
    told = missing_forwarding(SITE, root)
    assert [word in text for text, word in zip(told, ("net.ipv4.ip_forward=1", "accept_ra=2"), strict=True)] == [
        True
    ] * 2
    assert missing_forwarding((ip_network("10.1.0.1/32"),), root) == []


def test_forwarding_that_is_on_is_not_worth_a_word(tmp_path: Path) -> None:
    assert missing_forwarding(SITE, settings_of(tmp_path, "1", "1")) == []
    assert missing_forwarding(SITE, tmp_path / "nowhere") == []


def test_lmn0_takes_packets_back_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "net/ipv4/conf/lmn0").mkdir(parents=True)
    allow_any_way_back("lmn0", tmp_path)
    assert (tmp_path / "net/ipv4/conf/lmn0/rp_filter").read_text() == "2\n"
