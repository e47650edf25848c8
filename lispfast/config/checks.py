"""What only shows when the whole file is known: a section missing, a prefix twice, a server inside an EID-prefix."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import Generic, TypeVar

from lispfast.config.problems import WHOLE_FILE, Report, Span
from lispfast.config.reader import Reader
from lispfast.model.addresses import Address, EidPrefix, Network
from lispfast.model.mapping import Mapping
from lispfast.model.settings import (
    AddressLocator,
    DatabaseMapping,
    InterfaceLocator,
    MapServerSettings,
    Mode,
    ProxyEtr,
    Site,
)

T = TypeVar("T")

MAX_LOCATORS = 255  # RFC 9301 section 5.4: the locator count of a record has 8 bits

_NODE_SECTIONS = ("database-mapping", "map-server", "static-map-cache", "proxy-etr", "proxy-etr-ipv4", "proxy-etr-ipv6")
_SERVER_SECTIONS = ("lisp-site", "ms-static-registered-site")


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A value and where it stands."""

    value: T
    span: Span


@dataclass(slots=True)
class Draft:
    """What was read so far. `attempted` has the first place of each section that the file has, in error or not."""

    report: Report
    sound: bool = True
    mode: Mode | None = None
    mode_span: Span = WHOLE_FILE
    mode_in_error: bool = False
    attempted: dict[str, Span] = field(default_factory=dict)
    has_map_resolver: bool = False
    map_servers: list[Placed[MapServerSettings]] = field(default_factory=list)
    map_resolvers: list[Placed[Address]] = field(default_factory=list)
    proxy_itrs: list[Placed[Address]] = field(default_factory=list)
    proxy_etrs: list[Placed[ProxyEtr]] = field(default_factory=list)
    database: dict[EidPrefix, Placed[DatabaseMapping]] = field(default_factory=dict)
    own_locators: list[Placed[InterfaceLocator | AddressLocator]] = field(default_factory=list)
    foreign_locators: list[Placed[Address]] = field(default_factory=list)
    static_map_cache: dict[EidPrefix, Placed[Mapping]] = field(default_factory=dict)
    sites: dict[EidPrefix, Placed[Site]] = field(default_factory=dict)
    static_registrations: dict[EidPrefix, Placed[Mapping]] = field(default_factory=dict)

    def error(self, span: Span, text: str, hint: str = "") -> None:
        """Report an error of the whole, which makes no settings any more."""
        self.sound = False
        self.report.error(span, text, hint)

    def add_once(
        self, table: dict[EidPrefix, Placed[T]], prefix: EidPrefix, value: T, reader: Reader, name: str
    ) -> None:
        """Add a section whose prefix may stand in one section only."""
        span = reader.value_span("eid-prefix")
        if known := table.get(prefix):
            self.error(span, f"{name} {prefix} is given twice", f"the first is in line {known.span.line}")
        else:
            table[prefix] = Placed(value, span)

    def add_database(
        self,
        mapping: DatabaseMapping,
        span: Span,
        locators: list[Placed[InterfaceLocator | AddressLocator]],
        ttl_span: Span | None,
    ) -> None:
        """Add a database-mapping; the early dialect has one for each interface, and their locators go together."""
        known = self.database.get(mapping.prefix)
        names = {_locator_name(locator) for locator in known.value.locators} if known else set()
        fresh: list[InterfaceLocator | AddressLocator] = []
        for placed in locators:
            name = _locator_name(placed.value)
            if name in names:
                self.error(placed.span, f"{name} is already a locator of {mapping.prefix}")
            elif len(names) == MAX_LOCATORS:
                self.error(placed.span, f"{mapping.prefix} has more than {MAX_LOCATORS} locators")
                break
            else:
                fresh.append(placed.value)
            names.add(name)
        self.own_locators += locators
        if known is None:
            self.database[mapping.prefix] = Placed(replace(mapping, locators=tuple(fresh)), span)
            return
        if ttl_span and mapping.ttl != known.value.ttl:
            self.report.warning(ttl_span, f"{mapping.prefix} has another ttl in line {known.span.line}, which counts")
        merged = replace(known.value, locators=known.value.locators + tuple(fresh))
        self.database[mapping.prefix] = Placed(merged, known.span)


def _locator_name(locator: InterfaceLocator | AddressLocator) -> str:
    if isinstance(locator, AddressLocator):
        return str(locator.address)
    return f"{locator.interface} (IPv{locator.version})"


def check(draft: Draft) -> Mode | None:
    """The mode that the settings are for, None where an error was found here."""
    mode = _settle_mode(draft)
    if draft.mode_in_error:
        draft.sound = False
    elif mode is Mode.MN:
        _check_node(draft)
    else:
        _check_server(draft)
    _check_duplicates(draft)
    _check_reach(draft)
    return mode if draft.sound else None


