"""The node as a whole: what it tells the data plane, what it does with each datagram, what it shows."""

import json
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lispfast.control.effects import Datagram
from lispfast.model.addresses import Eid, EidPrefix, Endpoint
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.forwarding import Encapsulate, LocalPrefix, Miss, PrefixTraffic, Reject, Resolve, Traffic
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Forwarding, ProxyEtr
from lispfast.model.underlay import Underlay
from lispfast.model.units import InstanceId, Seconds
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.info_message import InfoMessage
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.records import wire_eid

from .mn_helpers import (
    EID,
    EID_V6,
    LTE,
    NOWHERE,
    ON_BOTH,
    ON_LTE,
    ON_LTE_V6,
    ON_WIFI,
    PEER,
    PEER_RLOC,
    PEER_RLOC_V6,
    SERVER,
    WIFI,
    Bench,
    database,
    host,
    interface,
    mapping,
    registered,
    settings,
)

PETR = ip_address("192.0.2.50")


def test_the_start_tells_the_data_plane_our_eids_and_a_default_for_each_family():
    bench = Bench()
    assert bench.table.local == (LocalPrefix(Eid(EID).prefix), LocalPrefix(Eid(EID_V6).prefix))
    assert bench.table.verdicts == {EidPrefix.parse("0.0.0.0/0"): Resolve(), EidPrefix.parse("::/0"): Resolve()}


def test_a_default_stands_in_each_instance():
    base = database(EID)[0]
    other = replace(base, prefix=EidPrefix(base.prefix.network, InstanceId(7)))
    bench = Bench(settings(database=(base, other)))
    assert set(bench.table.verdicts) == {EidPrefix.parse("0.0.0.0/0"), EidPrefix.parse("0.0.0.0/0", 7)}


def test_without_map_resolvers_everything_goes_to_the_proxy():
    bench = registered(settings(map_resolvers=(), proxy_etrs=(ProxyEtr(PETR, versions=(4,)),)))
    assert bench.ways(PEER) == [(WIFI, PETR)]
    assert bench.verdict(ip_address("fd00::9")) == Reject()


def test_a_question_in_an_instance_carries_it_and_its_answer_too():
    base = database(EID)[0]
    seven = InstanceId(7)
    bench = registered(settings(database=(replace(base, prefix=EidPrefix(base.prefix.network, seven)),)))
    bench.node.handle_punt(Miss(PEER, EID, seven), bench.now)
    bench.take()
    (question,) = bench.questions()
    assert (question.records[0].eid.iid, question.source_eid.iid) == (7, 7)
    bench.reply(replace(mapping("10.0.0.2/32", PEER_RLOC), prefix=Eid(PEER, seven).prefix))
    verdict = bench.table.lookup(Eid(PEER, seven))
    assert verdict.locators[0].header.hex() == "0800000000000700"
    assert bench.verdict(PEER) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [(ON_WIFI, ON_LTE), (ON_LTE, ON_WIFI), (ON_BOTH, ON_LTE), (ON_WIFI, NOWHERE), (NOWHERE, ON_LTE)],
)
def test_a_move_stores_the_new_source_before_anything_else(before, after):
    bench = Bench(underlay=before)
    bench.clear()
    bench.move(after)
    assert bench.order[0] == "Commit"
    address = after.interfaces[0].v4.address if after.interfaces else None
    assert bench.table.sources[0].address == address


def test_a_move_within_a_family_touches_no_verdict():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    before = dict(bench.table.verdicts)
    bench.clear()
    bench.move(ON_LTE)
    assert bench.order.count("Commit") == 1
    assert bench.table.verdicts == before
    assert bench.ways(PEER) == [(LTE, PEER_RLOC)]


def test_a_move_to_another_family_uses_the_peers_other_locator():
    bench = registered()
    bench.know(PEER, PEER_RLOC, PEER_RLOC_V6)
    bench.move(ON_LTE_V6)
    assert [rloc for _, rloc in bench.ways(PEER)] == [PEER_RLOC_V6]
    bench.move(ON_WIFI)
    assert [rloc for _, rloc in bench.ways(PEER)] == [PEER_RLOC]


