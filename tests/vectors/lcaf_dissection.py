"""What tshark is to show of our LCAFs, field by field in its order."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from lispfast.wire.addresses import LCAF_INSTANCE_ID, InstanceAddress, OtherAddress, WireAddress
from lispfast.wire.lcaf import LcafHeader, LcafValue
from lispfast.wire.lcaf_keys import KeyValue, MulticastInfo, SourceDestination
from lispfast.wire.lcaf_locators import (
    AfiList,
    AsNumber,
    ExplicitPath,
    GeoLocation,
    NatTraversal,
    NonceLocator,
    ReplicationList,
)

Shown = tuple[str, int | str]

# Groups and sums of what follows them.
LCAF_REPEATED = {
    "lisp.lcaf",
    "lisp.lcaf.header",
    "lisp.lcaf.length",
    "lisp.lcaf.afi_list.item",
    "lisp.lcaf.geo.lat",
    "lisp.lcaf.geo.lon",
    "lisp.lcaf.natt.rloc",
    "lisp.lcaf.mcinfo.flags",
    "lisp.lcaf.mcinfo.src",
    "lisp.lcaf.mcinfo.grp",
    "lisp.lcaf.elp_hop",
    "lisp.lcaf.elp_hop.flags",
    "lisp.lcaf.srcdst.src",
    "lisp.lcaf.srcdst.dst",
    "lisp.lcaf.rle_entry",
    "lisp.lcaf.kv_key",
    "lisp.lcaf.kv_value",
}
UNDECODED = "lisp.undecoded"


def shown_lcaf(lcaf: InstanceAddress | LcafValue) -> Iterator[Shown]:
    """The header, and the body as far as tshark 4.0 reads the type."""
    if isinstance(lcaf, InstanceAddress):
        yield from _header(LCAF_INSTANCE_ID, LcafHeader(lcaf.rsvd1, lcaf.flags, lcaf.mask_len))
        yield "lisp.lcaf.iid", lcaf.iid
        yield from _inside("lisp.lcaf.iid", lcaf.address)
        return
    yield from _header(lcaf.TYPE, lcaf.header)
    match lcaf:
        case NatTraversal():
            yield "lisp.lcaf.natt.msport", lcaf.ms_port
            yield "lisp.lcaf.natt.etrport", lcaf.etr_port
            for address in (lcaf.global_etr, lcaf.map_server, lcaf.private_etr, *lcaf.rtrs):
                yield from _inside("lisp.lcaf.natt.rloc", address)
        case AfiList() | ExplicitPath() | ReplicationList():
            yield from _several(lcaf)
        case AsNumber():
            yield "lisp.lcaf.asn", lcaf.number
            yield from _inside("lisp.lcaf.asn", lcaf.address)
        case GeoLocation():
            yield from _geo(lcaf)
        case NonceLocator():
            yield "lisp.lcaf.nonce_loc.res", lcaf.reserved
            yield "lisp.lcaf.nonce_loc", lcaf.nonce
            yield from _inside("lisp.lcaf.nonce_loc", lcaf.address)
        case MulticastInfo() | SourceDestination() | KeyValue():
            yield from _pair(lcaf)
        case _:
            yield UNDECODED, ""


def _header(kind: int, header: LcafHeader) -> Iterator[Shown]:
    yield "lisp.lcaf.res1", header.rsvd1
    yield "lisp.lcaf.flags", header.flags
    yield "lisp.lcaf.type", kind
    if kind == MulticastInfo.TYPE:  # flags of a draft that followed
        yield "lisp.lcaf.mcinfo.flags.res", header.rsvd2 >> 3
        yield "lisp.lcaf.mcinfo.flags.rp", header.rsvd2 >> 2 & 1
        yield "lisp.lcaf.mcinfo.flags.leave", header.rsvd2 >> 1 & 1
        yield "lisp.lcaf_mcinfo.flags.join", header.rsvd2 & 1
    else:
        yield "lisp.lcaf.res2", header.rsvd2


def _several(lcaf: AfiList | ExplicitPath | ReplicationList) -> Iterator[Shown]:
    match lcaf:
        case AfiList():
            for address in lcaf.addresses:
                yield from _inside("lisp.lcaf.afi_list", address)
        case ExplicitPath():
            for hop in lcaf.hops:
                yield "lisp.lcaf.elp_hop.flags.res", hop.reserved >> 3
                yield "lisp.lcaf.elp_hop.flags.local", int(hop.lookup)
                yield "lisp.lcaf.elp_hop.flags.probe", int(hop.probe)
                yield "lisp.lcaf_elp_hop.flags.strict", int(hop.strict)
                yield from _inside("lisp.lcaf.elp_hop", hop.address)
        case ReplicationList():
            for replica in lcaf.replicas:
                yield "lisp.lcaf.rle_entry.res", replica.reserved
                yield "lisp.lcaf.rle_entry.level", replica.level
                yield from _inside("lisp.lcaf.rle_entry", replica.address)


def _pair(lcaf: MulticastInfo | SourceDestination | KeyValue) -> Iterator[Shown]:
    match lcaf:
        case MulticastInfo():
            yield "lisp.lcaf.mcinfo_iid", lcaf.iid
            yield "lisp.lcaf.mcinfo.res", lcaf.reserved
            yield "lisp.lcaf.mcinfo.src.masklen", lcaf.source_len
            yield "lisp.lcaf.mcinfo.grp.masklen", lcaf.group_len
            yield from _inside("lisp.lcaf.mcinfo.src", lcaf.source)
            yield from _inside("lisp.lcaf.mcinfo.grp", lcaf.group)
        case SourceDestination():
            yield "lisp.lcaf.srcdst.res", lcaf.reserved
            yield "lisp.lcaf.srcdst.src.masklen", lcaf.source_len
            yield "lisp.lcaf.srcdst.dst.masklen", lcaf.destination_len
            yield from _inside("lisp.lcaf.srcdst.src", lcaf.source)
            yield from _inside("lisp.lcaf.srcdst.dst", lcaf.destination)
        case KeyValue():
            yield from _inside("lisp.lcaf.kv_key", lcaf.key)
            yield from _inside("lisp.lcaf.kv_value", lcaf.value)


def _geo(lcaf: GeoLocation) -> Iterator[Shown]:
    for name, angle in (("lat", lcaf.latitude), ("lon", lcaf.longitude)):
        yield f"lisp.lcaf.geo.{name}.hemisphere", int(angle.positive)
        yield f"lisp.lcaf.geo.{name}.deg", angle.degrees
        yield f"lisp.lcaf.geo.{name}.min", angle.minutes
        yield f"lisp.lcaf.geo.{name}.sec", angle.seconds
    yield "lisp.lcaf.geo.alt", ""  # the number stands in a text only
    yield from _inside("lisp.lcaf.geo", lcaf.address)


def _inside(name: str, address: WireAddress) -> Iterator[Shown]:
    match address:
        case None:
            return
        case IPv4Address():
            yield f"{name}.ipv4", str(address)
        case IPv6Address():
            yield f"{name}.ipv6", str(address)
        case OtherAddress(17, data):
            yield f"{name}.dn", data[:-1].decode()
        case InstanceAddress() | LcafValue():
            yield from shown_lcaf(address)
        case _:
            raise NotImplementedError(type(address).__name__)
