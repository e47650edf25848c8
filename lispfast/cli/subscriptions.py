"""`lispctl subscriptions`: who is told of changes by a Map-Server."""

from __future__ import annotations

from typing import Any

from lispfast.cli.tables import duration, table

HEADER = ("EID-prefix", "ITR-RLOCs", "Uptime", "Expires", "State", "xTR-ID")


def render(view: dict[str, Any]) -> str:
    """A line for each subscription."""
    if not view["enabled"]:
        return "subscriptions are not accepted: set pubsub and a pubsub-key\n"
    rows = [
        (
            one["eid_prefix"],
            tuple(one["itr_rlocs"]),
            duration(one["uptime"]),
            duration(one["expires"]),
            one["state"],
            one["xtr_id"],
        )
        for one in view["subscriptions"]
    ]
    return table(HEADER, rows, "") if rows else "nobody is subscribed\n"
