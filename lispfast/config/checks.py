"""What only shows when the whole file is known: a section missing, a prefix twice, a server inside an EID-prefix."""

from __future__ import annotations

from ipaddress import ip_network

from lispfast.config.draft import Draft, Placed
from lispfast.config.key_checks import check_keys
from lispfast.config.problems import Span
from lispfast.model.addresses import Address, EidPrefix, Network
from lispfast.model.settings import AddressLocator, Mode, Profile

_NODE_SECTIONS = ("database-mapping", "map-server", "static-map-cache", "proxy-etr", "proxy-etr-ipv4", "proxy-etr-ipv6")
_SERVER_SECTIONS = ("lisp-site", "ms-static-registered-site")


def check(draft: Draft) -> Mode | None:
    """The mode that the settings are for, None where an error was found here."""
    mode = _settle_mode(draft)
    if draft.mode_in_error:
        draft.sound = False
    elif mode is Mode.MS:
        _check_server(draft)
    else:
        _check_node(draft, mode)
    _check_profile(draft)
    check_keys(draft)
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


def _check_node(draft: Draft, mode: Mode) -> None:
    first = draft.attempted.get("database-mapping", draft.mode_span)
    node = "a mobile node needs an EID" if mode is Mode.MN else "an xTR needs an EID-prefix"
    if "database-mapping" not in draft.attempted:
        draft.error(draft.mode_span, f"no database-mapping: {node}", "database-mapping { ... }")
    if "map-server" not in draft.attempted:
        draft.error(first, "no map-server: nobody would learn where this node is", "map-server { ... }")
    if not draft.has_map_resolver:
        draft.report.warning(first, "no map-resolver: only static-map-cache entries are reached")
    for name in (*_SERVER_SECTIONS, "pubsub-subscriber"):
        if name in draft.attempted:
            text = f"{name} does nothing in {'a mobile node' if mode is Mode.MN else 'an xTR'}"
            draft.report.warning(draft.attempted[name], text, "operating-mode = MS")
    if mode is Mode.MN:
        _check_hosts(draft)
    _check_instances(draft)
    remote = [p.span for p in draft.own_locators if isinstance(p.value, AddressLocator) and not p.value.local]
    if remote and draft.map_servers and not any(p.value.proxy_reply for p in draft.map_servers):
        text = "another node's locator is announced only by a Map-Server that answers for us"
        draft.report.warning(remote[0], text, "proxy-reply = on in map-server")
    iids = {prefix.iid for prefix in draft.database}
    for placed in draft.destinations:
        if iids and placed.value.iid not in iids:
            text = f"allowed-dst-eids {placed.value} is in an instance-ID that no EID of ours is in"
            draft.report.warning(placed.span, text, f"[{min(iids)}]{placed.value.network}")


def _check_hosts(draft: Draft) -> None:
    """A mobile node is one host: its EIDs are addresses."""
    for prefix, placed in draft.database.items():
        if prefix.length != prefix.network.max_prefixlen:
            hint = f"did you mean {prefix.network.network_address}/{prefix.network.max_prefixlen}, or an xTR?"
            draft.error(placed.span, f"a mobile node's EID is a host, /32 or /128, and {prefix} is not", hint)


def _check_instances(draft: Draft) -> None:
    """No address in two instance-IDs: the source of a packet alone says which one it belongs to."""
    own: dict[Network, EidPrefix] = {}
    lengths = sorted({(prefix.version, prefix.length) for prefix in draft.database}, reverse=True)
    why = "a packet's source decides its instance-ID"
    # Shorter ones first, so that what holds a prefix is known before it.
    for prefix in sorted(draft.database, key=lambda prefix: prefix.length):
        for version, length in lengths:
            if version != prefix.version or length > prefix.length:
                continue
            other = own.get(prefix.network.supernet(new_prefix=length))
            if other is not None and other.iid != prefix.iid:
                later = max((draft.database[one] for one in (prefix, other)), key=lambda one: one.span.start)
                pair = (prefix, other) if later is draft.database[prefix] else (other, prefix)
                draft.error(later.span, f"{pair[0]} overlaps {pair[1]} in another instance-ID", why)
                break
        own.setdefault(prefix.network, prefix)


def _check_profile(draft: Draft) -> None:
    """Only a private network may trust what a LISP header tells (RFC 9300 section 4.1)."""
    if draft.profile is not Profile.PRIVATE:
        for name, span in draft.private_only.items():
            draft.error(span, f"{name} is not for the public Internet (RFC 9300 section 4.1)", "profile = private")
    if draft.versioned and "map-versioning" not in draft.private_only:
        draft.report.warning(draft.versioned[0], "map-version does nothing without map-versioning")


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
        *(("elp-node", p) for p in draft.hops),
        *(
            ("locator", Placed(p.value.address, p.span))
            for p in draft.own_locators
            if isinstance(p.value, AddressLocator) and not p.value.path
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
