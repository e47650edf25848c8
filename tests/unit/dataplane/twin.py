"""Encapsulation and decapsulation, slowly and plainly: RFC 9300 section 5.3 and RFC 9305 section 3, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network

from lispfast.model.addresses import Address
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.forwarding import LocalPrefix
from lispfast.model.reasons import DataReason
from lispfast.model.units import InstanceId

from .test_checksum import twin as checksum
from .test_ecn import DROP, FIGURE_4

INSTANCE, PROTOCOL = 0x08, 0x04
SHIMS_MAX = 8
ECN_ORDER = (0, 2, 1, 3)
NO_SOURCES = [ip_network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32")]
NO_SOURCES += [ip_network(text) for text in ("::/127", "ff00::/8")]
LINK_LOCAL = [ip_network("169.254.0.0/16"), ip_network("fe80::/10")]


@dataclass
class Inner:
    data: bytearray
    version: int
    source: Address
    destination: Address
    ttl_at: int

    @property
    def tos(self) -> int:
        return self.data[1] if self.version == 4 else (self.data[0] & 15) << 4 | self.data[1] >> 4

    def rewrite(self, tos: int, ttl: int) -> bytes:
        self.data[self.ttl_at] = ttl
        if self.version == 4:
            self.data[1] = tos
            self.data[10:12] = b"\0\0"
            self.data[10:12] = checksum(bytes(self.data[: (self.data[0] & 15) * 4]))
        else:
            self.data[0] = 0x60 | tos >> 4
            self.data[1] = (tos & 15) << 4 | self.data[1] & 15
        return bytes(self.data)


def parse(data: bytes) -> Inner | str:
    """The packet cut to its length, or what is wrong: version, short, length."""
    if not data or data[0] >> 4 not in (4, 6):
        return "version"
    version = data[0] >> 4
    if len(data) < (20 if version == 4 else 40):
        return "short"
    if version == 4:
        total, header = int.from_bytes(data[2:4], "big"), (data[0] & 15) * 4
        if header < 20 or total < header or total > len(data):
            return "length"
        return Inner(bytearray(data[:total]), 4, IPv4Address(data[12:16]), IPv4Address(data[16:20]), 8)
    total = 40 + int.from_bytes(data[4:6], "big")
    if total > len(data):
        return "length"
    return Inner(bytearray(data[:total]), 6, IPv6Address(data[8:24]), IPv6Address(data[24:40]), 7)


def encapsulate(form: Encapsulation, iid: InstanceId, packet: bytes) -> bytes:
    """The datagram's payload; nonce, versions and status bits are not sent."""
    flags = {Encapsulation.LISP: 0, Encapsulation.LISP_GPE: PROTOCOL, Encapsulation.VXLAN_GPE: INSTANCE | PROTOCOL}[
        form
    ]
    flags |= INSTANCE if iid else 0
    following = {4: 1, 6: 2}[packet[0] >> 4] if flags & PROTOCOL else 0
    return bytes([flags, 0, 0, following]) + iid.to_bytes(3, "big") + b"\0" + packet


def without_shims(datagram: bytes) -> tuple[int, bytes] | DataReason:
    """The next protocol behind all shim headers, and what it is of."""
    following, rest = datagram[3], datagram[8:]
    for _ in range(SHIMS_MAX):
        if not 0x80 <= following <= 0xFD:
            break
        if len(rest) < 4 or len(rest) < 4 + rest[1] * 4:
            return DataReason.OUTER_TRUNCATED
        following, rest = rest[3], rest[4 + rest[1] * 4 :]
    return following, rest


def content(datagram: bytes, vxlan: bool) -> bytes | DataReason:
    """What stands behind the headers between UDP and the packet, where it is a packet."""
    if len(datagram) < 28:
        return DataReason.OUTER_TRUNCATED
    if datagram[0] & (0x30 if vxlan else 0x03):
        return DataReason.HEADER_UNSUPPORTED
    if vxlan and datagram[0] & 0x05 != 0x04:
        return DataReason.NEXT_PROTOCOL
    if not datagram[0] & PROTOCOL:
        return datagram[8:]
    found = without_shims(datagram)
    if isinstance(found, DataReason):
        return found
    following, rest = found
    if following not in (1, 2):
        return DataReason.NEXT_PROTOCOL
    if len(rest) < 20:
        return DataReason.OUTER_TRUNCATED
    return rest if rest[0] >> 4 == {1: 4, 2: 6}[following] else DataReason.INNER_VERSION


def instance_of(datagram: bytes) -> InstanceId:
    """In every form: where the I-bit is set, the three bytes that LISP calls instance-ID and VXLAN the VNI."""
    return InstanceId(int.from_bytes(datagram[4:7], "big") if datagram[0] & INSTANCE else 0)


def longest(address: Address, local: set[LocalPrefix], iid: InstanceId | None = None) -> LocalPrefix | None:
    """The longest of our prefixes that holds the address, of one instance-ID, or of all and then of the lowest."""
    holding = [own for own in local if address in own.prefix.network and iid in (None, own.prefix.iid)]
    return min(holding, key=lambda own: (-own.prefix.length, own.prefix.iid), default=None)


def decapsulate(
    datagram: bytes, tos: int, ttl: int, local: set[LocalPrefix], vxlan: bool = False
) -> bytes | DataReason:
    """The packet to deliver, or why none."""
    found = content(datagram, vxlan)
    if isinstance(found, DataReason):
        return found
    inner = parse(found)
    if isinstance(inner, str):
        return {
            "version": DataReason.INNER_VERSION,
            "short": DataReason.OUTER_TRUNCATED,
            "length": DataReason.INNER_LENGTH,
        }[inner]
    if inner.version == 4 and checksum(bytes(inner.data[: (inner.data[0] & 15) * 4])) != b"\0\0":
        return DataReason.INNER_MALFORMED
    iid = instance_of(datagram)
    if iid not in {own.prefix.iid for own in local}:
        return DataReason.INSTANCE_UNKNOWN
    if longest(inner.destination, local, iid) is None:
        return DataReason.NOT_OUR_EID
    if any(inner.source in network for network in NO_SOURCES + LINK_LOCAL):
        return DataReason.NOT_UNICAST
    if longest(inner.source, local, iid) is not None:
        return DataReason.OWN_SOURCE
    mark = FIGURE_4[inner.tos & 3][ECN_ORDER.index(tos & 3)]
    if mark == DROP:
        return DataReason.ECN_DROP
    return inner.rewrite(tos & 0xFC | mark, min(ttl, inner.data[inner.ttl_at]))


def check_outbound(packet: bytes, local: set[LocalPrefix]) -> tuple[int, InstanceId] | DataReason:
    """The length and instance-ID of a packet that may leave, or why not."""
    inner = parse(packet)
    if isinstance(inner, str) or inner.data[inner.ttl_at] == 0:
        return DataReason.INNER_MALFORMED
    if any(inner.destination in network for network in NO_SOURCES + LINK_LOCAL):
        return DataReason.NOT_UNICAST
    own = longest(inner.source, local)
    if own is None:
        return DataReason.INNER_SOURCE
    if longest(inner.destination, local, own.prefix.iid) is not None:
        return DataReason.NOT_UNICAST
    return len(inner.data), own.prefix.iid
