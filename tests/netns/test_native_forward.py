"""Natively forwarded packets keep their EID: they come back where the access network routes it, and nowhere else."""

from __future__ import annotations

import time
from functools import partial

import pytest

from lispfast.lab import Host, Lab, Node, lispconf, until

from .sites import BOUND_S, HOSTS, KEY, PHONE, SITES, Sites, Stream, ping, rloc

SERVER = {4: "198.18.0.10", 6: "2001:db8:99::10"}
GATEWAY = {4: "198.18.0.1", 6: "2001:db8:99::1"}


@pytest.fixture
def sites(lab: Lab) -> Sites:
    """With a server on the router that knows nothing of LISP."""
    made = Sites(lab)
    server = lab.host("server")
    ours, theirs = lab.link(made.router, "to-server", server, "eth0")
    for end, addresses in ((ours, GATEWAY), (theirs, SERVER)):
        end.up()
        end.add_address(f"{addresses[4]}/24", f"{addresses[6]}/64")
    until(lambda: ours.running() and theirs.running(), BOUND_S, "the server's link")
    theirs.add_default(*GATEWAY.values())
    return made


def start_phone(sites: Sites, native: str) -> Node:
    sites.start("a")
    prefixes = [f"{PHONE[4]}/32", f"{PHONE[6]}/128"]
    extra = f"native-forward = {native}\n"
    conf = lispconf.MobileNode(prefixes, ("wlan0",), rloc("ms", 4), KEY, proxy_reply=True, extra=extra)
    node = sites.nodes["phone"] = Node(sites.phone, conf.render())
    node.start()
    node.wait_ready()
    node.wait_event("map-notify-received", BOUND_S)
    return node


def route_to(sites: Sites, version: int, prefix: str, net: str) -> None:
    """The access network routes an EID-prefix to its node."""
    sites.router.run("ip", f"-{version}", "route", "add", prefix, "via", rloc(net, version), "dev", f"to-{net}")


def answered(host: Host, to: str) -> bool:
    return " 0% packet loss" in ping(host, to, 1, check=False)


def test_where_the_access_network_routes_the_eid_a_node_talks_to_who_is_not_in_lisp(sites: Sites) -> None:
    start_phone(sites, "on")
    for version in (4, 6):
        route_to(sites, version, PHONE[version], "phone")
        until(partial(answered, sites.phone, SERVER[version]), BOUND_S, f"IPv{version} to the server and back")
        stream = Stream(sites.phone, sites.lab.hosts["server"], SERVER[version])
        assert stream.peer[0] == PHONE[version], "the server sees the EID"
        stream.exchange()
        stream.close()
        assert answered(sites.phone, HOSTS["a"][version]), "who is in LISP is reached as ever"


def test_where_the_access_network_filters_by_source_nothing_comes_back(sites: Sites) -> None:
    start_phone(sites, "on")
    for name in ("all", "to-phone"):
        sites.router.sysctl(f"net.ipv4.conf.{name}.rp_filter", 1)
    assert not answered(sites.phone, SERVER[4])
    assert not answered(sites.phone, SERVER[4])
    for name in ("all", "to-phone"):
        sites.router.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
    route_to(sites, 4, PHONE[4], "phone")
    until(partial(answered, sites.phone, SERVER[4]), BOUND_S, "the same without the filter and with a route")


def test_where_it_is_off_an_application_hears_at_once_that_there_is_no_way(sites: Sites) -> None:
    node = start_phone(sites, "off")
    route_to(sites, 4, PHONE[4], "phone")
    assert not answered(sites.phone, SERVER[4])  # the first packet waits for the Map-Reply
    began = time.monotonic()
    assert "Unreachable" in ping(sites.phone, SERVER[4], 1, check=False)
    assert time.monotonic() - began < BOUND_S
    assert "CapEff" in sites.phone.run("cat", f"/proc/{node.process.pid}/status")
    assert not capabilities(sites.phone, node) >> 13 & 1, "CAP_NET_RAW is given away"


def test_the_capability_is_kept_where_it_is_on(sites: Sites) -> None:
    assert capabilities(sites.phone, start_phone(sites, "on")) >> 13 & 1


def test_a_strict_filter_of_our_own_is_told_with_its_remedy(sites: Sites) -> None:
    sites.phone.sysctl("net.ipv4.conf.all.rp_filter", 1)
    node = start_phone(sites, "on")
    told = [event.fields["text"] for event in node.log.read() if event.name == "host"]
    assert any("net.ipv4.conf.wlan0.rp_filter=2" in text for text in told), told


def test_hosts_behind_an_xtr_leave_natively_too(sites: Sites) -> None:
    sites.extra = "native-forward = on\n"
    sites.start("a")
    for version in (4, 6):
        route_to(sites, version, SITES["a"][version], "a")
        until(partial(answered, sites.hosts["a"], SERVER[version]), BOUND_S, f"IPv{version} from behind the xTR")


def capabilities(host: Host, node: Node) -> int:
    lines = host.run("cat", f"/proc/{node.process.pid}/status").splitlines()
    return int(next(line for line in lines if line.startswith("CapEff")).split()[1], 16)
