"""From what the host's routing is to what it should be: pure functions from a HostView to lists of changes.

The order of a plan keeps two promises. The daemon's own packets, whose source is an RLOC, never enter the tunnel: the
rule and table of an RLOC exist before lmn0's default does and before anything is sent from it, and those of an old one
go last. And the host is never without a default: a copy exists before its original goes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lispfast.model.addresses import Address, Network
from lispfast.model.underlay import Attachment, Interface, Underlay
from lispfast.runtime.changes import (
    Change,
    add_route,
    add_rule,
    copy_route,
    delete_route,
    delete_rule,
    put_route,
    set_mtu,
)
from lispfast.runtime.hostview import (
    ANYWHERE,
    HALVES,
    METRIC_DEFAULT_V6,
    METRIC_LAST,
    TABLE_MAIN,
    Hop,
    HostView,
    Link,
    Route,
    Rule,
)
from lispfast.runtime.journal import Move
from lispfast.runtime.netmon import beats, default_of
from lispfast.runtime.rtnl import make_route, make_rule
from lispfast.runtime.site import is_site_rule, site_routes, site_rules

FIRST_TABLE = 5  # as LISPmob: `1: from RLOC lookup 5`
RULE_PRIORITY = 1  # every interface's: their sources differ, so their order does not matter
MOVED_METRIC = 100  # as LISPmob: the physical default's, or the first free from there
TUNNEL_METRIC = {4: 0, 6: 1}  # the best that there is; 0 means 1024 on IPv6
OVERHEAD = 56  # bytes of outer IPv6, UDP and LISP header
MIN_TUNNEL_MTU = 1280  # Linux takes the IPv6 addresses of an interface with less away, for good


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the daemon holds of the host: the sources of lmn0's routes by family, and a table for each interface.

    `site` are the EID-prefixes behind an xTR, whose table is lmn0's; it has no `sources`, as the default stays.
    """

    device: str
    sources: dict[int, Address]
    tables: dict[str, int]
    halves: bool = False
    priority: int = RULE_PRIORITY
    moves: tuple[Move, ...] = ()
    site: tuple[Network, ...] = ()

    @property
    def originals(self) -> dict[str, int]:
        """Of the moved defaults, by identity: the metric that each had."""
        return {move.identity: move.metric for move in self.moves}


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in order: `policy` do not depend on each other's success, `main` each on the one before, `obsolete` last.

    `moves` is what the journal must say before `main` begins.
    """

    policy: tuple[Change, ...]
    moves: tuple[Move, ...]
    main: tuple[Change, ...]
    obsolete: tuple[Change, ...]


def make_plan(view: HostView, underlay: Underlay, holdings: Holdings) -> Plan:
    """What to change so that the host's traffic takes the tunnel and the tunnel's own does not; empty if it is so."""
    wanted, rules = _wanted_policy(view, underlay, holdings)
    policy, obsolete = _policy_changes(view, holdings, wanted, rules)
    moves = holdings.moves
    main: list[Change] = []
    device = view.link(holdings.device)
    if device is not None:
        if not holdings.halves:
            moves, main = _make_way(view, holdings, device)
        main += _tunnel_routes(view, holdings, device)
        mtu = tunnel_mtu(underlay)
        if mtu and mtu != device.mtu:
            main.append(set_mtu(device, mtu))
    return Plan(tuple(policy), moves, tuple(main), tuple(obsolete))


def withdraw(view: HostView, holdings: Holdings) -> tuple[Change, ...]:
    """What gives the host its routing back, each change depending on the one before; empty when nothing is left."""
    changes: list[Change] = []
    device = view.link(holdings.device)
    for version in (4, 6):
        own = [r for r in view.table(TABLE_MAIN, version) if device and device.index in r.indices]
        replaced = not any(route.is_default for route in own)
        changes += [delete_route(r) for r in own if r.is_default or r.destination in HALVES[version]]
        changes += _restore(view, holdings, version, replaced)
    changes += [delete_rule(rule) for rule in _own_rules(view, holdings)]
    tables = set(holdings.tables.values())
    changes += [delete_route(route) for route in view.routes if route.table in tables]
    return tuple(changes)


def choose_tables(view: HostView, names: tuple[str, ...], held: frozenset[int] = frozenset()) -> dict[str, int]:
    """A routing table for each interface: 5, 6, ... leaving out what is held already or somebody else uses."""
    taken = held | {route.table for route in view.routes} | {rule.table for rule in view.rules}
    free = (table for table in range(FIRST_TABLE, TABLE_MAIN - 1) if table not in taken)
    return dict(zip(names, free, strict=False))


def tunnel_mtu(underlay: Underlay) -> int:
    """The MTU of lmn0 that fits every network attached; 0 when there is none."""
    attached = [i.mtu for i in underlay.interfaces if i.attachment(4) or i.attachment(6)]
    return max(min(attached) - OVERHEAD, MIN_TUNNEL_MTU) if attached else 0


# -- the physical defaults: out of the way and back


def _make_way(view: HostView, holdings: Holdings, device: Link) -> tuple[tuple[Move, ...], list[Change]]:
    """Move every default that would beat lmn0's; forget moves whose route is gone."""
    moves: list[Move] = []
    changes: list[Change] = []
    for version in holdings.sources:
        defaults = view.defaults(version)
        standing = {route.identity(): route for route in defaults}
        kept = [move for move in holdings.moves if move.identity in standing]
        intruders = [r for r in defaults if beats(r) and device.index not in r.indices]
        # A newcomer that displaced lmn0's default would have displaced, had we never run, the one we moved.
        replacing = bool(holdings.moves) and not any(device.index in route.indices for route in defaults)
        copied = {move.original for move in kept}
        fresh = [route for route in intruders if route.identity() not in copied]
        kept, dropped = _supersede(kept, standing, fresh if replacing else [])
        changes += [delete_route(route) for route in dropped]
        taken = {route.metric for route in defaults if route not in dropped}
        for route in fresh:
            metric = next(m for m in range(MOVED_METRIC, METRIC_LAST) if m not in taken)
            taken.add(metric)
            moves.append(Move(route.identity(metric), route.metric, route.identity()))
            changes += [copy_route(route, metric), delete_route(route)]
        changes += [delete_route(route) for route in intruders if route not in fresh]
        moves += kept
    return tuple(moves), changes


