"""LCAF types that say more of a locator, or of several (RFC 8060 sections 4.2 to 4.10, 5.3 and 5.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from lispfast.wire.bits import COUNT_MAX, flag, unsigned, within
from lispfast.wire.lcaf import Body, LcafHeader, LcafValue, Writer

if TYPE_CHECKING:
    from lispfast.wire.addresses import WireAddress

# From RFC 8060: bits that share a field with reserved ones.
HOP_LOOKUP_BIT = 0x0004
HOP_PROBE_BIT = 0x0002
HOP_STRICT_BIT = 0x0001
HOP_RESERVED_MASK = 0xFFF8
NORTH_EAST_BIT = 0x8000
DEGREES_MASK = 0x7FFF
REVOKE_BIT = 0x01
KEY_RESERVED_MASK = 0xFE
NO_ALTITUDE = 0x7FFFFFFF
FORMAT_LISP_BIT = 0x00000001


@dataclass(frozen=True, slots=True)
class AfiList(LcafValue):
    """Several addresses for one thing, in no order that means anything (section 4.10)."""

    addresses: tuple[WireAddress, ...]

    TYPE: ClassVar[int] = 1

    def body(self, address: Writer) -> bytes:
        return b"".join(map(address, self.addresses))

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        addresses = []
        while body.remaining:
            addresses.append(body.address())
        return cls(tuple(addresses), header=header)


@dataclass(frozen=True, slots=True)
class AsNumber(LcafValue):
    """The autonomous system that an address belongs to (section 4.2)."""

    number: int
    address: WireAddress

    TYPE: ClassVar[int] = 3

    def body(self, address: Writer) -> bytes:
        return unsigned(self.number, 4, "AS number") + address(self.address)

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        return cls(body.unsigned(4), body.address(), header=header)


class Angle(NamedTuple):
    """Degrees (15 bits), minutes and seconds of a coordinate; `positive` is north or east."""

    positive: bool
    degrees: int
    minutes: int = 0
    seconds: int = 0

    def encode(self) -> bytes:
        """4 bytes."""
        degrees = flag(self.positive, NORTH_EAST_BIT) | within(self.degrees, DEGREES_MASK, "degrees")
        small = unsigned(self.minutes, 1, "minutes") + unsigned(self.seconds, 1, "seconds")
        return unsigned(degrees, 2, "degrees") + small

    @classmethod
    def read(cls, body: Body) -> Angle:
        """Read one."""
        word = body.unsigned(2)
        return cls(bool(word & NORTH_EAST_BIT), word & DEGREES_MASK, body.unsigned(1), body.unsigned(1))


@dataclass(frozen=True, slots=True)
class GeoLocation(LcafValue):
    """Where an address is (section 4.3), in WGS 84; `altitude` in metres, None where none is told."""

    latitude: Angle
    longitude: Angle
    altitude: int | None
    address: WireAddress

    TYPE: ClassVar[int] = 5

    def body(self, address: Writer) -> bytes:
        height = NO_ALTITUDE if self.altitude is None else self.altitude
        if not -(1 << 31) <= height < 1 << 31:
            raise ValueError(f"altitude {height} does not fit 4 bytes")
        head = self.latitude.encode() + self.longitude.encode()
        return head + height.to_bytes(4, "big", signed=True) + address(self.address)

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        latitude, longitude = Angle.read(body), Angle.read(body)
        height = int.from_bytes(body.take(4), "big", signed=True)
        return cls(latitude, longitude, None if height == NO_ALTITUDE else height, body.address(), header=header)


@dataclass(frozen=True, slots=True)
class NatTraversal(LcafValue):
    """How a NAT changes an ETR's address (section 4.4; draft-ermagan-lisp-nat-traversal-19 section 4.2)."""

    ms_port: int
    etr_port: int
    global_etr: WireAddress
    map_server: WireAddress
    private_etr: WireAddress
    rtrs: tuple[WireAddress, ...] = ()

    TYPE: ClassVar[int] = 7

    def body(self, address: Writer) -> bytes:
        ports = unsigned(self.ms_port, 2, "MS port") + unsigned(self.etr_port, 2, "ETR port")
        return ports + b"".join(map(address, (self.global_etr, self.map_server, self.private_etr, *self.rtrs)))

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        ports = body.unsigned(2), body.unsigned(2)
        addresses = body.address(), body.address(), body.address()
        rtrs = []
        while body.remaining:
            rtrs.append(body.address())
        return cls(*ports, *addresses, tuple(rtrs), header=header)


