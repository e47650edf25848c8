"""What a change of network means: from settings and a snapshot of the underlay to where the node stands.

A position is computed whole from each snapshot and compared with the one before; no delta is ever applied, so a missed
or repeated snapshot cannot leave anything behind. In a family an attachment with a default route is worth more than one
without; where none has one, addresses alone count (two hosts on one link). One of our own EIDs is never an RLOC
(RFC 9300 section 4). Each family has one source-RLOC slot that every locator of that family points to, so that a move
is one store in the data plane.

The mapping system may be of a family that no locator of ours is of. Control datagrams then leave from whatever address
of that family a watched interface has; it is no RLOC: never registered, never an ITR-RLOC, never used for data.
"""

from __future__ import annotations

from dataclasses import dataclass

from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.forwarding import SourceRloc
from lispfast.model.mapping import UNUSABLE_PRIORITY, Hop, Locator, Mapping, sort_locators
from lispfast.model.settings import AddressLocator, DatabaseMapping, InterfaceLocator, Settings
from lispfast.model.underlay import Underlay
from lispfast.model.units import WireMtu

SLOTS = {4: 0, 6: 1}
"""The source-RLOC slot of each family."""


@dataclass(frozen=True, slots=True)
class Source:
    """A way out: one of our RLOCs, the interface that has it, that interface's MTU in bytes, and its default route.

    `routed` and `gateway` are the attachment's: an address often comes some milliseconds before the route.
    """

    address: Address
    interface: str
    ifindex: int
    mtu: WireMtu
    routed: bool = False
    gateway: Address | None = None

    @property
    def path(self) -> tuple[Address, int, bool, Address | None]:
        """What decides whether a datagram that got lost is worth sending again at once."""
        return self.address, self.ifindex, self.routed, self.gateway


