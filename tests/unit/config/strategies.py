"""Texts that look like a lispd.conf, and settings that a lispd.conf can say."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

from hypothesis import strategies as st

from lispfast.config.schema import MAX_INSTANCE_ID, MAX_SOURCE_PORTS, MAX_TTL, MAX_WORKERS, OWN_FORMS, SCHEMA
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.settings import (
    DEFAULT_TTL,
    AddressLocator,
    DatabaseMapping,
    Forwarding,
    InterfaceLocator,
    Key,
    KeyType,
    MapServerSettings,
    Mode,
    Probing,
    ProxyEtr,
    Settings,
    Site,
    TunnelRoutes,
    UdpChecksum,
)
from lispfast.model.units import InstanceId, Minutes, Seconds

_KEYS = sorted({option.name for rows in SCHEMA.values() for option in rows})
_PIECES = [
    *"{}=,()#\"'\\\n +",
    *("/*", "*/", "//", "+=", "${HOME}", "<int>", "[a|b]", "...", "include", "on", "off", "0", "-1", "255", "0x10"),
    *("1.2.3.4", "1.2.3.4/32", "1.2.3.4/24", "::1", "2001:db8::1/128", "MN", "MS", "xTR", "RTR", "é", "\0", "wlan0"),
    *_KEYS,
]


def conf_like() -> st.SearchStrategy[str]:
    """Keys, values and symbols in any order: it gets past the lexer more often than arbitrary text."""
    return st.lists(st.sampled_from(_PIECES), max_size=40).flatmap(
        lambda pieces: st.sampled_from([" ", "", "\n"]).map(lambda glue: glue.join(pieces))
    )


# Servers and locators lie apart from EIDs, as the checks want it.

_bytes = st.integers(0, 255)
_servers: st.SearchStrategy[Address] = st.integers(1, 60000).map(lambda n: IPv4Address("198.18.0.0") + n) | st.integers(
    1, 1 << 60
).map(lambda n: IPv6Address("2001:db8:1::") + n)
_eids: st.SearchStrategy[EidPrefix] = st.builds(
    lambda n, v6, iid: EidPrefix(
        ip_network(IPv6Address("2001:db8:2::") + n if v6 else IPv4Address("198.19.0.0") + n), InstanceId(iid)
    ),
    st.integers(1, 60000),
    st.booleans(),
    st.sampled_from([0, 0, 1, MAX_INSTANCE_ID]),
)
_names = st.text("abcdefghij0123456789-_.äß\"\\$'", min_size=3, max_size=6)
_paths = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=40).map("/".__add__)
_keys = st.builds(
    Key, st.binary(min_size=1, max_size=9), st.sampled_from([*KeyType][1:]), st.integers(0, 255)
) | st.builds(Key, st.just(b""), st.just(KeyType.NONE), st.integers(0, 255))
_interface_locators = st.builds(InterfaceLocator, _names, st.sampled_from([4, 6]), _bytes, _bytes)
_address_locators = st.builds(AddressLocator, _servers, _bytes, _bytes)
_forms = st.none() | st.sampled_from(Encapsulation)
_ttls = st.integers(1, MAX_TTL).map(Minutes)


def _locator_key(locator: InterfaceLocator | AddressLocator) -> object:
    is_interface = isinstance(locator, InterfaceLocator)
    return (locator.interface, locator.version) if is_interface else locator.address


def _database(prefix: EidPrefix) -> st.SearchStrategy[DatabaseMapping]:
    locators = st.lists(_interface_locators | _address_locators, min_size=1, max_size=3, unique_by=_locator_key)
    return st.builds(DatabaseMapping, st.just(prefix), locators.map(tuple), _ttls)


def _each(prefixes: list[EidPrefix]) -> st.SearchStrategy[tuple[DatabaseMapping, ...]]:
    return st.tuples(*(_database(prefix) for prefix in prefixes))


_databases = st.lists(_eids, min_size=1, max_size=3, unique_by=lambda p: p.network).flatmap(_each)
_map_servers = st.lists(
    st.builds(MapServerSettings, _servers, _keys, st.booleans()), min_size=1, max_size=2, unique_by=lambda s: s.address
)
_proxies = st.lists(
    st.builds(ProxyEtr, _servers, _bytes, _bytes, st.sampled_from([(4, 6), (4,), (6,)]), _forms),
    max_size=2,
    unique_by=lambda p: p.address,
)
_probings = st.tuples(st.integers(0, 900), st.integers(0, 5), st.integers(1, 900)).map(
    lambda t: Probing(Seconds(t[0]), t[1], Seconds(min(t[2], t[0]) if t[0] else t[2]))
)


_forwarding = st.builds(
    Forwarding,
    st.booleans(),
    st.integers(0, MAX_WORKERS),
    st.integers(1, MAX_SOURCE_PORTS),
    st.sampled_from(UdpChecksum),
    st.booleans(),
    st.sampled_from(OWN_FORMS),
)


def _mappings(
    ttl: st.SearchStrategy[Minutes], forms: st.SearchStrategy[Encapsulation | None]
) -> st.SearchStrategy[tuple[Mapping, ...]]:
    locator = st.builds(Locator, _servers, _bytes, _bytes, encapsulation=forms)
    mapping = st.builds(Mapping, _eids, st.lists(locator, min_size=1, max_size=3).map(tuple), ttl)
    return st.lists(mapping, max_size=2, unique_by=lambda m: m.prefix).map(tuple)


def nodes() -> st.SearchStrategy[Settings]:
    """A mobile node's settings."""
    return st.builds(
        Settings,
        st.just(Mode.MN),
        map_servers=_map_servers.map(tuple),
        map_resolvers=st.lists(_servers, min_size=1, max_size=3, unique=True).map(tuple),
        database=_databases,
        proxy_etrs=_proxies.map(tuple),
        proxy_itrs=st.lists(_servers, max_size=3, unique=True).map(tuple),
        static_map_cache=_mappings(st.just(DEFAULT_TTL), _forms),
        probing=_probings,
        map_request_retries=st.integers(0, 10),
        tunnel_routes=st.sampled_from(TunnelRoutes),
        forwarding=_forwarding,
        debug=st.integers(0, 3),
        state_dir=st.none() | _paths,
        control_socket=st.none() | _paths.map(lambda path: path[:20]),
    )


def servers() -> st.SearchStrategy[Settings]:
    """A Map-Server's settings."""
    site = st.builds(Site, _eids, _keys, st.booleans(), st.booleans())
    return st.builds(
        Settings,
        st.just(Mode.MS),
        sites=st.lists(site, min_size=1, max_size=3, unique_by=lambda s: s.prefix).map(tuple),
        static_registrations=_mappings(_ttls, st.none()),
        debug=st.integers(0, 3),
    )
