from __future__ import annotations

from ipaddress import ip_address

import pytest

from lispfast.config import parse
from lispfast.model.addresses import EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.settings import (
    DEFAULT_TTL,
    AddressLocator,
    DatabaseMapping,
    Forwarding,
    Hints,
    InterfaceLocator,
    Key,
    KeyType,
    MapServerSettings,
    Mode,
    Probing,
    Profile,
    ProxyEtr,
    Settings,
    Site,
    TunnelRoutes,
    UdpChecksum,
)
from lispfast.model.units import Minutes, Seconds

from .samples import MAP_SERVER, MAPPING, NODE, RESOLVER, SERVER, said_after_node, settings

SECRET = Key(b"secret", KeyType.HMAC_SHA256)
V4 = EidPrefix.parse("203.0.113.7/32")


def test_the_smallest_node_has_the_defaults() -> None:
    assert settings(NODE) == Settings(
        Mode.MN,
        map_servers=(MapServerSettings(ip_address("198.51.100.1"), SECRET),),
        map_resolvers=(ip_address("198.51.100.2"),),
        database=(DatabaseMapping(V4, (InterfaceLocator("wlan0", 4), InterfaceLocator("wlan0", 6)), DEFAULT_TTL),),
    )


def test_the_smallest_map_server() -> None:
    site = Site(EidPrefix.parse("203.0.113.0/24"), SECRET)
    assert settings(MAP_SERVER) == Settings(Mode.MS, sites=(site,))


@pytest.mark.parametrize("line", ["operating-mode = MN", "Operating-Mode = mn", "router-mode = off", ""])
def test_ways_to_say_mobile_node(line: str) -> None:
    assert settings(NODE + line).mode is Mode.MN


@pytest.mark.parametrize(
    ("text", "level"), [("on", 1), ("off", 0), ("0", 0), ("1", 1), ("2", 2), ("3", 3), ("Yes", 1), ("false", 0)]
)
def test_debug_as_a_flag_and_as_a_level(text: str, level: int) -> None:
    assert settings(NODE + f"debug = {text}").debug == level


def test_general_keys() -> None:
    found = settings(
        NODE
        + "map-request-retries = 0x3\nencapsulation = lisp\ntunnel-routes = halves\n"
        + 'state-dir = /var/lib/x\ncontrol-socket = "/run/x y"\n'
    )
    assert found.map_request_retries == 3
    assert found.tunnel_routes is TunnelRoutes.HALVES
    assert (found.state_dir, found.control_socket) == ("/var/lib/x", "/run/x y")


def test_the_keys_of_the_data_plane() -> None:
    assert settings(NODE).forwarding == Forwarding()
    text = "offload = off workers = 3 source-ports = 1 udp-checksum = zero mss-clamp = yes encapsulation = vxlan-gpe"
    expected = Forwarding(False, 3, 1, UdpChecksum.ZERO, True, Encapsulation.VXLAN_GPE)
    assert settings(NODE + text).forwarding == expected
    assert settings(NODE + "workers = Auto").forwarding.workers == 0


def test_the_form_of_a_locator_is_the_nodes_own_unless_it_is_named() -> None:
    text = """static-map-cache { eid-prefix = 192.0.2.0/25 rloc = 198.51.100.7 encapsulation = lisp-gpe
            rloc-address { address = 198.51.100.8 }
            rloc-address { address = 198.51.100.9 encapsulation = VXLAN-GPE } }
        proxy-etr { address = 192.0.2.1 encapsulation = LISP-GPE }
        proxy-etr-ipv6 { address = 192.0.2.2 }"""
    found = settings(NODE + "encapsulation = VXLAN-GPE\n" + text)
    (mapping,) = found.static_map_cache
    forms = [Encapsulation.LISP_GPE, None, Encapsulation.VXLAN_GPE]
    assert [locator.encapsulation for locator in mapping.locators] == forms
    assert [proxy.encapsulation for proxy in found.proxy_etrs] == [Encapsulation.LISP_GPE, None]


def test_our_own_locators_name_no_form() -> None:
    """Whoever sends to them chooses it."""
    text = "database-mapping { eid-prefix = 203.0.113.9/32 rloc-address { address = 192.0.2.9 encapsulation = LISP } }"
    (problem,) = said_after_node(text)
    assert problem.endswith('unknown key "encapsulation" in rloc-address (of one locator: in proxy-etr, or in the '
                            'rloc-address of static-map-cache)')  # fmt: skip


