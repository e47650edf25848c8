"""EID-records and locators, as Map-Reply, Map-Register and Map-Notify carry them (RFC 9301 sections 5.4 to 5.7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_network

from lispfast.model.addresses import EidPrefix
from lispfast.model.errors import WireError
from lispfast.model.mapping import Action, CarriedLocator, Locator, Mapping, sort_locators
from lispfast.model.units import InstanceId, Minutes
from lispfast.wire.addresses import (
    AFI_LCAF,
    InstanceAddress,
    WireAddress,
    decode_address,
    decode_eid,
    encode_address,
)
from lispfast.wire.bits import count, flag, unsigned, within
from lispfast.wire.cursor import Cursor
from lispfast.wire.rlocs import Rloc, rloc_of, wire_rloc
from lispfast.wire.rlocs import refused as refused

# From RFC 9301 section 5.4.
ACTION_SHIFT = 13
AUTHORITATIVE_BIT = 0x1000
RECORD_RESERVED_MASK = 0x0FFF
VERSION_MASK = 0x0FFF
LOCAL_BIT = 0x0004
PROBED_BIT = 0x0002
REACHABLE_BIT = 0x0001
UNUSED_MASK = 0xFFF8

LCAF_TYPE_OFFSET = 4  # RFC 8060 section 3: behind the AFI, Rsvd1 and Flags
INSTANCE_ID_MAX = 0xFFFFFF  # RFC 9300 section 8: what the data header carries

_ASSIGNED_ACTIONS = frozenset(Action)


@dataclass(frozen=True, slots=True)
class LocatorRecord:
    """One locator as it stands on the wire; `unused` are the undefined flag bits in their place (mask 0xfff8)."""

    address: WireAddress
    priority: int = 1
    weight: int = 100
    multicast_priority: int = 255
    multicast_weight: int = 0
    local: bool = False
    probed: bool = False
    reachable: bool = True
    unused: int = 0

    def encode(self) -> bytes:
        """8 bytes and the address behind its AFI."""
        flags = flag(self.local, LOCAL_BIT) | flag(self.probed, PROBED_BIT) | flag(self.reachable, REACHABLE_BIT)
        policy = (self.priority, self.weight, self.multicast_priority, self.multicast_weight)
        return b"".join(
            (
                *(unsigned(value, 1, "priority or weight") for value in policy),
                unsigned(flags | within(self.unused, UNUSED_MASK, "unused flags"), 2, "flags"),
                encode_address(self.address),
            )
        )

    @classmethod
    def read(cls, cursor: Cursor) -> LocatorRecord:
        """Read one at the cursor."""
        priority, weight, multicast_priority, multicast_weight = cursor.take(4, "locator priorities")
        flags = cursor.unsigned(2, "locator flags")
        return cls(
            decode_address(cursor, "locator"),
            priority,
            weight,
            multicast_priority,
            multicast_weight,
            bool(flags & LOCAL_BIT),
            bool(flags & PROBED_BIT),
            bool(flags & REACHABLE_BIT),
            flags & UNUSED_MASK,
        )


@dataclass(frozen=True, slots=True)
class EidRecord:
    """One EID-record; `action` is the 3-bit ACT as it came, `reserved` 12 bits, `reserved_version` 4 bits."""

    eid: WireAddress
    mask_len: int
    ttl: Minutes
    locators: tuple[LocatorRecord, ...] = ()
    action: int = 0
    authoritative: bool = False
    map_version: int = 0
    reserved: int = 0
    reserved_version: int = 0

    def encode(self) -> bytes:
        """The record with its locators, in the order they have here."""
        word = within(self.action, 7, "action") << ACTION_SHIFT | flag(self.authoritative, AUTHORITATIVE_BIT)
        version = within(self.reserved_version, 0xF, "reserved") << 12 | within(
            self.map_version, VERSION_MASK, "version"
        )
        return b"".join(
            (
                unsigned(self.ttl, 4, "record TTL"),
                unsigned(count(self.locators, "locators"), 1, "locator count"),
                unsigned(self.mask_len, 1, "EID mask-len"),
                unsigned(word | within(self.reserved, RECORD_RESERVED_MASK, "reserved"), 2, "action"),
                unsigned(version, 2, "map-version"),
                encode_address(self.eid),
                *(locator.encode() for locator in self.locators),
            )
        )

    @classmethod
    def read(cls, cursor: Cursor) -> EidRecord:
        """Read one at the cursor."""
        ttl = Minutes(cursor.unsigned(4, "record TTL"))
        locator_count = cursor.unsigned(1, "locator count")
        mask_len = cursor.unsigned(1, "EID mask-len")
        word = cursor.unsigned(2, "action")
        version = cursor.unsigned(2, "map-version")
        eid = decode_eid(cursor)
        return cls(
            eid,
            mask_len,
            ttl,
            tuple(LocatorRecord.read(cursor) for _ in range(locator_count)),
            word >> ACTION_SHIFT,
            bool(word & AUTHORITATIVE_BIT),
            version & VERSION_MASK,
            word & RECORD_RESERVED_MASK,
            version >> 12,
        )


def encode_records(records: tuple[EidRecord, ...]) -> bytes:
    """One record behind the other."""
    return b"".join(record.encode() for record in records)


def read_records(cursor: Cursor, record_count: int) -> tuple[EidRecord, ...]:
    """Read that many records; the bytes at hand bound the work, whatever the counts say."""
    return tuple(EidRecord.read(cursor) for _ in range(record_count))


def wire_eid(prefix: EidPrefix) -> WireAddress:
    """The prefix's address, inside an Instance-ID LCAF unless the instance-ID is 0."""
    address = prefix.network.network_address
    return InstanceAddress(prefix.iid, address) if prefix.iid else address


