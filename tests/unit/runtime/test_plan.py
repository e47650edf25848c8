from __future__ import annotations

import dataclasses
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_twin import Kernel

from lispfast.model.underlay import Underlay
from lispfast.model.units import WireMtu
from lispfast.runtime.changes import Change, add_route, put_route
from lispfast.runtime.hostview import ANYWHERE, HALVES, PROTO_RA, TABLE_MAIN, Hop, HostAddress, HostView, Link, Route
from lispfast.runtime.journal import Move
from lispfast.runtime.netmon import Watch, beats, survey
from lispfast.runtime.plan import Holdings, Plan, choose_tables, make_plan, tunnel_mtu, withdraw
from lispfast.runtime.rtnl import decode_route, make_route, make_rule

UP = 0x1 | 0x40 | 0x10000
LMN0 = Link(9, "lmn0", UP, WireMtu(1444))
WLAN0 = Link(2, "wlan0", UP, WireMtu(1500))
WWAN0 = Link(3, "wwan0", UP, WireMtu(1500))
ADDRESSES = (
    HostAddress(2, ip_address("192.0.2.5"), 24, 0, 0),
    HostAddress(2, ip_address("2001:db8:1::5"), 64, 0, 0),
    HostAddress(3, ip_address("198.51.100.5"), 24, 0, 0),
    HostAddress(3, ip_address("2001:db8:2::5"), 64, 0, 0),
)
ON_LINK = (
    make_route(TABLE_MAIN, ip_network("192.0.2.0/24"), Hop(2), source=ip_address("192.0.2.5")),
    make_route(TABLE_MAIN, ip_network("198.51.100.0/24"), Hop(3), source=ip_address("198.51.100.5")),
    make_route(TABLE_MAIN, ip_network("2001:db8:1::/64"), Hop(2), 256),
)
EIDS = {4: ip_address("203.0.113.1"), 6: ip_address("2001:db8:e::1")}
HOLDINGS = Holdings("lmn0", EIDS, {"wlan0": 5, "wwan0": 6})
WATCH = Watch(("wlan0", "wwan0"))


def default(version: int, index: int, metric: int, gateway: int = 1, protocol: int = 3) -> Route:
    base = {4: {2: "192.0.2.0", 3: "198.51.100.0", 4: "10.0.0.0"}, 6: {n: f"2001:db8:{n - 1}::" for n in (2, 3, 4)}}
    route = make_route(TABLE_MAIN, ANYWHERE[version], Hop(index, ip_address(base[version][index]) + gateway), metric)
    body = bytearray(route.body)
    body[5] = protocol
    decoded = decode_route(bytes(body))
    assert decoded is not None
    return decoded


@st.composite
def worlds(draw: st.DrawFn) -> HostView:
    defaults = draw(
        st.lists(
            st.one_of(
                st.builds(
                    default, st.just(4), st.integers(2, 4), st.sampled_from([0, 0, 50, 100, 101]), st.integers(1, 3)
                ),
                st.builds(default, st.just(6), st.integers(2, 4), st.sampled_from([1, 100, 1024]), st.integers(1, 3)),
                st.builds(default, st.just(6), st.integers(2, 4), st.just(1024), st.just(9), st.just(PROTO_RA)),
            ),
            max_size=6,
            # IPv6 merges those of one metric into one with several next hops, which is one route.
            unique_by=lambda r: r.identity() if r.version == 4 else r.metric,
        )
    )
    addresses = draw(st.lists(st.sampled_from(ADDRESSES), unique=True))
    links = (WLAN0, WWAN0, Link(4, "eth9", UP, WireMtu(1500)))
    return Kernel(HostView(links, tuple(addresses), (*ON_LINK, *defaults), ())).view()


def started(world: HostView) -> Kernel:
    kernel = Kernel(world)
    kernel.links.append(LMN0)
    return kernel


def look(kernel: Kernel, holdings: Holdings) -> Plan:
    watch = dataclasses.replace(WATCH, original_metrics=holdings.originals)
    view = kernel.view()
    return make_plan(view, survey(view, watch, Underlay()), holdings)