def _supersede(moves: list[Move], standing: dict[str, Route], newer: list[Route]) -> tuple[list[Move], list[Route]]:
    """Which moves stay beside newer defaults of the same metric, and which routes go.

    One over the same interface goes at once: that network has a new gateway. One over another interface stays for that
    interface's sake, marked so that it is not put back at the end.
    """
    kept, dropped = [], []
    for move in moves:
        rivals = [route for route in newer if route.metric == move.metric]
        if any(route.indices & standing[move.identity].indices for route in rivals):
            dropped.append(standing[move.identity])
        else:
            kept.append(replace(move, superseded=True) if rivals else move)
    return kept, dropped


def _restore(view: HostView, holdings: Holdings, version: int, replaced: bool) -> list[Change]:
    """Give the moved defaults their metrics back.

    `replaced`: lmn0's default is gone, so a foreign one of the same metric took the place of those that we moved.
    """
    defaults = view.defaults(version)
    standing = {route.identity(): route for route in defaults}
    originals = {move.original for move in holdings.moves}
    foreign = {route.metric for route in defaults if beats(route) and route.identity() not in originals} & set(
        holdings.originals.values()
    )
    changes = []
    for move in holdings.moves:
        route = standing.get(move.identity)
        if route is None or route.version != version:
            continue
        obsolete = move.superseded or move.original in standing or (replaced and move.metric in foreign)
        changes += [] if obsolete else [copy_route(route, move.metric)]
        changes.append(delete_route(route))
    return changes


def _tunnel_routes(view: HostView, holdings: Holdings, device: Link) -> list[Change]:
    changes = []
    for version, source in holdings.sources.items():
        present = {route.identity(): route for route in view.table(TABLE_MAIN, version)}
        whole, halves = (
            [make_route(TABLE_MAIN, to, Hop(device.index), TUNNEL_METRIC[version], source) for to in destinations]
            for destinations in ((ANYWHERE[version],), HALVES[version])
        )
        halved = holdings.halves or _leaves_room(view, version, device)
        wanted, other = (halves, whole) if halved else (whole, halves)
        changes += [add_route(route) for route in wanted if route.identity() not in present]
        changes += [delete_route(present[route.identity()]) for route in other if route.identity() in present]
    return changes


