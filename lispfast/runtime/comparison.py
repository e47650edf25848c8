"""Compares the data plane's table with what it should hold, in steps between which both may change.

First every prefix that is to stand there is looked up as the workers look it up; then the rows of the table are walked
for those that nobody wants; our own EID-prefixes and the source slots are compared at the end. Both sides of a
comparison are read in one step, and a prefix that differs is looked at once more in a later step before it counts. So
nothing is remembered but what is in doubt, and a million prefixes need no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Protocol

from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.forwarding import Encapsulate, LocalPrefix, PrefixTraffic, SourceRloc, Verdict
from lispfast.model.units import InstanceId

# --- Ours -------------------------------------------------------------------------------------------------------------

SLICE = 128  # prefixes a step: 2 to 4 ms of the control thread
TRIES = 16  # addresses from either end of a prefix, for one that no more-specific catches
MAX_HIDDEN = 65_536  # prefixes without such an address that are remembered until the rows are walked

Subject = EidPrefix | LocalPrefix | int
"""What may differ: a prefix, whether one is our own, what a source slot holds."""

Side = Verdict | LocalPrefix | SourceRloc | None
Row = tuple[int, EidPrefix, Verdict, PrefixTraffic]


class Table(Protocol):
    """What a data plane shows of its table."""

    def rows(self, start: int, room: int) -> tuple[list[Row], int]:
        """Up to `room` rows from number `start` on, by rising number, and where to go on; fewer: that was all.

        A prefix keeps its number, so one that stands all the while comes once.
        """

    def lookup(self, address: Address, iid: InstanceId) -> tuple[EidPrefix, Verdict] | None:
        """The longest match, found as the workers find it."""

    def local(self) -> tuple[LocalPrefix, ...]:
        """Our own EID-prefixes."""

    def sources(self) -> tuple[SourceRloc, ...]:
        """The source slots that are not empty."""


class Authority(Protocol):
    """Who says what the table should hold: control/authority.py."""

    def wanted(self, prefix: EidPrefix) -> Verdict | None:
        """The verdict of exactly this prefix, None for one that is not to stand there."""

    def prefixes(self) -> Iterator[EidPrefix]:
        """Every prefix that is to stand there; one that stands all the while comes once."""

    def tenure(self, prefix: EidPrefix) -> object:
        """The same object as long as the prefix has stood without a break."""

    def local(self) -> tuple[LocalPrefix, ...]:
        """What are to be our own EID-prefixes."""

    def sources(self) -> tuple[SourceRloc, ...]:
        """The source slots that are not to be empty."""


class Kind(StrEnum):
    """How the table is not as it should be."""

    MISSING = "missing"
    STRAY = "stray"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Difference:
    """What should be otherwise: both sides of it, or the one that there is."""

    subject: Subject
    wanted: Side
    found: Side

    @property
    def kind(self) -> Kind:
        """Which of the two sides is there."""
        if self.found is None:
            return Kind.MISSING
        return Kind.STRAY if self.wanted is None else Kind.DIFFERS


class Comparison:
    """One comparison of an authority with a table.

    `wanted` and `prefixes` count what was compared of either side. `unsure` counts the prefixes of which more than can
    be remembered were hidden: more-specifics match all of their addresses, so that looking up does not tell.
    """

    def __init__(self, authority: Authority, table: Table) -> None:
        self._authority = authority
        self._table = table
        self._hidden: dict[EidPrefix, object] = {}
        self._suspects: dict[EidPrefix, Callable[[EidPrefix], Verdict | None]] = {}  # with the way to find it again
        self.wanted = self.prefixes = self.unsure = 0

    def steps(self) -> Iterator[list[Difference]]:
        """Does a step each time; the differences that were in doubt before it and that it confirmed."""
        prefixes = self._authority.prefixes()
        while some := list(islice(prefixes, SLICE)):
            confirmed = self._confirm(SLICE)
            for prefix in some:
                self._compare_wanted(prefix)
            yield confirmed
        for rows in slices(self._table):
            confirmed = self._confirm(SLICE)
            for row in rows:
                self._compare_row(row)
            yield confirmed
        for prefix, tenure in self._hidden.items():
            self._suspects[prefix] = partial(self._never_shown, tenure)
        yield []
        while self._suspects:
            yield self._confirm(1)
        yield self._compare_whole()

    def _compare_wanted(self, prefix: EidPrefix) -> None:
        wanted = self._authority.wanted(prefix)
        if wanted is None:
            return
        self.wanted += 1
        try:
            if not _same(wanted, self._look_up(prefix)):
                self._suspects[prefix] = self._look_up
        except _HiddenError:
            if len(self._hidden) < MAX_HIDDEN:
                self._hidden[prefix] = self._authority.tenure(prefix)
            else:
                self.unsure += 1

    def _compare_row(self, row: Row) -> None:
        value, prefix, verdict, _ = row
        wanted = self._authority.wanted(prefix)
        self.prefixes += 1
        hidden = prefix in self._hidden
        self._hidden.pop(prefix, None)
        if wanted is None or (hidden and not _same(wanted, verdict)):
            self._suspects[prefix] = partial(self._show_again, value)

    def _compare_whole(self) -> list[Difference]:
        """What is small enough to be compared in one step, in which it does not change."""
        wanted: dict[Subject, Side] = {own: own for own in self._authority.local()}
        found: dict[Subject, Side] = {own: own for own in self._table.local()}
        wanted.update((source.slot, source) for source in self._authority.sources())
        found.update((source.slot, source) for source in self._table.sources())
        subjects = [*wanted, *(subject for subject in found if subject not in wanted)]
        pairs = [(subject, wanted.get(subject), found.get(subject)) for subject in subjects]
        return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]

    def _confirm(self, enough: int) -> list[Difference]:
        """Where at least `enough` prefixes are in doubt, look once more at those that have been so for longest."""
        if len(self._suspects) < enough:
            return []
        differences = []
        for prefix in list(islice(self._suspects, SLICE)):
            find = self._suspects.pop(prefix)
            wanted = self._authority.wanted(prefix)
            try:
                found = find(prefix)
            except _HiddenError:  # its more-specifics came in between: so the table has changed there
                continue
            if not _same(wanted, found):
                differences.append(Difference(prefix, wanted, found))
        return differences

    def _look_up(self, prefix: EidPrefix) -> Verdict | None:
        """What the table has for the prefix itself; _HiddenError where more-specifics stand before it."""
        found = self._table.lookup(prefix.network.network_address, prefix.iid)
        if found is not None and found[0].length > prefix.length:
            found = self._look_beside(prefix)
        return found[1] if found is not None and found[0] == prefix else None

    def _look_beside(self, prefix: EidPrefix) -> tuple[EidPrefix, Verdict] | None:
        """The match of an address of the prefix that no more-specific matches."""
        network = prefix.network
        first, last = int(network.network_address), int(network.broadcast_address)
        for step, address in ((1, first), (-1, last)):
            for _ in range(TRIES):
                if not first <= address <= last:
                    raise _HiddenError
                found = self._table.lookup(type(network.network_address)(address), prefix.iid)
                if found is None or found[0].length <= prefix.length:
                    return found
                beyond = found[0].network
                address = int(beyond.broadcast_address if step > 0 else beyond.network_address) + step
        raise _HiddenError

    def _show_again(self, value: int, prefix: EidPrefix) -> Verdict | None:
        """The verdict that the row of this number shows, None where the number is no longer the prefix's."""
        rows, _ = self._table.rows(value, 1)
        return next((row[2] for row in rows if row[:2] == (value, prefix)), None)

    def _never_shown(self, tenure: object, prefix: EidPrefix) -> Verdict | None:
        """None for a hidden prefix that no row was of, although it has stood all the while."""
        wanted = self._authority.wanted(prefix)
        return None if self._authority.tenure(prefix) is tenure else wanted


def slices(table: Table) -> Iterator[list[Row]]:
    """Every row, a slice at a time; the table may change between two."""
    start, full = 0, True
    while full:
        rows, start = table.rows(start, SLICE)
        full = len(rows) == SLICE
        yield rows


class _HiddenError(Exception):
    """More-specifics match every address that was tried."""


def _same(wanted: Verdict | None, found: Verdict | None) -> bool:
    """Whether they do the same with a packet: the order of locators does not count."""
    if wanted == found:
        return True
    if not isinstance(wanted, Encapsulate) or not isinstance(found, Encapsulate):
        return False
    return sorted(wanted.locators, key=repr) == sorted(found.locators, key=repr)
