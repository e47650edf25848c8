"""A packed transaction, written down as `_native/packed.h` says it, record by record."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from lispfast.model.addresses import Address, Eid, EidPrefix
from lispfast.model.forwarding import InnerTunnel, LocalPrefix

OWN = 1 << 31
ENCAPSULATE, NATIVELY, REJECT, DROP, RESOLVE = range(5)


def locator_record(
    address: Address,
    port: int,
    slot: int = 0,
    priority: int = 1,
    weight: int = 1,
    mtu: int = 0,
    form: int = 0,
    header: bytes = bytes(8),
) -> bytes:
    family = address.version | form << 4
    return struct.pack("<16sBBBB8sHH", address.packed, family, slot, priority, weight, header, port, mtu)


def tunnel_record(tunnel: InnerTunnel, place: int) -> bytes:
    """The tunnel inside of the locator in this place."""
    head = (tunnel.address.packed, tunnel.address.version, tunnel.slot, place)
    return struct.pack("<16sBBBx8sHxx", *head, tunnel.header, tunnel.port)


@dataclass
class Change:
    """The parts of a transaction; a part is a list of records."""

    sets: list[bytes] = field(default_factory=list)
    puts: list[bytes] = field(default_factory=list)
    withdrawals: list[bytes] = field(default_factory=list)
    sources: list[bytes] = field(default_factory=list)
    locals: list[bytes] | None = None
    set_withdrawals: list[bytes] = field(default_factory=list)

    def set(self, locators: list[bytes], name: int = 0, tunnels: tuple[bytes, ...] = ()) -> int:
        """Add a set; what a put of this transaction calls it."""
        records = b"".join((*locators, *tunnels))
        self.sets.append(struct.pack("<IHH", name, len(locators), len(tunnels)) + records)
        return OWN | len(self.sets) - 1

    def put(self, prefix: EidPrefix, to: int = 0, kind: int = ENCAPSULATE, code: int = 0) -> None:
        network = prefix.network.network_address
        family, length = network.version, prefix.length
        self.puts.append(struct.pack("<16sIBBBBI4x", network.packed, prefix.iid, family, length, kind, code, to))

    def withdraw(self, prefix: EidPrefix) -> None:
        network = prefix.network.network_address
        record = struct.pack("<16sIBB2x", network.packed, prefix.iid, network.version, prefix.length)
        self.withdrawals.append(record)

    def source(self, slot: int, address: Address | None, ifindex: int = 0) -> None:
        packed, family = (address.packed, address.version) if address else (b"", 0)
        self.sources.append(struct.pack("<16sBBxxI", packed, family, slot, ifindex))

    def local(self, own: tuple[Eid | LocalPrefix, ...]) -> None:
        """An EID alone is its host's prefix."""
        prefixes = [LocalPrefix(one.prefix) if isinstance(one, Eid) else one for one in own]
        self.locals = [
            struct.pack(
                "<16sIBBH", one.prefix.network.network_address.packed, one.prefix.iid, one.prefix.version,
                one.prefix.length, one.version,
            )
            for one in prefixes
        ]  # fmt: skip

    def withdraw_set(self, name: int) -> None:
        self.set_withdrawals.append(struct.pack("<I4x", name))

    def packed(self) -> bytes:
        locals_ = self.locals or []
        parts = [self.sets, self.puts, self.withdrawals, self.sources, locals_, self.set_withdrawals]
        header = struct.pack("<4sHH6I", b"LFTX", 2, self.locals is not None, *map(len, parts))
        return header + b"".join(record for part in parts for record in part)
