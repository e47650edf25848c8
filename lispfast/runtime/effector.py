"""Carries out what the core asks for, in order: the only writer of the data plane."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from lispfast.control.effects import Commit, Effect, Persist, Send
from lispfast.control.ratelimit import RateLimiter
from lispfast.dataplane import DataPlane
from lispfast.model.errors import HostError
from lispfast.model.units import Seconds
from lispfast.packed import pack

WARN_INTERVAL, WARN_BURST = Seconds(10.0), 5
"""Ours: of each kind of failure a few lines at once, then one in ten seconds; the core's own events tell the rest."""


class Sender(Protocol):
    """What can send a control datagram."""

    def send(self, send: Send) -> None:
        """Send it; OSError is the kernel's answer."""


class Keeper(Protocol):
    """What keeps numbers across restarts."""

    def put(self, key: str, value: int) -> None:
        """Keep it; on return it is on disk. HostError if the disk does not take it."""


class Effector:
    """`warn(event, fields)` hears of what failed, within a limit."""

    def __init__(
        self,
        sender: Sender,
        keeper: Keeper,
        dataplane: DataPlane | None,
        warn: Callable[[str, dict[str, str | int]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sender = sender
        self._keeper = keeper
        self._dataplane = dataplane
        self._warn = warn
        self._clock = clock
        self._warnings = RateLimiter(WARN_INTERVAL, WARN_BURST)

    def carry_out(self, effects: list[Effect]) -> None:
        """All of them in order. A datagram that cannot be sent is lost like one on the way: the core retries."""
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect)
                case Commit(transaction):
                    if self._dataplane is None:
                        raise TypeError("this role has no data plane to commit to")
                    self._dataplane.commit_packed(pack(transaction))
                case Persist(key, value):
                    self._persist(key, value)

    def _send(self, send: Send) -> None:
        try:
            self._sender.send(send)
        except OSError as error:
            self._report("send-failed", str(send.destination.address), error.strerror or str(error))

    def _persist(self, key: str, value: int) -> None:
        try:
            self._keeper.put(key, value)
        except HostError as error:
            self._report("state-not-saved", key, str(error))

    def _report(self, event: str, subject: str, problem: str) -> None:
        # Over all subjects: a stranger's Map-Request can name any address as the one to answer to.
        if self._warnings.allow(event, Seconds(self._clock())):
            self._warn(event, {"subject": subject, "error": problem})
