"""Registration with Map-Servers: retries, refresh, keys, moves and the nonce that always rises."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import auth, registrar
from lispfast.control.machine import ImpossibleFactError
from lispfast.control.registrar import TABLE, Fact, State
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import DatabaseMapping, MapServerSettings
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_register import MapRegister
from lispfast.wire.records import eid_prefix, record_from_mapping

from .mn_helpers import (
    EID,
    FIRST_NONCE,
    KEY,
    LTE,
    NOWHERE,
    ON_LTE,
    ON_LTE_V6,
    ON_WIFI,
    SERVER,
    SERVER_2,
    WIFI,
    WRONG_KEY,
    Bench,
    database,
    host,
    mapping,
    registered,
    settings,
)

TWO_SERVERS = settings(map_servers=(MapServerSettings(SERVER, KEY), MapServerSettings(SERVER_2, WRONG_KEY)))


def states(bench):
    return [registration.state for registration in bench.node.registrar.registrations]


def warnings(bench):
    return [event for event in bench.events if event.level == "warning"]


def test_nothing_is_sent_and_no_timer_runs_without_a_network():
    bench = Bench()
    assert (bench.sent, bench.node.poll_timeout(), states(bench)) == ([], None, [State.PARKED])
    assert bench.node.view("status", bench.now)["registrations"][0]["why"] == "no network"


def test_the_first_network_brings_a_map_register_of_every_eid_prefix():
    bench = Bench(underlay=ON_WIFI)
    (send,) = bench.sent
    (message,) = bench.registers()
    assert (send.source, send.ifindex, send.source_port, send.destination.port) == (WIFI, 3, 4342, 4342)
    assert auth.verify(send.payload, message, KEY)
    assert message.want_map_notify
    assert message.proxy_reply
    assert [eid_prefix(r.eid, r.mask_len) for r in message.records] == [
        m.prefix for m in database(EID, ip_address("fd00::1"))
    ]
    assert [(loc.address, loc.local, loc.reachable, loc.probed) for loc in message.records[0].locators] == [
        (WIFI, True, True, False)
    ]
    assert all(record.authoritative and record.ttl == 10 for record in message.records)


def test_a_map_register_is_repeated_with_doubling_waits_up_to_a_minute_and_a_nonce_that_rises():
    bench = Bench(underlay=ON_WIFI)
    start = bench.now
    bench.pass_time(250)
    assert [at - start for at in bench.sent_at] == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
    nonces = [message.nonce for message in bench.registers()]
    assert nonces == list(range(FIRST_NONCE, FIRST_NONCE + 10))
    assert len({message.auth_data for message in bench.registers()}) == 10


def test_nonces_are_kept_in_blocks_before_their_use():
    bench = Bench(underlay=ON_WIFI)
    assert bench.order.index("Persist") < bench.order.index("Send")
    for _ in range(1200):
        bench.move(ON_LTE)
        bench.move(ON_WIFI)
    assert bench.order.count("Persist") == 3
    assert bench.saved["register-nonce"] >= bench.registers()[-1].nonce


@pytest.mark.parametrize("answered", range(4))
def test_a_map_notify_for_any_send_registers(answered):
    bench = Bench(underlay=ON_WIFI)
    bench.pass_time(7.5)
    bench.notify(bench.registers()[answered])
    assert states(bench) == [State.REGISTERED]
    received = next(event for event in bench.events if event.name == "map-notify-received")
    assert received.fields["rtt_us"] == pytest.approx((7.5 - [0, 1, 3, 7][answered]) * 1e6)


def test_a_registration_is_refreshed_each_minute():
    bench = registered()
    for _ in range(5):
        bench.pass_time(bench.node.poll_timeout().at - bench.now)
        assert len(bench.registers()) == 1
        bench.notify()
        bench.clear()
    assert bench.now - 1000 == 300
    assert states(bench) == [State.REGISTERED]


def test_a_server_that_does_not_answer_is_warned_of_once_and_tried_for_ever():
    bench = Bench(underlay=ON_WIFI)
    bench.pass_time(3600)
    (warning,) = warnings(bench)
    assert warning.name == "registration-lost"
    assert "does not answer, or refuses key or nonce" in warning.fields["why"]
    assert len(bench.registers()) > 60
    bench.notify()
    bench.clear()
    bench.pass_time(3600)
    (warning,) = warnings(bench)
    assert "180 s" in warning.fields["why"]


def test_an_unanswered_refresh_lapses_after_three_minutes_and_not_before():
    bench = registered()
    bench.pass_time(170)
    assert (states(bench), warnings(bench)) == ([State.REFRESHING], [])
    bench.pass_time(60)
    assert (states(bench), len(warnings(bench))) == ([State.REGISTERING], 1)
    bench.notify()
    assert states(bench) == [State.REGISTERED]


def test_a_map_notify_under_another_key_is_no_answer_but_a_warning():
    bench = Bench(underlay=ON_WIFI)
    bench.notify(key=WRONG_KEY)
    bench.notify(key=WRONG_KEY)
    assert states(bench) == [State.REGISTERING]
    assert bench.dropped == {ControlReason.MAC_WRONG: 2}
    (warning,) = warnings(bench)
    assert "refuses the key" in warning.fields["why"]
    bench.pass_time(20)
    assert len(bench.registers()) > 2


def test_a_forged_map_notify_says_nothing_about_the_key():
    bench = Bench(underlay=ON_WIFI)
    forged = replace(bench.registers()[0], nonce=99)
    bench.notify(forged, key=WRONG_KEY)
    assert (warnings(bench), bench.dropped) == ([], {ControlReason.MAC_WRONG: 1})


def test_a_map_notify_from_elsewhere_is_ignored():
    bench = Bench(underlay=ON_WIFI)
    register = bench.registers()[0]
    bench.receive(auth.sign(MapNotify(register.nonce, register.records), KEY), SERVER_2)
    assert states(bench) == [State.REGISTERING]
    assert bench.dropped == {ControlReason.SENDER_UNEXPECTED: 1}


@pytest.mark.parametrize("others", [(), ("10.9.9.9/32",), ("10.0.0.1/32", "10.9.9.9/32")])
def test_a_map_notify_must_name_our_prefixes_and_no_others(others):
    bench = Bench(underlay=ON_WIFI)
    records = tuple(record_from_mapping(mapping(prefix, WIFI)) for prefix in others)
    bench.notify(replace(bench.registers()[0], records=records))
    assert states(bench) == [State.REGISTERING]
    assert bench.dropped == {ControlReason.EID_NOT_OURS: 1}


def test_a_map_notify_that_leaves_a_prefix_out_does_not_register():
    bench = Bench(underlay=ON_WIFI)
    register = bench.registers()[0]
    bench.notify(replace(register, records=register.records[:1]))
    assert states(bench) == [State.REGISTERING]
    assert "leaves them out" in warnings(bench)[0].fields["why"]


def test_an_unsolicited_map_notify_is_acknowledged_and_changes_nothing():
    bench = registered()
    record = record_from_mapping(mapping("10.0.0.1/32", LTE))
    bench.receive(auth.sign(MapNotify(77, (record,)), KEY), SERVER)
    ((send, message),) = bench.messages(MapNotifyAck)
    assert auth.verify(send.payload, message, KEY)
    assert (message.nonce, message.records, send.destination.address) == (77, (record,), SERVER)
    assert states(bench) == [State.REGISTERED]
    assert (bench.dropped, len(bench.sent)) == ({}, 1)


def test_a_repeated_map_notify_is_neither_taken_nor_acknowledged():
    bench = Bench(underlay=ON_WIFI)
    bench.notify()
    bench.notify()
    assert bench.dropped == {ControlReason.NONCE_UNKNOWN: 1}
    assert bench.messages(MapNotifyAck) == []


def test_a_map_notify_of_an_earlier_round_does_not_confirm_a_refresh():
    bench = Bench(underlay=ON_WIFI)
    (earlier,) = bench.registers()
    bench.notify(earlier)
    bench.pass_time(60)
    assert states(bench) == [State.REFRESHING]
    bench.notify(earlier)
    assert states(bench) == [State.REFRESHING], "replayed"
    assert bench.dropped == {ControlReason.NONCE_UNKNOWN: 1}
    bench.notify()
    assert states(bench) == [State.REGISTERED]


def test_a_move_registers_at_once_and_a_late_answer_for_the_old_place_does_not_count():
    bench = registered()
    bench.move(ON_LTE)
    (first,) = bench.registers()
    assert (bench.sent[0].source, first.records[0].locators[0].address) == (LTE, LTE)
    bench.move(ON_WIFI)
    bench.notify(first)
    assert states(bench) == [State.REGISTERING]
    assert bench.dropped == {ControlReason.NONCE_UNKNOWN: 1}
    bench.notify()
    assert states(bench) == [State.REGISTERED]


def test_a_lost_network_parks_every_retry_and_its_return_registers_at_once():
    bench = registered()
    bench.move(NOWHERE)
    assert (states(bench), bench.node.poll_timeout()) == ([State.PARKED], None)
    bench.pass_time(10_000)
    assert bench.sent == []
    bench.move(ON_WIFI)
    assert len(bench.registers()) == 1
    assert warnings(bench)[0].name == "network-lost"


def test_a_server_of_a_family_that_we_lost_is_parked():
    bench = registered()
    bench.move(ON_LTE_V6)
    assert states(bench) == [State.PARKED]
    assert bench.registers() == []


def test_map_servers_are_independent():
    bench = Bench(TWO_SERVERS, ON_WIFI)
    bench.notify(server=SERVER)
    assert states(bench) == [State.REGISTERED, State.REGISTERING]
    bench.pass_time(10)
    assert (len(bench.registers(SERVER)), len(bench.registers(SERVER_2))) == (1, 4)
    nonces = [message.nonce for _, message in bench.messages(MapRegister)]
    assert len(set(nonces)) == len(nonces)
    assert [e.fields["map_server"] for e in warnings(bench)] == [str(SERVER_2)]


@pytest.mark.parametrize(("server", "largest"), [("192.0.2.1", 576 - 28), ("2001:db8::1", 1280 - 48)])
def test_many_prefixes_go_in_messages_that_fit_an_unknown_path(server, largest):
    many = tuple(replace(database(EID)[0], prefix=host(ip_address(f"10.1.0.{n}"))) for n in range(60))
    server = ip_address(server)
    both = replace(ON_WIFI.interfaces[0], v6=ON_LTE_V6.interfaces[0].v6)
    bench = Bench(
        settings(database=many, map_servers=(MapServerSettings(server, KEY),)), replace(ON_WIFI, interfaces=(both,))
    )
    parts = bench.registers(server)
    assert len(parts) > 1
    assert max(len(send.payload) for send in bench.sent) <= largest
    assert [r.eid for part in parts for r in part.records] == [m.prefix.network.network_address for m in many]
    for part in parts[:-1]:
        bench.notify(part, server)
    assert states(bench) == [State.REGISTERING]
    bench.pass_time(1)
    again = bench.registers(server)[len(parts) :]
    assert [message.records for message in again] == [parts[-1].records]
    bench.notify(again[0], server)
    assert states(bench) == [State.REGISTERED]


def test_a_site_of_thousands_of_eid_prefixes_registers_them_all():
    bench = Bench(settings(database=database(*(EID + n for n in range(2000)))), ON_WIFI)
    parts = bench.registers()
    assert len(parts) > registrar.MAX_NONCES
    bench.pass_time(3.5)  # two retransmissions: answers to the first sends still count
    for part in parts:
        bench.notify(part)
    assert states(bench) == [State.REGISTERED]
    assert bench.dropped == {}
    for _ in range(5):
        bench.pass_time(65)
    assert len(bench.node.registrar.registrations[0]._sent) <= registrar.MAX_SENDS * len(parts)


def test_leaving_withdraws_with_ttl_0_and_says_no_more():
    bench = registered()
    bench.node.stop(bench.now)
    bench.take()
    (message,) = bench.registers()
    assert [record.ttl for record in message.records] == [0, 0]
    assert not message.want_map_notify
    assert bench.node.poll_timeout() is None
    bench.move(ON_LTE)
    bench.pass_time(1000)
    assert len(bench.sent) == 1


def test_leaving_without_a_network_says_nothing():
    bench = Bench()
    bench.node.stop(bench.now)
    bench.take()
    assert bench.sent == []


def test_a_prefix_that_lost_its_interface_is_withdrawn_beside_the_one_that_did_not():
    first, second = database(EID, ip_address("10.0.0.9"))
    only_wifi = DatabaseMapping(second.prefix, second.locators[:1], second.ttl)
    bench = registered(settings(database=(first, only_wifi)))
    bench.move(ON_LTE)
    records = bench.registers()[0].records
    assert [(record.ttl, len(record.locators)) for record in records] == [(10, 1), (0, 0)]


def test_the_table_refuses_what_cannot_be():
    bench = registered()
    with pytest.raises(ImpossibleFactError, match="confirmed in state registered"):
        bench.node.registrar.registrations[0]._step(Fact.CONFIRMED, bench.now)


def test_every_state_but_the_last_is_left_by_closing_and_by_losing_the_network():
    assert {state for state, fact in TABLE if fact is Fact.CLOSED} == set(State) - {State.CLOSED}
    assert {state for state, fact in TABLE if fact is Fact.STRANDED} == set(State) - {State.CLOSED}
    assert {next_state for next_state, _ in TABLE.values()} == set(State)


def test_the_outstanding_nonces_are_bounded():
    bench = Bench(underlay=ON_WIFI)
    bench.pass_time(60 * 100)
    assert len(bench.node.registrar.registrations[0]._sent) == registrar.MAX_NONCES