def eid_prefix(address: WireAddress, mask_len: int) -> EidPrefix:
    """The EID-prefix of a record; bits behind the mask are ignored.

    WireError (its offset 0: the place is not known here) unless it is IPv4 or IPv6, alone or in one instance-ID of 24
    bits, and the mask length fits the family. The mask length counts bits of the address, not of the LCAF.
    """
    iid = 0
    if isinstance(address, InstanceAddress):
        iid, address = address.iid, address.address
        if iid > INSTANCE_ID_MAX:
            raise WireError("instance-ID", 0, f"{iid} is more than 24 bits")
    if not isinstance(address, IPv4Address | IPv6Address):
        raise WireError("EID", 0, "neither IPv4 nor IPv6")
    if mask_len > address.max_prefixlen:
        raise WireError("EID mask-len", 0, f"{mask_len} bits of an IPv{address.version} address")
    return EidPrefix(ip_network((address, mask_len), strict=False), InstanceId(iid))


def record_from_mapping(mapping: Mapping) -> EidRecord:
    """The record that says the mapping: locators sorted (RFC 9301 section 5.5), ACT only in one without any."""
    locators = [_locator_record(locator) for locator in sort_locators(mapping.locators)]
    locators += [LocatorRecord.read(Cursor(carried.encoded)) for carried in mapping.carried]
    return EidRecord(
        wire_eid(mapping.prefix),
        mapping.prefix.length,
        mapping.ttl,
        tuple(sorted(locators, key=_order)),
        0 if locators else int(mapping.action),
        mapping.authoritative,
        mapping.version,
    )


def mapping_from_record(record: EidRecord) -> Mapping:
    """The mapping that a record says, in the order of its locators.

    Locators that name no RLOC (see `rloc_of`; RFC 9306 section 3) are carried, the `refused_locators` left out. When
    that leaves none, or ACT is not one that RFC 9301 section 12.3 assigns, the mapping is negative with No-Action:
    kept, and nothing is encapsulated. WireError when the EID is no IPv4 or IPv6 EID-prefix.
    """
    named = [(locator, rloc_of(locator.address)) for locator in record.locators]
    return Mapping(
        eid_prefix(record.eid, record.mask_len),
        tuple(_locator(locator, rloc) for locator, rloc in named if rloc is not None and not rloc.refused),
        record.ttl,
        _action(record),
        record.authoritative,
        record.map_version,
        tuple(_carried(locator) for locator, rloc in named if rloc is None),
    )


def refused_locators(record: EidRecord) -> tuple[LocatorRecord, ...]:
    """The locators whose address can be no RLOC: see `Rloc.refused`."""
    named = ((locator, rloc_of(locator.address)) for locator in record.locators)
    return tuple(locator for locator, rloc in named if rloc is not None and rloc.refused)


def _locator_record(locator: Locator) -> LocatorRecord:
    encoded = locator.encoded
    return LocatorRecord(
        decode_address(Cursor(encoded), "locator") if encoded else wire_rloc(locator.address, locator.path),
        locator.priority,
        locator.weight,
        locator.multicast_priority,
        locator.multicast_weight,
        locator.local,
        locator.probed,
        locator.reachable,
    )


def _order(locator: LocatorRecord) -> tuple[int, int, bytes]:
    """RFC 8060 section 3: AFI and type of LCAF, in which all are equal; an address by its bytes, its value."""
    encoded = encode_address(locator.address)
    afi = int.from_bytes(encoded[:2], "big")
    return (afi, encoded[LCAF_TYPE_OFFSET], b"") if afi == AFI_LCAF else (afi, 0, encoded)


def _carried(locator: LocatorRecord) -> CarriedLocator:
    return CarriedLocator(replace(locator, local=False, probed=False).encode())


def _locator(record: LocatorRecord, rloc: Rloc) -> Locator:
    return Locator(
        rloc.address,
        record.priority,
        record.weight,
        record.multicast_priority,
        record.multicast_weight,
        record.local,
        record.probed,
        record.reachable,
        path=rloc.path,
        encoded=b"" if wire_rloc(rloc.address, rloc.path) == record.address else encode_address(record.address),
    )


def _action(record: EidRecord) -> Action:
    if record.locators or record.action not in _ASSIGNED_ACTIONS:
        return Action.NO_ACTION
    return Action(record.action)
