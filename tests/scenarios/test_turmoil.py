"""Whatever happened, when it is over everybody is registered where they are and reaches the other."""

from __future__ import annotations

from random import Random

import pytest

from lispfast.model.settings import Probing
from lispfast.model.units import Seconds
from tests.sim.host import Host, interface
from tests.sim.network import Conditions
from tests.sim.world import HOTEL, LAPTOP_V4, LTE, OFFICE, PHONE_V4, TRAIN, WIFI, World, wlan, wwan

PHONE_PLACES = (
    (wlan(WIFI), wwan(up=False)),
    (wlan(up=False), wwan(LTE)),
    (wlan(HOTEL), wwan(LTE)),
    (wlan(up=False), wwan(up=False)),
    (),
)
LAPTOP_PLACES = (
    (interface("eth0", OFFICE),),
    (interface("eth0", TRAIN),),
    (interface("eth0", OFFICE, "2001:db8:0:2::2"),),
    (interface("eth0", up=False),),
)
CALM = 700  # seconds: the longest that stale knowledge may live is a record's ten minutes


def trouble(world: World, random: Random) -> None:
    """One thing that happens in life."""
    for host, places in ((world.phone, PHONE_PLACES), (world.laptop, LAPTOP_PLACES)):
        match random.randrange(6):
            case 0 | 1:
                host.attach(*random.choice(places))
            case 2:
                restart(host)
    if random.random() < 0.1:
        restart(world.server)


def restart(host: Host) -> None:
    host.crash()
    host.start()


@pytest.mark.parametrize("probing", [Probing(interval=Seconds(0)), Probing()], ids=["unprobed", "probed"])
@pytest.mark.parametrize("proxy_reply", [False, True], ids=["etr", "proxy"])
@pytest.mark.parametrize("seed", range(4))
def test_it_all_comes_right_in_the_end(seed, proxy_reply, probing):
    random = Random(seed)
    conditions = Conditions(loss=0.1, duplication=0.1, delay=0.02, jitter=0.1)
    world = World(seed, conditions, proxy_reply=proxy_reply, probing=probing)
    world.boot()
    world.converse(60, interval=5, start=10_000)
    for _ in range(30):
        world.network.run(random.choice((0.01, 0.3, 2, 20)))
        trouble(world, random)
    world.phone.attach(wlan(up=False), wwan(LTE))
    world.laptop.attach(interface("eth0", TRAIN))
    world.network.conditions = Conditions()
    world.converse(CALM, interval=1, start=20_000)
    world.network.run(CALM)
    registered = world.registered()
    assert (registered[f"{PHONE_V4}/32"], registered[f"{LAPTOP_V4}/32"]) == ([LTE], [TRAIN])
    world.converse(5, start=1)
    world.network.run(1)
    for host in (world.phone, world.laptop):
        assert [serial for serial in host.serials if serial < 100] == [1, 2, 3, 4, 5]
    assert len(world.network.sent) < 12_000
