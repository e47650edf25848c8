"""The routes of an xTR's site: which packets that a router forwards go into the tunnel.

A site's hosts are behind other interfaces, so the host's own default stays as it is and rules choose by address:

    1: to EID-prefix lookup main suppress_prefixlength 0      the site itself, by whatever routes lead into it
    2: to EID-prefix lookup TABLE                             unreachable: no part of the site is outside of it
    3: from RLOC lookup ...                                   the tunnel's own packets (see plan)
    4: from EID-prefix lookup main suppress_prefixlength 0    what the router has a route to, the default left out
    5: from EID-prefix lookup TABLE                           the rest: into lmn0

TABLE has a default over lmn0, and behind it one that rejects: without lmn0 nothing of the site leaves natively.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from lispfast.model.addresses import Address, Network
from lispfast.model.settings import Mode, Settings
from lispfast.runtime.hostview import ANYWHERE, METRIC_DEFAULT_V6, METRIC_LAST, TABLE_MAIN, Hop, Link, Route, Rule
from lispfast.runtime.rtnl import make_route, make_rule

TO_MAIN, TO_TABLE, RLOC_PRIORITY, FROM_MAIN, FROM_TABLE = range(1, 6)
"""The priorities of the rules; ours."""

FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
LOOSE = "2"  # Documentation/networking/ip-sysctl.rst, rp_filter


def site_prefixes(settings: Settings) -> tuple[Network, ...]:
    """What the site's hosts have their addresses of, each once; nothing for a mobile node, which has no site.

    The instance-ID is the tunnel's business: two instances with one EID-prefix share its routes. An EID-prefix that is
    everything says nothing of where a packet is from.
    """
    if settings.mode is not Mode.XTR:
        return ()
    networks = (entry.prefix.network for entry in settings.database)
    return tuple(dict.fromkeys(network for network in networks if network.prefixlen))


def tunnel_addresses(settings: Settings) -> tuple[Address, ...]:
    """The addresses of lmn0: a mobile node's EIDs, and of an xTR's those EID-prefixes that are one host."""
    networks = [entry.prefix.network for entry in settings.database]
    if settings.mode is Mode.XTR:
        networks = [network for network in networks if network.prefixlen == network.max_prefixlen]
    return tuple(network.network_address for network in networks)


def site_rules(site: Iterable[Network], table: int) -> list[Rule]:
    """The rules of each EID-prefix, but for those of the RLOCs."""
    rules = []
    for prefix in site:
        rules += [
            make_rule(TO_MAIN, None, TABLE_MAIN, destination=prefix, suppress=0),
            make_rule(TO_TABLE, None, table, destination=prefix),
            make_rule(FROM_MAIN, prefix, TABLE_MAIN, suppress=0),
            make_rule(FROM_TABLE, prefix, table),
        ]
    return rules


def site_routes(site: Iterable[Network], table: int, device: Link | None) -> list[Route]:
    """The routes of TABLE; without lmn0 those that reject."""
    routes = []
    prefixes = tuple(site)
    for version in sorted({prefix.version for prefix in prefixes}):
        usual = METRIC_DEFAULT_V6 if version == 6 else 0
        routes += [make_route(table, prefix, None, usual) for prefix in prefixes if prefix.version == version]
        if device is not None:
            routes.append(make_route(table, ANYWHERE[version], Hop(device.index), usual))
        routes.append(make_route(table, ANYWHERE[version], None, METRIC_LAST))
    return routes


def is_site_rule(rule: Rule, site: Sequence[Network], tables: frozenset[int]) -> bool:
    """Whether a rule is one of `site_rules`, with any of these tables."""
    if not rule.plain or (rule.source is None) == (rule.destination is None):
        return False
    if rule.source not in site and rule.destination not in site:
        return False
    to = rule.source is None
    if rule.table in tables:
        return rule.suppress is None and rule.priority == (TO_TABLE if to else FROM_TABLE)
    return rule.table == TABLE_MAIN and rule.suppress == 0 and rule.priority == (TO_MAIN if to else FROM_MAIN)


def allow_any_way_back(device: str, root: Path = Path("/proc/sys")) -> None:
    """Packets come out of lmn0 from anywhere, whatever the host's routes say of their sources; OSError."""
    (root / "net/ipv4/conf" / device / "rp_filter").write_text(f"{LOOSE}\n")


def missing_forwarding(site: Iterable[Network], root: Path = Path("/proc/sys")) -> list[str]:
    """What keeps the kernel from forwarding for the site's hosts, in sentences with the remedy.

    It is told and not changed: forwarding is of the whole host, firewalls are written in view of it, and turning it on
    for IPv6 makes the kernel forget every default route that a router advertisement brought, for good.
    """
    problems = []
    for version in sorted({prefix.version for prefix in site if prefix.prefixlen < prefix.max_prefixlen}):
        name = FORWARDING[version]
        try:
            on = (root / name.replace(".", "/")).read_text().strip() != "0"
        except OSError:
            continue  # a kernel without the family says so elsewhere
        if not on:
            problems.append(
                f"IPv{version} forwarding is off, so hosts behind this xTR cannot send or receive: "
                f"sysctl -w {name}=1"
                + (" (and accept_ra=2 of an interface that takes router advertisements)" if version == 6 else "")
            )
    return problems
