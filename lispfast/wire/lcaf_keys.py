"""LCAF types that are looked up, or that carry data (RFC 8060 sections 4.5, 4.8, 5.1, 5.2, 5.4 and 5.5, RFC 9306)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from lispfast.wire.bits import unsigned
from lispfast.wire.lcaf import Body, LcafHeader, LcafValue, Writer

if TYPE_CHECKING:
    from lispfast.wire.addresses import WireAddress

# From RFC 8060: bits that share a field with reserved ones.
JSON_BINARY_BIT = 0x01


@dataclass(frozen=True, slots=True)
class ApplicationData(LcafValue):
    """An address for one application (section 5.1): `traffic` is TOS, traffic class or flow label, 24 bits."""

    traffic: int
    protocol: int
    local_ports: tuple[int, int]
    remote_ports: tuple[int, int]
    address: WireAddress

    TYPE: ClassVar[int] = 4

    def body(self, address: Writer) -> bytes:
        ports = (*self.local_ports, *self.remote_ports)
        head = unsigned(self.traffic, 3, "TOS or flow label") + unsigned(self.protocol, 1, "protocol")
        return head + b"".join(unsigned(port, 2, "port") for port in ports) + address(self.address)

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        traffic, protocol = body.unsigned(3), body.unsigned(1)
        local = body.unsigned(2), body.unsigned(2)
        remote = body.unsigned(2), body.unsigned(2)
        return cls(traffic, protocol, local, remote, body.address(), header=header)


@dataclass(frozen=True, slots=True)
class OpaqueKey(LcafValue):
    """A key without a meaning to us (section 5.2), of `field_number` + 1 fields; a wildcard bit says not to compare."""

    field_number: int
    wildcards: int
    key: bytes

    TYPE: ClassVar[int] = 6

    def body(self, address: Writer) -> bytes:
        return unsigned(self.field_number, 1, "key field num") + unsigned(self.wildcards, 2, "wildcards") + self.key

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        return cls(body.unsigned(1), body.unsigned(2), body.rest(), header=header)


@dataclass(frozen=True, slots=True)
class MulticastInfo(LcafValue):
    """A multicast route as an EID (section 4.5): (S,G) within an instance-ID."""

    iid: int
    source_len: int
    group_len: int
    source: WireAddress
    group: WireAddress
    reserved: int = 0

    TYPE: ClassVar[int] = 9

    def body(self, address: Writer) -> bytes:
        head = unsigned(self.iid, 4, "instance-ID") + unsigned(self.reserved, 2, "reserved")
        lengths = unsigned(self.source_len, 1, "source mask-len") + unsigned(self.group_len, 1, "group mask-len")
        return head + lengths + address(self.source) + address(self.group)

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        iid, reserved, source_len, group_len = (body.unsigned(size) for size in (4, 2, 1, 1))
        return cls(iid, source_len, group_len, body.address(), body.address(), reserved, header=header)


@dataclass(frozen=True, slots=True)
class SourceDestination(LcafValue):
    """A pair of prefixes as one EID (section 4.8); mask lengths in bits."""

    source_len: int
    destination_len: int
    source: WireAddress
    destination: WireAddress
    reserved: int = 0

    TYPE: ClassVar[int] = 12

    def body(self, address: Writer) -> bytes:
        lengths = unsigned(self.source_len, 1, "Source-ML") + unsigned(self.destination_len, 1, "Dest-ML")
        return unsigned(self.reserved, 2, "reserved") + lengths + address(self.source) + address(self.destination)

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        reserved, source_len, destination_len = (body.unsigned(size) for size in (2, 1, 1))
        return cls(source_len, destination_len, body.address(), body.address(), reserved, header=header)


@dataclass(frozen=True, slots=True)
class Json(LcafValue):
    """A JSON document (section 5.4), not looked into; the last bit of `header.rsvd2` says that it is binary."""

    document: bytes
    address: WireAddress = None

    TYPE: ClassVar[int] = 14

    @property
    def binary(self) -> bool:
        """The B-bit."""
        return bool(self.header.rsvd2 & JSON_BINARY_BIT)

    def body(self, address: Writer) -> bytes:
        return unsigned(len(self.document), 2, "JSON length") + self.document + address(self.address)

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        return cls(body.take(body.unsigned(2)), body.address(), header=header)


@dataclass(frozen=True, slots=True)
class KeyValue(LcafValue):
    """An address and another that is its attribute (section 5.5)."""

    key: WireAddress
    value: WireAddress

    TYPE: ClassVar[int] = 15

    def body(self, address: Writer) -> bytes:
        return address(self.key) + address(self.value)

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        return cls(body.address(), body.address(), header=header)


@dataclass(frozen=True, slots=True)
class VendorSpecific(LcafValue):
    """What an organisation made up (RFC 9306 section 4); one that we do not know spoils the message."""

    oui: int
    data: bytes = b""
    reserved: int = 0

    TYPE: ClassVar[int] = 255
    HEAD: ClassVar[int] = 4

    def body(self, address: Writer) -> bytes:
        return unsigned(self.reserved, 1, "reserved") + unsigned(self.oui, 3, "OUI") + self.data

    @classmethod
    def read(cls, body: Body, header: LcafHeader) -> Self:
        reserved = body.unsigned(1)
        return cls(body.unsigned(3), body.rest(), reserved, header=header)
