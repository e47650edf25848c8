"""rtnetlink messages: hostview's values to and from the bytes after the netlink header (rtnetlink(7)).

Routes keep the bytes in which the kernel told them: a default that the daemon moves out of its way is put back from
those, so that no attribute is lost, one that this module does not know included (pyroute2's own codec has no nhid).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from ipaddress import ip_address, ip_network
from socket import AF_INET, AF_INET6

from lispfast.model.addresses import Address, Network
from lispfast.model.units import WireMtu
from lispfast.runtime.hostview import (
    ACTION_TO_TABLE,
    PROTO_BOOT,
    SCOPE_LINK,
    SCOPE_UNIVERSE,
    TABLE_LOCAL,
    AddressFlag,
    Hop,
    HopFlag,
    HostAddress,
    Kind,
    Link,
    Route,
    Rule,
)

_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_HOP = struct.Struct("=HBBi")
_U32 = struct.Struct("=I")
_FAMILY = {4: AF_INET, 6: AF_INET6}


class _Rta(IntEnum):
    DST = 1
    OIF = 4
    GATEWAY = 5
    PRIORITY = 6
    PREFSRC = 7
    METRICS = 8
    MULTIPATH = 9
    CACHEINFO = 12
    TABLE = 15
    VIA = 18
    ENCAP_TYPE = 21
    ENCAP = 22
    EXPIRES = 23
    NH_ID = 30


class _Fra(IntEnum):
    DST = 1
    SRC = 2
    PRIORITY = 6
    SUPPRESS_PREFIXLEN = 14
    TABLE = 15
    PAD = 18
    PROTOCOL = 21


_ALL_COUNT = 0xFFFFFFFF  # of FRA_SUPPRESS_PREFIXLEN: -1
_PLAIN = frozenset(int(kind) for kind in _Fra)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes of a message or of a nested attribute; stops where the bytes make no sense."""
    offset = 0
    while offset + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4 or offset + length > len(data):
            return
        yield kind & 0x3FFF, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return _ATTRIBUTE.pack(len(value) + 4, kind) + value + bytes(-len(value) % 4)


def decode_link(body: bytes) -> Link:
    """Read an RTM_NEWLINK."""
    _family, _kind, index, flags, _change = _LINK.unpack_from(body)
    found = dict(attributes(body[_LINK.size :]))
    name = found.get(3, b"").rstrip(b"\0").decode(errors="replace")
    return Link(index, name, flags, WireMtu(_u32(found.get(4))))


def decode_address(body: bytes) -> HostAddress | None:
    """Read an RTM_NEWADDR; None for a family that is not IP."""
    family, length, flags, scope, index = _ADDRESS.unpack_from(body)
    found = dict(attributes(body[_ADDRESS.size :]))
    # Of a point-to-point link IFA_LOCAL is ours, IFA_ADDRESS the peer's; IPv6 without a peer has only the latter.
    raw = found.get(2) or found.get(1)
    if family not in _FAMILY.values() or raw is None:
        return None
    return HostAddress(index, ip_address(raw), length, scope, _u32(found[8]) if 8 in found else flags)


def decode_route(body: bytes) -> Route | None:
    """Read an RTM_NEWROUTE; None for a family that is not IP."""
    family, length, _, tos, table, protocol, _, kind, flags = _ROUTE.unpack_from(body)
    if family not in _FAMILY.values():
        return None
    found = dict(attributes(body[_ROUTE.size :]))
    raw = found.get(_Rta.DST, bytes(4 if family == AF_INET else 16))
    return Route(
        body=body,
        table=_u32(found[_Rta.TABLE]) if _Rta.TABLE in found else table,
        destination=ip_network((raw, length)),
        metric=_u32(found.get(_Rta.PRIORITY)),
        hops=_decode_hops(found, flags),
        kind=kind,
        protocol=protocol,
        tos=tos,
        source=ip_address(found[_Rta.PREFSRC]) if _Rta.PREFSRC in found else None,
        path_metrics=found.get(_Rta.METRICS, b""),
    )


def is_near(body: bytes) -> bool:
    """Whether the route of a message is a default or one without a gateway, outside the table `local`."""
    _, length, _, _, table, *_ = _ROUTE.unpack_from(body)
    if table == TABLE_LOCAL:
        return False
    return not length or not {_Rta.GATEWAY, _Rta.VIA, _Rta.MULTIPATH} & {kind for kind, _ in attributes(body[12:])}


