"""A problem of a key or a value, with its place; each text stands after a sound mobile node."""

from __future__ import annotations

import pytest

from .samples import said_after_node

IGNORED = "is not supported yet and does nothing"
WEAK = "HMAC-SHA-1, is not for the public Internet"

KEYS = [
    ("map-sever { }", '1:1: error: unknown key "map-sever" (did you mean "map-server"?)'),
    ("nonsense = 1", '1:1: error: unknown key "nonsense"'),
    (
        "nat-traversal-support = on",
        '1:1: error: unknown key "nat-traversal-support" (did you mean "nat_traversal_support"?)',
    ),
    ("proxy-etr { adress = 192.0.2.1 }", '1:13: error: unknown key "adress" in proxy-etr (did you mean "address"?)'),
    ("debug { }", "1:1: error: debug is no section (debug = ...)"),
    ("debug = { 1 }", "1:1: error: debug is no list (debug = one of its words)"),
    ("map-server = 192.0.2.1", "1:1: error: map-server is a section (map-server { ... })"),
    ("rloc-probing = { a, b }", "1:1: error: rloc-probing is a section (rloc-probing { ... })"),
    ("debug = 1\ndebug = 2", "2:1: warning: debug is given twice: the last one counts"),
    ("rloc-probing {}\nrloc-probing {}", "2:1: warning: rloc-probing is given twice: the last one counts"),
    ("log-file = /x", "1:1: warning: log-file is not supported yet and does nothing (the log goes to standard error)"),
    (
        "nat-traversal { nat_aware = on }",
        "1:1: warning: nat-traversal is not supported yet and does nothing (the host needs a public RLOC)",
    ),
    (
        "nat-traversal { xtr_id = 1 }",
        "1:17: warning: xtr_id is not supported yet and does nothing (xtr-id = ... outside of nat-traversal)",
    ),
    ("nat-traversal { sit_ID = 1 }", '1:17: error: unknown key "sit_id" in nat-traversal (did you mean "site_id"?)'),
    ("rtr-ifaces { rtr-iface { iface = <x> } }", '1:34: error: placeholder "<x>": put an interface name here'),
    ("control-iface = <iface name>", '1:17: error: placeholder "<iface name>": put an interface name here'),
    ("proxy-itrs = { 192.0.2.1 192.0.2.1 }", '1:26: warning: "192.0.2.1" is already in proxy-itrs'),
]

