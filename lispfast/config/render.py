"""Settings as the lispd.conf that says them, keys masked: what --print-config shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lispfast.config.schema import AUTO, KEY_TYPES, MASKED_KEY
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.mapping import Hop, Locator, Mapping
from lispfast.model.settings import (
    AddressLocator,
    Admitted,
    DatabaseMapping,
    Forwarding,
    InterfaceLocator,
    Key,
    KeyType,
    MapServerSettings,
    Profile,
    ProxyEtr,
    Settings,
    Site,
)

_PROXY_SECTIONS = {(4, 6): "proxy-etr", (4,): "proxy-etr-ipv4", (6,): "proxy-etr-ipv6"}
_INDENT = "    "
_KEY_TYPE_NAMES = {
    algorithm: name for name, algorithm in reversed(KEY_TYPES.items()) if name.isdigit() or name == "none"
}

Pairs = Iterable[tuple[str, object]]


def render(settings: Settings) -> str:
    """A lispd.conf with every value in force. Read again it gives equal settings but for the keys' secrets."""
    paths = _Paths(settings)
    blocks = [
        "# The configuration in force. Keys are masked.",
        "\n".join(_assignments(_general(settings), "")),
        *(_list("map-resolver", settings.map_resolvers)),
        *(_map_server(server) for server in settings.map_servers),
        *(_section("lisp-sec-key", _shared(key)) for key in settings.lisp_sec.keys),
        *(_section("pubsub-key", _key(key)) for key in settings.pubsub.keys),
        *(_section("pubsub-subscriber", _admitted(one)) for one in settings.pubsub.admitted),
        *paths.sections(),
        *(_database_mapping(mapping, paths) for mapping in settings.database),
        *(_proxy_etr(proxy) for proxy in settings.proxy_etrs),
        *(_list("proxy-itrs", settings.proxy_itrs)),
        *(_list("allowed-dst-eids", settings.allowed_destinations)),
        *(_mapping("static-map-cache", mapping, paths, with_ttl=False) for mapping in settings.static_map_cache),
        _section("rloc-probing", _probing(settings)),
        *(_site(site) for site in settings.sites),
        *(_mapping("ms-static-registered-site", m, paths, with_ttl=True) for m in settings.static_registrations),
    ]
    return "\n\n".join(blocks) + "\n"


class _Paths:
    """The explicit locator paths of the settings, each under a name of ours: their own is not kept."""

    def __init__(self, settings: Settings) -> None:
        own = [locator for mapping in settings.database for locator in mapping.locators]
        mappings = (*settings.static_map_cache, *settings.static_registrations)
        foreign = [locator for mapping in mappings for locator in mapping.locators]
        self._names: dict[tuple[Hop, ...], str] = {}
        for locator in (*own, *foreign):
            if not isinstance(locator, InterfaceLocator) and locator.path:
                self._names.setdefault(locator.path, f"path-{len(self._names) + 1}")

    def way(self, locator: AddressLocator | Locator) -> object:
        """What stands for the address of a locator."""
        return self._names[locator.path] if locator.path else locator.address

    def sections(self) -> Iterator[str]:
        """An explicit-locator-path for each."""
        for hops, name in self._names.items():
            nodes = [_section("elp-node", _hop(hop)) for hop in hops]
            yield _section("explicit-locator-path", (("elp-name", name),), nodes)


def _hop(hop: Hop) -> Pairs:
    flags = (("strict", hop.strict), ("probe", hop.probe), ("lookup", hop.lookup))
    return (("address", hop.address), *((name, _flag(value)) for name, value in flags))


def _general(settings: Settings) -> Iterator[tuple[str, object]]:
    yield "operating-mode", settings.mode.value
    if settings.profile is Profile.PRIVATE or not _has_weak_keys(settings):
        yield "profile", settings.profile.value
    yield "debug", settings.debug
    yield "map-request-retries", settings.map_request_retries
    yield "tunnel-routes", settings.tunnel_routes.value
    yield from _forwarding(settings.forwarding)
    yield "echo-nonce", _flag(settings.hints.echo_nonce)
    yield "map-versioning", _flag(settings.hints.map_versioning)
    yield "locator-status-bits", _flag(settings.hints.status_bits)
    yield "native-forward", _flag(settings.native_forward)
    yield "rloc-lookup", _flag(settings.rloc_lookup)
    yield "map-cache-size", settings.map_cache_size
    yield "lisp-sec", settings.lisp_sec.use.value
    yield "pubsub", _flag(settings.pubsub.subscribe)
    yield "pubsub-limit", settings.pubsub.limit
    if settings.xtr_id is not None:
        yield "xtr-id", settings.xtr_id.hex()
    yield "site-id", settings.site_id.hex()
    if settings.state_dir is not None:
        yield "state-dir", _quoted(settings.state_dir)
    if settings.control_socket is not None:
        yield "control-socket", _quoted(settings.control_socket)


