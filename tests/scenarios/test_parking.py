"""No network: nothing is sent, nothing waits for its time, and all is well as soon as there is one again."""

from __future__ import annotations

import pytest

from tests.sim.world import HOTEL, LAPTOP_V4, LTE, OFFICE, PHONE_V4, PHONE_V6, WIFI, wlan, wwan

NOWHERE = wlan(up=False), wwan(up=False)
QUIET = 910
"""Seconds until the last answer is forgotten: that an RLOC is no EID holds for 15 minutes."""


def timer(world) -> str | None:
    """What the phone waits for."""
    timeout = world.phone.role.poll_timeout()
    return None if timeout is None else timeout.why


def test_a_node_that_starts_without_a_network_is_silent_and_then_registers(world):
    world.laptop.start()
    world.phone.start()
    assert timer(world) is None
    world.phone.send(PHONE_V4, LAPTOP_V4, 1)
    assert timer(world) is None
    world.network.run(3600)
    assert world.network.sent == []
    world.phone.attach(wlan())
    world.network.run_until(lambda: set(world.registered()) == {f"{PHONE_V4}/32", f"{PHONE_V6}/128"}, within=0.011)


@pytest.mark.parametrize("links", [(), NOWHERE], ids=["no-interface", "all-down"])
def test_an_hour_without_a_network_in_silence(online, links):
    """Amid a conversation; what is left to wait for is that the last answers run out."""
    online.talk()
    online.network.run(70)
    lost = online.network.now
    online.phone.attach(*links)
    for serial in range(100, 150):
        online.network.after(serial - 100, lambda serial=serial: online.phone.send(PHONE_V4, LAPTOP_V4, serial))
    sent = len(online.network.sent)
    assert timer(online) in (None, "a map-cache entry ends or is refreshed")
    online.network.run(QUIET)
    assert timer(online) is None
    online.network.run(3600 - QUIET)
    assert timer(online) is None
    assert [frame for frame in online.network.sent[sent:] if frame.sender == "phone"] == []
    assert len(online.phone.told("network-lost", since=lost)) == 1
    assert f"{PHONE_V4}/32" not in online.registered()
    online.phone.attach(wlan(HOTEL))
    online.network.run_until(lambda: online.registered().get(f"{PHONE_V4}/32") == [HOTEL], within=0.011)
    online.converse(5, start=1)
    online.network.run(0.2)
    assert online.fresh(0.2)


@pytest.mark.parametrize("after", [0.0, 0.005, 0.015, 0.5, 1.5])
def test_whatever_was_under_way_waits_for_nothing_any_more(world, after):
    """The network goes amid a registration and a question, at some moment of theirs, and nobody answers them."""
    world.server.crash()
    world.phone.attach(wlan())
    world.phone.start()
    world.phone.send(PHONE_V4, LAPTOP_V4, 1)
    world.network.run(after)
    assert timer(world) is not None
    world.phone.attach(*NOWHERE)
    assert timer(world) is None
    sent = len(world.network.sent)
    world.network.run(3600)
    assert len(world.network.sent) == sent


@pytest.mark.parametrize("after", [0.0, 0.005, 0.015, 0.035, 0.5, 1.5, 5])
def test_a_move_that_ends_nowhere_leaves_only_the_answers_to_run_out(online, after):
    """The peers may not have been told yet, and the probes of the new place may be on their way."""
    online.talk()
    online.phone.attach(wlan(up=False), wwan())
    online.network.run(after)
    online.phone.attach(*NOWHERE)
    assert timer(online) == "a map-cache entry ends or is refreshed"
    sent = len(online.network.sent)
    online.network.run(QUIET)
    assert timer(online) is None
    assert [frame for frame in online.network.sent[sent:] if frame.sender == "phone"] == []


def test_a_short_gap_under_traffic_is_quiet_and_heals_at_once(online):
    online.talk()
    online.converse(700, interval=0.01)
    online.network.run(1)
    online.phone.attach()
    sent = len(online.network.sent)
    online.network.run(4.999)
    assert [frame for frame in online.network.sent[sent:] if frame.sender == "phone"] == []
    assert timer(online) in (None, "a map-cache entry ends or is refreshed")
    online.phone.attach(*(wlan(up=False), wwan()))
    back = online.network.now
    online.network.run(0.999)
    assert next(at for at in online.phone.arrivals if at > back) - back < 0.2
    assert online.phone.arrivals[-1] > online.network.now - 0.05
    assert online.laptop.way_to(PHONE_V4) == [LTE]
    assert online.phone.way_to(LAPTOP_V4) == [OFFICE]


def test_a_gap_at_the_same_place_sends_no_one_elsewhere(online):
    online.talk()
    online.network.run(5)
    online.phone.attach()
    online.network.run(5)
    online.phone.attach(wlan())
    online.converse(5)
    online.network.run(0.2)
    assert online.laptop.way_to(PHONE_V4) == [WIFI]
    assert online.fresh(0.2)