def all_changes(plan: Plan) -> tuple[Change, ...]:
    return (*plan.policy, *plan.main, *plan.obsolete)


def routing(kernel: Kernel) -> tuple[list[tuple[int, str]], list[bytes]]:
    """What there is, without the order of routes that share a metric; of a lifetime-less route the body says all."""
    return sorted((r.table, r.identity()) for r in kernel.routes), sorted(rule.body for rule in kernel.rules)


@given(worlds(), st.booleans())
def test_a_plan_carried_out_leaves_nothing_to_do(world: HostView, halves: bool) -> None:
    kernel, holdings = started(world), dataclasses.replace(HOLDINGS, halves=halves)
    plan = look(kernel, holdings)
    kernel.apply(all_changes(plan))
    again = look(kernel, dataclasses.replace(holdings, moves=plan.moves))
    assert all_changes(again) == ()
    assert again.moves == plan.moves


@given(worlds())
def test_lmn0_has_the_best_default(world: HostView) -> None:
    kernel = started(world)
    kernel.apply(all_changes(look(kernel, HOLDINGS)))
    for version in (4, 6):
        room = version == 4 and not world.defaults(4)
        best = [r for r in kernel.view().defaults(version) if beats(r)]
        assert [r.indices for r in best] == ([] if room else [{9}])
        halves = [r for r in kernel.view().table(TABLE_MAIN, version) if r.destination in HALVES[version]]
        assert [r.indices for r in halves] == ([{9}, {9}] if room else [])
        assert {r.source for r in (*best, *halves)} == {EIDS[version]}


@given(worlds())
def test_a_client_may_add_what_it_could_without_us(world: HostView) -> None:
    kernel = started(world)
    plan = look(kernel, HOLDINGS)
    kernel.apply(all_changes(plan))
    physical = [r for r in kernel.routes if r.is_default and r.table == TABLE_MAIN and r.version == 4]
    kernel.routes = [r for r in kernel.routes if r not in physical or r.indices == {9}]  # that network left
    kernel.apply(all_changes(look(kernel, dataclasses.replace(HOLDINGS, moves=plan.moves))))
    newcomer = default(4, 3, 0)
    kernel.change(add_route(newcomer))
    kernel.apply(all_changes(look(kernel, HOLDINGS)))
    shown = [(r.metric, r.indices) for r in kernel.view().defaults(4)]
    assert shown == [(0, {9}), (100, {3})]


@given(worlds(), st.booleans())
def test_withdrawing_gives_the_host_back(world: HostView, halves: bool) -> None:
    kernel, holdings = started(world), dataclasses.replace(HOLDINGS, halves=halves)
    plan = look(kernel, holdings)
    kernel.apply(all_changes(plan))
    holdings = dataclasses.replace(holdings, moves=plan.moves)
    kernel.apply(withdraw(kernel.view(), holdings))
    assert withdraw(kernel.view(), holdings) == ()
    assert routing(kernel) == routing(Kernel(world))


@given(worlds(), st.integers(0, 60), st.integers(0, 60))
def test_a_kill_anywhere_is_undone(world: HostView, start: int, stop: int) -> None:
    """Killed after some changes of the start, or after the start and some changes of the end."""
    kernel = started(world)
    plan = look(kernel, HOLDINGS)
    changes = all_changes(plan)
    kernel.apply(changes[:start])
    journal = dataclasses.replace(HOLDINGS, moves=plan.moves)
    if start >= len(changes):
        kernel.apply(withdraw(kernel.view(), journal)[:stop])
    kernel.remove_link(LMN0.index)
    kernel.apply(withdraw(kernel.view(), dataclasses.replace(journal, device="")))
    assert routing(kernel) == routing(Kernel(world))


