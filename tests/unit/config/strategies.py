"""Texts that look like a lispd.conf, and settings that a lispd.conf can say."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network

from hypothesis import strategies as st

from lispfast.config.schema import (
    MAX_INSTANCE_ID,
    MAX_MAP_CACHE,
    MAX_SOURCE_PORTS,
    MAX_SUBSCRIPTIONS,
    MAX_TTL,
    MAX_VERSION,
    MAX_WORKERS,
    MIN_MAP_CACHE,
    OWN_FORMS,
    SCHEMA,
)
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.mapping import Hop, Locator, Mapping
from lispfast.model.settings import (
    DEFAULT_TTL,
    AddressLocator,
    Admitted,
    DatabaseMapping,
    Forwarding,
    Hints,
    Hkdf,
    InterfaceLocator,
    Key,
    KeyType,
    LispSec,
    MapServerSettings,
    Mode,
    Probing,
    Profile,
    ProxyEtr,
    PubSub,
    Settings,
    Site,
    TunnelRoutes,
    UdpChecksum,
    Use,
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
_site_prefixes: st.SearchStrategy[EidPrefix] = st.builds(
    lambda n, length: EidPrefix(ip_network((IPv4Address("10.0.0.0") + n, length), strict=False), InstanceId(5)),
    st.integers(0, (1 << 24) - 1),
    st.integers(8, 32),
)
_names = st.text("abcdefghij0123456789-_.äß\"\\$'", min_size=3, max_size=6)
_paths = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=40).map("/".__add__)
_secrets = st.binary(min_size=1, max_size=9)
_passwords = (
    st.builds(Key, _secrets, st.sampled_from([KeyType.HMAC_SHA1, KeyType.HMAC_SHA256]), _bytes)
    | st.builds(
        Key,
        _secrets,
        st.just(KeyType.HKDF_SHA256),
        _bytes,
        st.builds(Hkdf, st.binary(max_size=9), st.sampled_from([16, 32])),
    )
)  # fmt: skip
_rings = st.lists(
    _passwords, min_size=1, max_size=3, unique_by=lambda key: (key.algorithm, key.key_id, key.secret)
) | st.builds(Key, st.just(b""), st.just(KeyType.NONE), _bytes).map(lambda key: [key])
_interface_locators = st.builds(InterfaceLocator, _names, st.sampled_from([4, 6]), _bytes, _bytes)
_hops = st.builds(Hop, _servers, st.booleans(), st.booleans(), st.booleans())
_paths_over = st.lists(_hops, min_size=1, max_size=3, unique_by=lambda hop: hop.address).map(tuple)
_address_locators = st.builds(AddressLocator, _servers, _bytes, _bytes) | _paths_over.flatmap(
    lambda path: st.builds(AddressLocator, st.just(path[0].address), _bytes, _bytes, st.booleans(), st.just(path))
)
_forms = st.none() | st.sampled_from(Encapsulation)
_ttls = st.integers(1, MAX_TTL).map(Minutes)


def _locator_key(locator: InterfaceLocator | AddressLocator) -> object:
    is_interface = isinstance(locator, InterfaceLocator)
    return (locator.interface, locator.version) if is_interface else (locator.address, locator.path)


def _database(prefix: EidPrefix) -> st.SearchStrategy[DatabaseMapping]:
    locators = st.lists(_interface_locators | _address_locators, min_size=1, max_size=3, unique_by=_locator_key)
    return st.builds(DatabaseMapping, st.just(prefix), locators.map(tuple), _ttls, st.integers(0, MAX_VERSION))


def _each(prefixes: list[EidPrefix]) -> st.SearchStrategy[tuple[DatabaseMapping, ...]]:
    return st.tuples(*(_database(prefix) for prefix in prefixes))


_databases = st.lists(_eids, min_size=1, max_size=3, unique_by=lambda p: p.network).flatmap(_each)
_map_servers = st.lists(
    st.builds(
        lambda address, ring, proxy_reply: MapServerSettings(address, ring[0], proxy_reply, tuple(ring[1:])),
        _servers,
        _rings,
        st.booleans(),
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda s: s.address,
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
    plain = st.builds(Locator, _servers, _bytes, _bytes, encapsulation=forms)
    locator = plain | st.builds(
        lambda locator, path: replace(locator, address=path[0].address, path=path), plain, _paths_over
    )
    mapping = st.builds(Mapping, _eids, st.lists(locator, min_size=1, max_size=3).map(tuple), ttl)
    return st.lists(mapping, max_size=2, unique_by=lambda m: m.prefix).map(tuple)


_lisp_secs = st.just(LispSec()) | st.builds(
    LispSec,
    st.sampled_from([Use.ON, Use.REQUIRED]),
    st.lists(
        st.builds(Key, _secrets, st.just(KeyType.HKDF_SHA256), _bytes),
        min_size=1,
        max_size=2,
        unique_by=lambda key: key.key_id,
    ).map(tuple),
)
_admitted = st.builds(Admitted, st.binary(min_size=16, max_size=16), st.none() | _eids | _site_prefixes)
_pubsubs = st.just(PubSub()) | st.builds(
    PubSub,
    st.just(True),
    _rings.filter(lambda ring: all(key.algorithm is not KeyType.NONE for key in ring)).map(tuple),
    st.integers(1, MAX_SUBSCRIPTIONS),
    st.lists(_admitted, max_size=2).map(tuple),
)
_profiles = st.just((Profile.PUBLIC, Hints())) | st.tuples(
    st.just(Profile.PRIVATE), st.builds(Hints, st.booleans(), st.booleans(), st.booleans())
)


def _with_profile(whole: st.SearchStrategy[Settings]) -> st.SearchStrategy[Settings]:
    return st.builds(lambda one, profile: replace(one, profile=profile[0], hints=profile[1]), whole, _profiles)


def nodes() -> st.SearchStrategy[Settings]:
    """A mobile node's settings."""
    return _with_profile(_nodes(Mode.MN, _databases))


