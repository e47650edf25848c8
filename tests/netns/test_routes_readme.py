"""What `ip` shows is what LISPmob's README shows, and afterwards everything is as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from lispfast.lab.namespace import Namespace

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
    show,
)

pytestmark = pytest.mark.netns


def test_one_interface(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24", "2001:db8:1::5/64")
        ip("route add default via 192.0.2.1 dev wlan0")
        ip("-6 route add default via 2001:db8:1::1 dev wlan0 metric 1")
        before = host_state()
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            assert daemon.warnings == []
            assert main_defaults(4) == [
                f"default dev lmn0 scope link src {EID4}",
                "default via 192.0.2.1 dev wlan0 metric 100",
            ]
            assert main_defaults(6) == [
                f"default dev lmn0 src {EID6} metric 1 pref medium",
                "default via 2001:db8:1::1 dev wlan0 metric 100 pref medium",
            ]
            assert ip("rule").split("\n")[1] == "1:\tfrom 192.0.2.5 lookup 5"
            assert ip("-6 rule").split("\n")[1] == "1:\tfrom 2001:db8:1::5 lookup 5"
            assert [line.strip() for line in ip("route show table 5").splitlines()] == [
                "default via 192.0.2.1 dev wlan0",
                "192.0.2.0/24 dev wlan0 scope link src 192.0.2.5",
            ]
            assert "default via 2001:db8:1::1 dev wlan0 metric 1024 pref medium" in ip("-6 route show table 5")
            (link,) = show("link show lmn0")
            assert link["mtu"] == 1444
            assert link["txqlen"] == 1000
            assert link["inet6_addr_gen_mode"] == "none"
            assert "MULTICAST" not in link["flags"]
            assert "UP" in link["flags"]
            addresses = {entry["local"]: entry["prefixlen"] for entry in show("addr show lmn0")[0]["addr_info"]}
            assert addresses == {EID4: 32, EID6: 128}
            assert f"{EID4} dev lmn0 src" not in ip("route get 198.51.100.1")
            assert "dev lmn0" in ip("route get 198.51.100.1")
            assert "via 192.0.2.1 dev wlan0" in ip("route get 198.51.100.1 from 192.0.2.5")
        assert host_state() == before
        assert not (tmp_path / "journal").exists()

    run(host_ns, story)


def test_two_interfaces(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24", "2001:db8:1::5/64")
        make_interface("wwan0", "198.51.100.5/24", "2001:db8:2::5/64")
        ip("route add default via 192.0.2.1 dev wlan0")
        ip("route append default via 198.51.100.1 dev wwan0")
        ip("-6 route add default via 2001:db8:1::1 dev wlan0")
        before = host_state()
        async with Daemon(settings("wlan0", "wwan0"), tmp_path / "journal") as daemon:
            assert daemon.warnings == []
            assert main_defaults(4) == [
                f"default dev lmn0 scope link src {EID4}",
                "default via 192.0.2.1 dev wlan0 metric 100",
                "default via 198.51.100.1 dev wwan0 metric 101",
            ]
            # At 1024 it does not beat lmn0's, so it stays as it is.
            assert "default via 2001:db8:1::1 dev wlan0 metric 1024 pref medium" in main_defaults(6)
            assert set(ip("rule").split("\n")[1:3]) == {
                "1:\tfrom 192.0.2.5 lookup 5",
                "1:\tfrom 198.51.100.5 lookup 6",
            }
            assert ip("route show table 6 default").strip() == "default via 198.51.100.1 dev wwan0"
            # wwan0 has no IPv6 default: what comes from its address must not fall through into the tunnel.
            with pytest.raises(AssertionError, match="No route to host"):
                ip("-6 route get 2001:db8:9::1 from 2001:db8:2::5")
            assert "via 198.51.100.1 dev wwan0" in ip("route get 203.0.113.99 from 198.51.100.5")
            assert daemon.rloc("wlan0") == "192.0.2.5"
            assert daemon.rloc("wwan0", 6) == "2001:db8:2::5"
        assert host_state() == before

    run(host_ns, story)


DHCP_DEFAULTS = [
    "default via 192.0.2.1 dev wlan0 proto dhcp src 192.0.2.5 metric 100",
    "default via 192.0.2.1 dev wlan0 proto dhcp src 192.0.2.5",
    "default via 192.0.2.1 dev wlan0 proto dhcp src 192.0.2.5 mtu lock 1400 advmss 1300 quickack 1",
    "default via 203.0.113.250 dev wlan0 onlink",
    "default dev wlan0 scope link",
    "default nexthop via 192.0.2.1 dev wlan0 weight 3 nexthop via 192.0.2.2 dev wlan0 weight 1",
    "default nexthop via 192.0.2.1 dev wlan0 onlink nexthop via 198.51.100.1 dev eth1",
    "default nhid 77",
    "default via inet6 fe80::1 dev wlan0",
    "default via 192.0.2.1 dev wlan0 realm 5 initcwnd 20 ttl-propagate enabled",
    "unreachable default",
]


@pytest.mark.parametrize("default", DHCP_DEFAULTS)
def test_every_attribute_of_a_default_survives(host_ns: Namespace, tmp_path: Path, default: str) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        make_interface("eth1", "198.51.100.5/24")
        ip("nexthop add id 77 via 192.0.2.1 dev wlan0")
        ip(f"-4 route add {default}")
        before = host_state()
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            assert daemon.warnings == []
            shown = main_defaults(4)
            assert shown[0] == f"default dev lmn0 scope link src {EID4}"
            moved = ip("-d route show default metric 100")
            assert "onlink" not in default or "onlink" in moved
            assert "mtu lock" not in default or "mtu lock 1400 advmss 1300" in moved
            assert "nhid" not in default or "nhid 77" in moved
            assert len(show("-4 route show default")) == 2
        assert host_state() == before

    run(host_ns, story)


@pytest.mark.parametrize(
    "default",
    [
        "default via 2001:db8:1::1 dev wlan0 metric 1 proto static mtu 1400 pref high",
        "default metric 1 nexthop via 2001:db8:1::1 dev wlan0 weight 2 nexthop via 2001:db8:1::2 dev wlan0",
        "default via fe80::1 dev wlan0 metric 1 src 2001:db8:1::5",
        "default nhid 78 metric 1",
        "default dev wlan0 metric 1",
        "default via 2001:db8:1::1 dev wlan0 metric 1024",
        "default via 2001:db8:1::1 dev wlan0 proto ra metric 1024",
    ],
)
def test_every_attribute_of_an_ipv6_default_survives(host_ns: Namespace, tmp_path: Path, default: str) -> None:
    async def story() -> None:
        make_interface("wlan0", "2001:db8:1::5/64")
        ip("nexthop add id 78 via 2001:db8:1::1 dev wlan0")
        ip(f"-6 route add {default}")
        before = host_state()
        async with Daemon(settings("wlan0"), tmp_path / "journal") as daemon:
            assert daemon.warnings == []
            assert main_defaults(6)[0] == f"default dev lmn0 src {EID6} metric 1 pref medium"
            assert daemon.rloc("wlan0", 6) == "2001:db8:1::5"
            assert "dev lmn0" in ip("-6 route get 2001:db8:9::1")
            assert "dev wlan0" in ip("-6 route get 2001:db8:9::1 from 2001:db8:1::5")
        assert host_state() == before

    run(host_ns, story)


def test_a_lifetime_goes_on(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "2001:db8:1::5/64")
        ip("-6 route add default via 2001:db8:1::1 dev wlan0 metric 1 expires 900")
        async with Daemon(settings("wlan0"), tmp_path / "journal"):
            assert "expires" in ip("-6 route show default metric 100")
        assert "expires" in ip("-6 route show default metric 1")

    run(host_ns, story)


def test_halves_leave_the_physical_default_alone(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24", "2001:db8:1::5/64")
        ip("route add default via 192.0.2.1 dev wlan0")
        ip("-6 route add default via 2001:db8:1::1 dev wlan0 metric 1")
        before = host_state()
        async with Daemon(settings("wlan0", halves=True), tmp_path / "journal"):
            assert main_defaults(4) == ["default via 192.0.2.1 dev wlan0"]
            assert ip("route show 0.0.0.0/1").strip() == f"0.0.0.0/1 dev lmn0 scope link src {EID4}"
            assert ip("route show 128.0.0.0/1").strip() == f"128.0.0.0/1 dev lmn0 scope link src {EID4}"
            assert f"dev lmn0 src {EID6}" in ip("-6 route show ::/1")
            assert f"dev lmn0 src {EID6}" in ip("-6 route show 8000::/1")
            assert "dev lmn0" in ip("route get 198.51.100.1")
            assert "dev wlan0" in ip("route get 198.51.100.1 from 192.0.2.5")
            assert "1:\tfrom 192.0.2.5 lookup 5" in ip("rule")
        assert host_state() == before

    run(host_ns, story)


def test_a_family_without_an_eid_keeps_its_default(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24", "2001:db8:1::5/64")
        ip("route add default via 192.0.2.1 dev wlan0")
        ip("-6 route add default via 2001:db8:1::1 dev wlan0 metric 1")
        before = host_state()
        async with Daemon(settings("wlan0", v4=False), tmp_path / "journal"):
            assert main_defaults(4) == ["default via 192.0.2.1 dev wlan0"]
            assert len(main_defaults(6)) == 2
        assert host_state() == before

    run(host_ns, story)


def test_tables_in_use_are_left_alone(host_ns: Namespace, tmp_path: Path) -> None:
    async def story() -> None:
        make_interface("wlan0", "192.0.2.5/24")
        ip("route add 198.51.100.0/24 via 192.0.2.9 table 5")
        ip("rule add priority 40 from 192.0.2.77 lookup 6")
        ip("rule add priority 1 from 192.0.2.88 lookup 33")
        before = host_state()
        async with Daemon(settings("wlan0"), tmp_path / "journal"):
            assert "from 192.0.2.5 lookup 7" in ip("rule")
        assert host_state() == before

    run(host_ns, story)
