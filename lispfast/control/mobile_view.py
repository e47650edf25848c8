"""What `lispctl` shows of a mobile node, as JSON-ready values. Durations are seconds, round-trip times milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lispfast.control.map_cache import Entry
from lispfast.control.policy import Outlook, sent_to, usable_locators
from lispfast.control.registrar import Registration
from lispfast.model.mapping import Hop, Locator
from lispfast.model.settings import AddressLocator, DatabaseMapping, InterfaceLocator, ProxyEtr, Settings
from lispfast.model.underlay import Interface
from lispfast.model.units import Seconds
from lispfast.wire.text import describe_address, describe_locator

if TYPE_CHECKING:
    from lispfast.control.mobile_node import MobileNode

View = dict[str, object]


def status(node: MobileNode, now: Seconds) -> View:
    """`mode`, `eids`, `registrations`, `interfaces`, `source_locators`, `map_cache`, `lookups`, `next`, `drops`.

    `proxy_etrs`: `up` is not known to be down, with a round-trip time one that answers probes.
    Also `profile` and `features`, each with on, off or how much of it; and `lisp_sec`: `use`, and `unprotected`, the
    Map-Resolvers that are asked without it.
    """
    timeout = node.poll_timeout()
    return {
        "mode": node.settings.mode.value,
        "profile": node.settings.profile.value,
        "features": _features(node.settings),
        "eids": [str(entry.prefix) for entry in node.settings.database],
        "registrations": [_registration(r, now) for r in node.registrar.registrations],
        "interfaces": [_interface(i) for i in node.underlay.interfaces],
        "missing_interfaces": [n for n in node.settings.interfaces if node.underlay.interface(n) is None],
        "source_locators": {
            f"ipv{v}": {"address": str(way.address), "interface": way.interface}
            for v in (4, 6)
            if (way := node.position.source(v))
        },
        "map_resolvers": [str(address) for address in node.settings.map_resolvers],
        "proxy_etrs": [_proxy_etr(node, proxy, node.outlook()) for proxy in node.settings.proxy_etrs],
        "map_cache": {"entries": len(node.cache), "displaced": node.cache.displaced},
        "lookups": [
            {"eid_prefix": str(k.asked), "state": k.state.value, "purpose": k.purpose.value, "tries": k.tries}
            for k in node.resolver.lookups()
        ],
        "lookups_displaced": node.resolver.displaced,
        "lisp_sec": node.resolver.protection.view(now),
        "next": {"in": _ahead(timeout.at, now), "why": timeout.why} if timeout else None,
        "drops": {reason.value: count for reason, count in node.drops().items() if count},
    }


def map_cache(node: MobileNode, now: Seconds) -> View:
    """`entries`: `eid_prefix`, `uptime`, `expires`, `via`, `subscribed`, `action`, `idle`, `locators` and its use each.

    `expires` is None for an entry that never does, `idle` None for one that was never used, `map_version` 0 for one
    without a Map-Version. Its use is `packets_out`,
    `bytes_out`, `packets_in`, `bytes_in` (inner ones) and `drops`, 0 before the first packet. A locator has `address`,
    `uptime`, `state`, `priority`, `weight`, `rtt_ms`, `smoothed_rtt_ms`, `encapsulation` and `mtu`: of the path, outer
    headers included, with `mtu_learnt`, how long ago a router said so, None where it is the interface's. `path` are the
    hops of an explicit locator path and `next_hop` is the RLOC that packets go to, of which the state, the round-trip
    times and `mtu` are; `site` is the EID-prefix of the site that the RLOC visits, None without one.
    """
    outlook = node.outlook()
    return {"entries": [_entry(node, entry, outlook, now) for entry in node.cache.entries()]}


def database(node: MobileNode, now: Seconds) -> View:
    """`mappings`, each with `eid_prefix`, `ttl` in minutes, `map_version`, 0 for none, and `locators`: configured ones
    and what became of them."""
    return {"mappings": [_mapping(node, entry) for entry in node.settings.database]}


NOUNS: dict[str, Callable[[MobileNode, Seconds], View]] = {
    "status": status,
    "map-cache": map_cache,
    "database": database,
}


def _features(settings: Settings) -> View:
    hints, pubsub = settings.header_hints, settings.pubsub.subscribe
    switches = {
        "native_forward": settings.native_forward,
        "rloc_lookup": settings.rloc_lookup,
        "pubsub": pubsub,
        "echo_nonce": hints.echo_nonce,
        "map_versioning": hints.map_versioning,
        "status_bits": hints.status_bits,
    }
    return {
        **{name: "on" if on else "off" for name, on in switches.items()},
        "lisp_sec": settings.lisp_sec.use.value,
        "rloc_probing": "on" if settings.probing.interval > 0 else "off",
        "allowed_dst_eids": [str(prefix) for prefix in settings.allowed_destinations],
    }


def _registration(registration: Registration, now: Seconds) -> View:
    confirmed = registration.confirmed_at
    return {
        "map_server": str(registration.server.address),
        "state": registration.state.value,
        "why": registration.why,
        "since": _ago(registration.since, now),
        "next": None if registration.next is None else _ahead(registration.next, now),
        "last_notify": None if confirmed is None else _ago(confirmed, now),
        "rtt_ms": _milliseconds(registration.rtt),
        "proxy_reply": registration.server.proxy_reply,
    }


def _proxy_etr(node: MobileNode, proxy: ProxyEtr, outlook: Outlook) -> View:
    path = node.prober.path(proxy.address)
    return {
        "address": str(proxy.address),
        "eids": [f"ipv{version}" for version in proxy.versions],
        "state": "down" if proxy.address in outlook.down else "up",
        "priority": proxy.priority,
        "weight": proxy.weight,
        "rtt_ms": _milliseconds(path.rtt if path else None),
    }


def _interface(interface: Interface) -> View:
    attachments = {4: interface.v4, 6: interface.v6}
    return {
        "name": interface.name,
        "up": interface.up,
        "mtu": interface.mtu,
        **{f"ipv{v}": str(a.address) if a else None for v, a in attachments.items()},
        **{f"gateway_ipv{v}": str(a.gateway) if a and a.gateway else None for v, a in attachments.items()},
    }


def _entry(node: MobileNode, entry: Entry, outlook: Outlook, now: Seconds) -> View:
    idle = node.cache.idle(entry.prefix, now)
    usable = usable_locators(entry.mapping, outlook) if entry.mapping.locators else ()
    use = node.table.use(entry.prefix)
    return {
        "eid_prefix": str(entry.prefix),
        "uptime": _ago(max(entry.learned, node.started), now),
        "expires": None if entry.expires is None else _ahead(entry.expires, now),
        "via": entry.origin.value,
        "subscribed": node.subscriber.subscribed(entry.prefix),
        "action": entry.mapping.action.name.lower().replace("_", "-") if entry.mapping.negative else "encapsulate",
        "authoritative": entry.mapping.authoritative,
        "map_version": entry.mapping.version,
        "idle": None if idle is None else round(idle, 3),
        "packets_out": use.packets_out,
        "bytes_out": use.bytes_out,
        "packets_in": use.packets_in,
        "bytes_in": use.bytes_in,
        "drops": use.drops,
        "locators": [
            {**_locator(node, entry, loc, loc in usable, outlook, now), **_path(node, loc, outlook, now)}
            for loc in entry.mapping.locators
        ],
        "carried": [describe_locator(carried.encoded) for carried in entry.mapping.carried],
    }


def _locator(node: MobileNode, entry: Entry, locator: Locator, used: bool, outlook: Outlook, now: Seconds) -> View:
    rloc = sent_to(locator, outlook) or locator.address
    path = node.prober.path(rloc)
    if not locator.usable:
        state = "unusable"
    elif rloc in outlook.down:
        state = "down"
    else:
        state = "up" if used else "no-route"
    return {
        "address": str(locator.address),
        "uptime": _ago(max(entry.learned, node.started), now),
        "state": state,
        "priority": locator.priority,
        "weight": locator.weight,
        "rtt_ms": _milliseconds(path.rtt if path else None),
        "smoothed_rtt_ms": _milliseconds(path.smoothed if path else None),
    }


def _path(node: MobileNode, locator: Locator, outlook: Outlook, now: Seconds) -> View:
    hop = sent_to(locator, outlook) if locator.path else None
    rloc = hop or locator.address
    learnt, site = node.path_mtus.learnt(rloc), node.visited.sites.get(locator.address)
    return {
        "encapsulation": (locator.encapsulation or outlook.encapsulation).value,
        "path": [str(hop.address) for hop in locator.path],
        "next_hop": None if hop is None else str(hop),
        "says": describe_address(locator.encoded) if locator.encoded else None,
        "site": None if site is None else str(site.prefix),
        "mtu": outlook.mtu(rloc),
        "mtu_learnt": None if learnt is None else _ago(learnt, now),
    }


def _mapping(node: MobileNode, entry: DatabaseMapping) -> View:
    configured = [_configured(node, locator) for locator in entry.locators]
    return {
        "eid_prefix": str(entry.prefix),
        "ttl": entry.ttl,
        "map_version": entry.version,
        "locators": configured,
    }


def _configured(node: MobileNode, locator: InterfaceLocator | AddressLocator) -> View:
    hops: tuple[Hop, ...] = ()
    if isinstance(locator, AddressLocator):
        address: str | None = str(locator.address)
        hops = locator.path
        up = not locator.local or node.position.source_at(locator.rloc) is not None
        where: View = {"interface": None, "family": f"ipv{locator.address.version}", "local": locator.local}
    else:
        wanted = (locator.interface, locator.version)
        way = next((w for w in node.position.ways if (w.interface, w.address.version) == wanted), None)
        address, up = str(way.address) if way else None, way is not None
        where = {"interface": locator.interface, "family": f"ipv{locator.version}", "local": True}
    return {
        **where,
        "address": address,
        "path": [str(hop.address) for hop in hops],
        "state": "up" if up else "down",
        "priority": locator.priority,
        "weight": locator.weight,
    }


def _ago(at: Seconds, now: Seconds) -> float:
    return round(max(0.0, now - at), 3)


def _ahead(at: Seconds, now: Seconds) -> float:
    return round(max(0.0, at - now), 3)


def _milliseconds(duration: Seconds | None) -> float | None:
    return None if duration is None else round(duration * 1000, 3)