@pytest.mark.parametrize("line", ["operating-mode = xTR", "operating-mode = XTR", "router-mode = on"])
def test_an_xtr_has_eid_prefixes_of_any_length_in_several_instance_ids(line: str) -> None:
    text = """
        database-mapping { eid-prefix = 198.18.0.0/16 rloc-iface { interface = eth0 } }
        database-mapping { eid-prefix = 198.18.7.0/24 rloc-iface { interface = eth1 } }
        database-mapping { eid-prefix = 2001:db8:e::/48 iid = 7 interface = eth0 }
        """
    found = settings(SERVER + RESOLVER + line + text)
    assert found.mode is Mode.XTR
    assert [str(mapping.prefix) for mapping in found.database] == [
        "198.18.0.0/16",
        "198.18.7.0/24",
        "[7]2001:db8:e::/48",
    ]


def test_what_the_public_profile_forbids_and_the_private_one_has() -> None:
    assert settings(NODE).profile is Profile.PUBLIC
    assert settings(NODE + "profile = PUBLIC").hints == Hints()
    text = "profile = private echo-nonce = on map-versioning = on locator-status-bits = on"
    found = settings(NODE.replace("interface", "map-version = 4095 interface") + text)
    assert (found.profile, found.hints) == (Profile.PRIVATE, Hints(True, True, True))
    assert found.database[0].version == 4095


def test_policy_keys() -> None:
    text = """rloc-lookup = off map-cache-size = 100
        allowed-dst-eids = { 192.0.2.0/24, [0]198.18.0.0/15 }
        allowed-dst-eids += { 2001:db8:e::/48 }"""
    found = settings(NODE + text)
    assert (found.native_forward, found.rloc_lookup, found.map_cache_size) == (False, False, 100)
    prefixes = ["192.0.2.0/24", "198.18.0.0/15", "2001:db8:e::/48"]
    assert found.allowed_destinations == tuple(EidPrefix.parse(text) for text in prefixes)
    other = NODE.replace("interface", "iid = 7 interface")
    assert settings(other + "allowed-dst-eids = { [7]192.0.2.0/24 }").allowed_destinations == (
        EidPrefix.parse("192.0.2.0/24", 7),
    )


def test_native_forward_is_taken_with_a_warning() -> None:
    loaded = parse(NODE + "native-forward = on")
    assert loaded.settings is not None
    assert loaded.settings.native_forward
    (problem,) = loaded.warnings
    assert "the access network must route it" in problem.text


def test_ids_with_and_without_dashes() -> None:
    text = "xtr-id = 00112233-4455-6677-8899-aabbCCDDEEFF\nsite-id = 0011223344556677"
    found = settings(NODE + text)
    assert found.xtr_id == bytes.fromhex("00112233445566778899aabbccddeeff")
    assert found.site_id == bytes.fromhex("0011223344556677")
    assert (settings(NODE).xtr_id, settings(NODE).site_id) == (None, bytes(8))


def test_probing() -> None:
    text = "rloc-probing { rloc-probe-interval = %d rloc-probe-retries = 5 rloc-probe-retries-interval = 9 }"
    assert settings(NODE + text % 60).probing == Probing(Seconds(60), 5, Seconds(9))
    assert settings(NODE + text % 0).probing.interval == 0
    assert settings(NODE + "rloc-probing { rloc-probe-interval = 3 }").probing == Probing(Seconds(3), 2, Seconds(3))
    assert settings(NODE + "rloc-probing {}").probing == Probing()


def test_map_resolvers_come_as_scalar_list_and_in_parts() -> None:
    text = (
        "map-resolver = 192.0.2.1\nmap-resolver = { 192.0.2.2, 2001:db8::2 }\nmap-resolver += { 192.0.2.3 192.0.2.4 }"
    )
    found = [str(address) for address in settings(SERVER + MAPPING + text).map_resolvers]
    assert found == ["192.0.2.1", "192.0.2.2", "2001:db8::2", "192.0.2.3", "192.0.2.4"]


def test_map_servers() -> None:
    text = "map-server { address = 2001:db8::5 key-type = hmac-sha-256 key = foo%bar key-id = 9 proxy-reply = on }\n"
    second = settings(NODE + text).map_servers[1]
    assert second == MapServerSettings(ip_address("2001:db8::5"), Key(b"foo%bar", KeyType.HMAC_SHA256, 9), True)


def test_early_locators_of_both_families() -> None:
    text = (
        SERVER + RESOLVER + "database-mapping { eid-prefix = 203.0.113.7/32 interface = wlan0 priority = 3 weight = 4 }"
    )
    assert settings(text).database[0].locators == (
        InterfaceLocator("wlan0", 4, 3, 4),
        InterfaceLocator("wlan0", 6, 3, 4),
    )


