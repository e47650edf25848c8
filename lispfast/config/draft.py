"""A lispd.conf while it is read: every value with its place, so that what is wrong with several can be shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from lispfast.config.problems import WHOLE_FILE, Report, Span
from lispfast.config.reader import Reader
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.mapping import Hop, Mapping
from lispfast.model.settings import (
    AddressLocator,
    DatabaseMapping,
    InterfaceLocator,
    Key,
    LispSec,
    MapServerSettings,
    Mode,
    Profile,
    ProxyEtr,
    PubSub,
    Site,
)

T = TypeVar("T")

MAX_LOCATORS = 255  # RFC 9301 section 5.4: the locator count of a record has 8 bits


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A value and where it stands."""

    value: T
    span: Span


@dataclass(frozen=True, slots=True)
class PlacedKey:
    """A key of a section; `span` is its password's place and `type_span` its algorithm's."""

    section: str
    key: Key
    span: Span
    type_span: Span


@dataclass(frozen=True, slots=True)
class OwnPrefix:
    """A database-mapping; `early` if its locators are in the early dialect, a section for each interface."""

    value: DatabaseMapping
    span: Span
    early: bool


@dataclass(slots=True)
class Draft:
    """What was read so far. `attempted` has the first place of each section that the file has, in error or not.

    `private_only` has what the public profile forbids, by key, where the file switches it on.
    """

    report: Report
    sound: bool = True
    mode: Mode | None = None
    mode_span: Span = WHOLE_FILE
    mode_in_error: bool = False
    profile: Profile | None = None
    private_only: dict[str, Span] = field(default_factory=dict)
    attempted: dict[str, Span] = field(default_factory=dict)
    has_map_resolver: bool = False
    map_servers: list[Placed[MapServerSettings]] = field(default_factory=list)
    map_resolvers: list[Placed[Address]] = field(default_factory=list)
    proxy_itrs: list[Placed[Address]] = field(default_factory=list)
    proxy_etrs: list[Placed[ProxyEtr]] = field(default_factory=list)
    database: dict[EidPrefix, OwnPrefix] = field(default_factory=dict)
    versioned: list[Span] = field(default_factory=list)
    own_locators: list[Placed[InterfaceLocator | AddressLocator]] = field(default_factory=list)
    foreign_locators: list[Placed[Address]] = field(default_factory=list)
    paths: dict[str, Placed[tuple[Hop, ...]]] = field(default_factory=dict)
    broken_paths: set[str] = field(default_factory=set)
    hops: list[Placed[Address]] = field(default_factory=list)
    static_map_cache: dict[EidPrefix, Placed[Mapping]] = field(default_factory=dict)
    sites: dict[EidPrefix, Placed[Site]] = field(default_factory=dict)
    static_registrations: dict[EidPrefix, Placed[Mapping]] = field(default_factory=dict)
    destinations: list[Placed[EidPrefix]] = field(default_factory=list)
    keys: list[PlacedKey] = field(default_factory=list)
    lisp_sec: LispSec = LispSec()
    lisp_sec_span: Span = WHOLE_FILE
    pubsub: PubSub = PubSub()
    pubsub_span: Span = WHOLE_FILE

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
        own: OwnPrefix,
        locators: list[Placed[InterfaceLocator | AddressLocator]],
        ttl_span: Span | None,
    ) -> None:
        """Add a database-mapping; the early dialect has one for each interface, and their locators go together."""
        mapping, known = own.value, self.database.get(own.value.prefix)
        if known and not (known.early and own.early):
            first = f"the first is in line {known.span.line}: one section has all locators"
            self.error(own.span, f"database-mapping {mapping.prefix} is given twice", first)
            return
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
            self.database[mapping.prefix] = replace(own, value=replace(mapping, locators=tuple(fresh)))
            return
        if ttl_span and mapping.ttl != known.value.ttl:
            self.report.warning(ttl_span, f"{mapping.prefix} has another ttl in line {known.span.line}, which counts")
        merged = replace(
            known.value,
            locators=known.value.locators + tuple(fresh),
            version=known.value.version or mapping.version,
        )
        self.database[mapping.prefix] = replace(known, value=merged)


def _locator_name(locator: InterfaceLocator | AddressLocator) -> str:
    if isinstance(locator, AddressLocator):
        hops = " by ".join(str(hop.address) for hop in locator.path)
        return hops or str(locator.address)
    return f"{locator.interface} (IPv{locator.version})"
