"""Packed transactions: a change of the data plane's table as one buffer, the form in which it crosses the wall.

_fastpath.pyi has the layout, byte by byte. `pack` makes the buffer of a transaction of the model; a Packer makes it of
numbers, for who loads millions of prefixes and has no objects for them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from ipaddress import ip_address

from lispfast.model.addresses import EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.errors import DataPlaneError
from lispfast.model.forwarding import (
    LOCATOR_SET_MAX,
    Drop,
    Encapsulate,
    EncapsulateSet,
    ForwardingLocator,
    InnerTunnel,
    LocalPrefix,
    Native,
    Reject,
    Resolve,
    SourceRloc,
    Transaction,
    Verdict,
)

# --- From the RFC -----------------------------------------------------------------------------------------------------

LOCATORS_MAX = 255  # RFC 9301 section 5.4: Locator Count has 8 bits
HEADER_BYTES = 8  # RFC 9300 section 5.1
INSTANCE_ID_MAX = (1 << 24) - 1  # RFC 9300 section 5.3
MAP_VERSION_MAX = (1 << 12) - 1  # RFC 9302 section 5

# --- Ours: the layout -------------------------------------------------------------------------------------------------

MAGIC, VERSION = b"LFTX", 2
LOCALS_REPLACED = 1  # a flag
OWN_SET = 1 << 31  # in the set of a put: the rest is a set's place in the transaction

Buffer = bytes | bytearray | memoryview

HEADER = struct.Struct("<4sHHIIIIII")
SET = struct.Struct("<IHH")
LOCATOR = struct.Struct("<16sBBBB8sHH")
TUNNEL = struct.Struct("<16sBBBx8sH2x")
PUT = struct.Struct("<16sIBBBBI4x")
WITHDRAWAL = struct.Struct("<16sIBB2x")
SOURCE = struct.Struct("<16sBB2xI")
LOCAL = struct.Struct("<16sIBBH")
SET_WITHDRAWAL = struct.Struct("<I4x")

ADDRESS_BYTES = {4: 4, 6: 16}
FORMS = {form: number for number, form in enumerate(Encapsulation)}


class Kind(IntEnum):
    """What a put does with packets: enum lf_kind."""

    ENCAPSULATE = 0
    NATIVE = 1
    REJECT = 2
    DROP = 3
    RESOLVE = 4


class Part(IntEnum):
    """The parts of a packed transaction: enum lf_part."""

    NONE = 0
    PUT = 1
    WITHDRAW = 2
    LOCAL = 3
    SOURCE = 4
    SET = 5
    SET_WITHDRAWAL = 6
    BUFFER = 7


class Packer:
    """Builds one packed transaction.

    An address is a number, `version` 4 or 6. What does not fit its field is struct.error; whether the records make
    sense the data plane decides.
    """

    def __init__(self) -> None:
        self._sets = bytearray()
        self._set_count = 0
        self._puts = bytearray()
        self._withdrawals = bytearray()
        self._sources = bytearray()
        self._locals = bytearray()
        self._set_withdrawals = bytearray()
        self._flags = 0

    def add_set(self, locators: Sequence[bytes], set_id: int = 0, tunnels: Sequence[bytes] = ()) -> int:
        """Locators as pack_locator makes them, for this transaction alone without an id; what a put names them by.

        `tunnels` are those that packets enter first, as pack_tunnel makes them, by the rising place of their locator.
        """
        place, self._set_count = self._set_count, self._set_count + 1
        self._sets += SET.pack(set_id, len(locators), len(tunnels))
        for record in (*locators, *tunnels):
            self._sets += record
        return set_id or OWN_SET | place

    def add_put(
        self, version: int, network: int, length: int, iid: int, kind: Kind, reject_code: int = 0, set_name: int = 0
    ) -> None:
        """Set or replace a verdict; `set_name` is an id or what add_set said, 0 unless it encapsulates."""
        packed = network.to_bytes(ADDRESS_BYTES[version], "big")
        self._puts += PUT.pack(packed, iid, version, length, kind, reject_code, set_name)

    def add_withdrawal(self, version: int, network: int, length: int, iid: int) -> None:
        """Remove a prefix."""
        packed = network.to_bytes(ADDRESS_BYTES[version], "big")
        self._withdrawals += WITHDRAWAL.pack(packed, iid, version, length)

    def add_source(self, slot: int, version: int, address: int = 0, ifindex: int = 0) -> None:
        """Fill a source slot; version 0 empties it."""
        packed = address.to_bytes(ADDRESS_BYTES[version], "big") if version else b""
        self._sources += SOURCE.pack(packed, version, slot, ifindex)

    def replace_locals(self) -> None:
        """Our own EID-prefixes are those that add_local names from now on, and no others."""
        self._flags |= LOCALS_REPLACED

    def add_local(self, version: int, network: int, length: int, iid: int, map_version: int = 0) -> None:
        """One of our own EID-prefixes."""
        self.replace_locals()
        packed = network.to_bytes(ADDRESS_BYTES[version], "big")
        self._locals += LOCAL.pack(packed, iid, version, length, map_version)

    def add_set_withdrawal(self, set_id: int) -> None:
        """Remove a locator-set."""
        self._set_withdrawals += SET_WITHDRAWAL.pack(set_id)

    def finish(self) -> bytes:
        """The packed transaction so far."""
        counts = (
            self._set_count,
            len(self._puts) // PUT.size,
            len(self._withdrawals) // WITHDRAWAL.size,
            len(self._sources) // SOURCE.size,
            len(self._locals) // LOCAL.size,
            len(self._set_withdrawals) // SET_WITHDRAWAL.size,
        )
        header = HEADER.pack(MAGIC, VERSION, self._flags, *counts)
        parts = (self._sets, self._puts, self._withdrawals, self._sources, self._locals, self._set_withdrawals)
        return b"".join((header, *parts))


def pack(transaction: Transaction) -> bytes:
    """The packed form of a transaction; DataPlaneError names what does not fit its field."""
    packer = Packer()
    for one in transaction.sets:
        name = f"locator-set {_checked_id(one.id)}"
        packer.add_set(_locators(name, one.locators), one.id, _tunnels(one.locators))
    own: dict[bytes, int] = {}
    for prefix, verdict in transaction.put:
        _put(packer, own, prefix, verdict)
    for prefix in transaction.withdraw:
        try:
            packer.add_withdrawal(prefix.version, int(prefix.network.network_address), prefix.length, prefix.iid)
        except struct.error:
            raise DataPlaneError(f"{prefix}: no such instance-ID") from None
    if transaction.local is not None:
        packer.replace_locals()
        for own_prefix in transaction.local:
            _local(packer, own_prefix)
    for source in transaction.sources:
        _source(packer, source)
    for set_id in transaction.withdraw_sets:
        packer.add_set_withdrawal(_checked_id(set_id))
    return packer.finish()


def pack_locator(locator: ForwardingLocator) -> bytes:
    """A locator's record; DataPlaneError names what does not fit its field."""
    if len(locator.header) != HEADER_BYTES:
        raise DataPlaneError(
            f"locator {locator.address}: the header has {len(locator.header)} bytes, not {HEADER_BYTES}"
        )
    if not 0 < locator.port < 65536 or not 0 < locator.mtu < 65536:
        raise DataPlaneError(f"locator {locator.address}: port or mtu out of range")
    try:
        return LOCATOR.pack(
            locator.address.packed,
            locator.address.version | FORMS[locator.encapsulation] << 4,
            locator.slot,
            locator.priority,
            locator.weight,
            locator.header,
            locator.port,
            locator.mtu,
        )
    except struct.error:
        raise DataPlaneError(f"locator {locator.address}: slot, priority or weight out of range") from None


