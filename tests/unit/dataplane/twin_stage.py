"""A worker's way out, slowly and plainly: a list of prefixes, a list of packets that wait, and what becomes of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from lispfast.model.addresses import Eid, EidPrefix

PACKETS, BYTES = 256, 512 << 10


@dataclass(frozen=True)
class Flow:
    """Our EID and theirs, in an instance."""

    source: Eid
    destination: Eid


@dataclass(frozen=True)
class Waiting:
    flow: Flow
    number: int
    length: int


@dataclass(frozen=True)
class Way:
    """A verdict: `encapsulate` to locators with a mark of their own, or to the set `set`; or what else it is."""

    kind: str
    mark: int = 0
    set: int = 0


@dataclass
class Twin:
    """`out` is what left, by flow: packet, mark of the locators, source RLOC."""

    local: set[Eid]
    source: str | None = None
    table: dict[EidPrefix, Way] = field(default_factory=dict)
    sets: dict[int, int] = field(default_factory=dict)
    stage: list[Waiting] = field(default_factory=list)
    staged: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    out: dict[Flow, list[tuple[int, int, str]]] = field(default_factory=lambda: defaultdict(list))
    asked: set[Eid] = field(default_factory=set)  # punted since packets for them were last released

    def match(self, eid: Eid) -> EidPrefix | None:
        """The longest prefix, by looking at every one."""
        holding = [
            prefix
            for prefix in self.table
            if prefix.iid == eid.iid and prefix.network.version == eid.address.version and eid.address in prefix.network
        ]
        return max(holding, key=lambda prefix: prefix.length, default=None)

    def way(self, eid: Eid) -> Way:
        prefix = self.match(eid)
        return Way("resolve") if prefix is None else self.table[prefix]

    def send(self, packet: Waiting) -> None:
        """One packet comes from the host."""
        if packet.flow.source not in self.local:
            self.drops["inner-source"] += 1
        elif self.way(packet.flow.destination).kind == "resolve":
            self._wait(packet)
        else:
            self._carry_out(packet)

    def commit(self) -> None:
        """The table has changed: what waits is looked at in its order, before anything else."""
        waiting, self.stage = self.stage, []
        for packet in waiting:
            if packet.flow.source not in self.local:
                self.drops["inner-source"] += 1
            elif self.way(packet.flow.destination).kind == "resolve":
                self.stage.append(packet)
            else:
                self.asked.discard(packet.flow.destination)
                self._carry_out(packet)

    def _wait(self, packet: Waiting) -> None:
        while len(self.stage) == PACKETS or sum(other.length for other in self.stage) + packet.length > BYTES:
            self.stage.pop(0)
            self.drops["stage-full"] += 1
        self.stage.append(packet)
        self.staged += 1

    def _carry_out(self, packet: Waiting) -> None:
        way = self.way(packet.flow.destination)
        if way.kind != "encapsulate":
            self.drops[way.kind] += 1
        elif self.source is None:
            self.drops["no-locator"] += 1
        else:
            mark = self.sets[way.set] if way.set else way.mark
            self.out[packet.flow].append((packet.number, mark, self.source))
