"""The data plane's slow twin: a dictionary searched from end to end, and a check of every transaction it is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from lispfast.model.addresses import DATA_PORT, Address, Eid, EidPrefix, Endpoint
from lispfast.model.forwarding import (
    SOURCE_SLOTS,
    Drop,
    Encapsulate,
    ForwardingLocator,
    Miss,
    Native,
    PrefixTraffic,
    Reject,
    Resolve,
    Traffic,
    Transaction,
    Verdict,
)
from lispfast.model.units import InstanceId, Seconds

from .network import Packet

STAGE_PACKETS = 32
STAGE_AGE = 10.0
PUNT_AGE = 1.0  # a miss that was not answered by a commit is punted again after it


@dataclass
class SlowDataPlane:
    """`transmit(packet, source, destination)` sends an encapsulated packet, `clock` tells the time."""

    transmit: Callable[[Packet, Endpoint, Endpoint], None]
    clock: Callable[[], Seconds]
    table: dict[EidPrefix, Verdict] = field(default_factory=dict)
    local: tuple[Eid, ...] = ()
    slots: dict[int, Address] = field(default_factory=dict)
    delivered: list[Packet] = field(default_factory=list)
    rejected: list[Packet] = field(default_factory=list)
    native: list[Packet] = field(default_factory=list)
    drops: Counter[str] = field(default_factory=Counter)
    punts: list[Miss] = field(default_factory=list)
    commits: int = 0

    def __post_init__(self) -> None:
        self._stage: list[tuple[Seconds, Packet]] = []
        self._punted: dict[Eid, Seconds] = {}
        self._used: dict[EidPrefix, tuple[int, Seconds]] = {}
        self._outer: dict[Address, Seconds] = {}

    def commit(self, transaction: Transaction) -> None:
        """Apply it whole; AssertionError for one that the real data plane would refuse."""
        self._check(transaction)
        for prefix in transaction.withdraw:
            del self.table[prefix]
            self._used.pop(prefix, None)
        self.table.update(transaction.put)
        if transaction.local is not None:
            self.local = transaction.local
        for store in transaction.sources:
            if store.address is None:
                self.slots.pop(store.slot, None)
            else:
                self.slots[store.slot] = store.address
        self.commits += 1
        staged, self._stage = self._stage, []
        for at, packet in staged:
            if self.clock() - at > STAGE_AGE:
                self.drops["stage-aged"] += 1
            else:
                self._forward(packet, at)

    def send(self, packet: Packet) -> None:
        """A packet of a local application."""
        if Eid(packet.source, InstanceId(packet.iid)) not in self.local:
            self.drops["inner-source"] += 1
        else:
            self._forward(packet, self.clock())

    def receive(self, packet: Packet, source: Endpoint) -> None:
        """An encapsulated packet came."""
        if Eid(packet.destination, InstanceId(packet.iid)) not in self.local:
            self.drops["not-our-eid"] += 1
            return
        self._outer[source.address] = self.clock()
        self.delivered.append(packet)

    def take_punts(self) -> list[Miss]:
        """Every miss since the last time."""
        punts, self.punts = self.punts, []
        return punts

    def traffic(self) -> Traffic:
        """How the table was used."""
        prefixes = {}
        for prefix in self.table:
            packets, at = self._used.get(prefix, (0, None))
            idle = None if at is None else Seconds(self.clock() - at)
            prefixes[prefix] = PrefixTraffic(packets, packets * 100, 0, idle)
        return Traffic(prefixes, {address: Seconds(self.clock() - at) for address, at in self._outer.items()})

    def verdict(self, eid: Eid) -> tuple[EidPrefix, Verdict] | None:
        """The verdict of the longest prefix that holds the EID."""
        covering = [prefix for prefix in self.table if prefix.contains(eid)]
        best = max(covering, key=lambda prefix: prefix.length, default=None)
        return None if best is None else (best, self.table[best])

    def _forward(self, packet: Packet, since: Seconds) -> None:
        eid = Eid(packet.destination, InstanceId(packet.iid))
        found = self.verdict(eid)
        if found is None:
            self.drops["no-verdict"] += 1
            return
        prefix, verdict = found
        count = self._used.get(prefix, (0, None))[0]
        self._used[prefix] = (count + 1, self.clock())
        match verdict:
            case Encapsulate(locators):
                self._encapsulate(packet, locators)
            case Resolve():
                self._wait(packet, eid, since)
            case Native():
                self.native.append(packet)
            case Reject():
                self.rejected.append(packet)
            case Drop():
                self.drops["mapping-drop"] += 1

    def _encapsulate(self, packet: Packet, locators: tuple[ForwardingLocator, ...]) -> None:
        usable = [locator for locator in locators if locator.slot in self.slots]
        if not usable:
            self.drops["no-locator"] += 1
            return
        locator = min(usable, key=lambda one: one.priority)
        source = self.slots[locator.slot]
        assert source.version == locator.address.version, "a slot of the locator's family"
        self.transmit(packet, Endpoint(source, 50000), Endpoint(locator.address, locator.port))

    def _wait(self, packet: Packet, eid: Eid, since: Seconds) -> None:
        self._stage.append((since, packet))
        if len(self._stage) > STAGE_PACKETS:
            self._stage.pop(0)
            self.drops["stage-full"] += 1
        now = self.clock()
        if now - self._punted.get(eid, Seconds(-PUNT_AGE)) >= PUNT_AGE:
            self._punted[eid] = now
            self.punts.append(Miss(eid.address, packet.source, eid.iid))

    def _check(self, transaction: Transaction) -> None:
        for prefix in transaction.withdraw:
            assert prefix in self.table, f"{prefix} is withdrawn and was not there"
        touched = [prefix for prefix, _ in transaction.put] + list(transaction.withdraw)
        assert len(touched) == len(set(touched)), "a prefix stands in a transaction once"
        for _, verdict in transaction.put:
            if isinstance(verdict, Encapsulate):
                assert verdict.locators, "the locators are never empty"
                for locator in verdict.locators:
                    assert 0 <= locator.slot < SOURCE_SLOTS
                    assert len(locator.header) == 8
                    assert locator.port == DATA_PORT
