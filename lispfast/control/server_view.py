"""What `lispctl` shows of a Map-Server, as JSON-ready values. Times are seconds from now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lispfast.control.registrations import Registration
from lispfast.control.subscriptions import Subscription
from lispfast.model.mapping import Locator
from lispfast.model.settings import Site
from lispfast.model.units import Seconds
from lispfast.wire.text import describe_address, describe_locator

if TYPE_CHECKING:
    from lispfast.control.map_server import MapServer

View = dict[str, object]


def status(server: MapServer, now: Seconds) -> View:
    """`mode`, counts of sites, registrations and subscriptions, `next`, `drops`."""
    timeout = server.poll_timeout()
    registered = {registration.site.prefix for _, registration in server.registrations.prefixes.items()}
    return {
        "mode": server.settings.mode.value,
        "sites": len(server.sites),
        "sites_registered": len(registered),
        "registrations": len(server.registrations),
        "static_registrations": len(server.settings.static_registrations),
        "subscriptions": len(server.publisher.subscriptions),
        "next": None if timeout is None else {"in": round(timeout.at - now, 3), "why": timeout.why},
        "drops": {reason.value: count for reason, count in server.drops().items() if count},
    }


def sites(server: MapServer, now: Seconds) -> View:
    """`sites` with their registrations, and the `static` registrations."""
    return {
        "sites": [_site(server, site, now) for site in server.sites],
        "static": [
            {"eid_prefix": str(m.prefix), "ttl": m.ttl, "locators": [_locator(loc) for loc in m.locators]}
            for m in server.settings.static_registrations
        ],
    }


def subscriptions(server: MapServer, now: Seconds) -> View:
    """`enabled`, and `subscriptions`: each with `eid_prefix`, who is told, where, and what is on its way to it."""
    found = [_subscription(server, subscription, now) for subscription in server.publisher.subscriptions]
    return {"enabled": server.publisher.enabled, "subscriptions": found}


def _subscription(server: MapServer, subscription: Subscription, now: Seconds) -> View:
    wish = subscription.wish
    expires = server.publisher.subscriptions.expires(wish.name)
    return {
        "eid_prefix": str(wish.prefix),
        "xtr_id": f"{wish.identity.xtr_id:032x}",
        "site_id": f"{wish.identity.site_id or 0:016x}",
        "itr_rlocs": [str(rloc) for rloc in wish.rlocs],
        "state": server.publisher.state(wish.name).value,
        "temporary": subscription.temporary,
        "uptime": round(now - subscription.since, 3),
        "expires": round(max(0.0, expires - now), 3),
    }


def _site(server: MapServer, site: Site, now: Seconds) -> View:
    found = [*server.registrations.prefixes.under(site.prefix)]
    exact = server.registrations.prefixes.get(site.prefix)
    registrations = [r for r in (exact, *(r for _, r in found)) if r is not None and r.site.prefix == site.prefix]
    return {
        "eid_prefix": str(site.prefix),
        "state": "registered" if registrations else "unregistered",
        "accept_more_specifics": site.accept_more_specifics,
        "proxy_reply": site.proxy_reply,
        "registrations": [_registration(registration, now) for registration in registrations],
    }


def _registration(registration: Registration, now: Seconds) -> View:
    mapping = registration.mapping
    return {
        "eid_prefix": str(mapping.prefix),
        "ttl": mapping.ttl,
        "locators": [_locator(locator) for locator in mapping.locators],
        "carried": [describe_locator(carried.encoded) for carried in mapping.carried],
        "proxy_reply": registration.proxy_reply,
        "registerers": len(registration.entries),
        "last_registerer": str(registration.latest.source),
        "uptime": round(now - registration.since, 3),
        "expires": round(registration.expires - now, 3),
    }


def _locator(locator: Locator) -> View:
    return {
        "address": str(locator.address),
        "priority": locator.priority,
        "weight": locator.weight,
        "reachable": locator.reachable,
        "says": describe_address(locator.encoded) if locator.encoded else None,
    }


NOUNS: dict[str, Callable[[MapServer, Seconds], View]] = {
    "status": status,
    "sites": sites,
    "subscriptions": subscriptions,
}
