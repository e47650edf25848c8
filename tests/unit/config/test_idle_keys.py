"""A key that is right by itself and does nothing where it stands is told, each time, and never refused."""

from __future__ import annotations

import pytest

from lispfast.config import parse

from .samples import MAP_SERVER, NODE, RESOLVER, SERVER, said

OF_A_NODE = [
    "map-resolver = 198.51.100.2",
    "proxy-itrs = { 198.51.100.3 }",
    "allowed-dst-eids = 198.18.0.0/15",
    "map-request-retries = 3",
    "map-cache-size = 500",
    "rloc-lookup = off",
    "native-forward = on",
    "tunnel-routes = halves",
    "encapsulation = VXLAN-GPE",
    "offload = off",
    "workers = 1",
    "source-ports = 1",
    "udp-checksum = on",
    "mss-clamp = on",
    "profile = private echo-nonce = on",
    "profile = private locator-status-bits = on",
    "xtr-id = 00112233445566778899aabbccddeeff",
    "site-id = 0000000000000001",
    "rloc-probing { rloc-probe-interval = 20 }",
]


@pytest.mark.parametrize("text", OF_A_NODE)
def test_a_map_server_says_what_it_does_not_use(text: str) -> None:
    (found,) = said(MAP_SERVER + text)
    name = text.removeprefix("profile = private ").split()[0]
    assert found.startswith("3:")
    assert f"warning: {name} does nothing in a Map-Server" in found


@pytest.mark.parametrize(
    "text",
    [
        "pubsub-limit = 5",
        "profile = private map-versioning = on",
        "lisp-sec = on lisp-sec-key { key = k }",
        "debug = 1",
    ],
)
def test_a_map_server_has_keys_of_its_own(text: str) -> None:
    assert said(MAP_SERVER + text) == []


XTR = (
    "operating-mode = xTR\n"
    + SERVER
    + RESOLVER
    + "database-mapping { eid-prefix = 198.18.0.0/16 iid = 7 rloc-iface { interface = eth0 } }\n"
)


def cached(prefix: str, iid: int) -> str:
    return f"static-map-cache {{ eid-prefix = {prefix} iid = {iid} rloc = 192.0.2.1 }}"


@pytest.mark.parametrize("prefix", ["198.18.0.0/16", "198.18.7.0/24", "198.18.255.255/32"])
def test_a_mapping_inside_of_our_eid_prefix_is_never_used(prefix: str) -> None:
    (found,) = said(XTR + cached(prefix, 7))
    assert f"static-map-cache [7]{prefix} does nothing: it is inside our EID-prefix [7]198.18.0.0/16" in found
    assert parse(XTR + cached(prefix, 7), "f").settings is not None


@pytest.mark.parametrize(("prefix", "iid"), [("198.18.0.0/15", 7), ("198.19.0.0/24", 7), ("198.18.7.0/24", 8)])
def test_a_mapping_beside_or_around_our_eid_prefix_is_used(prefix: str, iid: int) -> None:
    assert said(XTR + cached(prefix, iid)) == []


def test_a_nodes_own_eid_needs_no_mapping() -> None:
    (found,) = said(NODE + cached("203.0.113.7/32", 0))
    assert "static-map-cache 203.0.113.7/32 does nothing" in found


def test_an_empty_list_of_destinations_is_none_at_all() -> None:
    (found,) = said(NODE + "allowed-dst-eids = {}")
    assert "warning: allowed-dst-eids has no EID-prefix in it, so every destination uses LISP" in found


def test_a_list_of_destinations_in_error_is_not_called_empty() -> None:
    (found,) = said(NODE + "allowed-dst-eids = { nonsense }")
    assert "error" in found