def pack_tunnel(place: int, tunnel: InnerTunnel) -> bytes:
    """The record of what is inside of the locator in this place; DataPlaneError names what does not fit its field."""
    if len(tunnel.header) != HEADER_BYTES or not 0 < tunnel.port < 65536 or not 0 <= tunnel.slot < 256:
        raise DataPlaneError(f"tunnel to {tunnel.address}: header, port or slot out of range")
    return TUNNEL.pack(tunnel.address.packed, tunnel.address.version, tunnel.slot, place, tunnel.header, tunnel.port)


def _tunnels(locators: tuple[ForwardingLocator, ...]) -> list[bytes]:
    inside = ((place, locator.inside) for place, locator in enumerate(locators))
    return [pack_tunnel(place, tunnel) for place, tunnel in inside if tunnel is not None]


def _locators(name: str | EidPrefix, locators: tuple[ForwardingLocator, ...]) -> list[bytes]:
    if len(locators) > LOCATORS_MAX:
        raise DataPlaneError(f"{name}: more than {LOCATORS_MAX} locators")
    return [pack_locator(locator) for locator in locators]


def _put(packer: Packer, own: dict[bytes, int], prefix: EidPrefix, verdict: Verdict | EncapsulateSet) -> None:
    """`own` are the transaction's own sets so far: prefixes with the same locators share one."""
    kind, code, name = _kind(verdict), 0, 0
    if isinstance(verdict, Encapsulate):
        locators, tunnels = _locators(prefix, verdict.locators), _tunnels(verdict.locators)
        key = b"".join((len(locators).to_bytes(), *locators, *tunnels))
        if locators and key not in own:
            own[key] = packer.add_set(locators, tunnels=tunnels)
        name = own.get(key, 0)
    elif isinstance(verdict, EncapsulateSet):
        name = _checked_id(verdict.id)
    elif isinstance(verdict, Reject):
        code = verdict.code
    try:
        packer.add_put(prefix.version, int(prefix.network.network_address), prefix.length, prefix.iid, kind, code, name)
    except struct.error:
        raise DataPlaneError(f"{prefix}: no such instance-ID or reject code") from None


