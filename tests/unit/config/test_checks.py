"""A problem of a section or of several together, with its place; each text stands after a sound mobile node."""

from __future__ import annotations

import pytest

from .samples import RESOLVER, said, said_after_node
from .samples import SERVER as OUR_SERVER

IGNORED = "is not supported yet and does nothing"
WEAK = "HMAC-SHA-1, is not for the public Internet"

MAPPING = "database-mapping { eid-prefix = 192.0.2.1/32"
SERVER = "map-server { address = 192.0.2.1"

TOO_MANY = "".join(f"rloc-address {{ address = 198.18.{n >> 8}.{n & 255} }}" for n in range(1, 257))

SERVERS = [
    (
        f"static-map-cache {{ eid-prefix = 192.0.2.0/24 {TOO_MANY} }}",
        "1:1: error: static-map-cache has more than 255 locators",
    ),
    (
        f"%M {TOO_MANY} }}",
        f"1:{len(MAPPING) + TOO_MANY.rindex('198') + 2}: error: 192.0.2.1/32 has more than 255 locators",
    ),
    ('%S key = "" }', "1:40: error: the key is empty"),
    ("%S }", "1:1: error: map-server has no key (it needs a password)"),
    (
        "%S key = two words }",
        "1:40: error: placeholder in place of a password: put a password here, in quotes if it has spaces",
    ),
    ("%S key = k key-type = 0 }", "1:53: error: key-type 0 is cleartext (use 2, or none to go without a password)"),
    ("%S key = k key-id = 256 }", '1:51: error: "256" is out of range (0 to 255)'),
    ("%S key = k verify = off }", "1:42: warning: verify is not supported yet and does nothing (the Map-Notify tells)"),
    (
        "map-server { address = 198.51.100.1 key = k }",
        "1:24: error: map-server 198.51.100.1 is given twice (the first is in line 1)",
    ),
    (
        "proxy-etr = 192.0.2.1\nproxy-etr-ipv6 { address = 192.0.2.1 }",
        "2:28: error: proxy-etr 192.0.2.1 is given twice for IPv6 EIDs",
    ),
    (
        "map-server { address = 203.0.113.7 key = k }",
        "1:24: error: map-server 203.0.113.7 is inside the EID-prefix 203.0.113.7/32 (it must",
    ),
    (
        "map-resolver = 203.0.113.7",
        "1:16: error: map-resolver 203.0.113.7 is inside the EID-prefix 203.0.113.7/32 (it must",
    ),
    (
        "proxy-etr { address = 192.0.2.1 priority = 255 }",
        "1:44: warning: proxy-etr 192.0.2.1 has priority 255 and is never used (0 to 254, the lowest is used)",
    ),
    ("proxy-etr = 203.0.113.7", "1:13: error: proxy-etr 203.0.113.7 is inside the EID-prefix 203.0.113.7/32 (it must"),
    (
        "proxy-itrs = { 203.0.113.7 }",
        "1:16: error: proxy-itr 203.0.113.7 is inside the EID-prefix 203.0.113.7/32 (it must",
    ),
    (
        "static-map-cache { eid-prefix = 192.0.2.0/24 rloc = 203.0.113.7 }",
        "1:53: error: locator 203.0.113.7 is inside the EID-prefix 203.0.113.7/32 (it must",
    ),
    (
        "static-map-cache { eid-prefix = 192.0.2.0/24 }",
        "1:1: error: static-map-cache 192.0.2.0/24 has no locator (rloc-address { address = ... })",
    ),
    (
        "static-map-cache { eid-prefix = 192.0.2.0/24 rloc = 198.18.0.1 }\n" * 2,
        "2:33: error: static-map-cache 192.0.2.0/24 is given twice (the first is in line 4)",
    ),
]

