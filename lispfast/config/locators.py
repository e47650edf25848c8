"""The locators of a section in every dialect: of interfaces, as addresses, and as paths over several RLOCs."""

from __future__ import annotations

from dataclasses import dataclass, field

from lispfast.config.draft import MAX_LOCATORS, Draft, Placed
from lispfast.config.grammar import Assignment
from lispfast.config.problems import did_you_mean, quote
from lispfast.config.reader import Reader
from lispfast.config.rows import Option
from lispfast.config.schema import DEFAULT_PRIORITY, DEFAULT_WEIGHT
from lispfast.config.values import BadValueError, looks_like_address, read_address
from lispfast.model.addresses import Address
from lispfast.model.mapping import Hop, Locator
from lispfast.model.settings import AddressLocator, InterfaceLocator

# Ours.
MAX_HOPS = 16  # of a path; a packet that passes more re-encapsulating routers is lost, not steered

UNUSED = -1  # a priority of the early dialect: the interface's address of this family is no locator

OwnLocator = InterfaceLocator | AddressLocator


@dataclass(slots=True)
class OwnLocators:
    """The locators of a mapping as they are read."""

    found: list[Placed[OwnLocator]] = field(default_factory=list)
    sound: bool = True


def read_path(reader: Reader, draft: Draft) -> None:
    """An explicit-locator-path under its name."""
    name = reader.text("elp-name")
    hops: list[Hop] = []
    for option, section in reader.sections:
        hop = _hop(Reader(section, option.inside, reader.report, reader.section.name), hops, draft)
        if hop is None:
            reader.sound = False
        else:
            hops.append(hop)
    if name is None:
        return
    span = reader.value_span("elp-name")
    if not reader.sound:
        draft.broken_paths.add(name)
    elif looks_like_address(name):
        reader.error(span, f"{quote(name)} is an address and cannot be a name")
    elif known := draft.paths.get(name):
        reader.error(span, f"elp-name {quote(name)} is given twice", f"the first is in line {known.span.line}")
    elif not hops:
        reader.error(reader.span, f"explicit-locator-path {quote(name)} has no hop", "elp-node { address = ... }")
        draft.broken_paths.add(name)
    elif len(hops) > MAX_HOPS:
        reader.error(reader.span, f"explicit-locator-path {quote(name)} has more than {MAX_HOPS} hops")
        draft.broken_paths.add(name)
    else:
        draft.paths[name] = Placed(tuple(hops), span)


def _hop(reader: Reader, before: list[Hop], draft: Draft) -> Hop | None:
    address = reader.address("address")
    strict, probe, lookup = reader.flag("strict"), reader.flag("probe"), reader.flag("lookup")
    if address is None or strict is None or probe is None or lookup is None or not reader.sound:
        return None
    span = reader.value_span("address")
    if any(hop.address == address for hop in before):
        reader.error(span, f"{address} is in the path twice: packets would go in a circle")
        return None
    draft.hops.append(Placed(address, span))
    return Hop(address, lookup=lookup, probe=probe, strict=strict)


def own_locators(reader: Reader, draft: Draft) -> OwnLocators:
    """The locators of a database-mapping in the order of the file."""
    locators = OwnLocators()
    early = _early_locators(reader)
    nested = {id(section): option for option, section in reader.sections}
    for entry in reader.section.entries:
        if isinstance(entry, Assignment):
            if entry.name == "interface":
                locators.found += early
                early = []
        elif option := nested.get(id(entry)):
            found = _locator(Reader(entry, option.inside, reader.report, reader.section.name), option, draft)
            locators.sound = locators.sound and found is not None
            locators.found += [found] if found else []
    reader.sound = reader.sound and locators.sound
    return locators


def foreign_locators(reader: Reader, draft: Draft) -> tuple[Locator, ...] | None:
    """The locators of a mapping that is not our own, None where one is in error."""
    found: list[Locator] = []
    sound = True
    for option, section in reader.sections:
        nested = Reader(section, option.inside, reader.report, reader.section.name)
        form = nested.encapsulation() if "encapsulation" in nested.rows else None
        placed = _locator(nested, option, draft)
        if placed is None or not isinstance(placed.value, AddressLocator):
            sound = False
            continue
        one = placed.value
        found.append(Locator(one.address, one.priority, one.weight, encapsulation=form, path=one.path))
        if not one.path:
            draft.foreign_locators.append(Placed(one.address, placed.span))
    if len(found) > MAX_LOCATORS:
        reader.error(reader.span, f"{reader.section.name} has more than {MAX_LOCATORS} locators")
    reader.sound = reader.sound and sound
    return tuple(found) if sound else None


def _locator(reader: Reader, option: Option, draft: Draft) -> Placed[OwnLocator] | None:
    priority, weight = reader.number("priority"), reader.number("weight")
    if option.name == "rloc-iface":
        interface, version = reader.interface("interface"), reader.choice("ip_version")
        if not reader.sound or interface is None or priority is None or weight is None or version is None:
            return None
        locator = InterfaceLocator(interface, int(version), priority, weight)
        return Placed(locator, reader.value_span("interface"))
    hops, local = _way(reader, draft), reader.flag("local")
    if not reader.sound or not hops or priority is None or weight is None or local is None:
        return None
    path = () if isinstance(hops, Address) else hops
    address = hops if isinstance(hops, Address) else hops[0].address
    return Placed(AddressLocator(address, priority, weight, local, path), reader.value_span("address"))


def _way(reader: Reader, draft: Draft) -> Address | tuple[Hop, ...] | None:
    """The address of an rloc-address, or the hops of the path that it names; none of one in error."""

    def convert(text: str) -> Address | tuple[Hop, ...]:
        if path := draft.paths.get(text):
            return path.value
        if text in draft.broken_paths:
            return ()
        if looks_like_address(text) or not draft.attempted.get("explicit-locator-path"):
            return read_address(text)
        hint = did_you_mean(text, draft.paths) or "an elp-name or an address"
        raise BadValueError(f"{quote(text)} is no explicit-locator-path and no address", hint)

    return reader.one("address", convert)


def _early_locators(reader: Reader) -> list[Placed[OwnLocator]]:
    """The early dialect: one interface gives a locator of each family unless its priority is -1."""
    interface = reader.interface("interface")
    both = reader.number("priority"), reader.number("weight")
    found: list[Placed[OwnLocator]] = []
    for version in (4, 6):
        own = reader.number(f"priority_v{version}"), reader.number(f"weight_v{version}")
        priority = next((p for p in (own[0], both[0]) if p is not None), DEFAULT_PRIORITY)
        weight = next((w for w in (own[1], both[1]) if w is not None), DEFAULT_WEIGHT)
        if interface is not None and priority != UNUSED:
            locator = InterfaceLocator(interface, version, priority, weight)
            found.append(Placed(locator, reader.value_span("interface")))
    if not reader.has("interface"):
        for name in ("priority", "weight", "priority_v4", "weight_v4", "priority_v6", "weight_v6"):
            if reader.has(name):
                reader.report.warning(reader.value_span(name), f"{name} does nothing without interface")
    return found
