"""The data plane's slow twin: a slow table, the stage, and what happened to each packet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lispfast.model.addresses import Address, Eid, EidPrefix, Endpoint
from lispfast.model.forwarding import (
    Drop,
    Encapsulate,
    HeaderHint,
    Miss,
    Native,
    PrefixTraffic,
    Punt,
    Reject,
    Resolve,
    Traffic,
    Transaction,
)
from lispfast.model.units import InstanceId, Seconds

from .network import Packet
from .tables import Table

STAGE_PACKETS = 32
STAGE_AGE = 10.0
HINT_AGE = 1.0  # what an RLOC says is told once a second at the most
PUNT_AGE = 1.0  # a miss that was not answered by a commit is punted again after it


@dataclass
class SlowDataPlane:
    """`transmit(packet, source, destination)` sends an encapsulated packet, `clock` tells the time."""

    transmit: Callable[[Packet, Endpoint, Endpoint], None]
    clock: Callable[[], Seconds]
    table: Table = field(default_factory=Table)
    delivered: list[tuple[Seconds, Packet]] = field(default_factory=list)
    rejected: list[Packet] = field(default_factory=list)
    native: list[Packet] = field(default_factory=list)
    drops: Counter[str] = field(default_factory=Counter)
    punts: list[Punt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stage: list[tuple[Seconds, Packet]] = []
        self._punted: dict[Eid, Seconds] = {}
        self._used: dict[EidPrefix, tuple[int, Seconds]] = {}
        self._came: Counter[EidPrefix] = Counter()
        self._reading = 0
        self._changed: dict[EidPrefix, int] = {}  # the reading after which a prefix was used last
        self._outer: dict[Address, Seconds] = {}
        self._said: dict[Address, tuple[Seconds, HeaderHint | None]] = {}

    def commit(self, transaction: Transaction) -> None:
        """Apply it whole, and forward what waits; DataPlaneError for one that the real data plane would refuse."""
        self.table.commit(transaction)
        for prefix in transaction.withdraw:
            self._used.pop(prefix, None)
            self._came.pop(prefix, None)
            self._changed.pop(prefix, None)
        staged, self._stage = self._stage, []
        for at, packet in staged:
            if self.clock() - at > STAGE_AGE:
                self.drops["stage-aged"] += 1
            else:
                self._forward(packet, at)

    def send(self, packet: Packet) -> None:
        """A packet of a local application."""
        if self.table.ours(Eid(packet.source, InstanceId(packet.iid))) is None:
            self.drops["inner-source"] += 1
        else:
            self._forward(packet, self.clock())

    def receive(self, packet: Packet, source: Endpoint) -> None:
        """An encapsulated packet came."""
        own = self.table.ours(Eid(packet.destination, InstanceId(packet.iid)))
        if own is None:
            self.drops["not-our-eid"] += 1
            return
        if self.table.private:
            said = self._hear(packet, source.address)
            if said is not None and not sound_version(said, own.version):
                self.drops["map-version"] += 1
                return
        self._outer[source.address] = self.clock()
        found = self.table.match(Eid(packet.source, InstanceId(packet.iid)))
        if found is not None:
            self._came[found[0]] += 1
            self._changed[found[0]] = self._reading
        self.delivered.append((self.clock(), packet))

    def _hear(self, packet: Packet, rloc: Address) -> int | None:
        """Punt what the header says if it is news; the destination Map-Version that it brings, if any."""
        hint = read_header(packet, rloc)
        at, before = self._said.get(rloc, (Seconds(-HINT_AGE), None))
        told = replace(hint, source=rloc)
        if told != before and self.clock() - at >= HINT_AGE:
            self._said[rloc] = (self.clock(), told)
            self.punts.append(hint)
        return hint.destination_version

    def take_punts(self) -> list[Punt]:
        """Every punt since the last time."""
        punts, self.punts = self.punts, []
        return punts

    def traffic(self, since: int = 0) -> Traffic:
        """How the prefixes were used that were used since an earlier reading."""
        self._reading += 1
        prefixes = {}
        for prefix in [prefix for prefix, reading in self._changed.items() if reading >= since]:
            packets, at = self._used.get(prefix, (0, None))
            idle = None if at is None else Seconds(self.clock() - at)
            came = self._came[prefix]
            prefixes[prefix] = PrefixTraffic(packets, packets * 100, 0, idle, came, came * 100)
        ages = {address: Seconds(self.clock() - at) for address, at in self._outer.items()}
        return Traffic(prefixes, ages, self._reading)

    def _forward(self, packet: Packet, since: Seconds) -> None:
        eid = Eid(packet.destination, InstanceId(packet.iid))
        found = self.table.match(eid)
        if found is None:
            self.drops["no-verdict"] += 1
            return
        prefix, verdict = found
        count = self._used.get(prefix, (0, None))[0]
        self._used[prefix] = (count + 1, self.clock())
        self._changed[prefix] = self._reading
        match verdict:
            case Encapsulate():
                self._encapsulate(packet, eid)
            case Resolve():
                self._wait(packet, eid, since)
            case Native():
                self.native.append(packet)
            case Reject():
                self.rejected.append(packet)
            case Drop():
                self.drops["mapping-drop"] += 1

    def _encapsulate(self, packet: Packet, eid: Eid) -> None:
        ways = self.table.ways(eid)
        if not ways:
            self.drops["no-locator"] += 1
            return
        source, rloc = ways[0]
        assert source.version == rloc.version, "a slot of the locator's family"
        packet = replace(packet, header=self.table.header(eid, rloc))
        self.transmit(packet, Endpoint(source, 50000), Endpoint(rloc, self.table.port(eid, rloc)))

    def _wait(self, packet: Packet, eid: Eid, since: Seconds) -> None:
        self._stage.append((since, packet))
        if len(self._stage) > STAGE_PACKETS:
            self._stage.pop(0)
            self.drops["stage-full"] += 1
        now = self.clock()
        if now - self._punted.get(eid, Seconds(-PUNT_AGE)) >= PUNT_AGE:
            self._punted[eid] = now
            self.punts.append(Miss(eid.address, packet.source, eid.iid))


def read_header(packet: Packet, rloc: Address) -> HeaderHint:
    """What the 8 bytes say (RFC 9300 section 5.3)."""
    flags, word = packet.header[0], int.from_bytes(packet.header[1:4], "big")
    hint = HeaderHint(rloc, packet.source, InstanceId(packet.iid))
    if flags & 0x40:
        bits = packet.header[7:] if flags & 0x08 else packet.header[4:]
        hint = replace(hint, status_bits=int.from_bytes(bits, "big"))
    if flags & 0x80:
        return replace(hint, nonce=word, echo=bool(flags & 0x20))
    return replace(hint, source_version=word >> 12, destination_version=word & 0xFFF) if flags & 0x10 else hint


def sound_version(said: int, ours: int) -> bool:
    """Whether a destination Map-Version may be: ours, or an older one (RFC 9302 section 7.1)."""
    return 0 not in (said, ours) and said in [(ours - back) % 4096 for back in range(2049)]
