"""`lispctl map-cache`, in the words and order of Cisco's `show lisp map-cache`."""

from __future__ import annotations

from json import dumps
from typing import Any

from lispfast.cli.tables import duration, table

HEADER = ("Locator", "Uptime", "State", "Pri/Wgt", "RTT", "MTU", "Encapsulation")


def render(view: dict[str, Any]) -> str:
    """A line for each prefix, its locators and its packets under it."""
    entries = view["entries"]
    return f"LISP map-cache, {len(entries)} {'entry' if len(entries) == 1 else 'entries'}\n" + "".join(
        "\n" + _entry(entry) for entry in entries
    )


def _entry(entry: dict[str, Any]) -> str:
    expires = "never" if entry["expires"] is None else duration(entry["expires"])
    line = f"{entry['eid_prefix']}, uptime: {duration(entry['uptime'])}, expires: {expires}, via {entry['via']}"
    line += ", subscribed" if entry["subscribed"] else ""
    line += f", version {entry['map_version']}" if entry["map_version"] else ""
    used = "never used" if entry["idle"] is None else f"used {duration(entry['idle'])} ago"
    if not entry["locators"]:
        return f"{line}, {used}\n  Negative cache entry, action: {entry['action']}\n" + carried(entry)
    rows = [
        (
            locator["address"],
            duration(locator["uptime"]),
            locator["state"],
            f"{locator['priority']}/{locator['weight']}",
            None if locator["rtt_ms"] is None else f"{locator['rtt_ms']:.1f} ms",
            _mtu(locator),
            locator["encapsulation"],
        )
        for locator in entry["locators"]
    ]
    return f"{line}, {used}\n" + table(HEADER, rows, "  ") + ways(entry) + carried(entry) + packets(entry)


def carried(entry: dict[str, Any]) -> str:
    """A line for each locator that is kept and not acted on, and for what one says beside its address."""
    said = [f"  {one['address']} also says {dumps(one['says'])}\n" for one in entry["locators"] if one.get("says")]
    return "".join(said + [f"  Not acted on: {dumps(one['address'])}\n" for one in entry.get("carried", ())])


def ways(entry: dict[str, Any]) -> str:
    """A line for each locator that more than one RLOC leads to."""
    lines = [f"  To {one['address']} along {', '.join(one['path'])}\n" for one in entry["locators"] if one["path"]]
    sites = [one for one in entry["locators"] if one.get("site")]
    lines += [f"  To {one['address']} through the locators of {one['site']}, the site it visits\n" for one in sites]
    return "".join(lines)


def _mtu(locator: dict[str, Any]) -> str:
    learnt = locator["mtu_learnt"]
    return str(locator["mtu"]) if learnt is None else f"{locator['mtu']} (learnt {duration(learnt)} ago)"


def packets(entry: dict[str, Any]) -> str:
    """What went through the tunnel under this prefix; nothing where there was nothing."""
    if not (entry["packets_out"] or entry["packets_in"] or entry["drops"]):
        return ""
    return (
        f"  Packets out: {entry['packets_out']} ({entry['bytes_out']} bytes), "
        f"in: {entry['packets_in']} ({entry['bytes_in']} bytes), dropped: {entry['drops']}\n"
    )