def tunnel_routers() -> st.SearchStrategy[Settings]:
    """An xTR's settings: EID-prefixes of any length, some inside others."""
    prefixes = st.lists(_site_prefixes, min_size=1, max_size=3, unique_by=lambda p: p.network)
    return _with_profile(_nodes(Mode.XTR, prefixes.flatmap(_each)))


def _nodes(mode: Mode, databases: st.SearchStrategy[tuple[DatabaseMapping, ...]]) -> st.SearchStrategy[Settings]:
    return st.builds(
        Settings,
        st.just(mode),
        map_servers=_map_servers.map(tuple),
        map_resolvers=st.lists(_servers, min_size=1, max_size=3, unique=True).map(tuple),
        database=databases,
        lisp_sec=_lisp_secs,
        pubsub=_pubsubs,
        xtr_id=st.none() | st.binary(min_size=16, max_size=16),
        site_id=st.binary(min_size=8, max_size=8),
        allowed_destinations=st.lists(_eids, max_size=2, unique=True).map(tuple),
        native_forward=st.booleans(),
        rloc_lookup=st.booleans(),
        map_cache_size=st.integers(MIN_MAP_CACHE, MAX_MAP_CACHE),
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
    site = st.builds(
        lambda prefix, ring, *flags: Site(prefix, ring[0], *flags, tuple(ring[1:])),
        _eids,
        _rings,
        st.booleans(),
        st.booleans(),
    )
    return st.builds(
        Settings,
        st.just(Mode.MS),
        lisp_sec=_lisp_secs,
        pubsub=_pubsubs,
        sites=st.lists(site, min_size=1, max_size=3, unique_by=lambda s: s.prefix).map(tuple),
        static_registrations=_mappings(_ttls, st.none()),
        debug=st.integers(0, 3),
    )