def _leaves_room(view: HostView, version: int, device: Link) -> bool:
    """Whether lmn0 takes halves, so that a DHCP client can add its default: two of metric 0 are refused (EEXIST).

    Only where there is no physical default: beside one, such a client would be refused without us too. IPv6 has no need
    of it, as clients do not come with metric 1.
    """
    return version == 4 and all(device.index in route.indices for route in view.defaults(version))


# -- the RLOCs' own rules and tables


def _wanted_policy(view: HostView, underlay: Underlay, holdings: Holdings) -> tuple[list[Route], list[Rule]]:
    routes: list[Route] = []
    rules: list[Rule] = []
    for interface in underlay.interfaces:
        table = holdings.tables.get(interface.name)
        for attachment in (interface.v4, interface.v6):
            if table is not None and attachment is not None:
                routes += _table_routes(view, interface, attachment, table, holdings)
                rules.append(make_rule(holdings.priority, attachment.address, table))
    site_table = holdings.tables.get(holdings.device)
    if holdings.site and site_table is not None:
        routes += site_routes(holdings.site, site_table, view.link(holdings.device))
        rules += site_rules(holdings.site, site_table)
    return routes, rules


def _table_routes(
    view: HostView, interface: Interface, attachment: Attachment, table: int, holdings: Holdings
) -> list[Route]:
    """On-link prefixes first: the gateway must be seen to be on the link."""
    version = attachment.address.version
    usual = METRIC_DEFAULT_V6 if version == 6 else 0
    routes = {
        route.destination: make_route(table, route.destination, Hop(interface.index), usual, route.source)
        for route in reversed(view.on_link(version, interface.index))
    }
    last = []
    default = default_of(view, version, interface.index, holdings.originals)
    if default is not None:
        route, hop = default
        last.append(make_route(table, ANYWHERE[version], hop, usual, path_metrics=route.path_metrics))
    if default is None or version == 6:
        # Without it a packet from this RLOC could fall through to the main table, and so into the tunnel. With IPv6 it
        # stands always: an interface that goes down takes its routes along a moment before its addresses.
        last.append(make_route(table, ANYWHERE[version], None, METRIC_LAST))
    return [*routes.values(), *last]


def _policy_changes(
    view: HostView, holdings: Holdings, wanted: list[Route], rules: list[Rule]
) -> tuple[list[Change], list[Change]]:
    tables = set(holdings.tables.values())
    present = [route for route in view.routes if route.table in tables]
    there = {(route.table, route.identity()) for route in present}
    missing = [route for route in wanted if (route.table, route.identity()) not in there]
    right = {(route.table, route.identity()) for route in wanted}
    # What a missing route takes the place of goes without being told to.
    replaced = {(route.table, route.destination, route.metric) for route in missing}
    own = _own_rules(view, holdings)
    known = {rule.key for rule in own}
    meant = {rule.key for rule in rules}
    add = [put_route(route) for route in missing]
    add += [add_rule(rule) for rule in rules if rule.key not in known]
    drop = [delete_rule(rule) for rule in own if rule.key not in meant]
    drop += [
        delete_route(route)
        for route in present
        if (route.table, route.identity()) not in right
        and (route.table, route.destination, route.metric) not in replaced
    ]
    return add, drop


def _own_rules(view: HostView, holdings: Holdings) -> list[Rule]:
    tables = frozenset(holdings.tables.values())
    return [r for r in view.rules if _is_rloc_rule(r, holdings, tables) or is_site_rule(r, holdings.site, tables)]


def _is_rloc_rule(rule: Rule, holdings: Holdings, tables: frozenset[int]) -> bool:
    sourced = rule.plain and rule.source is not None and rule.destination is None and rule.suppress is None
    return sourced and rule.priority == holdings.priority and rule.table in tables
