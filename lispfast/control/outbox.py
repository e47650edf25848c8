"""Where the machines of one role put what is to be done, what happened and what they ignored."""

from __future__ import annotations

from lispfast.control.effects import Commit, Effect, Event, Persist, Send
from lispfast.control.mobility import Source
from lispfast.model.addresses import CONTROL_PORT, Address, Endpoint
from lispfast.model.forwarding import Transaction
from lispfast.model.reasons import ControlReason

MAX_EVENTS = 4096
"""Ours: events that nobody took; the driver takes them after each fact, so only a caller's bug comes near it."""


class Outbox:
    """Effects and events in order, and a counter for each reason."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []
        self._events: list[Event] = []
        self._drops = dict.fromkeys(ControlReason, 0)

    def send(self, payload: bytes, source: Source, destination: Address, port: int = CONTROL_PORT) -> None:
        """Send a control datagram from port 4342 of one of our RLOCs, out of its interface."""
        self._effects.append(Send(payload, Endpoint(destination, port), source.address, source.ifindex))

    def put(self, *effects: Effect) -> None:
        """Ask for effects that are made already."""
        self._effects.extend(effects)

    def commit(self, transaction: Transaction) -> None:
        """Change the data plane's table; an empty transaction is left out."""
        if transaction != Transaction():
            self._effects.append(Commit(transaction))

    def persist(self, key: str, value: int) -> None:
        """Keep a number across restarts before anything that follows is done."""
        self._effects.append(Persist(key, value))

    def event(self, name: str, level: str = "info", /, **fields: str | int) -> None:
        """Tell that something happened."""
        if len(self._events) < MAX_EVENTS:
            self._events.append(Event(name, fields, level))

    def drop(self, reason: ControlReason) -> None:
        """Count a datagram, or a part of one, that is ignored."""
        self._drops[reason] += 1

    def take_effects(self) -> list[Effect]:
        """The effects so far; taking empties the list."""
        taken, self._effects = self._effects, []
        return taken

    def take_events(self) -> list[Event]:
        """The events so far; taking empties the list."""
        taken, self._events = self._events, []
        return taken

    def drops(self) -> dict[ControlReason, int]:
        """How often each reason was given, those that never were included."""
        return dict(self._drops)
