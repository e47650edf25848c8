"""The host's interfaces, addresses, routes and rules as values, and all of them together at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from ipaddress import ip_network

from lispfast.model.addresses import Address, Network
from lispfast.model.units import WireMtu

# linux/rtnetlink.h, linux/fib_rules.h
TABLE_MAIN, TABLE_LOCAL = 254, 255
PROTO_BOOT, PROTO_RA = 3, 9
SCOPE_UNIVERSE, SCOPE_SITE, SCOPE_LINK = 0, 200, 253
ACTION_TO_TABLE = 1
METRIC_LAST = 0xFFFFFFFF
METRIC_DEFAULT_V6 = 1024  # what the kernel makes of an IPv6 route without one
ANYWHERE: dict[int, Network] = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}
HALVES: dict[int, tuple[Network, ...]] = {
    version: tuple(network.subnets(prefixlen_diff=1)) for version, network in ANYWHERE.items()
}
LINK_LOCAL: dict[int, Network] = {4: ip_network("169.254.0.0/16"), 6: ip_network("fe80::/10")}


class Kind(IntEnum):
    """The types of route that matter here."""

    UNICAST = 1
    UNREACHABLE = 7


class LinkFlag(IntFlag):
    """linux/if.h."""

    UP = 0x1
    RUNNING = 0x40
    MULTICAST = 0x1000
    LOWER_UP = 0x10000


class AddressFlag(IntFlag):
    """linux/if_addr.h."""

    SECONDARY = 0x01  # on IPv6 the same bit means temporary (RFC 8981)
    NODAD = 0x02
    DADFAILED = 0x08
    DEPRECATED = 0x20
    TENTATIVE = 0x40
    NOPREFIXROUTE = 0x200


class HopFlag(IntFlag):
    """linux/rtnetlink.h RTNH_F_*: what a route says, and what the kernel adds about its state."""

    DEAD = 1
    ONLINK = 4
    LINKDOWN = 16


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface."""

    index: int
    name: str
    flags: int
    mtu: WireMtu

    @property
    def up(self) -> bool:
        """Administratively up, with a carrier, and operational (a Wi-Fi that is not yet let in is dormant)."""
        return all(self.flags & flag for flag in (LinkFlag.UP, LinkFlag.RUNNING, LinkFlag.LOWER_UP))


@dataclass(frozen=True, slots=True)
class HostAddress:
    """An address of an interface."""

    index: int
    address: Address
    length: int
    scope: int
    flags: int


@dataclass(frozen=True, slots=True)
class Hop:
    """One next hop; `gateway` None means that the destination itself is on the link."""

    index: int
    gateway: Address | None = None
    flags: int = 0

    @property
    def usable(self) -> bool:
        """Whether the kernel would send by it."""
        return not self.flags & (HopFlag.DEAD | HopFlag.LINKDOWN)


@dataclass(frozen=True, slots=True)
class Route:
    """A route of any table; `body` is the message that says all of it."""

    body: bytes
    table: int
    destination: Network
    metric: int
    hops: tuple[Hop, ...]
    kind: int = Kind.UNICAST
    protocol: int = PROTO_BOOT
    tos: int = 0
    source: Address | None = None
    path_metrics: bytes = b""

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.destination.version

    @property
    def is_default(self) -> bool:
        """Whether it is for every destination."""
        return self.destination.prefixlen == 0

    @property
    def indices(self) -> frozenset[int]:
        """The interfaces that it uses."""
        return frozenset(hop.index for hop in self.hops)

    def identity(self, metric: int | None = None) -> str:
        """What tells the route from another of its table, with another metric if one is given; stable while it stands.

        The protocol is not part of it, nor what the kernel adds by itself (states of links, the device of a reject).
        """
        hops = [f"{h.gateway or 'link'}%{h.index}" for h in self.hops] if self.kind == Kind.UNICAST else []
        words = [str(int(self.kind)), str(self.destination), *hops, f"tos {self.tos}", f"src {self.source}"]
        words += [f"mx {self.path_metrics.hex()}", f"metric {self.metric if metric is None else metric}"]
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy rule; `plain` if it looks at nothing but the packet's source and destination.

    `suppress`: routes with no longer a prefix than this do not count, None where all do.
    """

    body: bytes
    version: int
    priority: int
    source: Network | None
    table: int
    plain: bool = True
    destination: Network | None = None
    suppress: int | None = None

    @property
    def key(self) -> tuple[int, Network | None, Network | None, int, int | None]:
        """What tells a plain rule of a family from another."""
        return self.priority, self.source, self.destination, self.table, self.suppress


@dataclass(frozen=True, slots=True)
class HostView:
    """Everything that the kernel told in one round of questions; routes of the table `local` are left out."""

    links: tuple[Link, ...] = ()
    addresses: tuple[HostAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()

    def link(self, name: str) -> Link | None:
        """The interface of that name."""
        return next((link for link in self.links if link.name == name), None)

    def table(self, table: int, version: int) -> tuple[Route, ...]:
        """The routes of one table and family, in the kernel's order."""
        return tuple(route for route in self.routes if route.table == table and route.version == version)

    def defaults(self, version: int) -> tuple[Route, ...]:
        """The default routes of the main table, in the kernel's order."""
        return tuple(route for route in self.table(TABLE_MAIN, version) if route.is_default)

    def on_link(self, version: int, index: int) -> tuple[Route, ...]:
        """The main table's routes to what an interface reaches without a gateway."""
        return tuple(
            route
            for route in self.table(TABLE_MAIN, version)
            if not route.is_default
            and route.kind == Kind.UNICAST
            and [h.index for h in route.hops] == [index]
            and route.hops[0].gateway is None
        )
