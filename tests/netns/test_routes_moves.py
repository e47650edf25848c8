"""Networks come and go, other programs change routes: the daemon follows, and gives back what then is."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest

from lispfast.lab.namespace import Namespace
from lispfast.model.addresses import EidPrefix
from lispfast.model.errors import HostError
from lispfast.model.settings import AddressLocator, DatabaseMapping
from lispfast.model.underlay import Underlay
from lispfast.model.units import InstanceId
from lispfast.runtime import routes

from .hostworld import (
    EID4,
    EID6,
    Daemon,
    host_namespace,  # noqa: F401  (a fixture)
    host_state,
    ip,
    main_defaults,
    make_interface,
    run,
    settings,
    until,
)

pytestmark = pytest.mark.netns

LMN0 = f"default dev lmn0 scope link src {EID4}"


def test_a_replaced_default_is_the_new_physical_one(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        ip("route add default via 192.0.2.254 dev wlan0")
        wanted = host_state()
        ip("route replace default via 192.0.2.1 dev wlan0")
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            ip("route replace default via 192.0.2.254 dev wlan0")
            now = [LMN0, "default via 192.0.2.254 dev wlan0 metric 100"]
            await until(lambda: main_defaults() == now, "lmn0's default is back")
            await until(lambda: "192.0.2.254" in ip("route show table 5 default"), "table 5 follows")
            assert str(daemon.underlay.interfaces[0].v4.gateway) == "192.0.2.254"
            assert daemon.warnings == []
        assert host_state() == wanted

    run(host_ns, story)


def test_the_same_default_again_changes_nothing(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        ip("route add default via 192.0.2.1 dev wlan0")
        before = host_state()
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            for command in ("replace default via 192.0.2.1 dev wlan0", "del default", "prepend default via 192.0.2.1"):
                ip(f"route {command}")
                now = [LMN0, "default via 192.0.2.1 dev wlan0 metric 100"]
                await until(lambda now=now: main_defaults() == now, command)
            assert len(daemon.underlays) == 1
        assert host_state() == before

    run(host_ns, story)


def test_a_default_of_another_interface_takes_over_but_the_first_keeps_its_gateway(
    host_ns: Namespace, tmp_path: Path
) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        make_interface("wwan0", "198.51.100.5/24")
        ip("route add default via 198.51.100.1 dev wwan0")
        wanted = host_state()
        ip("route replace default via 192.0.2.1 dev wlan0")
        async with Daemon(settings("wlan0", "wwan0"), tmp_path / "journal") as daemon:
            ip("route replace default via 198.51.100.1 dev wwan0")
            await until(lambda: len(main_defaults()) == 3 and main_defaults()[0] == LMN0, "lmn0's default is back")
            await until(lambda: "198.51.100.1" in ip("route show table 6 default"), "table 6 follows")
            assert "192.0.2.1" in ip("route show table 5 default")
            assert daemon.underlay.interface("wlan0").v4.routed
        assert host_state() == wanted

    run(host_ns, story)


def test_one_put_in_front_is_moved_and_put_back_beside_the_first(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        make_interface("wwan0", "198.51.100.5/24")
        ip("route add default via 192.0.2.1 dev wlan0")
        ip("route prepend default via 198.51.100.1 dev wwan0")
        wanted = host_state()
        ip("route del default via 198.51.100.1 dev wwan0")
        async with Daemon(settings("wlan0", "wwan0"), tmp_path / "journal"):
            ip("route prepend default via 198.51.100.1 dev wwan0")
            await until(lambda: main_defaults()[0] == LMN0 and len(main_defaults()) == 3, "it is moved")
        assert host_state() == wanted

    run(host_ns, story)


def test_from_one_network_to_another_and_out(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24", "2001:db8:1::5/64")
        ip("route add default via 192.0.2.1 dev wlan0")
        ip("-6 route add default via 2001:db8:1::1 dev wlan0 metric 1")
        async with Daemon(settings("wlan0", "wwan0"), tmp_path / "journal") as daemon:
            assert [i.name for i in daemon.underlay.interfaces] == ["wlan0"]
            assert daemon.warnings == ["there is no interface wwan0 yet: it is used as soon as it appears"]
            make_interface("wwan0", "198.51.100.5/24", "2001:db8:2::5/64")
            ip("route append default via 198.51.100.1 dev wwan0")
            ip("-6 route add default via 2001:db8:2::1 dev wwan0")
            await until(lambda: daemon.rloc("wwan0", 6) and daemon.underlay.interface("wwan0").v6.routed, "wwan0")
            await until(lambda: "198.51.100.1" in ip("route show table 6 default"), "table 6")
            ip("link set wlan0 down")
            await until(lambda: not daemon.underlay.interface("wlan0").up, "wlan0 is down")
            await until(lambda: len(main_defaults()) == 2, "its default is gone")
            ip("link del wlan0")
            await until(lambda: daemon.underlay.interface("wlan0") is None, "wlan0 is gone")
            await until(lambda: "lookup 5" not in ip("rule"), "its rule is gone")
            assert main_defaults()[0] == LMN0
        assert main_defaults() == ["default via 198.51.100.1 dev wwan0"]
        assert main_defaults(6) == ["default via 2001:db8:2::1 dev wwan0 metric 1024 pref medium"]
        assert "lookup 6" not in ip("rule") + ip("-6 rule")
        # A table that never was and one that is empty are the same to the kernel's users.
        assert not ip("route show table all").count("table 6")

    run(host_ns, story)


def test_a_dhcp_client_that_adds_a_default_without_metric_is_not_refused(host_ns: Namespace, tmp_path: Path) -> None:
    """As dhclient-script does; beside another default it would be refused without us too."""

    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        make_interface("wwan0")
        halves = [f"{half} dev lmn0 scope link src {EID4}" for half in ("0.0.0.0/1", "128.0.0.0/1")]
        async with Daemon(settings("wlan0", "wwan0"), tmp_path / "journal") as daemon:
            shown = [line.strip() for line in ip("route show").splitlines()]
            assert [line for line in shown if "lmn0" in line] == halves
            for name, address, router in (
                ("wlan0", "192.0.2.5", "192.0.2.1"),
                ("wwan0", "198.51.100.5", "198.51.100.1"),
                ("wlan0", "192.0.2.6", "192.0.2.2"),
            ):
                ip(f"addr replace {address}/24 dev {name}")
                ip(f"route add default via {router} dev {name}")
                now = [LMN0, f"default via {router} dev {name} metric 100"]
                await until(lambda now=now: main_defaults() == now, f"{name} has its default")
                await until(lambda: "/1 dev lmn0" not in ip("route show"), "the halves are gone")
                ip(f"addr flush dev {name}")
                await until(lambda: main_defaults() == [] and ip("route show").count("/1 dev lmn0") == 2, "room again")
                assert "dev lmn0" in ip("route get 203.0.113.99")
            ip("addr add 192.0.2.6/24 dev wlan0")
            ip("route add default via 192.0.2.2 dev wlan0")
            assert daemon.warnings == []
        assert main_defaults() == ["default via 192.0.2.2 dev wlan0"]
        assert "lmn0" not in ip("route show table all")

    run(host_ns, story)


def test_an_interface_that_comes_back_with_another_number(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            first = daemon.underlay.interfaces[0].index
            ip("link set wlan0 down")
            ip("link set wlan0 name other")
            await until(lambda: not daemon.underlay.interfaces, "renamed")
            ip("link add wlan0 type veth peer name fresh")
            ip("link set fresh up")
            ip("link set wlan0 up")
            ip("addr add 192.0.2.6/24 dev wlan0")
            await until(lambda: daemon.rloc("wlan0") == "192.0.2.6", "the new one")
            assert daemon.underlay.interfaces[0].index != first
            await until(lambda: "from 192.0.2.6 lookup 5" in ip("rule"), "its rule")
            await until(lambda: "from 192.0.2.5" not in ip("rule"), "the old rule is gone")

    run(host_ns, story)


def test_the_mtu_follows_the_network(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        async with Daemon(settings("wlan0"), tmp_path / "journal"):
            for wire, tunnel in ((1400, 1344), (1300, 1280), (1500, 1444)):
                ip(f"link set wlan0 mtu {wire}")
                await until(lambda tunnel=tunnel: f"mtu {tunnel} " in ip("link show lmn0"), f"MTU {tunnel}")
            assert EID6 in ip("addr show lmn0")

    run(host_ns, story)


def test_a_new_address_is_told_and_its_rule_is_there_before_the_old_goes(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        ip("route add default via 192.0.2.1 dev wlan0")
        seen: list[str] = []
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            daemon.host._on_underlay = lambda _underlay: seen.append(ip("rule"))
            ip("addr add 192.0.2.6/24 dev wlan0")
            ip("route replace default via 192.0.2.1 dev wlan0 src 192.0.2.6")
            await until(lambda: seen, "told")
            await until(lambda: "from 192.0.2.5 " not in ip("rule"), "the old rule goes")
            assert "from 192.0.2.5 lookup 5" in seen[0]
            assert "from 192.0.2.6 lookup 5" in seen[0]

    run(host_ns, story)


def _send_pinned(underlay: Underlay, name: str) -> None:
    """Send a datagram far away as the daemon does: with its source and its interface."""
    interface = underlay.interface(name)
    for attachment in (interface.v4, interface.v6) if interface else ():
        if attachment is None:
            continue
        source = attachment.address
        with socket.socket(socket.AF_INET if source.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            if source.version == 4:
                info = struct.pack("=I4s4s", interface.index, source.packed, bytes(4))
                control = [(socket.IPPROTO_IP, 8, info)]
            else:
                info = struct.pack("=16sI", source.packed, interface.index)
                control = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)]
            far = "203.0.113.77" if source.version == 4 else "2001:db8:9::77"
            with suppress(OSError):  # no route: as it should be where there is no default yet
                sock.sendmsg([b"own"], control, 0, (far, 4342))


def _tunnelled_sources(fd: int) -> set[str]:
    found = set()
    while True:
        try:
            packet = os.read(fd, 65536)
        except BlockingIOError:
            return found
        found.add(str(ip_address(packet[12:16] if packet[0] >> 4 == 4 else packet[8:24])))


def test_own_packets_never_enter_the_tunnel(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24", "2001:db8:1::5/64")
        ip("route add default via 192.0.2.1 dev wlan0")
        ip("-6 route add default via 2001:db8:1::1 dev wlan0")
        make_interface("wwan0")
        told: list[Underlay] = []

        async with Daemon(settings("wlan0", "wwan0"), tmp_path / "journal") as daemon:

            def at_once(underlay: Underlay) -> None:
                told.append(underlay)
                _send_pinned(underlay, "wwan0")

            daemon.host._on_underlay = at_once
            _send_pinned(daemon.underlay, "wlan0")
            ip("addr add 2001:db8:2::5/64 dev wwan0 nodad")  # no default yet: also then not through the tunnel
            ip("addr add 198.51.100.5/24 dev wwan0")
            await until(lambda: told and told[-1].interface("wwan0").v4, "wwan0 has an address")
            ip("-6 route append default via 2001:db8:2::1 dev wwan0")
            ip("route append default via 198.51.100.1 dev wwan0")
            await until(lambda: told[-1].interface("wwan0").v4.routed, "wwan0 has a default")
            ip("link set wlan0 down")
            await until(lambda: not told[-1].interface("wlan0").up, "wlan0 is down")
            _send_pinned(told[-1], "wwan0")
            await asyncio.sleep(0)
            # What has no RLOC as its source does take the tunnel, so the test would see a packet there.
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"user", ("2001:db8:9::77", 9))
            sources = _tunnelled_sources(daemon.fds[0])
            assert EID6 in sources
            assert sources <= {EID4, EID6}

    run(host_ns, story)


def test_an_rloc_given_as_an_address_brings_its_interface(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("eth7", "192.0.2.5/24", "192.0.2.50/24")
        ip("route add default via 192.0.2.1 dev eth7")
        before = host_state()
        chosen = settings()
        (first, *rest) = chosen.database
        pinned = DatabaseMapping(first.prefix, (AddressLocator(ip_address("192.0.2.50")),))
        object.__setattr__(chosen, "database", (pinned, *rest))
        async with Daemon(chosen, tmp_path / "journal") as daemon:
            assert daemon.rloc("eth7") == "192.0.2.50"
            assert "from 192.0.2.50 lookup 5" in ip("rule")
        assert host_state() == before

    run(host_ns, story)


def test_an_eid_of_two_instances_is_one_address(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        chosen = settings()
        (first, *rest) = chosen.database
        twin = DatabaseMapping(EidPrefix(first.prefix.network, InstanceId(7)), first.locators)
        object.__setattr__(chosen, "database", (first, twin, *rest))
        async with Daemon(chosen, tmp_path / "journal"):
            assert ip("-4 addr show lmn0").count("inet ") == 1

    run(host_ns, story)


def test_an_eid_that_another_interface_has(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24", f"{EID4}/32")
        before = host_state()
        with pytest.raises(HostError, match=f"EID {EID4} is already an address of wlan0"):
            async with Daemon(settings("wlan0"), tmp_path / "journal"):
                pass
        assert host_state() == before
        assert not (tmp_path / "journal").exists()

    run(host_ns, story)


def test_a_quarrel_over_the_default_is_ended_by_waiting(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        ip("route add default via 192.0.2.1 dev wlan0")
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:

            def quarrel() -> bool:
                if main_defaults()[0] == LMN0:
                    ip("route replace default via 192.0.2.1 dev wlan0")
                return bool(daemon.warnings)

            await until(quarrel, "the daemon gives way")
            assert "another program changes the default route" in daemon.warnings[0]
        assert main_defaults() == ["default via 192.0.2.1 dev wlan0"]

    run(host_ns, story)


def test_an_address_that_stays_without_a_default_route_is_worth_a_word(
    host_ns: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "UNROUTED_S", 0.3)

    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        ip("route add default via 192.0.2.1 dev wlan0")
        make_interface("wwan0")
        async with Daemon(settings("wlan0", "wwan0"), tmp_path / "journal") as daemon:
            ip("addr add 198.51.100.5/24 dev wwan0")
            await until(lambda: daemon.warnings, "the warning")
            assert "wwan0 has an IPv4 address but no default route" in daemon.warnings[0]
            ip("route add default via 198.51.100.1 dev wwan0 metric 600")
            await until(lambda: daemon.underlay.interface("wwan0").v4.routed, "the route")
            assert len(daemon.warnings) == 1

    run(host_ns, story)
