"""Locators of one family alone, while the Map-Server has an address of the other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lispfast.model.addresses import EidPrefix
from lispfast.model.settings import DatabaseMapping, InterfaceLocator
from tests.sim.host import interface
from tests.sim.world import (
    LAPTOP_V4,
    LAPTOP_V6,
    LTE,
    OFFICE,
    PHONE_V4,
    PHONE_V6,
    SERVER_V4,
    WIFI,
    World,
    mobile_node,
    wwan,
)

WIFI_V6, LTE_V6, OFFICE_V6 = "2001:db8:0:10::10", "2001:db8:0:20::20", "2001:db8:0:2::2"
PHONE = f"{PHONE_V4}/32"
NO_IPV4 = "no network: no interface has an IPv4 address"


@pytest.fixture
def mixed(world: World) -> World:
    """The phone has locators over IPv6 alone; it and the laptop are not started yet."""
    locators = tuple(InterfaceLocator(name, 6, rank) for rank, name in enumerate(("wlan0", "wwan0"), start=1))
    usual = world.phone._make_role({}).settings  # type: ignore[attr-defined]
    settings = replace(usual, database=(DatabaseMapping(EidPrefix.parse(PHONE), locators),))
    world.network.hosts.remove(world.phone)
    world.phone = mobile_node(world.network, "phone", settings)
    world.laptop.attach(interface("eth0", OFFICE, OFFICE_V6))
    world.laptop.start()
    return world


def test_it_registers_talks_and_roams(mixed):
    mixed.phone.attach(interface("wlan0", WIFI, WIFI_V6))
    mixed.phone.start()
    mixed.network.run_until(lambda: mixed.registered().get(PHONE) == [WIFI_V6], within=0.011)
    mixed.network.run(1)
    mixed.talk()
    assert mixed.both_at(WIFI_V6, OFFICE_V6)
    mixed.network.run(3)
    mixed.phone.attach(interface("wwan0", LTE, LTE_V6, index=3))
    mixed.network.run_until(lambda: mixed.laptop.way_to(PHONE_V4) == [LTE_V6], within=0.1)
    mixed.converse(5)
    mixed.network.run(0.2)
    assert mixed.fresh(0.15)
    by_v4 = [f for f in mixed.network.sent if f.sender == "phone" and str(f.source.address) in (WIFI, LTE)]
    assert {f.kind for f in by_v4} == {"MapRegister", "ECM MapRequest", "ECM Locate"}
    assert {str(f.destination.address) for f in by_v4} == {SERVER_V4}
    assert mixed.registered()[PHONE] == [LTE_V6]


def test_without_any_ipv4_address_it_says_so_and_registers_when_one_comes(mixed):
    mixed.phone.attach(interface("wlan0", WIFI_V6))
    mixed.phone.start()
    mixed.network.run(3600)
    assert [frame for frame in mixed.network.sent if frame.sender == "phone"] == []
    assert [event.fields["why"] for event in mixed.phone.told("registration-lost")] == [NO_IPV4]
    (row,) = mixed.phone.role.view("status", mixed.network.now)["registrations"]
    assert (row["state"], row["why"], row["since"]) == ("parked", NO_IPV4, 3600)
    mixed.phone.attach(interface("wlan0", WIFI, WIFI_V6))
    mixed.network.run_until(lambda: mixed.registered().get(PHONE) == [WIFI_V6], within=0.011)


def test_a_peer_that_sends_us_one_family_while_we_send_it_the_other_follows_a_move_at_once(online):
    """An SMR about the EID of the family that we send in alone would tell it nothing."""
    for serial in range(20):
        online.laptop.send(LAPTOP_V6, PHONE_V6, serial)
        online.phone.send(PHONE_V4, LAPTOP_V4, serial)
        online.network.run(1)
    assert online.laptop.way_to(PHONE_V6) == [WIFI]
    online.phone.attach(wwan())
    online.network.run_until(lambda: online.laptop.way_to(PHONE_V6) == [LTE], within=0.3)
