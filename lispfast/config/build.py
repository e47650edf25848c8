"""The tree of a lispd.conf as Settings: every section becomes values with their places, then the whole is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lispfast.config.checks import check
from lispfast.config.draft import Draft, OwnPrefix, Placed
from lispfast.config.grammar import Section
from lispfast.config.idle_keys import check_idle_keys
from lispfast.config.keys import read_ring, read_shared
from lispfast.config.locators import foreign_locators, own_locators, read_path
from lispfast.config.problems import Report, did_you_mean, quote
from lispfast.config.reader import Reader
from lispfast.config.schema import DEBUG_LEVELS
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.mapping import UNUSABLE_PRIORITY, Locator, Mapping
from lispfast.model.settings import (
    DEFAULT_TTL,
    Admitted,
    DatabaseMapping,
    Forwarding,
    Hints,
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
from lispfast.model.units import Minutes, Seconds

_MODES = "MN, xTR or MS"
_SHARED_KEYS = ("lisp-sec-key", "pubsub-key")
_UNSUPPORTED_MODES = ("rtr", "ddt", "ddt-mr")
_PROXY_VERSIONS = {"proxy-etr": (4, 6), "proxy-etr-ipv4": (4,), "proxy-etr-ipv6": (6,)}


def build(tree: Section, report: Report) -> Settings | None:
    """The settings that a tree says, None if anything in it is an error; the report has each problem."""
    top = Reader(tree, "", report)
    draft = Draft(report)
    _read_mode(top, draft)
    settings = _general(top, draft)
    draft.map_resolvers = [Placed(*found) for found in top.addresses("map-resolver")]
    draft.proxy_itrs = [Placed(*found) for found in top.addresses("proxy-itrs")]
    draft.destinations = [Placed(*found) for found in top.prefixes("allowed-dst-eids")]
    draft.has_map_resolver = top.has("map-resolver") or "map-resolver" in top.mistyped
    draft.attempted.update(top.mistyped)
    for option, section in top.sections:
        draft.attempted.setdefault(option.name, section.span)
    _protection(top, draft)
    # Paths first: a file may name one before it says what it is.
    for option, section in sorted(top.sections, key=lambda found: found[0].name != "explicit-locator-path"):
        if option.name in _SHARED_KEYS:
            continue
        reader = Reader(section, option.inside, report)
        if option.inside == "proxy-etr":
            _proxy_etr(reader, draft, _PROXY_VERSIONS[option.name])
        elif option.name == "rloc-probing":
            settings = replace(settings, probing=_probing(reader))
        else:
            _BUILDERS[option.name](reader, draft)
        top.sound = top.sound and reader.sound
    mode = check(draft)
    if not draft.mode_in_error:
        check_idle_keys(top, draft, draft.mode or Mode.MN)
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
        allowed_destinations=tuple(placed.value for placed in draft.destinations),
        lisp_sec=draft.lisp_sec,
        pubsub=draft.pubsub,
    )


def _read_mode(top: Reader, draft: Draft) -> None:
    """The mode that the file asks for; LISPmob knew two, by router-mode."""
    name = "operating-mode" if top.has("operating-mode") else "router-mode"
    draft.mode_span = top.value_span(name)
    if name == "router-mode":
        if top.has(name):
            draft.mode = Mode.XTR if top.flag(name) else Mode.MN
        return
    text = top.text(name)
    wanted = (text or "").lower()
    draft.mode = next((mode for mode in Mode if mode.value.lower() == wanted), None)
    if draft.mode is not None:
        return
    draft.mode = Mode.MN
    draft.mode_in_error = True
    if wanted in _UNSUPPORTED_MODES:
        top.error(draft.mode_span, f"operating-mode {text} is not supported yet", _MODES)
    elif text is not None:
        hint = did_you_mean(text, [mode.value.lower() for mode in Mode]) or _MODES
        top.error(draft.mode_span, f"operating-mode {quote(text)} is not known", hint)


def _general(top: Reader, draft: Draft) -> Settings:
    """What stands outside sections; a value in error leaves its default, and the settings are not used."""
    usual = Settings(Mode.MN)
    if top.has("operating-mode"):
        top.flag("router-mode")
    debug = top.choice("debug")
    retries = top.number("map-request-retries")
    routes = top.choice("tunnel-routes")
    native, lookup, size = top.flag("native-forward"), top.flag("rloc-lookup"), top.number("map-cache-size")
    if native and draft.mode is not Mode.MS:
        text = "native-forward sends packets with an EID as their source: the access network must route it"
        top.report.warning(top.value_span("native-forward"), text, "off, or a proxy-etr")
    profile = top.choice("profile")
    if top.has("profile") and profile is not None:
        draft.profile = Profile(profile)
    return replace(
        usual,
        profile=draft.profile or usual.profile,
        hints=_hints(top, draft),
        native_forward=bool(native),
        rloc_lookup=usual.rloc_lookup if lookup is None else lookup,
        map_cache_size=usual.map_cache_size if size is None else size,
        xtr_id=top.digits("xtr-id"),
        site_id=top.digits("site-id") or usual.site_id,
        debug=usual.debug if debug is None else DEBUG_LEVELS[debug],
        map_request_retries=usual.map_request_retries if retries is None else retries,
        tunnel_routes=usual.tunnel_routes if routes is None else TunnelRoutes(routes),
        forwarding=_forwarding(top, usual.forwarding),
        state_dir=top.path("state-dir"),
        control_socket=top.path("control-socket"),
    )


def _hints(top: Reader, draft: Draft) -> Hints:
    """What only the private profile may tell in the LISP header."""
    flags = []
    for name in ("echo-nonce", "map-versioning", "locator-status-bits"):
        flags.append(bool(top.flag(name)))
        if flags[-1]:
            draft.private_only[name] = top.value_span(name)
    return Hints(*flags)


def _protection(top: Reader, draft: Draft) -> None:
    """LISP-SEC and PubSub with their keys."""
    use, keys = top.choice("lisp-sec"), read_shared(top.sections, "lisp-sec-key", top, draft)
    draft.lisp_sec_span = top.value_span("lisp-sec")
    draft.lisp_sec = LispSec(Use.OFF if use is None else Use(use), keys or ())
    subscribe, keys = top.flag("pubsub"), read_shared(top.sections, "pubsub-key", top, draft)
    limit = top.number("pubsub-limit")
    draft.pubsub_span = top.value_span("pubsub")
    draft.pubsub = PubSub(bool(subscribe), keys or (), PubSub().limit if limit is None else limit)


def _subscriber(reader: Reader, draft: Draft) -> None:
    xtr_id, prefix = reader.digits("xtr-id"), reader.prefix()
    if xtr_id is not None and (prefix is not None or not reader.attempted("eid-prefix")):
        admitted = (*draft.pubsub.admitted, Admitted(xtr_id, prefix))
        draft.pubsub = replace(draft.pubsub, admitted=admitted)


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
    address, ring, proxy_reply = reader.address("address"), read_ring(reader, draft), reader.flag("proxy-reply")
    if address is None or not ring or proxy_reply is None:
        return
    server = MapServerSettings(address, ring[0], proxy_reply, ring[1:])
    draft.map_servers.append(Placed(server, reader.value_span("address")))


def _proxy_etr(reader: Reader, draft: Draft, versions: tuple[int, ...]) -> None:
    address, priority, weight = reader.address("address"), reader.number("priority"), reader.number("weight")
    form = reader.encapsulation()
    if address is None or priority is None or weight is None:
        return
    if priority == UNUSABLE_PRIORITY:
        text = f"proxy-etr {address} has priority 255 and is never used"
        reader.report.warning(reader.value_span("priority"), text, "0 to 254, the lowest is used")
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
    prefix, ttl, version = reader.prefix(), reader.number("ttl"), reader.number("map-version")
    locators = own_locators(reader, draft)
    if prefix is None or ttl is None or not locators.sound or not reader.sound:
        return
    if not locators.found:
        hint = "interface, rloc-iface or rloc-address"
        reader.error(reader.span, f"database-mapping {prefix} has no locator", hint)
        return
    if version is not None:
        draft.versioned.append(reader.value_span("map-version"))
    mapping = DatabaseMapping(prefix, tuple(placed.value for placed in locators.found), Minutes(ttl), version or 0)
    draft.add_database(
        OwnPrefix(mapping, reader.value_span("eid-prefix"), reader.has("interface")),
        locators.found,
        reader.value_span("ttl") if reader.has("ttl") else None,
    )


def _static_map_cache(reader: Reader, draft: Draft) -> None:
    prefix, locators = reader.prefix(), foreign_locators(reader, draft)
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
    prefix, ttl, locators = reader.prefix(), reader.number("ttl"), foreign_locators(reader, draft)
    if prefix is None or ttl is None or locators is None or not reader.sound:
        return
    if not locators:
        reader.error(reader.span, f"ms-static-registered-site {prefix} has no locator", "rloc-address { ... }")
        return
    mapping = Mapping(prefix, locators, Minutes(ttl))
    draft.add_once(draft.static_registrations, prefix, mapping, reader, "ms-static-registered-site")


def _site(reader: Reader, draft: Draft) -> None:
    prefix, ring = reader.prefix(), read_ring(reader, draft)
    specifics, proxy_reply = reader.flag("accept-more-specifics"), reader.flag("proxy-reply")
    if prefix is None or not ring or specifics is None or proxy_reply is None or not reader.sound:
        return
    site = Site(prefix, ring[0], specifics, proxy_reply, ring[1:])
    draft.add_once(draft.sites, prefix, site, reader, "lisp-site")


_BUILDERS: dict[str, Callable[[Reader, Draft], None]] = {
    "explicit-locator-path": read_path,
    "map-server": _map_server,
    "database-mapping": _database_mapping,
    "static-map-cache": _static_map_cache,
    "lisp-site": _site,
    "pubsub-subscriber": _subscriber,
    "ms-static-registered-site": _static_registration,
}
