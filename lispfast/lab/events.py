"""Reads the daemons' log: one event a line in logfmt."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event of a node's log; `at` is the wall clock in nanoseconds."""

    at: int
    node: str
    name: str
    level: str = "info"
    fields: dict[str, str] = field(default_factory=dict)


def parse_line(line: str, node: str) -> LoggedEvent | None:
    """Read a line; None for one that is no event, as a traceback's."""
    try:
        words = dict(word.split("=", 1) for word in shlex.split(line))
        at = wall_clock(words.pop("ts"))
        return LoggedEvent(at, node, words.pop("event"), words.pop("level", "info"), words)
    except (ValueError, KeyError):
        return None


def wall_clock(stamp: str) -> int:
    """Nanoseconds since the epoch of `2026-11-22T18:19:31.123456Z`, exact to the microsecond; ValueError otherwise."""
    moment = datetime.fromisoformat(stamp)
    if moment.tzinfo is None:
        raise ValueError(f"no time zone in {stamp}")
    return int(moment.replace(microsecond=0).timestamp()) * SECOND + moment.microsecond * 1000


class EventLog:
    """The events of a log file that is still being written."""

    def __init__(self, path: Path, node: str) -> None:
        self._path = path
        self._node = node
        self._offset = 0
        self._events: list[LoggedEvent] = []

    def read(self) -> list[LoggedEvent]:
        """Every event so far, in the order of the file; reads on from where the last call stopped."""
        try:
            with self._path.open("rb") as log:
                log.seek(self._offset)
                fresh = log.read()
        except FileNotFoundError:
            return self._events
        whole = fresh[: fresh.rfind(b"\n") + 1]  # the rest is a line that is not finished
        self._offset += len(whole)
        found = (parse_line(line, self._node) for line in whole.decode(errors="replace").splitlines())
        self._events += [event for event in found if event is not None]
        return self._events

    def find(self, name: str, since: int = 0, **fields: str) -> LoggedEvent | None:
        """The first event of that name at or after `since` whose fields contain these; `_` in a key stands for `-`."""
        wanted = {key.replace("_", "-"): value for key, value in fields.items()}
        for event in self.read():
            if event.name == name and event.at >= since and wanted.items() <= event.fields.items():
                return event
        return None