def test_a_route_that_comes_after_its_address_asks_again_what_went_nowhere():
    """A DHCP client adds the address, and some milliseconds later the default route."""
    bench = registered()
    bench.clear()
    bench.move(Underlay((interface("wwan0", LTE, routed=False),)))
    bench.punt(PEER)
    assert (len(bench.registers()), len(bench.questions())) == (1, 1)
    bench.now += 0.03
    bench.move(ON_LTE)
    assert (len(bench.registers()), len(bench.questions())) == (2, 1)
    bench.pass_time(0.97)
    assert bench.asked() == [f"{PEER}/32"] * 2, "one Map-Request a second is a MUST (RFC 9301 section 5.3)"
    assert bench.registers()[1].nonce > bench.registers()[0].nonce


def test_the_same_underlay_again_does_nothing():
    bench = registered()
    bench.move(ON_WIFI)
    assert (bench.order, bench.events) == ([], [])


def test_a_gap_keeps_the_verdicts_and_drops_until_there_is_a_way_out():
    bench = registered()
    bench.know(PEER, PEER_RLOC)
    bench.move(NOWHERE)
    assert isinstance(bench.verdict(PEER), Encapsulate)
    assert bench.ways(PEER) == []
    bench.move(ON_LTE)
    assert bench.ways(PEER) == [(LTE, PEER_RLOC)]


# --- Datagrams --------------------------------------------------------------------------------------------------------


def ecm(payload, source=4342, destination=4342):
    return EncapsulatedControl.wrap(Endpoint(PEER, source), Endpoint(EID, destination), payload).encode()


QUESTION = MapRequest(1, None, (PEER_RLOC,), (RequestRecord(wire_eid(host(EID)), 32),)).encode()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", ControlReason.MALFORMED),
        (b"\x10", ControlReason.MALFORMED),
        (QUESTION[:-1], ControlReason.MALFORMED),
        (b"\x90" + bytes(40), ControlReason.UNKNOWN_TYPE),
        (MapRegister(1, ()).encode(), ControlReason.NOT_FOR_ROLE),
        (ecm(MapRegister(1, ()).encode()), ControlReason.NOT_FOR_ROLE),
        (ecm(ecm(QUESTION)), ControlReason.NOT_FOR_ROLE),
        (ecm(b"\x10"), ControlReason.ECM_INNER),
        (ecm(QUESTION, 5000, 5001), ControlReason.ECM_INNER),
        (b"\x80\x00\x00\x00" + bytes(20), ControlReason.ECM_INNER),
    ],
)
def test_a_datagram_that_is_not_for_us_is_counted_and_changes_nothing(payload, reason):
    bench = registered()
    before = (bench.node.view("map-cache", bench.now), dict(bench.table.verdicts))
    bench.receive(payload, SERVER)
    assert bench.dropped == {reason: 1}
    assert (bench.sent, bench.order) == ([], [])
    assert (bench.node.view("map-cache", bench.now), dict(bench.table.verdicts)) == before


def test_one_of_the_ports_must_be_the_control_port():
    bench = registered()
    bench.node.handle_datagram(Datagram(QUESTION, Endpoint(SERVER, 999), Endpoint(WIFI, 4341)), bench.now)
    assert bench.dropped == {ControlReason.WRONG_PORT: 1}


def test_a_message_of_the_nat_traversal_is_not_for_this_role():
    assert InfoMessage.TYPE == 7
    bench = registered()
    bench.receive(b"\x70" + bytes(60), SERVER)
    assert sum(bench.dropped.values()) == 1


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda tail: QUESTION[:20] + tail)))
@hypothesis_settings(max_examples=200, deadline=None)
def test_no_datagram_raises(payload):
    bench = Bench(underlay=ON_WIFI)
    bench.receive(payload, SERVER)
    bench.receive(ecm(payload), SERVER)


# --- What it shows ----------------------------------------------------------------------------------------------------


def test_the_views_are_json():
    bench = registered(settings(proxy_etrs=(ProxyEtr(PETR),)))
    bench.know(PEER, PEER_RLOC)
    bench.punt(ip_address("10.0.0.3"))
    for noun in ("status", "map-cache", "database"):
        json.dumps(bench.node.view(noun, bench.now))
    with pytest.raises(KeyError):
        bench.node.view("sites", bench.now)


def test_the_status_says_where_it_stands_and_why_it_waits():
    bench = Bench(underlay=ON_WIFI)
    status = bench.node.view("status", bench.now)
    assert status["source_locators"] == {"ipv4": {"address": str(WIFI), "interface": "wlan0"}}
    assert status["missing_interfaces"] == ["wwan0"]
    (registration,) = status["registrations"]
    assert (registration["state"], registration["why"], registration["next"]) == (
        "registering",
        "waits for the Map-Notify",
        1.0,
    )
    assert status["next"] == {"in": 1.0, "why": f"no Map-Notify from {SERVER} yet"}
    bench.pass_time(0.2)
    bench.notify()
    bench.pass_time(5)
    (registration,) = bench.node.view("status", bench.now)["registrations"]
    assert (registration["state"], registration["since"], registration["next"]) == ("registered", 5.0, 55.0)
    assert registration["rtt_ms"] == pytest.approx(200)


