"""`lispctl sites`: what a Map-Server's sites have registered."""

from __future__ import annotations

from typing import Any

from lispfast.cli.map_cache import carried
from lispfast.cli.tables import duration, table

HEADER = ("Registered", "Uptime", "Expires", "By", "Locators")


def render(view: dict[str, Any]) -> str:
    """A line for each site, its registrations under it; static registrations last."""
    static = [
        f"{mapping['eid_prefix']}, static: {' '.join(_locators(mapping['locators']))}\n"
        for mapping in view.get("static", [])
    ]
    return "".join([_site(site) for site in view["sites"]] + static) or "no lisp-site is configured\n"


def _site(site: dict[str, Any]) -> str:
    extras = [word.replace("_", "-") for word in ("accept_more_specifics", "proxy_reply") if site[word]]
    rows = [
        (
            registration["eid_prefix"],
            duration(registration["uptime"]),
            duration(registration["expires"]),
            registration["last_registerer"],
            _locators(registration["locators"]),
        )
        for registration in site["registrations"]
    ]
    lines = "".join(map(carried, site["registrations"]))
    return ", ".join([site["eid_prefix"], site["state"], *extras]) + "\n" + table(HEADER, rows, "  ") + lines


def _locators(locators: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(f"{locator['address']}({locator['priority']}/{locator['weight']})" for locator in locators)
