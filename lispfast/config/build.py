"""The tree of a lispd.conf as Settings: every section becomes values with their places, then the whole is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lispfast.config.checks import MAX_LOCATORS, Draft, Placed, check
from lispfast.config.grammar import Assignment, Section
from lispfast.config.problems import Report, did_you_mean, quote
from lispfast.config.reader import Reader
from lispfast.config.schema import DEBUG_LEVELS, DEFAULT_PRIORITY, DEFAULT_WEIGHT, Option
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.settings import (
    DEFAULT_TTL,
    AddressLocator,
    DatabaseMapping,
    Forwarding,
    InterfaceLocator,
    MapServerSettings,
    Mode,
    Probing,
    ProxyEtr,
    Settings,
    Site,
    TunnelRoutes,
    UdpChecksum,
)
from lispfast.model.units import Minutes, Seconds

_UNSUPPORTED_MODES = ("rtr", "ddt", "ddt-mr")
_PROXY_VERSIONS = {"proxy-etr": (4, 6), "proxy-etr-ipv4": (4,), "proxy-etr-ipv6": (6,)}
UNUSED = -1  # a priority of the early dialect: the interface's address of this family is no locator


@dataclass(slots=True)
class _Locators:
    """The locators of a mapping as they are read."""

    found: list[Placed[InterfaceLocator | AddressLocator]] = field(default_factory=list)
    sound: bool = True


def build(tree: Section, report: Report) -> Settings | None:
    """The settings that a tree says, None if anything in it is an error; the report has each problem."""
    top = Reader(tree, "", report)
    draft = Draft(report)
    _read_mode(top, draft)
    settings = _general(top)
    draft.map_resolvers = [Placed(*found) for found in top.addresses("map-resolver")]
    draft.proxy_itrs = [Placed(*found) for found in top.addresses("proxy-itrs")]
    draft.has_map_resolver = top.has("map-resolver") or "map-resolver" in top.mistyped
    draft.attempted.update(top.mistyped)
    for option, section in top.sections:
        draft.attempted.setdefault(option.name, section.span)
        reader = Reader(section, option.inside, report)
        if option.inside == "proxy-etr":
            _proxy_etr(reader, draft, _PROXY_VERSIONS[option.name])
        elif option.name == "rloc-probing":
            settings = replace(settings, probing=_probing(reader))
        else:
            _BUILDERS[option.name](reader, draft)
        top.sound = top.sound and reader.sound
    mode = check(draft)
    return _assemble(settings, mode, draft) if mode is not None and top.sound else None


def _assemble(settings: Settings, mode: Mode, draft: Draft) -> Settings:
    return replace(
        settings,
        mode=mode,
        map_servers=tuple(placed.value for placed in draft.map_servers),
        map_resolvers=tuple(placed.value for placed in draft.map_resolvers),
        database=tuple(placed.value for placed in draft.database.values()),
        proxy_etrs=tuple(placed.value for placed in draft.proxy_etrs),
        proxy_itrs=tuple(placed.value for placed in draft.proxy_itrs),
        static_map_cache=tuple(placed.value for placed in draft.static_map_cache.values()),
        sites=tuple(placed.value for placed in draft.sites.values()),
        static_registrations=tuple(placed.value for placed in draft.static_registrations.values()),
    )


def _read_mode(top: Reader, draft: Draft) -> None:
    """The mode that the file asks for; a tunnel router is read as a mobile node, which for a host's EID is the same."""
    as_node = "it is read as MN, a mobile node"
    name = "operating-mode" if top.has("operating-mode") else "router-mode"
    draft.mode_span = top.value_span(name)
    if name == "router-mode":
        if top.has(name):
            draft.mode = Mode.MN
            if top.flag(name):
                top.report.warning(draft.mode_span, "router-mode on (xTR) is not supported yet", as_node)
        return
    text = top.text(name)
    wanted = (text or "").lower()
    draft.mode = next((mode for mode in (Mode.MN, Mode.MS) if mode.value.lower() == wanted), None)
    if draft.mode is not None:
        return
    draft.mode = Mode.MN
    if wanted == "xtr":
        top.report.warning(draft.mode_span, f"operating-mode {text} is not supported yet", as_node)
        return
    draft.mode_in_error = True
    if wanted in _UNSUPPORTED_MODES:
        top.error(draft.mode_span, f"operating-mode {text} is not supported yet", "MN or MS")
    elif text is not None:
        hint = did_you_mean(text, ("mn", "ms")) or "MN or MS"
        top.error(draft.mode_span, f"operating-mode {quote(text)} is not known", hint)


