"""The two ways to answer a Map-Request that every story is told in, and how to tell a failed one again."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest

from lispfast.model.settings import Probing
from lispfast.model.units import Seconds
from tests.sim import seeds
from tests.sim.network import Conditions
from tests.sim.world import RANGES, World

PROBES = Probing(Seconds(30), 2, Seconds(1))
PUNCTUAL = Conditions(delay=0.01, lateness=0)
"""One way takes 10 ms, and timers fire on time: what happens can be told to the millisecond."""

MakeWorld = Callable[[], World]


@pytest.fixture(params=[True, False], ids=["proxy-reply", "etr-replies"])
def make_world(request: pytest.FixtureRequest) -> MakeWorld:
    """Makes punctual worlds with probing whose mappings the Map-Server tells, or the nodes themselves."""
    return lambda: World(conditions=PUNCTUAL, proxy_reply=request.param, probing=PROBES, sites=RANGES)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """One of them, not booted yet."""
    return make_world()


@pytest.fixture
def online(world: World) -> World:
    """The phone on Wi-Fi, the laptop at the office, both registered a moment ago."""
    world.boot()
    return world


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.CallReport, None]:
    """A story that failed says how to see it once more."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        report.sections.append(("the same story again", seeds.how_to_replay(item.nodeid)))
