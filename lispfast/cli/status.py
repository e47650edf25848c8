"""`lispctl status`: is this node registered, over what, does it forward, and if not, why."""

from __future__ import annotations

from typing import Any

from lispfast.cli.tables import duration, table

REGISTRATIONS = ("Map-Server", "State", "Since", "RTT", "Next", "Why")
FEATURES = ("Feature", "Outcome")
INTERFACES = ("Interface", "Link", "MTU", "IPv4", "IPv6")


def render(view: dict[str, Any]) -> str:
    """The state as a page of a few lines."""
    head = f"lispd-fast {view['version']}, {view['mode']}, process {view['pid']}, up {duration(view['uptime'])}\n"
    body = _map_server(view) if view["mode"] == "MS" else _node(view)
    return head + body + _waits(view) + _drops("Control datagrams ignored", view["drops"])


def _node(view: dict[str, Any]) -> str:
    registrations = [
        (
            entry["map_server"],
            entry["state"],
            duration(entry["since"]),
            None if entry["rtt_ms"] is None else f"{entry['rtt_ms']:.1f} ms",
            duration(entry["next"]),
            entry["why"],
        )
        for entry in view["registrations"]
    ]
    interfaces = [
        (entry["name"], "up" if entry["up"] else "down", entry["mtu"], entry["ipv4"], entry["ipv6"])
        for entry in view["interfaces"]
    ]
    interfaces += [(name, "missing", None, None, None) for name in view["missing_interfaces"]]
    sources = [f"{way['address']} on {way['interface']}" for way in view["source_locators"].values()]
    return (
        f"EIDs: {', '.join(view['eids'])}\n"
        + _profile(view)
        + f"Sending from: {', '.join(sources) or 'nowhere, no network is usable'}\n\n"
        + table(REGISTRATIONS, registrations)
        + "\n"
        + table(INTERFACES, interfaces)
        + f"\nMap-cache: {view['map_cache']['entries']} entries, {len(view['lookups'])} lookups under way\n"
        + _lisp_sec(view.get("lisp_sec", {}))
        + _data_plane(view["data_plane"])
    )


def _profile(view: dict[str, Any]) -> str:
    """The profile and what is switched on; a line of its own where only some destinations use LISP."""
    if "profile" not in view:
        return ""
    features = view["features"]
    on = [name.replace("_", "-") for name, state in features.items() if state == "on"]
    only = ", ".join(features["allowed_dst_eids"])
    return f"Profile: {view['profile']}; on: {', '.join(on) or 'nothing'}\n" + (
        f"LISP only to: {only}\n" if only else ""
    )


def _lisp_sec(state: dict[str, Any]) -> str:
    """A line where lookups are protected, or are meant to be."""
    if state.get("use", "off") == "off":
        return ""
    without = ", ".join(state["unprotected"])
    return f"LISP-SEC: {state['use']}" + (f", but without it at {without}" if without else "") + "\n"


def _map_server(view: dict[str, Any]) -> str:
    return (
        f"Sites: {view['sites']}, {view['sites_registered']} of them registered; "
        f"registrations: {view['registrations']}, static: {view['static_registrations']}\n"
    )


def _data_plane(plane: dict[str, Any]) -> str:
    return (
        f"Data plane: {plane['backend']}, workers {plane['workers']}; waited for a mapping: {plane['staged']}\n"
        f"  Out {plane['packets_out']} packets, {plane['bytes_out']} bytes; "
        f"in {plane['packets_in']} packets, {plane['bytes_in']} bytes\n"
        + _features(plane.get("features", {}))
        + _drops("Packets dropped", plane["drops"])
    )


def _features(features: dict[str, Any]) -> str:
    """A line for each optional feature of the kernel, with what came of it."""
    return table(FEATURES, [(name.replace("_", "-"), outcome) for name, outcome in features.items()], "  ")


def _waits(view: dict[str, Any]) -> str:
    if view["next"] is None:
        return "Waiting for nothing\n"
    return f"Next: in {duration(view['next']['in'])}, {view['next']['why']}\n"


def _drops(title: str, drops: dict[str, int]) -> str:
    if not drops:
        return ""
    return f"{title}: {', '.join(f'{reason} {count}' for reason, count in sorted(drops.items()))}\n"