def test_early_locators_by_family_and_one_left_out() -> None:
    start = SERVER + RESOLVER + "database-mapping { eid-prefix = 203.0.113.7/32 iid = 5 interface = wlan0 "
    both = "priority_v4 = 1 weight_v4 = 2 priority_v6 = 3 weight_v6 = 4 }"
    found = settings(start + both).database[0]
    assert found.locators == (InterfaceLocator("wlan0", 4, 1, 2), InterfaceLocator("wlan0", 6, 3, 4))
    assert found.prefix == EidPrefix.parse("203.0.113.7/32", 5)
    only_v6 = settings(start + "priority_v4 = -1 }").database[0].locators
    assert only_v6 == (InterfaceLocator("wlan0", 6),)


def test_early_sections_for_each_interface_go_together() -> None:
    second = "database-mapping { eid-prefix = 203.0.113.7/32 interface = wwan0 priority_v6 = -1 priority_v4 = 2 }\n"
    other = "database-mapping { eid-prefix = 2001:db8:e::7/128 interface = wlan0 }\n"
    found = settings(NODE + other + second)
    assert [str(mapping.prefix) for mapping in found.database] == ["203.0.113.7/32", "2001:db8:e::7/128"]
    assert found.database[0].locators[2:] == (InterfaceLocator("wwan0", 4, 2),)
    assert found.interfaces == ("wlan0", "wwan0")


def test_later_locators_keep_the_order_of_the_file() -> None:
    text = """database-mapping {
        eid-prefix = 203.0.113.7/32
        ttl = 60
        rloc-address { address = 192.0.2.9 priority = 2 weight = 3 }
        rloc-iface{ interface = wwan0 ip_version = 6 priority = 255 weight = 0 }
        rloc-iface { interface = wlan0 }
    }"""
    found = settings(SERVER + RESOLVER + text).database[0]
    assert found.ttl == 60
    assert found.locators == (
        AddressLocator(ip_address("192.0.2.9"), 2, 3),
        InterfaceLocator("wwan0", 6, 255, 0),
        InterfaceLocator("wlan0", 4, 1, 100),
    )


def test_another_nodes_locator() -> None:
    server = SERVER.replace("}", "proxy-reply = on }")
    text = "database-mapping { eid-prefix = 203.0.113.7/32 rloc-address { address = 192.0.2.9 local = false } }"
    (locator,) = settings(server + RESOLVER + text).database[0].locators
    assert locator == AddressLocator(ip_address("192.0.2.9"), local=False)


def test_proxies_of_every_release() -> None:
    text = """proxy-etr = 192.0.2.1
        proxy-etr { address = 192.0.2.2 priority = 2 weight = 3 }
        proxy-etr-ipv4 { address = 192.0.2.3 }
        proxy-etr-ipv6 { address = 192.0.2.4 }
        proxy-itrs = { 192.0.2.5, 2001:db8::5 }
        proxy-itrs = { 192.0.2.6 }"""
    found = settings(NODE + text)
    assert found.proxy_etrs == (
        ProxyEtr(ip_address("192.0.2.1")),
        ProxyEtr(ip_address("192.0.2.2"), 2, 3),
        ProxyEtr(ip_address("192.0.2.3"), versions=(4,)),
        ProxyEtr(ip_address("192.0.2.4"), versions=(6,)),
    )
    assert [str(address) for address in found.proxy_itrs] == ["192.0.2.5", "2001:db8::5", "192.0.2.6"]


def test_static_map_cache_early_and_later() -> None:
    text = """static-map-cache { eid-prefix = 192.0.2.0/25 rloc = 198.51.100.7 priority = 2 weight = 3 }
        static-map-cache { eid-prefix = 192.0.2.0/25 iid = 1
            rloc-address { address = 198.51.100.8 priority = 4 weight = 5 }
            rloc-address { address = 2001:db8::8 }
        }"""
    assert settings(NODE + text).static_map_cache == (
        Mapping(EidPrefix.parse("192.0.2.0/25"), (Locator(ip_address("198.51.100.7"), 2, 3),), DEFAULT_TTL),
        Mapping(
            EidPrefix.parse("192.0.2.0/25", 1),
            (Locator(ip_address("198.51.100.8"), 4, 5), Locator(ip_address("2001:db8::8"))),
            DEFAULT_TTL,
        ),
    )


def test_sites_and_static_registrations() -> None:
    text = """operating-mode = MS
        lisp-site { eid-prefix = 2001:db8:e::/48 iid = 3 key-type = 2 key = k key-id = 1
            accept-more-specifics = true proxy-reply = true }
        ms-static-registered-site { eid-prefix = 192.0.2.0/24 ttl = 5 rloc-address { address = 198.51.100.7 } }"""
    found = settings(text)
    key = Key(b"k", KeyType.HMAC_SHA256, 1)
    assert found.sites == (Site(EidPrefix.parse("2001:db8:e::/48", 3), key, True, True),)
    locator = Locator(ip_address("198.51.100.7"))
    assert found.static_registrations == (Mapping(EidPrefix.parse("192.0.2.0/24"), (locator,), Minutes(5)),)