def _general(top: Reader) -> Settings:
    """What stands outside sections; a value in error leaves its default, and the settings are not used."""
    usual = Settings(Mode.MN)
    if top.has("operating-mode"):
        top.flag("router-mode")
    debug = top.choice("debug")
    retries = top.number("map-request-retries")
    routes = top.choice("tunnel-routes")
    return replace(
        usual,
        debug=usual.debug if debug is None else DEBUG_LEVELS[debug],
        map_request_retries=usual.map_request_retries if retries is None else retries,
        tunnel_routes=usual.tunnel_routes if routes is None else TunnelRoutes(routes),
        forwarding=_forwarding(top, usual.forwarding),
        state_dir=top.path("state-dir"),
        control_socket=top.path("control-socket"),
    )


def _forwarding(top: Reader, usual: Forwarding) -> Forwarding:
    """The keys of the data plane."""
    offload, clamp = top.flag("offload"), top.flag("mss-clamp")
    workers, ports = top.count("workers"), top.number("source-ports")
    checksum, form = top.choice("udp-checksum"), _own_form(top)
    if offload is None or clamp is None or workers is None or ports is None or checksum is None or form is None:
        return usual
    return Forwarding(offload, workers, ports, UdpChecksum(checksum), clamp, form)


def _own_form(top: Reader) -> Encapsulation | None:
    """The form of every locator that names none itself."""
    if (top.text("encapsulation") or "").upper() == Encapsulation.LISP_GPE:
        hint = "name it in the proxy-etr or rloc-address that is known to take it"
        top.error(top.value_span("encapsulation"), "LISP-GPE is not for everybody (RFC 9305 section 5)", hint)
        return None
    return top.encapsulation()


def _map_server(reader: Reader, draft: Draft) -> None:
    address, key, proxy_reply = reader.address("address"), reader.key(), reader.flag("proxy-reply")
    if address is None or key is None or proxy_reply is None:
        return
    draft.map_servers.append(Placed(MapServerSettings(address, key, proxy_reply), reader.value_span("address")))


def _proxy_etr(reader: Reader, draft: Draft, versions: tuple[int, ...]) -> None:
    address, priority, weight = reader.address("address"), reader.number("priority"), reader.number("weight")
    form = reader.encapsulation()
    if address is None or priority is None or weight is None:
        return
    draft.proxy_etrs.append(Placed(ProxyEtr(address, priority, weight, versions, form), reader.value_span("address")))


def _probing(reader: Reader) -> Probing:
    usual = Probing()
    interval = reader.number("rloc-probe-interval")
    retries = reader.number("rloc-probe-retries")
    retry = reader.number("rloc-probe-retries-interval")
    if interval is None or retries is None or retry is None:
        return usual
    if interval and retry > interval:
        if reader.has("rloc-probe-retries-interval"):
            span = reader.value_span("rloc-probe-retries-interval")
            reader.error(span, f"{retry} is out of range", f"1 to rloc-probe-interval, {interval}")
        retry = interval
    return Probing(Seconds(interval), retries, Seconds(retry))


def _database_mapping(reader: Reader, draft: Draft) -> None:
    prefix, ttl = reader.prefix(), reader.number("ttl")
    locators = _locators(reader)
    if prefix is None or ttl is None or not locators.sound or not reader.sound:
        return
    if not locators.found:
        hint = "interface, rloc-iface or rloc-address"
        reader.error(reader.span, f"database-mapping {prefix} has no locator", hint)
        return
    draft.add_database(
        DatabaseMapping(prefix, tuple(placed.value for placed in locators.found), Minutes(ttl)),
        reader.value_span("eid-prefix"),
        locators.found,
        reader.value_span("ttl") if reader.has("ttl") else None,
    )


def _locators(reader: Reader) -> _Locators:
    """The locators of a database-mapping in the order of the file."""
    locators = _Locators()
    early = _early_locators(reader)
    nested = {id(section): option for option, section in reader.sections}
    for entry in reader.section.entries:
        if isinstance(entry, Assignment):
            if entry.name == "interface":
                locators.found += early
                early = []
        elif option := nested.get(id(entry)):
            found = _locator(Reader(entry, option.inside, reader.report, reader.section.name), option)
            locators.sound = locators.sound and found is not None
            locators.found += [found] if found else []
    reader.sound = reader.sound and locators.sound
    return locators


