"""Carries out what the core asks for, in order: the only writer of the data plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lispfast.control.effects import Commit, Effect, Persist, Send
from lispfast.dataplane import DataPlane
from lispfast.model.errors import HostError

MAX_REMEMBERED = 1024
"""Failures kept so as not to be told again; forgetting one only means saying it once more."""


class Sender(Protocol):
    """What can send a control datagram."""

    def send(self, send: Send) -> None:
        """Send it; OSError is the kernel's answer."""


class Keeper(Protocol):
    """What keeps numbers across restarts."""

    def put(self, key: str, value: int) -> None:
        """Keep it; on return it is on disk. HostError if the disk does not take it."""


class Effector:
    """`warn(event, fields)` hears of what failed; each destination's failing is told once until it works again."""

    def __init__(
        self,
        sender: Sender,
        keeper: Keeper,
        dataplane: DataPlane | None,
        warn: Callable[[str, dict[str, str | int]], None],
    ) -> None:
        self._sender = sender
        self._keeper = keeper
        self._dataplane = dataplane
        self._warn = warn
        self._failing: dict[str, str] = {}

    def carry_out(self, effects: list[Effect]) -> None:
        """All of them in order. A datagram that cannot be sent is lost like one on the way: the core retries."""
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect)
                case Commit(transaction):
                    if self._dataplane is None:
                        raise TypeError("this role has no data plane to commit to")
                    self._dataplane.commit(transaction)
                case Persist(key, value):
                    self._persist(key, value)

    def _send(self, send: Send) -> None:
        destination = str(send.destination.address)
        try:
            self._sender.send(send)
        except OSError as error:
            self._report("send-failed", destination, error.strerror or str(error))
        else:
            self._failing.pop(destination, None)

    def _persist(self, key: str, value: int) -> None:
        try:
            self._keeper.put(key, value)
        except HostError as error:
            self._report("state-not-saved", key, str(error))
        else:
            self._failing.pop(key, None)

    def _report(self, event: str, subject: str, problem: str) -> None:
        if self._failing.get(subject) == problem:
            return
        if len(self._failing) >= MAX_REMEMBERED:
            self._failing.clear()
        self._failing[subject] = problem
        self._warn(event, {"subject": subject, "error": problem})