def test_the_map_cache_shows_what_a_router_shows():
    bench = registered()
    bench.know(PEER, PEER_RLOC, PEER_RLOC_V6)
    bench.pass_time(10)
    (entry,) = bench.node.view("map-cache", bench.now)["entries"]
    assert (entry["eid_prefix"], entry["uptime"], entry["expires"], entry["via"]) == (
        "10.0.0.2/32",
        10.0,
        590.0,
        "map-reply",
    )
    assert [(loc["address"], loc["state"], loc["priority"], loc["weight"]) for loc in entry["locators"]] == [
        (str(PEER_RLOC), "up", 1, 100),
        (str(PEER_RLOC_V6), "no-route", 1, 100),
    ]


def test_the_map_cache_shows_how_each_entry_is_used_and_sent():
    bench = registered(settings(forwarding=Forwarding(encapsulation=Encapsulation.VXLAN_GPE)))
    bench.know(PEER, PEER_RLOC)
    assert bench.verdict(PEER).locators[0].port == 4790
    (entry,) = bench.node.view("map-cache", bench.now)["entries"]
    assert [entry[key] for key in ("packets_out", "bytes_out", "packets_in", "bytes_in", "drops")] == [0] * 5
    used = PrefixTraffic(7, 700, 1, Seconds(0), 5, 400)
    bench.node.handle_traffic(Traffic({host(PEER): used}, {}), bench.now)
    (entry,) = bench.node.view("map-cache", bench.now)["entries"]
    assert [entry[key] for key in ("packets_out", "bytes_out", "packets_in", "bytes_in", "drops")] == [
        7,
        700,
        5,
        400,
        1,
    ]
    (locator,) = entry["locators"]
    assert (locator["encapsulation"], locator["mtu"], locator["mtu_learnt"]) == ("VXLAN-GPE", 1500, None)


def test_counters_stay_as_they_were_heard_last_while_the_prefix_stands():
    bench = registered()
    bench.know(PEER, PEER_RLOC, ttl=1)
    bench.pass_time(5)
    bench.use(host(PEER), EidPrefix.parse("192.0.2.0/24"), idle=2)
    bench.now += 10
    bench.use()
    (entry,) = bench.node.view("map-cache", bench.now)["entries"]
    assert (entry["packets_out"], entry["bytes_out"], entry["idle"]) == (1, 100, 12)
    bench.pass_time(60)
    assert bench.node.view("map-cache", bench.now)["entries"] == []
    bench.know(PEER, PEER_RLOC)
    (entry,) = bench.node.view("map-cache", bench.now)["entries"]
    assert entry["packets_out"] == 0  # in the data plane it is another prefix


def test_a_static_entry_is_as_old_as_the_node():
    bench = Bench(settings(static_map_cache=(mapping("10.0.0.9/32", PEER_RLOC),)))
    bench.pass_time(7)
    (entry,) = bench.node.view("map-cache", bench.now)["entries"]
    assert (entry["uptime"], entry["locators"][0]["uptime"]) == (7, 7)


def test_the_database_shows_each_locator_with_its_interface():
    bench = registered()
    first = bench.node.view("database", bench.now)["mappings"][0]
    assert (first["eid_prefix"], first["ttl"]) == ("10.0.0.1/32", 10)
    states = [(loc["interface"], loc["family"], loc["address"], loc["state"]) for loc in first["locators"]]
    assert states == [
        ("wlan0", "ipv4", str(WIFI), "up"),
        ("wlan0", "ipv6", None, "down"),
        ("wwan0", "ipv4", None, "down"),
        ("wwan0", "ipv6", None, "down"),
    ]


def test_the_same_facts_and_seed_give_the_same_effects():
    def life(seed):
        bench = Bench(underlay=ON_WIFI, seed=seed)
        bench.pass_time(2)
        bench.notify()
        bench.know(PEER, PEER_RLOC)
        bench.move(ON_LTE)
        bench.pass_time(100)
        return bench.sent, bench.events

    assert life(5) == life(5)
    assert life(5) != life(6)
