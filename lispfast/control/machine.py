"""What the state machines share: a transition table that is consulted, and the choice of the next deadline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from lispfast.control.effects import Timeout
from lispfast.model.errors import LispfastError
from lispfast.model.units import Seconds

_StateT = TypeVar("_StateT", bound=StrEnum)
_FactT = TypeVar("_FactT", bound=StrEnum)
_DoT = TypeVar("_DoT")


class ImpossibleFactError(LispfastError):
    """A machine was told what cannot be in its state: a bug of ours, whatever the network did."""


def consult(
    table: Mapping[tuple[_StateT, _FactT], tuple[_StateT, _DoT]], state: _StateT, fact: _FactT
) -> tuple[_StateT, _DoT]:
    """The next state and what is to be done; ImpossibleFactError where the table has no row."""
    row = table.get((state, fact))
    if row is None:
        raise ImpossibleFactError(f"{fact.value} in state {state.value}")
    return row


def earliest(timeouts: Iterable[Timeout | None]) -> Timeout | None:
    """One timer for all: at the first deadline, with the slack that every one of them can bear, None without any.

    The reason is that of the first deadline.
    """
    waiting = [timeout for timeout in timeouts if timeout is not None]
    if not waiting:
        return None
    first = min(waiting, key=lambda timeout: timeout.at)
    latest = min(timeout.at + timeout.slack for timeout in waiting)
    return Timeout(first.at, Seconds(latest - first.at), first.why)
