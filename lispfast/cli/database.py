"""`lispctl database`: this node's own EID-prefixes and the locators that they are registered with."""

from __future__ import annotations

from typing import Any

from lispfast.cli.map_cache import ways
from lispfast.cli.tables import table

HEADER = ("Locator", "Interface", "Family", "State", "Pri/Wgt")


def render(view: dict[str, Any]) -> str:
    """A line for each EID-prefix, its locators under it."""
    return "\n".join(_mapping(mapping) for mapping in view["mappings"])


def _mapping(mapping: dict[str, Any]) -> str:
    rows = [
        (
            locator["address"],
            locator["interface"] or ("this host" if locator["local"] else "elsewhere"),
            locator["family"],
            locator["state"],
            f"{locator['priority']}/{locator['weight']}",
        )
        for locator in mapping["locators"]
    ]
    version = f", version {mapping['map_version']}" if mapping["map_version"] else ""
    return f"{mapping['eid_prefix']}, TTL {mapping['ttl']} min{version}\n" + table(HEADER, rows, "  ") + ways(mapping)