@dataclass(frozen=True, slots=True)
class Position:
    """Where the node stands: ways out, best first within a family, and the mapping of each of our EID-prefixes.

    `beside` are the best addresses of the families without a way out, for control datagrams alone.
    """

    ways: tuple[Source, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    beside: tuple[Source, ...] = ()

    def source(self, version: int) -> Source | None:
        """The way out for a family, None where there is none."""
        return next((way for way in self.ways if way.address.version == version), None)

    def control_source(self, version: int) -> Source | None:
        """The way to a Map-Server or Map-Resolver of a family, None where there is none.

        Without any RLOC there is nothing to register and nowhere to answer to, so no address beside helps.
        """
        source = self.source(version)
        if source is None and self.ways:
            return next((one for one in self.beside if one.address.version == version), None)
        return source

    def obstacle(self, version: int) -> str:
        """Why there is no `control_source` in a family."""
        if any(one.address.version == version for one in self.beside):
            return "no network: no interface has an address that a locator of ours names"
        return f"no network: no interface has an IPv{version} address"

    def source_at(self, address: Address) -> Source | None:
        """The way out that has exactly this address."""
        return next((way for way in self.ways if way.address == address), None)

    @property
    def rlocs(self) -> tuple[Address, ...]:
        """One RLOC a family, IPv4 first: the ITR-RLOCs of our Map-Requests (RFC 9301 section 5.3)."""
        return tuple(way.address for version in SLOTS if (way := self.source(version)))

    def mapping(self, prefix: EidPrefix) -> Mapping | None:
        """Our most specific mapping that is this EID-prefix or covers it."""
        covering = [mapping for mapping in self.mappings if mapping.prefix.covers(prefix)]
        return max(covering, key=lambda mapping: mapping.prefix.length, default=None)


@dataclass(frozen=True, slots=True)
class Move:
    """How two positions differ.

    `sources` are the slots to store, `mappings` the EID-prefixes whose locator-set is another, `outlook` says whether
    verdicts may have to be compiled anew (a family came or went, or an MTU is another), `rerouted` whether datagrams
    go another way now, the same address with another default route included: what is unanswered is asked anew.
    `redirected` says the same of control datagrams to the mapping system.
    """

    sources: tuple[SourceRloc, ...] = ()
    mappings: tuple[EidPrefix, ...] = ()
    outlook: bool = False
    rerouted: bool = False
    redirected: bool = False


def locate(settings: Settings, underlay: Underlay) -> Position:
    """Where the node stands in this underlay."""
    ways = _ways(settings, underlay)
    versioned = settings.header_hints.map_versioning
    mappings = tuple(
        Mapping(
            entry.prefix,
            _locators(entry, ways),
            entry.ttl,
            authoritative=True,
            version=entry.version if versioned else 0,
        )
        for entry in settings.database
    )
    ways.sort(key=lambda way: _rank(way, settings.database))
    return Position(tuple(ways), mappings, _beside(ways, settings, underlay))


def compare(old: Position, new: Position) -> Move:
    """What changed from one position to the next."""
    stores, outlook, rerouted, redirected = [], False, False, False
    for version, slot in SLOTS.items():
        before, after = old.source(version), new.source(version)
        rerouted = rerouted or (before and before.path) != (after and after.path)
        asked, asking = old.control_source(version), new.control_source(version)
        redirected = redirected or (asked and asked.path) != (asking and asking.path)
        if before != after:
            outlook = outlook or before is None or after is None or before.mtu != after.mtu
        if (before and (before.address, before.ifindex)) != (after and (after.address, after.ifindex)):
            stores.append(SourceRloc(slot, after.address, after.ifindex) if after else SourceRloc(slot, None))
    before_sets = {mapping.prefix: mapping.locators for mapping in old.mappings}
    moved = tuple(m.prefix for m in new.mappings if m.locators != before_sets.get(m.prefix))
    return Move(tuple(stores), moved, outlook, rerouted, redirected)


def _ways(settings: Settings, underlay: Underlay) -> list[Source]:
    """Every attachment that a locator of ours names and that can be an RLOC, in the order of the configuration."""
    ways = []
    for version in SLOTS:
        family = [way for way in _attached(version, settings, underlay) if _configured(way, settings.database)]
        routed = any(way.routed for way in family)
        ways += [way for way in family if way.routed or not routed]
    return ways


def _beside(ways: list[Source], settings: Settings, underlay: Underlay) -> tuple[Source, ...]:
    """The best address of each family without a way out: one with a default route, on the interface most preferred."""
    preferred = [way.interface for way in ways]
    found = []
    for version in SLOTS:
        if any(way.address.version == version for way in ways):
            continue
        attached = _attached(version, settings, underlay)
        attached.sort(key=lambda one: (not one.routed, [*preferred, one.interface].index(one.interface)))
        found += attached[:1]
    return tuple(found)


def _attached(version: int, settings: Settings, underlay: Underlay) -> list[Source]:
    """Every attachment of a family that is not one of our own EIDs, in the order of the configuration."""
    found = []
    for interface in underlay.interfaces:
        attachment = interface.attachment(version)
        if attachment is not None and not _own(attachment.address, settings.database):
            place = interface.name, interface.index, interface.mtu
            found.append(Source(attachment.address, *place, attachment.routed, attachment.gateway))
    return found


def _own(address: Address, database: tuple[DatabaseMapping, ...]) -> bool:
    return any(address.version == m.prefix.version and address in m.prefix.network for m in database)


def _locators(entry: DatabaseMapping, ways: list[Source]) -> tuple[Locator, ...]:
    by_address: dict[tuple[Address, tuple[Hop, ...]], Locator] = {}
    for configured in entry.locators:
        for locator in _resolve(configured, ways):
            known = by_address.get((locator.address, locator.path))
            if known is None or locator.priority < known.priority:
                by_address[locator.address, locator.path] = locator
    return sort_locators(tuple(by_address.values()))


def _resolve(configured: InterfaceLocator | AddressLocator, ways: list[Source]) -> list[Locator]:
    priority, weight = configured.priority, configured.weight
    if isinstance(configured, AddressLocator):
        here = not configured.local or any(_names(configured, way) for way in ways)
        locator = Locator(configured.address, priority, weight, local=configured.local, path=configured.path)
        return [locator] if here else []
    return [Locator(way.address, priority, weight, local=True) for way in ways if _names(configured, way)]


def _names(configured: InterfaceLocator | AddressLocator, way: Source) -> bool:
    if isinstance(configured, AddressLocator):
        return configured.local and configured.rloc == way.address
    return configured.interface == way.interface and configured.version == way.address.version


def _configured(way: Source, database: tuple[DatabaseMapping, ...]) -> bool:
    return any(_names(locator, way) for entry in database for locator in entry.locators)


def _rank(way: Source, database: tuple[DatabaseMapping, ...]) -> int:
    """The best priority that any locator gives this way out; sorting is stable, so equals keep the configured order."""
    priorities = [locator.priority for entry in database for locator in entry.locators if _names(locator, way)]
    return min(priorities, default=UNUSABLE_PRIORITY)
