"""Deadlines by key: which is next, and which have passed."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

from lispfast.model.units import Seconds

_KeyT = TypeVar("_KeyT")


class ExpiryQueue(Generic[_KeyT]):
    """One deadline for each key.

    A heap with a dictionary as the authority: a deadline that moved leaves its old entry in the heap, where it is
    skipped when it comes up. The heap is rebuilt before the leftovers outnumber the living.
    """

    def __init__(self) -> None:
        self._at: dict[_KeyT, tuple[Seconds, int]] = {}
        self._heap: list[tuple[Seconds, int, _KeyT]] = []
        self._serial = 0

    def __len__(self) -> int:
        return len(self._at)

    def set(self, key: _KeyT, at: Seconds) -> None:
        """Give the key this deadline instead of any other."""
        self._serial += 1
        self._at[key] = (at, self._serial)
        heapq.heappush(self._heap, (at, self._serial, key))
        if len(self._heap) > 2 * len(self._at) + 64:
            self._heap = [(when, serial, which) for which, (when, serial) in self._at.items()]
            heapq.heapify(self._heap)

    def at(self, key: _KeyT) -> Seconds | None:
        """The key's deadline, None without one."""
        found = self._at.get(key)
        return found[0] if found else None

    def discard(self, key: _KeyT) -> None:
        """Forget the key, if it is there."""
        self._at.pop(key, None)

    def next(self) -> Seconds | None:
        """The earliest deadline, None without one."""
        while self._heap and self._at.get(self._heap[0][2], (0.0, 0))[1] != self._heap[0][1]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: Seconds) -> list[_KeyT]:
        """Every key whose deadline is `now` or earlier, earliest first; they are forgotten."""
        due: list[_KeyT] = []
        while (at := self.next()) is not None and at <= now:
            key = heapq.heappop(self._heap)[2]
            del self._at[key]
            due.append(key)
        return due
