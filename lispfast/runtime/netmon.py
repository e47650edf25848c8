"""What the host is attached to: a whole Underlay made of a whole HostView, never a delta.

Which address of an interface becomes its RLOC: of global scope, neither tentative, duplicate nor deprecated, never
link-local and never an EID. Among several, in this order: one that the configuration names; the source that the
interface's default route asks for; a stable one before a temporary one (RFC 8981: its next change would be a needless
move); of IPv6 a global one before a unique local one (RFC 4193); the one that was used before; the kernel's first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Network

from lispfast.model.addresses import Address, Network
from lispfast.model.underlay import Attachment, Interface, Underlay
from lispfast.runtime.hostview import (
    LINK_LOCAL,
    PROTO_RA,
    SCOPE_SITE,
    AddressFlag,
    Hop,
    HostAddress,
    HostView,
    Kind,
    Link,
    Route,
)

UNUSABLE = AddressFlag.TENTATIVE | AddressFlag.DADFAILED | AddressFlag.DEPRECATED
UNIQUE_LOCAL = IPv6Network("fc00::/7")  # RFC 4193 section 3.1


@dataclass(frozen=True, slots=True)
class Watch:
    """What to look at: interfaces by name, in the configuration's order.

    `pinned` are RLOCs that the configuration gives as addresses: whatever interface has one is looked at too.
    `eids` are our own EID-prefixes; `device` is the tunnel's interface, never an underlay.
    """

    names: tuple[str, ...]
    pinned: frozenset[Address] = frozenset()
    eids: tuple[Network, ...] = ()
    device: str = "lmn0"
    original_metrics: Mapping[str, int] = field(default_factory=dict)
    """Of the defaults that we moved, by identity: the metric that each had before."""


def survey(view: HostView, watch: Watch, before: Underlay) -> Underlay:
    """The underlay as the view shows it; `before` breaks ties between addresses."""
    holders = {entry.index for entry in view.addresses if entry.address in watch.pinned}
    extra = [link.name for link in view.links if link.index in holders and link.name not in watch.names]
    found = []
    for name in (*watch.names, *extra):
        link = view.link(name)
        if link is not None and name != watch.device:
            found.append(_interface(view, watch, link, before.interface(name)))
    return Underlay(tuple(found))


def default_of(view: HostView, version: int, index: int, originals: Mapping[str, int]) -> tuple[Route, Hop] | None:
    """The best default route of an interface and its next hop there; of equal metrics the kernel's first.

    `originals` gives back the metric that a default had before we moved it, so that moving changes no preference.
    """
    candidates = [
        (originals.get(route.identity(), route.metric), number, route, hop)
        for number, route in enumerate(view.defaults(version))
        if route.kind == Kind.UNICAST and not route.tos
        for hop in route.hops
        if hop.index == index and hop.usable
    ]
    if not candidates:
        return None
    _, _, route, hop = min(candidates, key=lambda candidate: candidate[:2])
    return route, hop


def beats(route: Route) -> bool:
    """Whether a default would be taken before lmn0's: IPv4 metric 0, IPv6 metric 0 or 1.

    Not one that the kernel made from a router advertisement: the next one would only make it again.
    """
    if not route.is_default or route.tos:
        return False
    return route.metric == 0 if route.version == 4 else route.metric <= 1 and route.protocol != PROTO_RA


def _interface(view: HostView, watch: Watch, link: Link, before: Interface | None) -> Interface:
    v4, v6 = (_attachment(view, watch, link, version, before) for version in (4, 6))
    return Interface(link.name, link.index, link.up, link.mtu, v4, v6)


def _attachment(view: HostView, watch: Watch, link: Link, version: int, before: Interface | None) -> Attachment | None:
    default = default_of(view, version, link.index, watch.original_metrics)
    previous = (before.v4 if version == 4 else before.v6) if before else None
    wanted = default[0].source if default else None
    candidates = [entry for entry in view.addresses if entry.index == link.index and _usable(entry, version, watch)]
    if not candidates:
        return None

    def rank(entry: HostAddress) -> tuple[bool, ...]:
        return (
            entry.address not in watch.pinned,
            entry.address != wanted,
            bool(entry.flags & AddressFlag.SECONDARY),
            entry.address in UNIQUE_LOCAL if version == 6 else False,
            previous is None or entry.address != previous.address,
        )

    return Attachment(
        address=min(candidates, key=rank).address,
        gateway=default[1].gateway if default else None,
        routed=default is not None,
        on_link=tuple(
            dict.fromkeys(
                route.destination
                for route in view.on_link(version, link.index)
                if not route.destination.network_address.is_link_local
            )
        ),
    )


def _usable(entry: HostAddress, version: int, watch: Watch) -> bool:
    address = entry.address
    if address.version != version or entry.scope > SCOPE_SITE or entry.flags & UNUSABLE:
        return False
    if address in LINK_LOCAL[version] or address.is_loopback or address.is_multicast:
        return False
    return not any(address in prefix for prefix in watch.eids)
