"""Which RLOC an address on the wire names: the address itself, or the one that an LCAF has inside (RFC 8060)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network

from lispfast.model.addresses import Address
from lispfast.model.mapping import Hop
from lispfast.wire.addresses import WireAddress
from lispfast.wire.lcaf_keys import SourceDestination
from lispfast.wire.lcaf_locators import (
    AfiList,
    AsNumber,
    EncapsulationFormat,
    ExplicitPath,
    GeoLocation,
    NonceLocator,
    PathHop,
    SecurityKey,
)

_BROADCAST = IPv4Address("255.255.255.255")
_THIS_NETWORK = ip_network("0.0.0.0/8")  # RFC 1122 section 3.2.1.3: never a destination


@dataclass(frozen=True, slots=True)
class Rloc:
    """Where to encapsulate to; with a `path`, `address` is its first hop."""

    address: Address
    path: tuple[Hop, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether it can be no unicast RLOC, any hop of its path included, or the path comes to a hop twice."""
        hops = [hop.address for hop in self.path]
        return len(set(hops)) < len(hops) or any(map(refused, hops or (self.address,)))


def rloc_of(address: WireAddress) -> Rloc | None:
    """The RLOC that a locator's address names, None for none that we can encapsulate to.

    What an LCAF says beside its address (AS number, place, nonce, key) is not acted on. Of an AFI-list it is the first
    that names one which is not refused (RFC 8060 section 4.10.5); of an explicit path every hop must name one. An
    address for one application or in an instance-ID would be wrong for the rest of the traffic: none.
    """
    match address:
        case IPv4Address() | IPv6Address():
            return Rloc(address)
        case AsNumber() | GeoLocation() | NonceLocator() | SecurityKey():
            return rloc_of(address.address)
        case EncapsulationFormat():
            return rloc_of(address.address) if address.takes_lisp else None
        case SourceDestination():
            return rloc_of(address.destination)
        case AfiList():
            return _first(address)
        case ExplicitPath():
            return _path(address)
        case _:
            return None


def wire_rloc(address: Address, path: tuple[Hop, ...]) -> WireAddress:
    """The address of a locator record: itself, or the path."""
    if not path:
        return address
    return ExplicitPath(tuple(PathHop(hop.address, hop.lookup, hop.probe, hop.strict) for hop in path))


def refused(address: Address) -> bool:
    """Whether an address can be no unicast RLOC (RFC 9301 section 5.4).

    Broadcast, multicast, unspecified, loopback, link-local, 0.0.0.0/8 and IPv4-mapped IPv6, which would make the kernel
    send IPv4.
    """
    if address.is_multicast or address.is_unspecified or address.is_loopback or address.is_link_local:
        return True
    if isinstance(address, IPv4Address):
        return address == _BROADCAST or address in _THIS_NETWORK
    return address.ipv4_mapped is not None


def _first(addresses: AfiList) -> Rloc | None:
    """The first that can be used; else one that is refused, so that it is counted."""
    found = [rloc for rloc in map(rloc_of, addresses.addresses) if rloc is not None]
    return next((rloc for rloc in found if not rloc.refused), next(iter(found), None))


def _path(path: ExplicitPath) -> Rloc | None:
    hops = []
    for hop in path.hops:
        rloc = rloc_of(hop.address)
        if rloc is None or rloc.path:
            return None
        hops.append(Hop(rloc.address, hop.lookup, hop.probe, hop.strict))
    return Rloc(hops[0].address, tuple(hops)) if hops else None
