"""Registration with a Map-Server of a family that no locator of ours is of."""

from lispfast.control.registrar import State
from lispfast.model.underlay import Underlay
from lispfast.wire.map_register import MapRegister

from .mn_helpers import (
    EID,
    LTE,
    LTE_V6,
    NOWHERE,
    ON_LTE,
    ON_LTE_DUAL,
    ON_LTE_V6,
    ON_WIFI,
    SERVER,
    Bench,
    database_v6,
    interface,
    registered,
    settings,
)

V6_ONLY = settings(database=database_v6(EID))
NO_IPV4 = "no network: no interface has an IPv4 address"


def states(bench):
    return [registration.state for registration in bench.node.registrar.registrations]


def lost(bench):
    return [event for event in bench.events if event.name in ("registration-lost", "network-lost")]


def shown(bench):
    (row,) = bench.node.view("status", bench.now)["registrations"]
    return row["state"], row["why"], row["since"]


def test_it_hears_of_us_from_an_address_that_is_no_locator():
    bench = Bench(V6_ONLY, ON_LTE_DUAL)
    (send,) = bench.sent
    (message,) = bench.registers()
    assert (send.source, send.ifindex, send.destination.address) == (LTE, 4, SERVER)
    assert [locator.address for record in message.records for locator in record.locators] == [LTE_V6]
    bench.notify()
    assert states(bench) == [State.REGISTERED]
    bench.clear()
    bench.node.stop(bench.now)
    bench.take()
    assert [(send.source, m.records[0].ttl) for send, m in bench.messages(MapRegister)] == [(LTE, 0)]


def test_without_an_address_of_its_family_it_is_parked_and_that_is_said_once():
    bench = Bench(V6_ONLY)
    bench.pass_time(5)
    bench.move(ON_LTE_V6)
    bench.move(Underlay((interface("wlan0", LTE_V6),)))
    bench.pass_time(2)
    (warning,) = lost(bench)
    assert (warning.level, warning.fields) == ("warning", {"map_server": str(SERVER), "why": NO_IPV4})
    assert shown(bench) == ("parked", NO_IPV4, 7)
    assert (bench.sent, bench.node.poll_timeout()) == ([], None)
    bench.move(ON_LTE_DUAL)
    bench.notify()
    assert states(bench) == [State.REGISTERED]


def test_that_it_does_not_answer_is_said_after_that_there_was_no_network():
    bench = Bench(V6_ONLY, ON_LTE_V6)
    bench.move(ON_LTE_DUAL)
    bench.pass_time(20)
    assert [NO_IPV4 in w.fields["why"] for w in lost(bench)] == [True, False]
    assert "does not answer" in shown(bench)[1]


def test_a_node_that_starts_without_a_network_says_so_once_and_one_that_loses_it_only_as_a_whole():
    bench = Bench(underlay=NOWHERE)
    assert [w.fields.get("why") for w in lost(bench)] == [NO_IPV4]
    bench.move(ON_WIFI)
    bench.notify()
    bench.clear()
    bench.pass_time(3)
    bench.move(NOWHERE)
    bench.pass_time(4)
    assert [w.name for w in lost(bench)] == ["network-lost"]
    assert shown(bench) == ("parked", NO_IPV4, 4)


def test_without_a_locator_nothing_is_registered_from_an_address_beside():
    bench = registered(V6_ONLY, ON_LTE_DUAL)
    bench.move(ON_LTE)
    assert (bench.sent, states(bench)) == ([], [State.PARKED])
    assert "that a locator of ours names" in shown(bench)[1]
    bench.move(ON_LTE_DUAL)
    assert len(bench.registers()) == 1


def test_a_parked_registration_is_as_old_as_the_node():
    bench = Bench()
    bench.pass_time(4)
    assert shown(bench) == ("parked", "no network", 4)