VALUES = [
    ("debug = 4", '1:9: error: "4" is not known here (one of off, false, no, on, true, yes, 0, 1, 2, 3)'),
    ("map-request-retries = 11", '1:23: error: "11" is out of range (0 to 10)'),
    ("router-mode = maybe", '1:15: error: "maybe" is neither on nor off (on, true, yes or off, false, no)'),
    ("operating-mode = RTR", "1:18: error: operating-mode RTR is not supported yet (MN, xTR or MS)"),
    ("operating-mode = DDT-MR", "1:18: error: operating-mode DDT-MR is not supported yet (MN, xTR or MS)"),
    ("operating-mode = xTRR", '1:18: error: operating-mode "xTRR" is not known (did you mean "xtr"?)'),
    ("operating-mode = M", '1:18: error: operating-mode "M" is not known (did you mean'),
    ("encapsulation = GPE", '1:17: error: "GPE" is not known here'),
    (
        "encapsulation = lisp-gpe",
        "1:17: error: LISP-GPE is not for everybody (RFC 9305 section 5) (name it in the proxy-etr or rloc-address",
    ),
    ("proxy-etr { address = 192.0.2.1 encapsulation = VXLAN }", '1:49: error: "VXLAN" is not known here (did you mean'),
    (
        "static-map-cache { eid-prefix = 192.0.2.0/25 rloc-address { address = 198.51.100.7 encapsulation = L2 } }",
        '1:100: error: "L2" is not known here (one of LISP, LISP-GPE, VXLAN-GPE)',
    ),
    (
        "static-map-cache { eid-prefix = 192.0.2.0/25 encapsulation = LISP rloc-address { address = 198.51.100.7 } }",
        "1:62: warning: encapsulation does nothing without rloc",
    ),
    ("profile = internet", '1:11: error: "internet" is not known here (one of public, private)'),
    (
        "echo-nonce = on",
        "1:14: error: echo-nonce is not for the public Internet (RFC 9300 section 4.1) (profile = private)",
    ),
    (
        "profile = public map-versioning = on",
        "1:35: error: map-versioning is not for the public Internet (RFC 9300 section 4.1) (profile = private)",
    ),
    (
        "locator-status-bits = yes",
        "1:23: error: locator-status-bits is not for the public Internet (RFC 9300 section 4.1) (profile = private)",
    ),
    ("map-cache-size = 99", '1:18: error: "99" is out of range (100 to 10000000)'),
    ("map-cache-size = 10000001", '1:18: error: "10000001" is out of range (100 to 10000000)'),
    ("pubsub-limit = 0", '1:16: error: "0" is out of range (1 to 1000000)'),
    ("lisp-sec = maybe", '1:12: error: "maybe" is not known here (one of off, on, required)'),
    ("xtr-id = 00", '1:10: error: "00" has 2 hexadecimal digits (it needs 32)'),
    ("site-id = x", '1:11: error: "x" is not all hexadecimal digits (16 of them, dashes between allowed)'),
    ("site-id = <int>", '1:11: error: placeholder "<int>": put hexadecimal digits here'),
    ("xtr_id = 00", '1:1: error: unknown key "xtr_id" (did you mean "xtr-id"?)'),
    ("allowed-dst-eids = { 192.0.2.1/24 }", '1:22: error: "192.0.2.1/24" has bits set beyond its length'),
    ("allowed-dst-eids = { [16777216]192.0.2.0/24 }", '1:22: error: "16777216" is out of range (0 to 16777215)'),
    ("allowed-dst-eids = { <ip-prefix/mask> }", '1:22: error: placeholder "<ip-prefix/mask>": put an EID-prefix here'),
    (
        "allowed-dst-eids = { [7]192.0.2.0/24 }",
        "1:22: warning: allowed-dst-eids [7]192.0.2.0/24 is in an instance-ID that no EID of ours is in",
    ),
    ("rloc-lookup = 2", '1:15: error: "2" is neither on nor off (on, true, yes or off, false, no)'),
    ("native-forward = of", '1:18: error: "of" is neither on nor off (on, true, yes or off, false, no)'),
    ("offload = tso", '1:11: error: "tso" is neither on nor off (on, true, yes or off, false, no)'),
    ("workers = 0", '1:11: error: "0" is out of range (1 to 64)'),
    ("workers = 65", '1:11: error: "65" is out of range (1 to 64)'),
    ("workers = atuo", '1:11: error: "atuo" is neither auto nor a number (did you mean "auto"?)'),
    ("workers = many", '1:11: error: "many" is neither auto nor a number (auto, or 1 to 64)'),
    ("workers = <auto/number>", '1:11: error: placeholder "<auto/number>": put auto or a number here'),
    ("source-ports = 0", '1:16: error: "0" is out of range (1 to 64)'),
    ("source-ports = auto", '1:16: error: "auto" is no number (1 to 64)'),
    ("source-port = 4", '1:1: error: unknown key "source-port" (did you mean "source-ports"?)'),
    ("udp-checksum = none", '1:16: error: "none" is not known here'),
    ("mss-clamp = 1400", '1:13: error: "1400" is neither on nor off (on, true, yes or off, false, no)'),
    ("tunnel-routes = half", '1:17: error: "half" is not known here (did you mean "halves"?)'),
    ("state-dir = x", '1:13: error: "x" is no absolute path (start it with /)'),
    ("map-resolver = 1.2.3", '1:16: error: "1.2.3" is no IPv4 or IPv6 address'),
    (
        "map-resolver = [2001:db8::1]",
        '1:16: error: placeholder "[2001:db8::1]": put an address here (did you mean "2001:db8::1"?)',
    ),
    ("map-resolver = { address, 192.0.2.1 }", '1:18: error: placeholder "address": put an address here'),
    ("encapsulation = <LISP/VXLAN-GPE>", '1:17: error: placeholder "<LISP/VXLAN-GPE>": put LISP or VXLAN-GPE here'),
    ("proxy-etr { address = 192.0.2.1 priority = 256 }", '1:44: error: "256" is out of range (0 to 255)'),
    ("proxy-etr { priority = 1 }", "1:1: error: proxy-etr has no address (it needs an address)"),
    ("rloc-probing { rloc-probe-retries = 6 }", '1:37: error: "6" is out of range (0 to 5)'),
    (
        "rloc-probing { rloc-probe-retries-interval = 31 }",
        "1:46: error: 31 is out of range (1 to rloc-probe-interval, 30)",
    ),
]


@pytest.mark.parametrize(("text", "problem"), KEYS + VALUES)
def test_one_problem_with_its_place(text: str, problem: str) -> None:
    found = said_after_node(text)
    if "xtr_id = 1" in text:
        found = found[1:]
    if IGNORED not in problem:
        found = [one for one in found if IGNORED not in one]
    found = [one for one in found if WEAK not in one]
    assert len(found) == 1
    assert found[0].startswith(problem)