def _kind(verdict: Verdict | EncapsulateSet) -> Kind:
    match verdict:
        case Encapsulate() | EncapsulateSet():
            return Kind.ENCAPSULATE
        case Native():
            return Kind.NATIVE
        case Reject():
            return Kind.REJECT
        case Drop():
            return Kind.DROP
        case Resolve():
            return Kind.RESOLVE
    raise DataPlaneError(f"no verdict: {verdict!r}")


def _local(packer: Packer, own: LocalPrefix) -> None:
    prefix = own.prefix
    if not 0 <= prefix.iid <= INSTANCE_ID_MAX or not 0 <= own.version <= MAP_VERSION_MAX:
        raise DataPlaneError(f"local EID {own}: no such instance-ID or Map-Version")
    packer.add_local(prefix.version, int(prefix.network.network_address), prefix.length, prefix.iid, own.version)


def _source(packer: Packer, source: SourceRloc) -> None:
    version, number = (source.address.version, int(source.address)) if source.address is not None else (0, 0)
    try:
        if source.ifindex >= 1 << 31:
            raise struct.error
        packer.add_source(source.slot, version, number, source.ifindex)
    except struct.error:
        raise DataPlaneError(f"source slot {source.slot}: slot or ifindex out of range") from None


def _checked_id(set_id: int) -> int:
    if not 0 < set_id <= LOCATOR_SET_MAX:
        raise DataPlaneError(f"locator-set {set_id}: an id is 1 to {LOCATOR_SET_MAX}")
    return set_id


def name_item(buffer: Buffer, part: Part, item: int) -> str:
    """What an item of a packed transaction is about, to be said of it; empty for none.

    `item` counts from 0 within its part, of the buffer it is an offset. The buffer is sound as far as that item.
    """
    data = memoryview(buffer).cast("B")
    if part is Part.NONE:
        return ""
    if part is Part.BUFFER:
        return f"byte {item}"
    if part is Part.SET:
        return _name_set(data, item)
    at = _start(data, part)
    if part is Part.PUT:
        return _prefix(*PUT.unpack_from(data, at + item * PUT.size)[:4])
    if part is Part.WITHDRAW:
        return _prefix(*WITHDRAWAL.unpack_from(data, at + item * WITHDRAWAL.size))
    if part is Part.LOCAL:
        return f"local EID {_prefix(*LOCAL.unpack_from(data, at + item * LOCAL.size)[:4])}"
    if part is Part.SOURCE:
        return f"source slot {SOURCE.unpack_from(data, at + item * SOURCE.size)[2]}"
    return f"locator-set {SET_WITHDRAWAL.unpack_from(data, at + item * SET_WITHDRAWAL.size)[0]}"


def _start(data: memoryview, part: Part) -> int:
    """Where a part other than the sets begins."""
    sets, puts, withdrawals, sources, locals_, _ = HEADER.unpack_from(data)[3:]
    at = HEADER.size
    for _ in range(sets):
        at = _set_end(data, at)
    sizes = {
        Part.PUT: puts * PUT.size,
        Part.WITHDRAW: withdrawals * WITHDRAWAL.size,
        Part.SOURCE: sources * SOURCE.size,
        Part.LOCAL: locals_ * LOCAL.size,
        Part.SET_WITHDRAWAL: 0,
    }
    for one, size in sizes.items():
        if one is part:
            break
        at += size
    return at


def _set_end(data: memoryview, at: int) -> int:
    """Where the set that begins at `at` ends."""
    _, locators, tunnels = SET.unpack_from(data, at)
    return at + SET.size + int(locators) * LOCATOR.size + int(tunnels) * TUNNEL.size


def _name_set(data: memoryview, item: int) -> str:
    """Its id; the first prefix that it is for where it has none."""
    at = HEADER.size
    for _ in range(item):
        at = _set_end(data, at)
    set_id = SET.unpack_from(data, at)[0]
    if set_id:
        return f"locator-set {set_id}"
    first = _start(data, Part.PUT)
    for put in range(HEADER.unpack_from(data)[4]):
        record = PUT.unpack_from(data, first + put * PUT.size)
        if record[6] == OWN_SET | item:
            return _prefix(*record[:4])
    return f"the locator-set in place {item}"


def _prefix(packed: bytes, iid: int, version: int, length: int) -> str:
    """An EID-prefix even where it is none: host bits and lengths as they are."""
    if version not in ADDRESS_BYTES:
        return f"a prefix of family {version}"
    text = f"{ip_address(packed[: ADDRESS_BYTES[version]])}/{length}"
    return f"[{iid}]{text}" if iid else text