MAPPINGS = [
    (
        "database-mapping { interface = wlan0 }",
        "1:1: error: database-mapping has no eid-prefix (it needs an EID-prefix)",
    ),
    ("%M map-version = 0 interface = a }", '1:60: error: "0" is out of range (1 to 4095)'),
    ("%M map-version = 7 interface = a }", "1:60: warning: map-version does nothing without map-versioning"),
    (
        "operating-mode = xTR database-mapping { eid-prefix = 203.0.113.0/24 iid = 7 interface = a }",
        "1:54: error: [7]203.0.113.0/24 overlaps 203.0.113.7/32 in another instance-ID (a packet's source decides its",
    ),
    ("%M }", "1:1: error: database-mapping 192.0.2.1/32 has no locator (interface, rloc-iface or rloc-address)"),
    (
        "database-mapping { eid-prefix = 192.0.2.1/24 interface = a }",
        '1:33: error: "192.0.2.1/24" has bits set beyond its length (did you mean "192.0.2.0/24"?)',
    ),
    (
        "database-mapping { eid-prefix = 192.0.2.0/24 interface = a }",
        "1:33: error: a mobile node's EID is a host, /32 or /128, and 192.0.2.0/24 is not",
    ),
    (
        "database-mapping { eid-prefix = 224.0.0.1/32 interface = a }",
        '1:33: error: "224.0.0.1/32" is multicast: no EID can be in it',
    ),
    (
        "%M \n interface = sixteen-chars-ab }",
        '2:14: error: "sixteen-chars-ab" is no interface name (at most 15 characters)',
    ),
    ("%M interface = interface name }", '1:58: error: placeholder "interface name": put an interface name here'),
    (
        "database-mapping { eid-prefix = IPv4 or IPv6 address /mask length }",
        '1:33: error: placeholder "IPv4 or IPv6 address /mask length": put an EID-prefix here: address/length',
    ),
    ("%M interface = a priority_v4 = -2 }", '1:74: error: "-2" is out of range (-1 to 255)'),
    ("%M iid = 16777216 interface = a }", '1:52: error: "16777216" is out of range (0 to 16777215)'),
    ("%M ttl = 0 interface = a }", '1:52: error: "0" is out of range (1 to 2147483647)'),
    ("%M rloc-iface { interface = a ip_version = 5 } }", '1:86: error: "5" is not known here (one of 4, 6)'),
    (
        "%M rloc-iface { interface = a ttl = 5 } }",
        '1:73: error: unknown key "ttl" in rloc-iface (it belongs in database-mapping)',
    ),
    ("%M rloc-iface { } }", "1:46: error: rloc-iface has no interface (it needs an interface name)"),
    (
        "%M rloc-address { address = 203.0.113.7 } }",
        "1:71: error: locator 203.0.113.7 is inside the EID-prefix 203.0.113.7/32 (it must",
    ),
    (
        "database-mapping { eid-prefix = 203.0.113.7/32 interface = wlan0 priority_v4 = -1 }",
        "1:60: error: wlan0 (IPv6) is already a locator of 203.0.113.7/32",
    ),
    (
        "database-mapping { eid-prefix = 203.0.113.7/32 rloc-iface { interface = wwan0 } }",
        "1:33: error: database-mapping 203.0.113.7/32 is given twice (the first is in line 3: one section has all",
    ),
    (
        "database-mapping { eid-prefix = 203.0.113.7/32 ttl = 11 interface = b }",
        "1:54: warning: 203.0.113.7/32 has another ttl in line 3, which counts",
    ),
    (
        "database-mapping { eid-prefix = 203.0.113.7/32 iid = 1 interface = b }",
        "1:33: error: [1]203.0.113.7/32 overlaps 203.0.113.7/32 in another instance-ID (a packet's source decides",
    ),
    ("%M rloc-iface { interface = a } weight = 3 }", "1:84: warning: weight does nothing without interface"),
    (
        "%M rloc-address { address = 198.18.0.1 local = off } }",
        "1:71: warning: another node's locator is announced only by a Map-Server that answers for us",
    ),
    (
        "lisp-site { eid-prefix = 192.0.2.0/24 key = k }",
        "1:1: warning: lisp-site does nothing in a mobile node (operating-mode = MS)",
    ),
]


@pytest.mark.parametrize(("text", "problem"), SERVERS + MAPPINGS)
def test_one_problem_with_its_place(text: str, problem: str) -> None:
    found = said_after_node(text.replace("%M", MAPPING).replace("%S", SERVER))
    if IGNORED not in problem:
        found = [one for one in found if IGNORED not in one]
    found = [one for one in found if WEAK not in one]
    assert len(found) == 1
    assert found[0].startswith(problem)


OUTSIDE = OUR_SERVER + RESOLVER
SITE = """operating-mode = xTR
database-mapping { eid-prefix = 198.18.0.0/15 rloc-iface { interface = eth0 } }
database-mapping { eid-prefix = 2001:db8:e::/48 iid = 7 rloc-iface { interface = eth0 } }
"""
IN_A_SITE = [
    ("map-resolver = 198.19.255.255", "map-resolver 198.19.255.255 is inside the EID-prefix 198.18.0.0/15"),
    ("proxy-itrs = { 2001:db8:e:1::1 }", "proxy-itr 2001:db8:e:1::1 is inside the EID-prefix [7]2001:db8:e::/48"),
    (
        "static-map-cache { eid-prefix = 192.0.2.0/24 rloc = 198.18.0.1 }",
        "locator 198.18.0.1 is inside the EID-prefix 198.18.0.0/15",
    ),
    (
        "database-mapping { eid-prefix = 192.0.2.0/24 rloc-address { address = 198.18.0.1 } }",
        "locator 198.18.0.1 is inside the EID-prefix 198.18.0.0/15",
    ),
    (
        "database-mapping { eid-prefix = 198.18.7.0/24 iid = 7 rloc-iface { interface = eth1 } }",
        "[7]198.18.7.0/24 overlaps 198.18.0.0/15 in another instance-ID",
    ),
    (
        "database-mapping { eid-prefix = 198.16.0.0/12 iid = 8 rloc-iface { interface = eth1 } }",
        "[8]198.16.0.0/12 overlaps 198.18.0.0/15 in another instance-ID",
    ),
    (
        "database-mapping { eid-prefix = 198.18.0.0/15 rloc-iface { interface = eth1 } }",
        "database-mapping 198.18.0.0/15 is given twice",
    ),
    ("lisp-site { eid-prefix = 192.0.2.0/24 key-type = 2 key = k }", "lisp-site does nothing in an xTR"),
]


@pytest.mark.parametrize(("text", "problem"), IN_A_SITE)
def test_a_site_is_not_part_of_what_carries_it_nor_of_another_instance(text: str, problem: str) -> None:
    (found,) = said(OUTSIDE + SITE + text)
    assert problem in found
    assert found.startswith("6:")


def test_an_xtr_without_an_eid_prefix_has_nothing_to_do() -> None:
    (found,) = said(OUTSIDE + "operating-mode = xTR")
    assert found == "3:18: error: no database-mapping: an xTR needs an EID-prefix (database-mapping { ... })"
