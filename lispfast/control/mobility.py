"""What a change of network means: from settings and a snapshot of the underlay to where the node stands.

A position is computed whole from each snapshot and compared with the one before; no delta is ever applied, so a missed
or repeated snapshot cannot leave anything behind. In a family an attachment with a default route is worth more than one
without; where none has one, addresses alone count (two hosts on one link). One of our own EIDs is never an RLOC
(RFC 9300 section 4). Each family has one source-RLOC slot that every locator of that family points to, so that a move
is one store in the data plane.
"""

from __future__ import annotations

from dataclasses import dataclass

from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.forwarding import SourceRloc
from lispfast.model.mapping import UNUSABLE_PRIORITY, Locator, Mapping, sort_locators
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
    """Where the node stands: ways out, best first within a family, and the mapping of each of our EID-prefixes."""

    ways: tuple[Source, ...] = ()
    mappings: tuple[Mapping, ...] = ()

    def source(self, version: int) -> Source | None:
        """The way out for a family, None where there is none."""
        return next((way for way in self.ways if way.address.version == version), None)

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
    """

    sources: tuple[SourceRloc, ...] = ()
    mappings: tuple[EidPrefix, ...] = ()
    outlook: bool = False
    rerouted: bool = False


def locate(settings: Settings, underlay: Underlay) -> Position:
    """Where the node stands in this underlay."""
    ways = _ways(settings, underlay)
    mappings = tuple(
        Mapping(entry.prefix, _locators(entry, ways), entry.ttl, authoritative=True) for entry in settings.database
    )
    return Position(tuple(sorted(ways, key=lambda way: _rank(way, settings.database))), mappings)


def compare(old: Position, new: Position) -> Move:
    """What changed from one position to the next."""
    stores, outlook, rerouted = [], False, False
    for version, slot in SLOTS.items():
        before, after = old.source(version), new.source(version)
        rerouted = rerouted or (before and before.path) != (after and after.path)
        if before != after:
            outlook = outlook or before is None or after is None or before.mtu != after.mtu
        if (before and (before.address, before.ifindex)) != (after and (after.address, after.ifindex)):
            stores.append(SourceRloc(slot, after.address, after.ifindex) if after else SourceRloc(slot, None))
    before_sets = {mapping.prefix: mapping.locators for mapping in old.mappings}
    moved = tuple(m.prefix for m in new.mappings if m.locators != before_sets.get(m.prefix))
    return Move(tuple(stores), moved, outlook, rerouted)


def _ways(settings: Settings, underlay: Underlay) -> list[Source]:
    """Every attachment that a locator of ours names and that can be an RLOC, in the order of the configuration."""
    ways = []
    for version in SLOTS:
        family = []
        for interface in underlay.interfaces:
            attachment = interface.attachment(version)
            if attachment is not None and not _own(attachment.address, settings.database):
                place = interface.name, interface.index, interface.mtu
                way = Source(attachment.address, *place, attachment.routed, attachment.gateway)
                if _configured(way, settings.database):
                    family.append((attachment.routed, way))
        routed = any(has_default for has_default, _ in family)
        ways += [way for has_default, way in family if has_default or not routed]
    return ways


def _own(address: Address, database: tuple[DatabaseMapping, ...]) -> bool:
    return any(address.version == m.prefix.version and address in m.prefix.network for m in database)


def _locators(entry: DatabaseMapping, ways: list[Source]) -> tuple[Locator, ...]:
    by_address: dict[Address, Locator] = {}
    for configured in entry.locators:
        for locator in _resolve(configured, ways):
            known = by_address.get(locator.address)
            if known is None or locator.priority < known.priority:
                by_address[locator.address] = locator
    return sort_locators(tuple(by_address.values()))


def _resolve(configured: InterfaceLocator | AddressLocator, ways: list[Source]) -> list[Locator]:
    priority, weight = configured.priority, configured.weight
    if isinstance(configured, AddressLocator) and not configured.local:
        return [Locator(configured.address, priority, weight)]
    return [Locator(way.address, priority, weight, local=True) for way in ways if _names(configured, way)]


def _names(configured: InterfaceLocator | AddressLocator, way: Source) -> bool:
    if isinstance(configured, AddressLocator):
        return configured.local and configured.address == way.address
    return configured.interface == way.interface and configured.version == way.address.version


def _configured(way: Source, database: tuple[DatabaseMapping, ...]) -> bool:
    return any(_names(locator, way) for entry in database for locator in entry.locators)


def _rank(way: Source, database: tuple[DatabaseMapping, ...]) -> int:
    """The best priority that any locator gives this way out; sorting is stable, so equals keep the configured order."""
    priorities = [locator.priority for entry in database for locator in entry.locators if _names(locator, way)]
    return min(priorities, default=UNUSABLE_PRIORITY)
