"""A data plane's table as an Inspector sees it, and one who wants it so: dictionaries and linear scans."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from lispfast.model.addresses import Address, Eid, EidPrefix
from lispfast.model.forwarding import Encapsulate, ForwardingLocator, LocalPrefix, PrefixTraffic, SourceRloc, Verdict
from lispfast.model.units import InstanceId
from lispfast.runtime.comparison import Row

UNUSED = PrefixTraffic(0, 0, 0, None)


def prefix(text: str, iid: int = 0) -> EidPrefix:
    return EidPrefix.parse(text, iid)


def toward(*rlocs: str, slot: int = 0) -> Encapsulate:
    return Encapsulate(tuple(ForwardingLocator(ip_address(rloc), slot, bytes(8)) for rloc in rlocs))


class TableTwin:
    """Gives each prefix the lowest free number. `walked` is the last one that was shown, `most` the longest slice."""

    def __init__(self) -> None:
        self.standing: dict[int, tuple[EidPrefix, Verdict]] = {}
        self.use: dict[EidPrefix, PrefixTraffic] = {}
        self.walked = self.most = 0
        self.eids: tuple[LocalPrefix, ...] = ()
        self.slots: tuple[SourceRloc, ...] = ()

    def put(self, where: EidPrefix, verdict: Verdict) -> None:
        known = [value for value, (one, _) in self.standing.items() if one == where]
        free = next(value for value in range(1, len(self.standing) + 2) if value not in self.standing)
        self.standing[known[0] if known else free] = where, verdict

    def withdraw(self, where: EidPrefix) -> None:
        self.standing = {value: row for value, row in self.standing.items() if row[0] != where}

    def rows(self, start: int, room: int) -> tuple[list[Row], int]:
        values = sorted(value for value in self.standing if value >= start)[:room]
        self.most = max(self.most, len(values))
        self.walked = values[-1] if values else self.walked
        rows = [(value, *self.standing[value], self.use.get(self.standing[value][0], UNUSED)) for value in values]
        return rows, values[-1] + 1 if values else start

    def lookup(self, address: Address, iid: InstanceId) -> tuple[EidPrefix, Verdict] | None:
        eid = Eid(address, iid)
        covering = [row for row in self.standing.values() if row[0].contains(eid)]
        return max(covering, key=lambda row: row[0].length, default=None)

    def local(self) -> tuple[LocalPrefix, ...]:
        return self.eids

    def sources(self) -> tuple[SourceRloc, ...]:
        return self.slots


class Wants:
    """The authority's side of it."""

    def __init__(self) -> None:
        self.verdicts: dict[EidPrefix, Verdict] = {}
        self.tenures: dict[EidPrefix, object] = {}
        self.eids: tuple[LocalPrefix, ...] = ()
        self.slots: tuple[SourceRloc, ...] = ()

    def want(self, where: EidPrefix, verdict: Verdict) -> None:
        self.verdicts[where] = verdict
        self.tenures.setdefault(where, object())

    def wanted(self, where: EidPrefix) -> Verdict | None:
        return self.verdicts.get(where)

    def prefixes(self) -> Iterator[EidPrefix]:
        yield from list(self.verdicts)

    def tenure(self, where: EidPrefix) -> object:
        return self.tenures.get(where)

    def local(self) -> tuple[LocalPrefix, ...]:
        return self.eids

    def sources(self) -> tuple[SourceRloc, ...]:
        return self.slots


class Both:
    """A table and its authority, which agree on what is put."""

    def __init__(self) -> None:
        self.table, self.wants = TableTwin(), Wants()
        own = (Eid(ip_address("10.0.0.1")), Eid(ip_address("fd00::1"), InstanceId(7)))
        self.table.eids = self.wants.eids = tuple(LocalPrefix(eid.prefix) for eid in own)
        self.table.slots = self.wants.slots = (SourceRloc(0, ip_address("198.51.100.10"), 3),)

    def put(self, text: str, verdict: Verdict, iid: int = 0) -> EidPrefix:
        where = prefix(text, iid)
        self.table.put(where, verdict)
        self.wants.want(where, verdict)
        return where

    def withdraw(self, text: str, iid: int = 0) -> None:
        where = prefix(text, iid)
        self.table.withdraw(where)
        self.wants.verdicts.pop(where, None)
        self.wants.tenures.pop(where, None)
