"""Whatever happened to nodes that subscribe: when it is over both follow each other, and what is unused is given up."""

from __future__ import annotations

from random import Random

import pytest

from lispfast.model.addresses import EidPrefix
from lispfast.model.settings import Probing
from lispfast.model.units import Seconds
from tests.scenarios.test_pubsub import ON_WIFI, PHONE, follows, pubsub_world, subscriptions
from tests.scenarios.test_turmoil import CALM, trouble
from tests.sim.host import interface
from tests.sim.network import Conditions
from tests.sim.world import LTE, TRAIN, WIFI, wlan, wwan

EID = EidPrefix.parse(PHONE)


@pytest.mark.parametrize("seed", range(4))
def test_it_all_comes_right_in_the_end(seed):
    random = Random(seed)
    conditions = Conditions(loss=0.1, duplication=0.1, delay=0.02, jitter=0.1)
    world = pubsub_world(conditions, seed=seed, probing=Probing(interval=Seconds(0)))
    world.boot()
    world.converse(60, interval=5, start=10_000)
    for _ in range(30):
        world.network.run(random.choice((0.01, 0.3, 2, 20)))
        trouble(world, random)
    world.phone.attach(wlan(up=False), wwan(LTE))
    world.laptop.attach(interface("eth0", TRAIN))
    world.network.conditions = Conditions()
    world.converse(CALM, interval=1, start=20_000)
    world.network.run_until(lambda: world.both_at(LTE, TRAIN), within=CALM)
    world.network.run(100)
    told = [rlocs for (prefix, _), rlocs in subscriptions(world).items() if EidPrefix.parse(prefix).covers(EID)]
    assert [TRAIN] in told, "its EID-prefix, or a hole that it was in"
    world.phone.attach(*ON_WIFI)
    follows(world, WIFI, within=0.05)
    assert world.registered()[PHONE] == [WIFI]
    known = {"nonce-unknown", "notify-old", "not-subscribed", "subscription-old", "rate-limited", "smr-known"}
    known |= {"smr-uncached", "sender-unexpected", "nonce-old", "relearning"}
    known |= {"mac-wrong"}  # a publication of our own EID, in a hole that we forgot: the registrar refuses it
    for host in (world.phone, world.laptop, world.server):
        assert {reason.value for reason in host.drops()} <= known, host.name
    world.network.run(CALM + 1000)
    assert subscriptions(world) == {}, "nobody sends any more"
    assert all(len(host.role.subscriber) == 0 for host in (world.phone, world.laptop))
