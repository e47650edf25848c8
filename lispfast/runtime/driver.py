"""Drives a role of the core: facts in, effects carried out, events logged, one timer armed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from lispfast.control.effects import Datagram, Event
from lispfast.control.role import Role
from lispfast.dataplane import DataPlane
from lispfast.model.underlay import Underlay
from lispfast.model.units import Seconds
from lispfast.runtime.effector import Effector


class Driver:
    """The one place where the core meets the clock. `log(event, wall_clock)` hears each event.

    An event carries the wall-clock time at which its step began: what it reports was decided then, and the time that
    carrying out the step's effects takes must not put it after the packets that it speaks of.
    """

    def __init__(
        self, role: Role, effector: Effector, dataplane: DataPlane | None, log: Callable[[Event, float], None]
    ) -> None:
        self._role = role
        self._effector = effector
        self._dataplane = dataplane
        self._log = log
        self._reading = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the role and listen to the data plane's punts."""
        self._step(lambda: self._role.start(self._now()))
        if self._dataplane is not None:
            self._loop.add_reader(self._dataplane.punt_fileno(), self._punts)

    def stop(self) -> None:
        """Let the role say good-bye, then drive it no more."""
        self._step(lambda: self._role.stop(self._now()))
        if self._dataplane is not None:
            self._loop.remove_reader(self._dataplane.punt_fileno())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def datagram(self, datagram: Datagram) -> None:
        """A control datagram came."""
        self._step(lambda: self._role.handle_datagram(datagram, self._now()))

    def underlay(self, underlay: Underlay) -> None:
        """The host's attachments changed."""

        def step() -> None:
            self._traffic()
            self._role.handle_underlay(underlay, self._now())

        self._step(step)

    def view(self, noun: str) -> dict[str, object]:
        """The role's state under a noun, with the data plane's use up to now; KeyError for a noun that it has not."""
        self._traffic()
        return self._role.view(noun, self._now())

    def _punts(self) -> None:
        def step() -> None:
            assert self._dataplane is not None
            for punt in self._dataplane.take_punts():
                self._role.handle_punt(punt, self._now())

        self._step(step)

    def _timeout(self) -> None:
        def step() -> None:
            self._traffic()
            self._role.handle_timeout(self._now())

        self._timer = None
        self._step(step)

    def _traffic(self) -> None:
        if self._dataplane is not None:
            traffic = self._dataplane.traffic(self._reading)
            self._reading = traffic.reading
            self._role.handle_traffic(traffic, self._now())

    def _step(self, step: Callable[[], None]) -> None:
        at = time.time()
        step()
        self._effector.carry_out(self._role.take_effects())
        for event in self._role.take_events():
            self._log(event, at)
        self._arm()

    def _arm(self) -> None:
        timeout = self._role.poll_timeout()
        if self._timer is not None:
            if timeout is not None and self._timer.when() == timeout.at:
                return
            self._timer.cancel()
            self._timer = None
        if timeout is not None:
            self._timer = self._loop.call_at(timeout.at, self._timeout)

    def _now(self) -> Seconds:
        return Seconds(self._loop.time())
