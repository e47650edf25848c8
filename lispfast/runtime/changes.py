"""One thing to change in the kernel: the message, the words for the log, and which refusals mean that it is done."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from lispfast.model.addresses import Address
from lispfast.runtime.hostview import TABLE_MAIN, Link, LinkFlag, Route, Rule
from lispfast.runtime.rtnl import make_address, make_gso_change, make_link_change, rewritten

QUEUE_PACKETS = 1000
"""Ours, and LISPmob's: lmn0's transmit queue. TUN's own 500 is less than one TCP connection has under way: in 3 s of
iperf3 it dropped 870 to 1,800 packets, with 1,000 none, and 2,000 was no faster."""


RUN_BYTES, RUN_SEGMENTS = 62_000, 64
"""Ours: of a packet for lmn0 that stands for many. A UDP_SEGMENT run holds 64 segments and 65,507 bytes, and each of
its segments has headers of its own: with the kernel's 65,536 a read needs a second send, for a few bytes. In a
prototype the lower bound gave 13 % more."""


class Message(IntEnum):
    """linux/rtnetlink.h."""

    NEWLINK = 16
    GETLINK = 18
    SETLINK = 19
    NEWADDR = 20
    GETADDR = 22
    NEWROUTE = 24
    DELROUTE = 25
    GETROUTE = 26
    NEWRULE = 32
    DELRULE = 33
    GETRULE = 34


class Flag(IntFlag):
    """linux/netlink.h NLM_F_*."""

    REQUEST = 0x1
    ACK = 0x4
    DUMP_INTERRUPTED = 0x10
    REPLACE = 0x100
    EXCLUSIVE = 0x200
    DUMP = 0x300
    CREATE = 0x400
    APPEND = 0x800


_GONE = frozenset({errno.ESRCH, errno.ENOENT, errno.ENODEV})
_THERE = frozenset({errno.EEXIST})
_NO_BOUND = frozenset(
    {errno.EINVAL, errno.EOPNOTSUPP, errno.ERANGE, errno.EPERM, 524}
)  # 524: ENOTSUPP, the kernel's own


@dataclass(frozen=True, slots=True)
class Change:
    """A request that changes the kernel's state."""

    message: Message
    flags: Flag
    body: bytes
    text: str
    tolerated: frozenset[int] = frozenset()


def put_route(route: Route) -> Change:
    """Make a route of our own, in the place of one to the same destination with the same metric, without a gap."""
    return Change(Message.NEWROUTE, Flag.CREATE | Flag.REPLACE, route.body, f"put {words(route)}", _THERE)


def add_route(route: Route) -> Change:
    """Make a route of our own.

    On IPv4 refused where another has the same destination and metric: it came just now, and has to be looked at first.
    On IPv6 only one of the kernel's own can be there, and it may stay.
    """
    flags = Flag.CREATE | (Flag.EXCLUSIVE if route.version == 4 else Flag.APPEND)
    return Change(Message.NEWROUTE, flags, route.body, f"add {words(route)}")


def copy_route(route: Route, metric: int) -> Change:
    """Make the same route once more with another metric, behind those that have it already."""
    flags = Flag.CREATE | Flag.APPEND
    return Change(Message.NEWROUTE, flags, rewritten(route, metric), f"add {words(route, metric)}", _THERE)


def delete_route(route: Route) -> Change:
    """Remove a route as the kernel or we know it."""
    return Change(Message.DELROUTE, Flag(0), rewritten(route, route.metric), f"delete {words(route)}", _GONE)


def add_rule(rule: Rule) -> Change:
    """Make a rule."""
    return Change(Message.NEWRULE, Flag.CREATE | Flag.EXCLUSIVE, rule.body, f"add rule {_rule_words(rule)}", _THERE)


def delete_rule(rule: Rule) -> Change:
    """Remove a rule as the kernel told it."""
    return Change(Message.DELRULE, Flag(0), rule.body, f"delete rule {_rule_words(rule)}", _GONE)


def set_mtu(link: Link, mtu: int) -> Change:
    """Set an interface's MTU."""
    return Change(Message.SETLINK, Flag(0), make_link_change(link.index, mtu=mtu), f"set MTU {mtu} of {link.name}")


def bound_runs(link: Link) -> tuple[Change, ...]:
    """See that what the TUN hands over in one read fits one send with its outer headers. A kernel that cannot does
    without: such a read then takes two sends."""
    size, size_v4 = (
        make_gso_change(link.index, size=RUN_BYTES, segments=RUN_SEGMENTS),
        make_gso_change(link.index, size_v4=RUN_BYTES),
    )
    return (
        Change(Message.SETLINK, Flag(0), size, f"set {link.name} gso_max_size {RUN_BYTES}", _NO_BOUND),
        Change(Message.SETLINK, Flag(0), size_v4, f"set {link.name} gso_ipv4_max_size {RUN_BYTES}", _NO_BOUND),
    )


def prepare_link(link: Link, mtu: int, offload: bool = False) -> tuple[Change, ...]:
    """Bring a new interface up that makes no IPv6 addresses itself and has no multicast; `offload` bounds its runs."""
    quiet = make_link_change(link.index, no_addresses=True)
    up = make_link_change(link.index, LinkFlag.UP, LinkFlag.UP | LinkFlag.MULTICAST, queue=QUEUE_PACKETS)
    return (
        # A kernel without IPv6 does not know the setting; there it is not needed.
        Change(Message.SETLINK, Flag(0), quiet, f"set {link.name} addrgenmode none", frozenset({errno.EAFNOSUPPORT})),
        set_mtu(link, mtu),
        *(bound_runs(link) if offload else ()),
        Change(Message.SETLINK, Flag(0), up, f"set {link.name} up multicast off"),
    )


def add_address(link: Link, address: Address) -> Change:
    """Give an interface a host address."""
    flags, body = Flag.CREATE | Flag.EXCLUSIVE, make_address(link.index, address)
    return Change(Message.NEWADDR, flags, body, f"add {address} to {link.name}")


def words(route: Route, metric: int | None = None) -> str:
    """A route in the manner of `ip route`, interfaces by number."""
    target = "default" if route.is_default else str(route.destination)
    if route.table != TABLE_MAIN:
        target = f"{target} table {route.table}"
    hops = [f"via {h.gateway} dev #{h.index}" if h.gateway else f"dev #{h.index}" for h in route.hops]
    shown = route.metric if metric is None else metric
    return " ".join([target, *hops] + ([f"metric {shown}"] if shown else []))


def with_names(text: str, links: Iterable[Link]) -> str:
    """A text of ours with the names of the interfaces that are still there in place of their numbers."""
    names = {f"#{link.index}": link.name for link in links}
    return re.sub(r"#\d+", lambda number: names.get(number[0], number[0]), text)


def _rule_words(rule: Rule) -> str:
    ends = f"from {rule.source or 'all'}" + (f" to {rule.destination}" if rule.destination else "")
    table = "main" if rule.table == TABLE_MAIN else rule.table
    return f"{rule.priority}: {ends} lookup {table}" + ("" if rule.suppress is None else " but for the default")