def _has_weak_keys(settings: Settings) -> bool:
    """Whether there are keys that are taken only where the file does not say that its profile is public."""
    keys = [*settings.pubsub.keys]
    keys += [key for server in settings.map_servers for key in server.keys]
    keys += [key for site in settings.sites for key in site.keys]
    return any(key.algorithm in (KeyType.NONE, KeyType.HMAC_SHA1) for key in keys)


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
    return _section("map-server", pairs, _other_keys(server.other_keys))


def _site(site: Site) -> str:
    flags = (
        ("accept-more-specifics", _flag(site.accept_more_specifics)),
        ("proxy-reply", _flag(site.proxy_reply)),
    )
    return _section("lisp-site", (*_prefix(site.prefix), *_key(site.key), *flags), _other_keys(site.other_keys))


def _database_mapping(mapping: DatabaseMapping, paths: _Paths) -> str:
    locators = [_locator(locator, paths) for locator in mapping.locators]
    version = (("map-version", mapping.version),) if mapping.version else ()
    return _section("database-mapping", (*_prefix(mapping.prefix), ("ttl", mapping.ttl), *version), locators)


def _locator(locator: InterfaceLocator | AddressLocator | Locator, paths: _Paths) -> str:
    policy = (("priority", locator.priority), ("weight", locator.weight))
    if isinstance(locator, InterfaceLocator):
        own = (("interface", _quoted(locator.interface)), ("ip_version", locator.version))
        return _section("rloc-iface", (*own, *policy))
    last = (("local", _flag(locator.local)),) if isinstance(locator, AddressLocator) else _form(locator.encapsulation)
    return _section("rloc-address", (("address", paths.way(locator)), *policy, *last))


def _form(encapsulation: Encapsulation | None) -> Pairs:
    return () if encapsulation is None else (("encapsulation", encapsulation.value),)


def _mapping(name: str, mapping: Mapping, paths: _Paths, *, with_ttl: bool) -> str:
    ttl = (("ttl", mapping.ttl),) if with_ttl else ()
    return _section(name, (*_prefix(mapping.prefix), *ttl), [_locator(locator, paths) for locator in mapping.locators])


def _proxy_etr(proxy: ProxyEtr) -> str:
    pairs = (("address", proxy.address), ("priority", proxy.priority), ("weight", proxy.weight))
    return _section(_PROXY_SECTIONS[proxy.versions], (*pairs, *_form(proxy.encapsulation)))


def _admitted(one: Admitted) -> Pairs:
    return (("xtr-id", one.xtr_id.hex()), *(_prefix(one.prefix) if one.prefix else ()))


def _prefix(prefix: EidPrefix) -> Pairs:
    return (("eid-prefix", prefix.network), ("iid", prefix.iid))


def _key(key: Key) -> Pairs:
    yield "key-type", _KEY_TYPE_NAMES[key.algorithm]
    if key.algorithm is not KeyType.NONE:
        yield "key", _quoted(MASKED_KEY)
    yield "key-id", key.key_id
    if key.algorithm is KeyType.HKDF_SHA256:
        yield "hkdf-info", _quoted(key.hkdf.info.decode("utf-8", "surrogateescape"))
        yield "mac-length", key.hkdf.mac_length


def _other_keys(keys: Iterable[Key]) -> list[str]:
    return [_section("other-key", _key(key)) for key in keys]


def _shared(key: Key) -> Pairs:
    return (("key", _quoted(MASKED_KEY)), ("key-id", key.key_id))


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


def _list(name: str, addresses: Iterable[Address | EidPrefix]) -> list[str]:
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