def _locator(reader: Reader, option: Option) -> Placed[InterfaceLocator | AddressLocator] | None:
    priority, weight = reader.number("priority"), reader.number("weight")
    if option.name == "rloc-iface":
        interface, version = reader.interface("interface"), reader.choice("ip_version")
        if not reader.sound or interface is None or priority is None or weight is None or version is None:
            return None
        locator = InterfaceLocator(interface, int(version), priority, weight)
        return Placed(locator, reader.value_span("interface"))
    address, local = reader.address("address"), reader.flag("local")
    if not reader.sound or address is None or priority is None or weight is None or local is None:
        return None
    return Placed(AddressLocator(address, priority, weight, local), reader.value_span("address"))


def _early_locators(reader: Reader) -> list[Placed[InterfaceLocator | AddressLocator]]:
    """The early dialect: one interface gives a locator of each family unless its priority is -1."""
    interface = reader.interface("interface")
    both = reader.number("priority"), reader.number("weight")
    found: list[Placed[InterfaceLocator | AddressLocator]] = []
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


def _address_locators(reader: Reader, draft: Draft) -> tuple[Locator, ...] | None:
    """The locators of a mapping that is not our own, None where one is in error."""
    found: list[Locator] = []
    sound = True
    for option, section in reader.sections:
        nested = Reader(section, option.inside, reader.report, reader.section.name)
        form = nested.encapsulation() if "encapsulation" in nested.rows else None
        placed = _locator(nested, option)
        if placed is None or not isinstance(placed.value, AddressLocator):
            sound = False
            continue
        locator = placed.value
        found.append(Locator(locator.address, locator.priority, locator.weight, encapsulation=form))
        draft.foreign_locators.append(Placed(locator.address, placed.span))
    if len(found) > MAX_LOCATORS:
        reader.error(reader.span, f"{reader.section.name} has more than {MAX_LOCATORS} locators")
    reader.sound = reader.sound and sound
    return tuple(found) if sound else None


def _static_map_cache(reader: Reader, draft: Draft) -> None:
    prefix, locators = reader.prefix(), _address_locators(reader, draft)
    rloc, priority, weight = reader.address("rloc"), reader.number("priority"), reader.number("weight")
    form = reader.encapsulation()
    if reader.has("encapsulation") and not reader.has("rloc"):
        reader.report.warning(reader.value_span("encapsulation"), "encapsulation does nothing without rloc")
    if prefix is None or locators is None or priority is None or weight is None or not reader.sound:
        return
    if rloc is not None:
        locators = (Locator(rloc, priority, weight, encapsulation=form), *locators)
        draft.foreign_locators.append(Placed(rloc, reader.value_span("rloc")))
    if not locators:
        reader.error(reader.span, f"static-map-cache {prefix} has no locator", "rloc-address { address = ... }")
        return
    mapping = Mapping(prefix, locators, DEFAULT_TTL)
    draft.add_once(draft.static_map_cache, prefix, mapping, reader, "static-map-cache")


def _static_registration(reader: Reader, draft: Draft) -> None:
    prefix, ttl, locators = reader.prefix(), reader.number("ttl"), _address_locators(reader, draft)
    if prefix is None or ttl is None or locators is None or not reader.sound:
        return
    if not locators:
        reader.error(reader.span, f"ms-static-registered-site {prefix} has no locator", "rloc-address { ... }")
        return
    mapping = Mapping(prefix, locators, Minutes(ttl))
    draft.add_once(draft.static_registrations, prefix, mapping, reader, "ms-static-registered-site")


def _site(reader: Reader, draft: Draft) -> None:
    prefix, key = reader.prefix(), reader.key()
    specifics, proxy_reply = reader.flag("accept-more-specifics"), reader.flag("proxy-reply")
    if prefix is None or key is None or specifics is None or proxy_reply is None or not reader.sound:
        return
    draft.add_once(draft.sites, prefix, Site(prefix, key, specifics, proxy_reply), reader, "lisp-site")


_BUILDERS: dict[str, Callable[[Reader, Draft], None]] = {
    "map-server": _map_server,
    "database-mapping": _database_mapping,
    "static-map-cache": _static_map_cache,
    "lisp-site": _site,
    "ms-static-registered-site": _static_registration,
}
