"""`lispctl map-cache --table`: the data plane's own table, as the workers see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lispfast.cli.map_cache import packets
from lispfast.cli.parts import Answer
from lispfast.cli.tables import duration, table

HEADER = ("Locator", "Source", "Pri/Wgt", "MTU", "Encapsulation")


def render(answer: Answer) -> Iterator[str]:
    """A line for each prefix, its locators and its packets under it; at the end how many, and our own side."""
    yield "LISP data plane table\n"
    for entry in answer:
        yield "\n" + _entry(entry)
    count, eids = answer.end["prefixes"], ", ".join(answer.end["local_eids"]) or "none"
    yield f"\n{count} {'prefix' if count == 1 else 'prefixes'}\nLocal EIDs: {eids}\n"
    yield "".join(f"Source slot {one['slot']}: {one['address']}\n" for one in answer.end["sources"])


def action(verdict: dict[str, Any]) -> str:
    """What is done with a packet, in two words at most."""
    return f"{verdict['action']} {verdict['code']}" if "code" in verdict else str(verdict["action"])


def _entry(entry: dict[str, Any]) -> str:
    used = "never used" if entry["idle"] is None else f"used {duration(entry['idle'])} ago"
    rows = [
        (
            _way(locator),
            locator["source"],
            f"{locator['priority']}/{locator['weight']}",
            locator["mtu"],
            locator["encapsulation"],
        )
        for locator in entry["locators"]
    ]
    return f"{entry['eid_prefix']}, {action(entry)}, {used}\n" + table(HEADER, rows, "  ") + packets(entry)


def _way(locator: dict[str, Any]) -> str:
    """The RLOC; where that is an EID of a visited site, the RLOC of the site too."""
    inside = locator.get("inside")
    return str(locator["address"]) if inside is None else f"{inside['address']} by {locator['address']}"