def decode_rule(body: bytes) -> Rule | None:
    """Read an RTM_NEWRULE; None for a family that is not IP."""
    family, to_length, length, tos, table, _, _, action, _flags = _ROUTE.unpack_from(body)
    if family not in _FAMILY.values():
        return None
    found = dict(attributes(body[_ROUTE.size :]))
    source = ip_network((found[_Fra.SRC], length)) if _Fra.SRC in found else None
    destination = ip_network((found[_Fra.DST], to_length)) if _Fra.DST in found else None
    suppress = _u32(found.get(_Fra.SUPPRESS_PREFIXLEN, _U32.pack(_ALL_COUNT)))
    plain = action == ACTION_TO_TABLE and not tos and _PLAIN.issuperset(found)
    return Rule(
        body=body,
        version=4 if family == AF_INET else 6,
        priority=_u32(found.get(_Fra.PRIORITY)),
        source=source,
        table=_u32(found[_Fra.TABLE]) if _Fra.TABLE in found else table,
        plain=plain,
        destination=destination,
        suppress=None if suppress == _ALL_COUNT else suppress,
    )


def rewritten(route: Route, metric: int) -> bytes:
    """The message that makes the same route with another metric, attribute for attribute.

    Left out is what the kernel reports about the route and does not take back: states of its links, its usage, and
    beside a nexthop object (nhid) that object's own hops. A lifetime stays, counted from now.
    """
    fields = list(_ROUTE.unpack_from(route.body))
    fields[8] &= HopFlag.ONLINK
    found = dict(attributes(route.body[_ROUTE.size :]))
    dropped = {_Rta.CACHEINFO, _Rta.PRIORITY}
    if _Rta.NH_ID in found:
        dropped |= {_Rta.OIF, _Rta.GATEWAY, _Rta.VIA, _Rta.MULTIPATH, _Rta.ENCAP, _Rta.ENCAP_TYPE}
    out = _ROUTE.pack(*fields)
    for kind, value in attributes(route.body[_ROUTE.size :]):
        if kind not in dropped:
            out += attribute(kind, _clean_hops(value) if kind == _Rta.MULTIPATH else value)
    if metric:
        out += attribute(_Rta.PRIORITY, _U32.pack(metric))
    lifetime = _lifetime(found.get(_Rta.CACHEINFO, b""))
    return out + attribute(_Rta.EXPIRES, _U32.pack(lifetime)) if lifetime else out


def make_route(
    table: int,
    destination: Network,
    hop: Hop | None,
    metric: int = 0,
    source: Address | None = None,
    path_metrics: bytes = b"",
) -> Route:
    """A route of our own; without a hop it rejects as unreachable. `metric` is as the kernel will tell it back."""
    version = destination.version
    kind = Kind.UNICAST if hop else Kind.UNREACHABLE
    scope = SCOPE_LINK if version == 4 and hop and hop.gateway is None else SCOPE_UNIVERSE
    flags = hop.flags & HopFlag.ONLINK if hop else 0
    family = _FAMILY[version]
    body = _ROUTE.pack(family, destination.prefixlen, 0, 0, _table_byte(table), PROTO_BOOT, scope, kind, flags)
    body += attribute(_Rta.TABLE, _U32.pack(table))
    if destination.prefixlen:
        body += attribute(_Rta.DST, destination.network_address.packed)
    if hop:
        body += attribute(_Rta.OIF, _U32.pack(hop.index)) + _gateway(version, hop.gateway)
    if metric:
        body += attribute(_Rta.PRIORITY, _U32.pack(metric))
    if source is not None:
        body += attribute(_Rta.PREFSRC, source.packed)
    if path_metrics:
        body += attribute(_Rta.METRICS, path_metrics)
    hops = (Hop(hop.index, hop.gateway),) if hop else ()
    return Route(body, table, destination, metric, hops, kind, source=source, path_metrics=path_metrics)


def make_rule(
    priority: int,
    source: Address | Network | None,
    table: int,
    destination: Network | None = None,
    suppress: int | None = None,
) -> Rule:
    """`PRIORITY: from SOURCE to DESTINATION lookup TABLE suppress_prefixlength SUPPRESS`; one of the ends at least."""
    origin = None if source is None else ip_network(source)
    one = origin or destination
    assert one is not None, "a rule for everything is nobody's"
    lengths = [network.prefixlen if network else 0 for network in (destination, origin)]
    body = _ROUTE.pack(_FAMILY[one.version], *lengths, 0, _table_byte(table), 0, 0, ACTION_TO_TABLE, 0)
    for kind, network in ((_Fra.DST, destination), (_Fra.SRC, origin)):
        body += attribute(kind, network.network_address.packed) if network else b""
    body += attribute(_Fra.TABLE, _U32.pack(table)) + attribute(_Fra.PRIORITY, _U32.pack(priority))
    if suppress is not None:
        body += attribute(_Fra.SUPPRESS_PREFIXLEN, _U32.pack(suppress))
    return Rule(body, one.version, priority, origin, table, destination=destination, suppress=suppress)