@given(worlds())
def test_no_moment_without_a_default_or_with_an_rloc_in_the_tunnel(world: HostView) -> None:
    kernel = started(world)
    plan = look(kernel, HOLDINGS)
    rules = [change for change in plan.policy if "rule" in change.text]
    kernel.apply(plan.policy)
    assert len(kernel.rules) == len(rules) == len(world.addresses)
    for change in (*plan.main, *plan.obsolete):
        kernel.change(change)
        for version in (4, 6):
            assert not world.defaults(version) or kernel.view().defaults(version)
    # Whatever source has a rule finds an end in its table: a default, or the unreachable one.
    for rule in kernel.rules:
        assert any(r.is_default and r.version == rule.version for r in kernel.routes if r.table == rule.table)


@given(worlds(), st.integers(1, 3), st.integers(2, 3))
def test_a_replaced_default_replaces_those_moved_from_its_interface(world: HostView, gateway: int, index: int) -> None:
    kernel = started(world)
    plan = look(kernel, HOLDINGS)
    kernel.apply(all_changes(plan))
    newcomer = default(4, index, 0, gateway + 10)
    kernel.change(put_route(newcomer))
    holdings = dataclasses.replace(HOLDINGS, moves=plan.moves)
    second = look(kernel, holdings)
    kernel.apply(all_changes(second))
    holdings = dataclasses.replace(holdings, moves=second.moves)
    assert all_changes(look(kernel, holdings)) == ()
    kernel.apply(withdraw(kernel.view(), holdings))
    metric_0 = [r.identity() for r in kernel.view().defaults(4) if r.metric == 0]
    assert metric_0 == [newcomer.identity()]


def test_two_defaults_move_to_the_first_metrics_that_are_free() -> None:
    routes = (*ON_LINK, default(4, 2, 0), default(4, 3, 0), default(4, 4, 101))
    kernel = started(HostView((WLAN0, WWAN0), ADDRESSES, routes))
    plan = look(kernel, HOLDINGS)
    assert [move.metric for move in plan.moves if " 0.0.0.0/0 " in move.identity] == [0, 0]
    kernel.apply(all_changes(plan))
    assert [(r.metric, set(r.indices)) for r in kernel.view().defaults(4)] == [
        (0, {9}),
        (100, {2}),
        (101, {4}),
        (102, {3}),
    ]


def test_a_family_without_an_eid_keeps_its_default() -> None:
    kernel = started(HostView((WLAN0,), ADDRESSES, (*ON_LINK, default(4, 2, 0), default(6, 2, 1))))
    plan = look(kernel, dataclasses.replace(HOLDINGS, sources={6: EIDS[6]}))
    assert [Move(m.identity, m.metric, m.original) for m in plan.moves] == list(plan.moves)
    assert all("2001" in move.identity for move in plan.moves)
    assert len(plan.moves) == 1


def test_a_default_from_an_advertisement_stays_whatever_its_metric() -> None:
    kernel = started(HostView((WLAN0,), ADDRESSES, (*ON_LINK, default(6, 2, 1, protocol=PROTO_RA))))
    assert look(kernel, HOLDINGS).moves == ()


def test_tables_that_others_use_are_left_out() -> None:
    world = HostView(
        routes=(make_route(5, ip_network("10.0.0.0/8"), Hop(2)),), rules=(make_rule(40, ip_address("192.0.2.9"), 7),)
    )
    assert choose_tables(world, ("wlan0", "wwan0")) == {"wlan0": 6, "wwan0": 8}
    assert choose_tables(world, ("eth9",), frozenset({6, 8})) == {"eth9": 9}


@pytest.mark.parametrize(("wire", "tunnel"), [(1500, 1444), (1400, 1344), (1336, 1280), (1300, 1280), (576, 1280)])
def test_the_tunnel_mtu_is_the_smallest_networks(wire: int, tunnel: int) -> None:
    small = Link(3, "wwan0", UP, WireMtu(wire))
    view = HostView((WLAN0, small), ADDRESSES, ON_LINK)
    assert tunnel_mtu(survey(view, WATCH, Underlay())) == tunnel


def test_an_interface_that_is_down_does_not_bound_the_mtu() -> None:
    view = HostView((WLAN0, Link(3, "wwan0", 0, WireMtu(1300))), ADDRESSES, ON_LINK)
    assert tunnel_mtu(survey(view, WATCH, Underlay())) == 1444
    assert tunnel_mtu(Underlay()) == 0