@dataclass(frozen=True, slots=True)
class NonceLocator(LcafValue):
    """A locator with the nonce that it wants to see in the data header (section 5.3)."""

    nonce: int
    address: WireAddress
    reserved: int = 0

    TYPE: ClassVar[int] = 8

    def body(self, address: Writer) -> bytes:
        return unsigned(self.reserved, 1, "reserved") + unsigned(self.nonce, 3, "nonce") + address(self.address)

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        reserved = body.unsigned(1)
        return cls(body.unsigned(3), body.address(), reserved, header=header)


@dataclass(frozen=True, slots=True)
class PathHop:
    """One hop of an explicit locator path and its L-, P- and S-bit; `reserved` in its place (mask 0xfff8)."""

    address: WireAddress
    lookup: bool = False
    probe: bool = False
    strict: bool = False
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class ExplicitPath(LcafValue):
    """An explicit locator path (section 4.6): encapsulate to the first hop, which does to the next."""

    hops: tuple[PathHop, ...]

    TYPE: ClassVar[int] = 10

    def body(self, address: Writer) -> bytes:
        parts = []
        for hop in self.hops:
            flags = flag(hop.lookup, HOP_LOOKUP_BIT) | flag(hop.probe, HOP_PROBE_BIT) | flag(hop.strict, HOP_STRICT_BIT)
            reserved = within(hop.reserved, HOP_RESERVED_MASK, "reserved")
            parts.append(unsigned(flags | reserved, 2, "flags") + address(hop.address))
        return b"".join(parts)

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        hops = []
        while body.remaining:
            word = body.unsigned(2)
            lookup, probe, strict = (bool(word & bit) for bit in (HOP_LOOKUP_BIT, HOP_PROBE_BIT, HOP_STRICT_BIT))
            hops.append(PathHop(body.address(), lookup, probe, strict, word & HOP_RESERVED_MASK))
        return cls(tuple(hops), header=header)


@dataclass(frozen=True, slots=True)
class SecurityKey(LcafValue):
    """Keys of who has an address (section 4.7, RFC 8061 section 7); the key material is shown nowhere."""

    algorithm: int
    keys: tuple[bytes, ...] = field(repr=False)
    address: WireAddress
    revoked: bool = False
    rsvd3: int = 0
    rsvd4: int = 0

    TYPE: ClassVar[int] = 11

    def body(self, address: Writer) -> bytes:
        if len(self.keys) > COUNT_MAX:
            raise ValueError(f"{len(self.keys)} keys, at most {COUNT_MAX} fit")
        last = flag(self.revoked, REVOKE_BIT) | within(self.rsvd4, KEY_RESERVED_MASK, "reserved")
        octets = (len(self.keys), self.rsvd3, self.algorithm, last)
        head = b"".join(unsigned(octet, 1, "Security Key") for octet in octets)
        keys = b"".join(unsigned(len(key), 2, "key length") + key for key in self.keys)
        return head + keys + address(self.address)

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        count, rsvd3, algorithm, last = body.take(4)
        keys = tuple(body.take(body.unsigned(2)) for _ in range(count))
        revoked = bool(last & REVOKE_BIT)
        return cls(algorithm, keys, body.address(), revoked, rsvd3, last & KEY_RESERVED_MASK, header=header)


@dataclass(frozen=True, slots=True)
class Replica:
    """One of a replication list and its level in the tree, 0 next to the ITR."""

    level: int
    address: WireAddress
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class ReplicationList(LcafValue):
    """Whom to send copies to (section 4.9)."""

    replicas: tuple[Replica, ...]

    TYPE: ClassVar[int] = 13

    def body(self, address: Writer) -> bytes:
        parts = []
        for replica in self.replicas:
            level = unsigned(replica.reserved, 3, "reserved") + unsigned(replica.level, 1, "level")
            parts.append(level + address(replica.address))
        return b"".join(parts)

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        replicas = []
        while body.remaining:
            reserved, level = body.unsigned(3), body.unsigned(1)
            replicas.append(Replica(level, body.address(), reserved))
        return cls(tuple(replicas), header=header)


@dataclass(frozen=True, slots=True)
class EncapsulationFormat(LcafValue):
    """Which encapsulations a locator takes (section 5.6): 32 bits, the last of them LISP."""

    formats: int
    address: WireAddress

    TYPE: ClassVar[int] = 16

    @property
    def takes_lisp(self) -> bool:
        """The bit of LISP over UDP port 4341."""
        return bool(self.formats & FORMAT_LISP_BIT)

    def body(self, address: Writer) -> bytes:
        return unsigned(self.formats, 4, "encapsulation formats") + address(self.address)

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        return cls(body.unsigned(4), body.address(), header=header)
