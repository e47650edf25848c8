"""What the kernel says becomes an Underlay: advertisements, duplicate address detection, lost notifications."""

from __future__ import annotations

import asyncio
import errno
import socket
from pathlib import Path

import pytest

from lispfast.lab.namespace import Namespace
from lispfast.runtime.netlink import Netlink

from .hostworld import (
    EID6,
    Daemon,
    host_namespace,  # noqa: F401  (a fixture)
    host_state,
    ip,
    main_defaults,
    make_interface,
    run,
    settings,
    settle,
    until,
)

pytestmark = pytest.mark.netns


def advertise(interface: str, lifetime: int = 1800, prefix: str | None = "2001:db8:1::") -> None:
    """Send a router advertisement out of an interface, as a router behind it would."""
    from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr, IPv6
    from scapy.layers.l2 import Ether

    mac = "02:00:00:00:00:99"
    packet = Ether(src=mac, dst="33:33:00:00:00:01") / IPv6(src="fe80::99", dst="ff02::1", hlim=255)
    packet /= ICMPv6ND_RA(routerlifetime=lifetime) / ICMPv6NDOptSrcLLAddr(lladdr=mac)
    if prefix:
        packet /= ICMPv6NDOptPrefixInfo(prefix=prefix, prefixlen=64, L=1, A=1)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((interface, 0))
        sock.send(bytes(packet))


def test_a_route_from_an_advertisement_is_never_touched(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0")
        advertise("wlan0p")
        settle(lambda: "proto ra" in ip("-6 route show default"), "the kernel has the default")
        settle(
            lambda: "2001:db8:1:" in ip("-6 addr show dev wlan0 scope global -tentative"), "the kernel has an address"
        )
        before = host_state()
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            assert daemon.warnings == []
            assert str(daemon.underlay.interfaces[0].v6.gateway) == "fe80::99"
            shown = main_defaults(6)
            assert shown[0] == f"default dev lmn0 src {EID6} metric 1 pref medium"
            assert "default via fe80::99 dev wlan0 proto ra metric 1024" in shown[1]
            assert "default via fe80::99 dev wlan0" in ip("-6 route show table 5")
            advertise("wlan0p")
            advertise("wlan0p", lifetime=0, prefix=None)
            await until(lambda: not daemon.underlay.interfaces[0].v6.routed, "the router says goodbye")
            await until(lambda: "unreachable default" in ip("-6 route show table 5"), "table 5 follows")
            advertise("wlan0p")
            await until(lambda: daemon.underlay.interfaces[0].v6.routed, "the router is back")
            await until(lambda: "via fe80::99" in ip("-6 route show table 5 default"), "table 5 follows")
        assert host_state() == before

    run(host_ns, story)


def test_a_tentative_address_is_no_rloc_until_it_is_confirmed(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0")
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            Path("/proc/sys/net/ipv6/conf/wlan0/accept_dad").write_text("1")
            ip("addr add 2001:db8:1::7/64 dev wlan0")
            ip("addr add 192.0.2.5/24 dev wlan0")
            await until(lambda: daemon.rloc("wlan0", 4), "the IPv4 address, which comes after")
            assert daemon.rloc("wlan0", 6) is None
            await until(lambda: daemon.rloc("wlan0", 6) == "2001:db8:1::7", "it is confirmed")

    run(host_ns, story)


def test_deprecated_and_link_local_addresses_are_no_rlocs(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "2001:db8:1::7/64", "169.254.3.4/16")
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            assert daemon.rloc("wlan0", 4) is None
            ip("addr add 2001:db8:1::8/64 dev wlan0 nodad")
            ip("addr change 2001:db8:1::7/64 dev wlan0 preferred_lft 0 valid_lft 1000")
            await until(lambda: daemon.rloc("wlan0", 6) == "2001:db8:1::8", "the other one")
            ip("addr del 2001:db8:1::8/64 dev wlan0")
            await until(lambda: daemon.rloc("wlan0", 6) is None, "none is left")

    run(host_ns, story)


def test_a_lost_carrier_is_seen(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        ip("route add default via 192.0.2.1 dev wlan0")
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            assert daemon.underlay.interfaces[0].up
            ip("link set wlan0p down")
            await until(lambda: not daemon.underlay.interfaces[0].up, "no carrier")
            ip("link set wlan0p up")
            await until(lambda: daemon.rloc("wlan0") == "192.0.2.5", "the carrier is back")

    run(host_ns, story)


def test_nothing_is_told_when_nothing_changed(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        make_interface("eth9")
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            ip("addr add 198.51.100.9/24 dev eth9")
            ip("route add 10.0.0.0/8 via 192.0.2.9")
            ip("link set wlan0 mtu 1400")
            await until(lambda: len(daemon.underlays) == 2, "the MTU")
            assert daemon.underlay.interfaces[0].mtu == 1400

    run(host_ns, story)


def test_lost_notifications_are_made_good(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            listener = daemon.host._netlink._listener
            # What asyncio tells pyroute2 when the kernel says ENOBUFS; nothing else comes from this socket any more.
            listener.protocol.error_received(OSError(errno.ENOBUFS, "No buffer space available"))
            ip("link set wlan0 mtu 1400")
            await until(lambda: daemon.underlay.interfaces[0].mtu == 1400, "it looks again")
            await until(lambda: daemon.host._netlink._listener is not listener, "another socket listens")
            ip("link set wlan0 mtu 1450")
            await until(lambda: daemon.underlay.interfaces[0].mtu == 1450, "it hears again")

    run(host_ns, story)


def test_a_flood_of_changes_ends_in_the_last_state(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        routes = [f"10.{number >> 8}.{number & 255}.0/24 via 192.0.2.1" for number in range(3000)]
        lines = [f"route {verb} {route}" for verb in ("add", "del") for route in routes]
        lines += ["addr add 198.51.100.6/24 dev wlan0", "addr del 192.0.2.5/24 dev wlan0"]
        batch = tmp_path / "batch"
        batch.write_text("\n".join(lines) + "\n")
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            await asyncio.to_thread(ip, f"-batch {batch}")
            await until(lambda: daemon.rloc("wlan0") == "198.51.100.6", "the last state")
            assert daemon.warnings == []

    run(host_ns, story)


def test_a_view_has_all_of_a_host(host_ns: Namespace) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24", "2001:db8:1::5/64")
        ip("route add default via 192.0.2.1 dev wlan0 metric 7 table 4000")
        ip("rule add from 192.0.2.5 lookup 4000 priority 9")
        ip("rule add from 192.0.2.5 iif wlan0 lookup 4000 priority 10")
        netlink = Netlink()
        await netlink.open()
        try:
            view = await netlink.view()
        finally:
            netlink.close()
        assert {link.name for link in view.links} >= {"lo", "wlan0", "wlan0p"}
        assert {str(entry.address) for entry in view.addresses} >= {"192.0.2.5", "2001:db8:1::5"}
        (route,) = view.table(4000, 4)
        assert (route.metric, str(route.hops[0].gateway)) == (7, "192.0.2.1")
        assert [rule.plain for rule in view.rules if rule.priority in (9, 10)] == [True, False]

    run(host_ns, story)
