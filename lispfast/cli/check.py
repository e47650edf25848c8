"""`lispctl check`: the data plane's table beside what the map-cache and policy say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lispfast.cli.forwarding_table import action
from lispfast.cli.parts import Answer


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
    prefix, wanted, found = one["eid_prefix"], one["wanted"], one["found"]
    if found is None:
        return f"{prefix}: missing from the table\n  wanted: {_verdict(wanted)}\n"
    if wanted is None:
        return f"{prefix}: in the table and not wanted\n  found: {_verdict(found)}\n"
    return f"{prefix}: differs\n  wanted: {_verdict(wanted)}\n  found: {_verdict(found)}\n"


def _verdict(verdict: dict[str, Any]) -> str:
    """On one line, with everything that may differ."""
    locators = ", ".join(
        f"{one['address']} slot {one['slot']} {one['priority']}/{one['weight']} {one['encapsulation']} "
        f"port {one['port']} MTU {one['mtu']} header {one['header']}"
        for one in verdict["locators"]
    )
    return f"{action(verdict)} to {locators}" if locators else action(verdict)
