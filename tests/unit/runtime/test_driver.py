from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from ipaddress import ip_address

from lispfast.control.effects import Datagram, Effect, Event, Persist, Timeout
from lispfast.model.addresses import Endpoint
from lispfast.model.forwarding import Miss, Punt, Traffic
from lispfast.model.reasons import ControlReason
from lispfast.model.underlay import Underlay
from lispfast.model.units import Seconds
from lispfast.runtime.driver import Driver
from lispfast.runtime.effector import Effector

DATAGRAM = Datagram(b"x", Endpoint(ip_address("192.0.2.1"), 4342), Endpoint(ip_address("192.0.2.2"), 4342))
MISS = Miss(ip_address("172.16.2.1"), ip_address("172.16.1.1"))


class FakeRole:
    """Notes what it is told; every fact gives one effect and one event of its name."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.deadline: Seconds | None = None
        self.on_timeout: Callable[[], None] = lambda: None
        self._effects: list[Effect] = []
        self._events: list[Event] = []

    def _note(self, fact: str) -> None:
        self.told.append(fact)
        self._effects.append(Persist(fact, 1))
        self._events.append(Event(fact))

    def start(self, now: Seconds) -> None:
        self._note("start")

    def stop(self, now: Seconds) -> None:
        self._note("stop")

    def handle_datagram(self, datagram: Datagram, now: Seconds) -> None:
        self._note("datagram")

    def handle_punt(self, punt: Punt, now: Seconds) -> None:
        self._note("punt")

    def handle_underlay(self, underlay: Underlay, now: Seconds) -> None:
        self._note("underlay")

    def handle_traffic(self, traffic: Traffic, now: Seconds) -> None:
        self.told.append("traffic")

    def handle_timeout(self, now: Seconds) -> None:
        self.deadline = None
        self._note("timeout")
        self.on_timeout()

    def poll_timeout(self) -> Timeout | None:
        return None if self.deadline is None else Timeout(self.deadline, Seconds(0), "a test")

    def take_effects(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def view(self, noun: str, now: Seconds) -> dict[str, object]:
        return {"noun": noun}

    def drops(self) -> dict[ControlReason, int]:
        return {}


class FakeDataPlane:
    """Has a pipe for its punts and nothing else."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self.since: list[int] = []

    def punt(self) -> None:
        os.write(self._write, b"!")

    def punt_fileno(self) -> int:
        return self._read

    def take_punts(self) -> list[Punt]:
        os.read(self._read, 1)
        return [MISS]

    def traffic(self, since: int = 0) -> Traffic:
        self.since.append(since)
        return Traffic({}, {}, reading=len(self.since))

    def commit_packed(self, buffer: bytes) -> None:
        raise AssertionError("not asked for")


class World:
    def __init__(self) -> None:
        self.role = FakeRole()
        self.plane = FakeDataPlane()
        self.kept: list[str] = []
        self.logged: list[str] = []
        effector = Effector(self, self, self.plane, lambda event, fields: None)  # type: ignore[arg-type]
        self.driver = Driver(self.role, effector, self.plane, lambda event, at: self.logged.append(event.name))  # type: ignore[arg-type]

    def put(self, key: str, value: int) -> None:
        self.kept.append(key)


def test_each_fact_is_told_and_its_effects_and_events_come_at_once() -> None:
    async def scene() -> World:
        world = World()
        world.driver.start()
        world.driver.datagram(DATAGRAM)
        world.driver.underlay(Underlay())
        world.driver.stop()
        return world

    world = asyncio.run(scene())
    assert world.plane.since == [0]
    assert world.role.told == ["start", "datagram", "traffic", "underlay", "stop"]
    assert world.kept == world.logged == ["start", "datagram", "underlay", "stop"]


def test_each_reading_of_the_traffic_goes_on_where_the_last_one_ended() -> None:
    async def scene() -> World:
        world = World()
        world.driver.start()
        for _ in range(2):
            world.driver.underlay(Underlay())
            world.driver.view("status")
        world.driver.stop()
        return world

    assert asyncio.run(scene()).plane.since == [0, 1, 2, 3]


def test_a_punt_wakes_the_role() -> None:
    async def scene() -> World:
        world = World()
        world.driver.start()
        world.plane.punt()
        async with asyncio.timeout(5):
            while "punt" not in world.role.told:
                await asyncio.sleep(0)
        world.driver.stop()
        return world

    assert asyncio.run(scene()).logged == ["start", "punt", "stop"]


def test_the_timer_follows_the_deadline_wherever_it_moves() -> None:
    async def scene() -> World:
        world = World()
        fired = asyncio.Event()
        world.role.on_timeout = fired.set
        loop = asyncio.get_running_loop()
        world.role.deadline = Seconds(loop.time() + 3600)
        world.driver.start()
        world.role.deadline = Seconds(loop.time())
        world.driver.datagram(DATAGRAM)
        await asyncio.wait_for(fired.wait(), 5)
        world.role.deadline = Seconds(loop.time())
        world.driver.datagram(DATAGRAM)
        world.driver.stop()
        await asyncio.sleep(0)
        return world

    assert asyncio.run(scene()).role.told == ["start", "datagram", "traffic", "timeout", "datagram", "stop"]
