"""`lispctl check`: the data plane's table beside what the map-cache and policy say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lispfast.cli.forwarding_table import action
from lispfast.cli.parts import Answer

WORDS = {"missing": "missing from the table", "stray": "in the table and not wanted", "differs": "differs"}


def render(answer: Answer) -> Iterator[str]:
    """A line or three for each difference, and what was compared at the end."""
    for one in answer:
        yield _difference(one)
    end = answer.end
    total = end["differences_total"]
    outcome = "no difference" if end["same"] else f"{total} {'difference' if total == 1 else 'differences'}"
    yield f"{end['wanted']} prefixes of the map-cache and policy, {end['prefixes']} of the table: {outcome}\n"
    if end["unsure"]:
        yield f"{end['unsure']} prefixes are hidden by more-specifics and could not be looked up\n"


def _difference(one: dict[str, Any]) -> str:
    wanted, found = one["wanted"], one["found"]
    if "local_eid" in one:
        return f"local EID {one['local_eid']}: {WORDS[one['kind']]}\n"
    name = one["eid_prefix"] if "eid_prefix" in one else f"source slot {one['source_slot']}"
    sides = (("wanted", wanted), ("found", found))
    lines = [f"  {side}: {_text(view)}\n" for side, view in sides if view is not None]
    return f"{name}: {WORDS[one['kind']]}\n{''.join(lines)}"


def _text(view: dict[str, Any]) -> str:
    """A verdict or a source slot on one line, with everything that may differ."""
    if "action" not in view:
        return f"{view['address']} on interface {view['ifindex']}"
    locators = ", ".join(
        f"{one['address']} slot {one['slot']} {one['priority']}/{one['weight']} {one['encapsulation']} "
        f"port {one['port']} MTU {one['mtu']} header {one['header']}{_inside(one)}"
        for one in view["locators"]
    )
    return f"{action(view)} to {locators}" if locators else action(view)


def _inside(locator: dict[str, Any]) -> str:
    tunnel = locator.get("inside")
    if tunnel is None:
        return ""
    return f" with {tunnel['address']} slot {tunnel['slot']} port {tunnel['port']} header {tunnel['header']} inside"
