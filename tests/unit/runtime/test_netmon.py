from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from lispfast.model.underlay import Underlay
from lispfast.model.units import WireMtu
from lispfast.runtime.hostview import (
    ANYWHERE,
    TABLE_MAIN,
    AddressFlag,
    Hop,
    HopFlag,
    HostAddress,
    HostView,
    Link,
    LinkFlag,
    Route,
)
from lispfast.runtime.netmon import Watch, default_of, survey
from lispfast.runtime.rtnl import make_route

UP = LinkFlag.UP | LinkFlag.RUNNING | LinkFlag.LOWER_UP
WATCH = Watch(("wlan0", "wwan0"))
GATEWAY = ip_address("192.0.2.1")


def entry(address: str, flags: int = 0, scope: int = 0, index: int = 2) -> HostAddress:
    return HostAddress(index, ip_address(address), 24, scope, flags)


def default(index: int = 2, metric: int = 0, gateway: str | None = "192.0.2.1", source: str | None = None) -> Route:
    hop = Hop(index, ip_address(gateway) if gateway else None)
    return make_route(TABLE_MAIN, ANYWHERE[4], hop, metric, ip_address(source) if source else None)


def chosen(
    *addresses: HostAddress, routes: tuple[Route, ...] = (), watch: Watch = WATCH, version: int = 4
) -> str | None:
    view = HostView((Link(2, "wlan0", UP, WireMtu(1500)),), addresses, routes)
    attachment = survey(view, watch, Underlay()).interfaces[0].attachment(version)
    return str(attachment.address) if attachment else None


@pytest.mark.parametrize("flag", [AddressFlag.TENTATIVE, AddressFlag.DADFAILED, AddressFlag.DEPRECATED])
def test_an_address_that_may_not_be_used(flag: int) -> None:
    assert chosen(entry("192.0.2.5", flag)) is None
    assert chosen(entry("192.0.2.5", flag), entry("192.0.2.6")) == "192.0.2.6"


@pytest.mark.parametrize("address", ["169.254.1.1", "127.0.0.2", "224.0.0.5", "fe80::1", "::1", "ff02::5"])
def test_an_address_that_is_no_locator(address: str) -> None:
    assert chosen(entry(address), version=ip_address(address).version) is None


def test_an_address_of_the_link_or_the_host_is_no_locator() -> None:
    assert chosen(entry("192.0.2.5", scope=253), entry("192.0.2.6", scope=254)) is None


def test_an_eid_is_no_locator_even_on_a_physical_interface() -> None:
    watch = Watch(("wlan0",), eids=(ip_network("203.0.113.0/28"),))
    assert chosen(entry("203.0.113.3"), watch=watch) is None
    assert chosen(entry("203.0.113.3"), entry("192.0.2.5"), watch=watch) == "192.0.2.5"


def test_the_tunnel_is_no_underlay_even_if_named() -> None:
    view = HostView((Link(9, "lmn0", UP, WireMtu(1444)),), (entry("192.0.2.5", index=9),))
    assert survey(view, Watch(("lmn0",)), Underlay()) == Underlay()


def test_the_order_of_preference() -> None:
    temporary, stable = entry("2001:db8::7", AddressFlag.SECONDARY), entry("2001:db8::5")
    local = entry("fd00::5")
    assert chosen(temporary, stable, version=6) == "2001:db8::5"
    assert chosen(local, stable, version=6) == "2001:db8::5"
    assert chosen(local, version=6) == "fd00::5"
    pinned = Watch(("wlan0",), pinned=frozenset({temporary.address}))
    assert chosen(stable, temporary, watch=pinned, version=6) == "2001:db8::7"
    asked = (default(source="192.0.2.6"),)
    assert chosen(entry("192.0.2.5"), entry("192.0.2.6"), routes=asked) == "192.0.2.6"


def test_an_address_that_serves_is_kept() -> None:
    links = (Link(2, "wlan0", UP, WireMtu(1500)),)
    first = survey(HostView(links, (entry("2001:db8::5"),)), WATCH, Underlay())
    both = HostView(links, (entry("2001:db8::6"), entry("2001:db8::5")))
    assert survey(both, WATCH, first) == first
    assert survey(both, WATCH, Underlay()) != first


def test_interfaces_come_in_the_order_of_the_configuration_and_missing_ones_not_at_all() -> None:
    links = (
        Link(3, "wwan0", UP, WireMtu(1400)),
        Link(4, "eth9", UP, WireMtu(1500)),
        Link(2, "wlan0", 0, WireMtu(1500)),
    )
    found = survey(HostView(links), WATCH, Underlay()).interfaces
    assert [(i.name, i.index, i.up, i.mtu) for i in found] == [("wlan0", 2, False, 1500), ("wwan0", 3, True, 1400)]
    assert survey(HostView(links[:1]), WATCH, Underlay()).interface("wlan0") is None


@pytest.mark.parametrize("missing", [LinkFlag.UP, LinkFlag.RUNNING, LinkFlag.LOWER_UP])
def test_up_means_up_with_a_carrier_and_let_in(missing: int) -> None:
    assert not Link(2, "wlan0", UP & ~missing, WireMtu(1500)).up


def test_the_best_default_of_an_interface_by_the_metric_that_it_had() -> None:
    moved, other = default(metric=100), default(metric=50, gateway="192.0.2.9")
    view = HostView(routes=(other, moved))
    assert default_of(view, 4, 2, {}) == (other, other.hops[0])
    assert default_of(view, 4, 2, {moved.identity(): 0}) == (moved, moved.hops[0])
    assert default_of(view, 4, 3, {}) is None


def test_a_dead_next_hop_is_none() -> None:
    route = default()
    dead = Route(route.body, TABLE_MAIN, ANYWHERE[4], 0, (Hop(2, GATEWAY, HopFlag.LINKDOWN), Hop(3, GATEWAY)))
    view = HostView(routes=(dead,))
    assert default_of(view, 4, 2, {}) is None
    assert default_of(view, 4, 3, {}) == (dead, dead.hops[1])


def test_gateway_and_on_link_prefixes() -> None:
    routes = (
        default(),
        make_route(TABLE_MAIN, ip_network("192.0.2.0/24"), Hop(2)),
        make_route(TABLE_MAIN, ip_network("198.51.100.0/24"), Hop(2, GATEWAY)),
        make_route(TABLE_MAIN, ip_network("10.0.0.0/8"), Hop(3)),
        make_route(5, ip_network("10.1.0.0/16"), Hop(2)),
    )
    view = HostView((Link(2, "wlan0", UP, WireMtu(1500)),), (entry("192.0.2.5"),), routes)
    attachment = survey(view, WATCH, Underlay()).interfaces[0].v4
    assert attachment is not None
    assert (attachment.gateway, attachment.routed) == (GATEWAY, True)
    assert attachment.on_link == (ip_network("192.0.2.0/24"),)


def test_a_default_without_a_gateway_is_a_route_all_the_same() -> None:
    view = HostView((Link(2, "wlan0", UP, WireMtu(1500)),), (entry("192.0.2.5"),), (default(gateway=None),))
    attachment = survey(view, WATCH, Underlay()).interfaces[0].v4
    assert attachment is not None
    assert (attachment.gateway, attachment.routed) == (None, True)
