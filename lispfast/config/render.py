"""Settings as the lispd.conf that says them, keys masked: what --print-config shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lispfast.config.schema import AUTO, KEY_TYPES
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.settings import (
    AddressLocator,
    DatabaseMapping,
    Forwarding,
    InterfaceLocator,
    Key,
    KeyType,
    MapServerSettings,
    ProxyEtr,
    Settings,
    Site,
)

MASKED_KEY = "***"
_PROXY_SECTIONS = {(4, 6): "proxy-etr", (4,): "proxy-etr-ipv4", (6,): "proxy-etr-ipv6"}
_INDENT = "    "
_KEY_TYPE_NAMES = {
    algorithm: name for name, algorithm in reversed(KEY_TYPES.items()) if name.isdigit() or name == "none"
}

Pairs = Iterable[tuple[str, object]]


def render(settings: Settings) -> str:
    """A lispd.conf with every value in force. Read again it gives equal settings but for the keys' secrets."""
    blocks = [
        "# The configuration in force. Keys are masked.",
        "\n".join(_assignments(_general(settings), "")),
        *(_list("map-resolver", settings.map_resolvers)),
        *(_map_server(server) for server in settings.map_servers),
        *(_database_mapping(mapping) for mapping in settings.database),
        *(_proxy_etr(proxy) for proxy in settings.proxy_etrs),
        *(_list("proxy-itrs", settings.proxy_itrs)),
        *(_mapping("static-map-cache", mapping, with_ttl=False) for mapping in settings.static_map_cache),
        _section("rloc-probing", _probing(settings)),
        *(_site(site) for site in settings.sites),
        *(_mapping("ms-static-registered-site", m, with_ttl=True) for m in settings.static_registrations),
    ]
    return "\n\n".join(blocks) + "\n"


def _general(settings: Settings) -> Iterator[tuple[str, object]]:
    yield "operating-mode", settings.mode.value
    yield "debug", settings.debug
    yield "map-request-retries", settings.map_request_retries
    yield "tunnel-routes", settings.tunnel_routes.value
    yield from _forwarding(settings.forwarding)
    if settings.state_dir is not None:
        yield "state-dir", _quoted(settings.state_dir)
    if settings.control_socket is not None:
        yield "control-socket", _quoted(settings.control_socket)


def _forwarding(forwarding: Forwarding) -> Pairs:
    return (
        ("encapsulation", forwarding.encapsulation.value),
        ("offload", _flag(forwarding.offload)),
        ("workers", forwarding.workers or AUTO),
        ("source-ports", forwarding.source_ports),
        ("udp-checksum", forwarding.udp_checksum.value),
        ("mss-clamp", _flag(forwarding.mss_clamp)),
    )


def _probing(settings: Settings) -> Pairs:
    probing = settings.probing
    return (
        ("rloc-probe-interval", int(probing.interval)),
        ("rloc-probe-retries", probing.retries),
        ("rloc-probe-retries-interval", int(probing.retry_interval)),
    )


def _map_server(server: MapServerSettings) -> str:
    pairs = (("address", server.address), *_key(server.key), ("proxy-reply", _flag(server.proxy_reply)))
    return _section("map-server", pairs)


def _site(site: Site) -> str:
    flags = (
        ("accept-more-specifics", _flag(site.accept_more_specifics)),
        ("proxy-reply", _flag(site.proxy_reply)),
    )
    return _section("lisp-site", (*_prefix(site.prefix), *_key(site.key), *flags))


def _database_mapping(mapping: DatabaseMapping) -> str:
    locators = [_locator(locator) for locator in mapping.locators]
    return _section("database-mapping", (*_prefix(mapping.prefix), ("ttl", mapping.ttl)), locators)


def _locator(locator: InterfaceLocator | AddressLocator | Locator) -> str:
    policy = (("priority", locator.priority), ("weight", locator.weight))
    if isinstance(locator, InterfaceLocator):
        own = (("interface", _quoted(locator.interface)), ("ip_version", locator.version))
        return _section("rloc-iface", (*own, *policy))
    last = (("local", _flag(locator.local)),) if isinstance(locator, AddressLocator) else _form(locator.encapsulation)
    return _section("rloc-address", (("address", locator.address), *policy, *last))


def _form(encapsulation: Encapsulation | None) -> Pairs:
    return () if encapsulation is None else (("encapsulation", encapsulation.value),)


def _mapping(name: str, mapping: Mapping, *, with_ttl: bool) -> str:
    ttl = (("ttl", mapping.ttl),) if with_ttl else ()
    return _section(name, (*_prefix(mapping.prefix), *ttl), [_locator(locator) for locator in mapping.locators])


def _proxy_etr(proxy: ProxyEtr) -> str:
    pairs = (("address", proxy.address), ("priority", proxy.priority), ("weight", proxy.weight))
    return _section(_PROXY_SECTIONS[proxy.versions], (*pairs, *_form(proxy.encapsulation)))


def _prefix(prefix: EidPrefix) -> Pairs:
    return (("eid-prefix", prefix.network), ("iid", prefix.iid))


def _key(key: Key) -> Pairs:
    yield "key-type", _KEY_TYPE_NAMES[key.algorithm]
    if key.algorithm is not KeyType.NONE:
        yield "key", _quoted(MASKED_KEY)
    yield "key-id", key.key_id


def _flag(value: bool) -> str:
    return "on" if value else "off"


def _quoted(text: str) -> str:
    """A double-quoted string; what is no printable ASCII as bytes in hexadecimal, always two digits."""
    out = []
    for char in text:
        if char in '"\\$':
            out.append("\\" + char)
        elif " " <= char <= "~":
            out.append(char)
        else:
            out += [f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape")]
    return '"' + "".join(out) + '"'


def _list(name: str, addresses: Iterable[Address]) -> list[str]:
    lines = [f"{_INDENT}{address}" for address in addresses]
    return [f"{name} = {{\n" + ",\n".join(lines) + "\n}"] if lines else []


def _assignments(pairs: Pairs, indent: str) -> list[str]:
    pairs = tuple(pairs)
    width = max(len(name) for name, _ in pairs)
    return [f"{indent}{name:<{width}} = {value}" for name, value in pairs]


def _section(name: str, pairs: Pairs, inner: Iterable[str] = ()) -> str:
    lines = _assignments(pairs, _INDENT)
    for block in inner:
        lines += [_INDENT + line for line in block.split("\n")]
    return "\n".join([f"{name} {{", *lines, "}"])
