"""xTRs with hosts behind them: who talks to whom, what the kernel must forward, a kill, a move."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from lispfast.lab import Lab, until

from .sites import BOUND_S, HOSTS, KEY, PHONE, ROUTERS, WANS, Sites, Stream, ping, rloc


@pytest.fixture
def sites(lab: Lab) -> Sites:
    return Sites(lab)


@pytest.fixture
def streams() -> Iterator[list[Stream]]:
    opened: list[Stream] = []
    yield opened
    for stream in opened:
        stream.close()


def test_hosts_of_two_sites_and_a_mobile_node_talk_both_ways(sites: Sites, streams: list[Stream]) -> None:
    sites.start()
    for version in (4, 6):
        assert " 0% packet loss" in ping(sites.hosts["a"], HOSTS["b"][version])
        assert " 0% packet loss" in ping(sites.hosts["b"], PHONE[version])
        assert " 0% packet loss" in ping(sites.phone, HOSTS["a"][version])
        assert " 0% packet loss" in ping(sites.phone, ROUTERS["b"][version]), "the xTR's own address of the site"
        for client, server, address in (
            (sites.hosts["a"], sites.hosts["b"], HOSTS["b"][version]),
            (sites.hosts["b"], sites.phone, PHONE[version]),
        ):
            stream = Stream(client, server, address)
            streams.append(stream)
            stream.exchange(2_000_000)
            assert stream.peer[0] in (HOSTS["a"][version], HOSTS["b"][version]), "no address is translated"


def test_the_site_the_uplink_and_the_xtrs_own_traffic_stay_outside_of_the_tunnel(sites: Sites) -> None:
    sites.start("a")
    xtr, before = sites.xtrs["a"], sites.nodes["a"]
    for version in (4, 6):
        ways = {
            "into the site": (HOSTS["a"][version], (), "lan0"),
            "the site to itself": (HOSTS["a"][version], ("from", HOSTS["a"][version], "iif", "lan0"), "lan0"),
            "the xTR's own": (rloc("ms", version), (), "wan0"),
            "the tunnel's own": (rloc("b", version), ("from", rloc("a", version)), "wan0"),
            "the uplink's network": (rloc("a", version, 1), ("from", HOSTS["a"][version], "iif", "lan0"), "wan0"),
            "the rest of the site": (HOSTS["b"][version], ("from", HOSTS["a"][version], "iif", "lan0"), "lmn0"),
        }
        for what, (to, words, device) in ways.items():
            (route,) = xtr.json("ip", "-j", "route", "get", to, *words)
            assert route["dev"] == device, f"{what}: {route}"
    assert [route["dev"] for route in xtr.json("ip", "-j", "route", "show", "default")] == ["wan0"]
    assert before.log.find("fault", before.started) is None


def test_an_address_of_the_site_that_nobody_has_is_unreachable_and_never_leaves(sites: Sites) -> None:
    """The LAN has the whole EID-prefix; without its route there is none to the site but the one that rejects."""
    sites.start("a")
    xtr = sites.xtrs["a"]
    xtr.run("ip", "route", "delete", "172.20.1.0/24", "dev", "lan0")
    told = xtr.run("ip", "route", "get", "172.20.1.99", "from", rloc("b", 4), "iif", "wan0", check=False)
    assert "wan0" not in told.splitlines()[0] if told else True
    assert "lmn0" not in told


def test_forwarding_that_is_off_is_said_with_the_command_that_turns_it_on(lab: Lab) -> None:
    sites = Sites(lab, forward=False).start()
    warnings = [event.fields["text"] for event in sites.nodes["a"].log.read() if event.name == "host"]
    assert [
        any(name in text for text in warnings) for name in ("net.ipv4.ip_forward=1", "ipv6.conf.all.forwarding=1")
    ] == [
        True,
        True,
    ], warnings
    assert "100% packet loss" in ping(sites.hosts["a"], HOSTS["b"][4], 1, check=False)
    for name in ("a", "b"):
        sites.xtrs[name].sysctl("net.ipv4.ip_forward", 1)
    assert " 0% packet loss" in ping(sites.hosts["a"], HOSTS["b"][4])


def test_what_a_killed_xtr_leaves_is_gone_at_the_next_start_and_at_the_end(sites: Sites) -> None:
    xtr = sites.xtrs["a"]
    before = xtr.routing()
    sites.start("a", "b")
    assert " 0% packet loss" in ping(sites.hosts["a"], HOSTS["b"][4])
    node = sites.nodes["a"]
    node.process.signal(signal.SIGKILL)
    node.process.wait(BOUND_S)
    left = xtr.run("ip", "rule", "show")
    assert "172.20.1.0/24" in left, "there is something to clean up"
    node = sites.start_node("a")
    assert any("cleaned up" in event.fields["text"] for event in node.log.read() if event.name == "host")
    node.wait_event("map-notify-received", BOUND_S)
    for version in (4, 6):
        assert " 0% packet loss" in ping(sites.hosts["a"], HOSTS["b"][version])
    rules = [rule for rule in xtr.json("ip", "-j", "rule", "show") if rule["priority"] not in (0, 32766, 32767)]
    assert len(rules) == len({str(rule) for rule in rules}), "no rule twice"
    assert node.stop() == 0
    assert xtr.routing() == before


def test_a_connection_of_a_host_survives_the_move_of_its_xtrs_uplink(sites: Sites, streams: list[Stream]) -> None:
    sites.start("a", "b")
    for version in (4, 6):
        streams.append(Stream(sites.hosts["a"], sites.hosts["b"], HOSTS["b"][version]))
    for stream in streams:
        stream.exchange()
    xtr, node = sites.xtrs["a"], sites.nodes["a"]
    sites.wan("a2", xtr, "wan1")
    xtr.interface("wan0").down()
    xtr.interface("wan0").flush_addresses()
    until(lambda: str(WANS["a2"]) in node.ctl("status", "--json"), BOUND_S, "the xTR is at its other uplink")
    for stream in streams:
        stream.exchange()


INSTANCE = """
database-mapping {
    eid-prefix = 172.21.SITE.0/24
    iid = 7
    rloc-iface {
        interface = wan0
        ip_version = 4
    }
}
"""


def test_the_source_of_a_packet_says_of_which_prefix_and_instance_it_is(sites: Sites) -> None:
    sites.extra = INSTANCE
    key = f'key-type = 2\n key = "{KEY}"\n accept-more-specifics = true\n'
    sites.server_extra = f"lisp-site {{\n eid-prefix = 172.21.0.0/16\n iid = 7\n {key}}}\n"
    for number, name in enumerate(("a", "b"), start=1):
        sites.xtrs[name].interface("lan0").add_address(f"172.21.{number}.1/24")
        sites.hosts[name].interface("eth0").add_address(f"172.21.{number}.10/24")
    sites.start("a", "b")
    source = sites.hosts["a"]
    assert " 0% packet loss" in source.run("ping", "-n", "-c", "3", "-I", "172.21.1.10", "172.21.2.10")
    assert " 0% packet loss" in source.run("ping", "-n", "-c", "3", "-I", HOSTS["a"][4], HOSTS["b"][4])
    crossed = source.run("ping", "-n", "-c", "1", "-W", "2", "-I", "172.21.1.10", HOSTS["b"][4], check=False)
    assert "100% packet loss" in crossed, "an EID of one instance is none of another's"
