from __future__ import annotations

from ipaddress import ip_address

from lispfast.config import parse
from lispfast.lab import lispconf
from lispfast.model.settings import InterfaceLocator, KeyType, Mode


def test_a_mobile_nodes_file_says_what_was_asked_for() -> None:
    node = lispconf.MobileNode(["172.16.1.1/32", "fd10::1:1/128"], ["wlan0", "wwan0"], "203.0.113.130", "secret")
    loaded = parse(node.render(), "lispd.conf")
    assert loaded.problems == ()
    settings = loaded.settings
    assert settings is not None
    assert settings.mode is Mode.MN
    assert settings.interfaces == ("wlan0", "wwan0")
    assert [str(mapping.prefix) for mapping in settings.database] == ["172.16.1.1/32", "fd10::1:1/128"]
    assert settings.database[0].locators == (
        InterfaceLocator("wlan0", 4, 1, 100),
        InterfaceLocator("wlan0", 6, 2, 100),
        InterfaceLocator("wwan0", 4, 1, 100),
        InterfaceLocator("wwan0", 6, 2, 100),
    )
    (server,) = settings.map_servers
    assert (server.address, server.proxy_reply) == (ip_address("203.0.113.130"), False)
    assert (server.key.secret, server.key.algorithm) == (b"secret", KeyType.HMAC_SHA256)


def test_a_map_servers_file_says_what_was_asked_for() -> None:
    loaded = parse(lispconf.MapServer(["172.16.0.0/16", "fd10::/64"], "secret").render(), "lispd.conf")
    assert loaded.problems == ()
    settings = loaded.settings
    assert settings is not None
    assert settings.mode is Mode.MS
    assert [str(site.prefix) for site in settings.sites] == ["172.16.0.0/16", "fd10::/64"]
    assert all(site.accept_more_specifics and site.key.secret == b"secret" for site in settings.sites)