def make_address(index: int, address: Address) -> bytes:
    """The message that gives an interface a host address, usable at once and without a route of its own."""
    flags = AddressFlag.NODAD | AddressFlag.NOPREFIXROUTE if address.version == 6 else 0
    body = _ADDRESS.pack(_FAMILY[address.version], address.max_prefixlen, flags & 0xFF, SCOPE_UNIVERSE, index)
    body += attribute(2, address.packed) + attribute(1, address.packed)
    return body + attribute(8, _U32.pack(flags)) if flags else body


def make_link_change(
    index: int, flags: int = 0, mask: int = 0, mtu: int = 0, queue: int = 0, no_addresses: bool = False
) -> bytes:
    """The message that sets an interface's flags under a mask, its MTU, its queue's length in packets, or that it makes
    no IPv6 addresses itself."""
    body = _LINK.pack(0, 0, index, flags, mask)
    if mtu:
        body += attribute(4, _U32.pack(mtu))
    if queue:
        body += attribute(13, _U32.pack(queue))  # IFLA_TXQLEN
    if no_addresses:
        mode = attribute(8, b"\x01")  # IFLA_INET6_ADDR_GEN_MODE = IN6_ADDR_GEN_MODE_NONE
        body += attribute(26, attribute(AF_INET6, mode))
    return body


def make_gso_change(index: int, size: int = 0, segments: int = 0, size_v4: int = 0) -> bytes:
    """The message that bounds what the kernel hands to an interface at once: bytes and segments, and the bytes of IPv4
    alone, which since Linux 6.3 have a bound of their own. What is 0 stays as it is."""
    body = _LINK.pack(0, 0, index, 0, 0)
    for kind, value in ((41, size), (40, segments), (63, size_v4)):  # IFLA_GSO_MAX_SIZE, _SEGS, IFLA_GSO_IPV4_MAX_SIZE
        body += attribute(kind, _U32.pack(value)) if value else b""
    return body


def _table_byte(table: int) -> int:
    return table if table < 256 else 252  # RT_TABLE_COMPAT: the attribute says which


def _u32(raw: bytes | None) -> int:
    value: int = _U32.unpack(raw)[0] if raw is not None and len(raw) == 4 else 0
    return value


def _decode_hops(found: dict[int, bytes], flags: int) -> tuple[Hop, ...]:
    if _Rta.MULTIPATH in found:
        return tuple(
            Hop(index, _decode_gateway(dict(attributes(rest))), state)
            for index, state, rest in _split_hops(found[_Rta.MULTIPATH])
        )
    if _Rta.OIF not in found:
        return ()
    return (Hop(_u32(found[_Rta.OIF]), _decode_gateway(found), flags),)


def _decode_gateway(found: dict[int, bytes]) -> Address | None:
    raw = found.get(_Rta.GATEWAY) or found.get(_Rta.VIA, b"")[2:]  # RTA_VIA: family, then the address
    return ip_address(raw) if len(raw) in (4, 16) else None


def _gateway(version: int, gateway: Address | None) -> bytes:
    if gateway is None:
        return b""
    if gateway.version == version:
        return attribute(_Rta.GATEWAY, gateway.packed)
    return attribute(_Rta.VIA, struct.pack("=H", _FAMILY[gateway.version]) + gateway.packed)


def _split_hops(raw: bytes) -> Iterable[tuple[int, int, bytes]]:
    offset = 0
    while offset + _HOP.size <= len(raw):
        length, flags, _weight, index = _HOP.unpack_from(raw, offset)
        if length < _HOP.size:
            return
        yield index, flags, raw[offset + _HOP.size : offset + length]
        offset += (length + 3) & ~3


def _clean_hops(raw: bytes) -> bytes:
    out, offset = bytearray(raw), 0
    while offset + _HOP.size <= len(out):
        length = _HOP.unpack_from(out, offset)[0]
        if length < _HOP.size:
            break
        out[offset + 2] &= HopFlag.ONLINK
        offset += (length + 3) & ~3
    return bytes(out)


def _lifetime(cacheinfo: bytes) -> int:
    """Seconds that a route still lives, 0 for one without an end; the kernel counts in hundredths (USER_HZ)."""
    if len(cacheinfo) < 12:
        return 0
    expires: int = struct.unpack_from("=i", cacheinfo, 8)[0]
    return max(1, expires // 100) if expires > 0 else 0
