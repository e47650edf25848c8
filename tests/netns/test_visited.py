"""A mobile node in a LISP site: its RLOC is an EID, and who sends to it looks up twice.

The core routes no EID but for the Map-Server's answers, so that nothing but a tunnel in a tunnel reaches the visitor.
"""

from __future__ import annotations

import json
from functools import partial

from lispfast.lab import Lab, Node, lispconf, until

from .sites import BOUND_S, HOSTS, KEY, PHONE, Sites, Stream, ping, rloc

VISITOR = "172.20.2.150"  # of site b


def visit(sites: Sites) -> Node:
    """The phone leaves its network for a second LAN of site b."""
    sites.phone.interface("wlan0").down()
    sites.phone.interface("wlan0").flush_addresses()
    ours, theirs = sites.lab.link(sites.xtrs["b"], "lan1", sites.phone, "wlan1")
    for end, address in ((ours, "172.20.2.129/25"), (theirs, f"{VISITOR}/25")):
        end.up()
        end.add_address(address)
    until(lambda: ours.running() and theirs.running(), BOUND_S, "the visitor's link")
    theirs.add_default("172.20.2.129")
    sites.router.run("ip", "rule", "add", "from", rloc("ms", 4), "to", "172.20.2.0/24", "lookup", "100")
    sites.router.run("ip", "route", "add", "172.20.2.0/24", "via", rloc("b", 4), "table", "100")
    prefixes, families = [f"{PHONE[4]}/32", f"{PHONE[6]}/128"], (4,)
    conf = lispconf.MobileNode(prefixes, ("wlan1",), rloc("ms", 4), KEY, proxy_reply=True, rloc_versions=families)
    node = sites.nodes["phone"] = Node(sites.phone, conf.render())
    node.start()
    node.wait_ready()
    node.wait_event("map-notify-received", BOUND_S)
    return node


def test_a_host_of_another_site_reaches_the_visitor_through_two_tunnels(lab: Lab) -> None:
    sites = Sites(lab, extra="native-forward = on\n")
    sites.start("a", "b")
    visit(sites)
    for version in (4, 6):
        reached = partial(_answers, sites, PHONE[version])
        until(reached, BOUND_S, f"IPv{version} to the visitor")
        stream = Stream(sites.hosts["a"], sites.phone, PHONE[version])
        assert stream.peer[0] == HOSTS["a"][version]
        stream.exchange(1_000_000)
        stream.close()
    table = json.loads(sites.nodes["a"].ctl("map-cache", "--json"))["entries"]
    locators = {entry["eid_prefix"]: [loc["address"] for loc in entry["locators"]] for entry in table}
    assert locators[f"{PHONE[4]}/32"] == [VISITOR]
    assert rloc("b", 4) in locators["172.20.2.0/24"]


def test_without_the_second_lookup_the_visitor_is_out_of_reach(lab: Lab) -> None:
    """What the first story stands on: there is no other way."""
    sites = Sites(lab, extra="native-forward = on\nrloc-lookup = off\n")
    sites.start("a", "b")
    visit(sites)
    assert not _answers(sites, PHONE[4])
    assert not _answers(sites, PHONE[4])


def _answers(sites: Sites, eid: str) -> bool:
    return " 0% packet loss" in ping(sites.hosts["a"], eid, 1, check=False)