def _settle_mode(draft: Draft) -> Mode:
    """The mode asked for, else a mobile node; a Map-Server is never guessed."""
    if draft.mode is not None:
        return draft.mode
    sites = [draft.attempted[name] for name in _SERVER_SECTIONS if name in draft.attempted]
    if sites and "database-mapping" not in draft.attempted:
        draft.error(min(sites, key=lambda s: s.start), "a Map-Server needs its mode said", "operating-mode = MS")
        return Mode.MS
    return Mode.MN


def _check_node(draft: Draft) -> None:
    first = draft.attempted.get("database-mapping", draft.mode_span)
    if "database-mapping" not in draft.attempted:
        draft.error(draft.mode_span, "no database-mapping: a mobile node needs an EID", "database-mapping { ... }")
    if "map-server" not in draft.attempted:
        draft.error(first, "no map-server: nobody would learn where this node is", "map-server { ... }")
    if not draft.has_map_resolver:
        draft.report.warning(first, "no map-resolver: only static-map-cache entries are reached")
    for name in _SERVER_SECTIONS:
        if name in draft.attempted:
            draft.report.warning(draft.attempted[name], f"{name} does nothing in a mobile node", "operating-mode = MS")
    addresses: dict[Network, EidPrefix] = {}
    for prefix, placed in draft.database.items():
        other = addresses.setdefault(prefix.network, prefix)
        if other != prefix:
            draft.error(placed.span, f"{prefix} and {other} are one address, which lmn0 can have only once")
        if prefix.length != prefix.network.max_prefixlen:
            hint = f"did you mean {prefix.network.network_address}/{prefix.network.max_prefixlen}?"
            draft.error(placed.span, f"a mobile node's EID is a host, /32 or /128, and {prefix} is not", hint)
    remote = [p.span for p in draft.own_locators if isinstance(p.value, AddressLocator) and not p.value.local]
    if remote and draft.map_servers and not any(p.value.proxy_reply for p in draft.map_servers):
        text = "another node's locator is announced only by a Map-Server that answers for us"
        draft.report.warning(remote[0], text, "proxy-reply = on in map-server")


def _check_server(draft: Draft) -> None:
    if not any(name in draft.attempted for name in _SERVER_SECTIONS):
        draft.error(draft.mode_span, "no lisp-site: nobody may register", "lisp-site { ... }")
    for name in _NODE_SECTIONS:
        if name in draft.attempted:
            draft.report.warning(draft.attempted[name], f"{name} does nothing in a Map-Server", "operating-mode = MN")


def _check_duplicates(draft: Draft) -> None:
    """No server twice: two keys for one Map-Server would be a riddle."""
    seen: dict[Address, Span] = {}
    for server in draft.map_servers:
        address = server.value.address
        if address in seen:
            draft.error(
                server.span, f"map-server {address} is given twice", f"the first is in line {seen[address].line}"
            )
        seen.setdefault(address, server.span)
    for version in (4, 6):
        proxies: set[Address] = set()
        for proxy in draft.proxy_etrs:
            if version in proxy.value.versions:
                if proxy.value.address in proxies:
                    draft.error(proxy.span, f"proxy-etr {proxy.value.address} is given twice for IPv{version} EIDs")
                proxies.add(proxy.value.address)


def _check_reach(draft: Draft) -> None:
    """Nothing that the tunnel needs may lie inside an EID-prefix: its packets would go into the tunnel themselves."""
    needed: list[tuple[str, Placed[Address]]] = [
        *(("map-server", Placed(p.value.address, p.span)) for p in draft.map_servers),
        *(("map-resolver", p) for p in draft.map_resolvers),
        *(("proxy-etr", Placed(p.value.address, p.span)) for p in draft.proxy_etrs),
        *(("proxy-itr", p) for p in draft.proxy_itrs),
        *(("locator", p) for p in draft.foreign_locators),
        *(
            ("locator", Placed(p.value.address, p.span))
            for p in draft.own_locators
            if isinstance(p.value, AddressLocator)
        ),
    ]
    own = {prefix.network: prefix for prefix in draft.database}
    lengths = {(network.version, network.prefixlen) for network in own}
    for what, placed in needed:
        for version, length in lengths:
            if version != placed.value.version:
                continue
            prefix = own.get(ip_network((placed.value, length), strict=False))
            if prefix is not None:
                text = f"{what} {placed.value} is inside the EID-prefix {prefix}"
                draft.error(placed.span, text, "it must be reached outside the tunnel")
