"""Registration at the Map-Server, and what it does with messages that are not for it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.control import auth, registrations
from lispfast.model.mapping import Action
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.lcaf_keys import Json
from lispfast.wire.lcaf_locators import AsNumber
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_reply import MapReply
from lispfast.wire.records import LocatorRecord

from . import ms_helpers
from .ms_helpers import (
    ETR,
    KEY,
    OTHER_KEY,
    SERVER,
    Bench,
    at,
    mapping,
    notify_of,
    record,
    register,
    site,
)

HOME = "10.1.0.0/16"
RLOC = "198.51.100.7"


@pytest.fixture
def bench():
    return Bench(site(HOME), site("10.2.0.0/16", OTHER_KEY), site("2001:db8:1::/48", more_specifics=True))


def test_a_map_register_is_acknowledged_and_shown(bench):
    message = register(5, record(HOME, RLOC))
    sends = bench.register(message)
    notify = notify_of(sends)
    assert notify == replace(
        MapNotify(message.nonce, message.records), key_id=0, algorithm_id=2, auth_data=notify.auth_data
    )
    assert (sends[0].destination, sends[0].source, sends[0].source_port) == (ETR, SERVER.address, 4342)
    assert bench.registered() == {HOME: [RLOC]}
    assert bench.dropped == {}
    assert bench.event_names() == ["map-register-accepted", "map-notify-sent"]


def test_the_map_notify_goes_to_the_port_of_the_map_register(bench):
    (send,) = bench.register(register(5, record(HOME, RLOC)), at(RLOC, 50123))
    assert send.destination == at(RLOC, 50123)


def test_the_nonce_is_persisted_before_the_map_notify(bench):
    bench.register(register(5, record(HOME, RLOC)))
    assert bench.order == ["Persist", "Send"]
    assert list(bench.saved.values()) == [5]


def test_several_prefixes_cost_one_disk_sync(bench):
    bench.register(register(5, record("2001:db8:1:1::/64", RLOC), record(HOME, RLOC)))
    assert bench.order == ["Persist", "Send"]
    again = Bench(site(HOME), saved=bench.saved)
    again.register(register(5, record(HOME, RLOC)))
    assert again.dropped == {ControlReason.NONCE_OLD: 1}


def test_no_map_notify_unless_wanted(bench):
    assert bench.register(register(5, record(HOME, RLOC), want_map_notify=False)) == []
    assert bench.registered() == {HOME: [RLOC]}


def test_the_ids_come_back_only_where_they_were_given(bench):
    identity = XtrIdentity(0xABCDEF, 0x77)
    assert notify_of(bench.register(register(5, record(HOME, RLOC)))).identity is None
    assert notify_of(bench.register(register(6, record(HOME, RLOC), identity=identity))).identity == identity


def test_the_key_id_of_the_sender_comes_back(bench):
    payload = auth.sign(register(5, record(HOME, RLOC)), replace(KEY, key_id=9))
    assert notify_of(bench.receive(payload), replace(KEY, key_id=9)).key_id == 9


@pytest.mark.parametrize("algorithm", list(KeyType))
def test_both_algorithms(algorithm):
    key = Key(b"secret", algorithm)
    bench = Bench(site(HOME, key))
    assert notify_of(bench.register(register(5, record(HOME, RLOC)), key=key), key).algorithm_id == int(algorithm)


def refused(bench, reason, *args, **kwargs):
    """The Map-Register changes nothing, answers nothing, is counted and told."""
    before = (bench.registered(), dict(bench.saved))
    assert bench.register(*args, **kwargs) == []
    assert (bench.registered(), bench.saved) == before
    assert bench.dropped == {reason: 1}
    (event,) = [event for event in bench.events if event.name == "map-register-refused"]
    assert (event.level, event.fields["reason"], event.fields["from"]) == ("warning", reason.value, str(ETR))


def test_refusals(bench):
    wrong = Key(b"guess", KeyType.HMAC_SHA256)
    refused(bench, ControlReason.MAC_WRONG, register(5, record(HOME, RLOC)), key=wrong)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (ControlReason.PREFIX_NOT_ALLOWED, "10.3.0.0/16"),  # nobody's
        (ControlReason.PREFIX_NOT_ALLOWED, "10.1.2.0/24"),  # a more-specific of a site that accepts none
        (ControlReason.PREFIX_NOT_ALLOWED, "10.0.0.0/8"),  # wider than the site
        (ControlReason.MAC_WRONG, "10.2.0.0/16"),  # another's, whose key is another
    ],
)
@pytest.mark.parametrize("with_own", [False, True])
def test_every_prefix_must_be_the_senders(bench, reason, text, with_own):
    records = (record(HOME, RLOC), record(text, RLOC)) if with_own else (record(text, RLOC),)
    refused(bench, reason, register(5, *records))


def test_another_instance_id_is_another_prefix(bench):
    refused(bench, ControlReason.PREFIX_NOT_ALLOWED, register(5, record(HOME, RLOC, iid=3)))


def test_another_algorithm_is_no_key(bench):
    sha1 = Key(KEY.secret, KeyType.HMAC_SHA1)
    refused(bench, ControlReason.KEY_UNKNOWN, register(5, record(HOME, RLOC)), key=sha1)


def test_a_configured_key_id_is_matched():
    bench = Bench(site(HOME, replace(KEY, key_id=4)))
    refused(bench, ControlReason.KEY_UNKNOWN, register(5, record(HOME, RLOC)), key=replace(KEY, key_id=5))
    assert notify_of(bench.register(register(5, record(HOME, RLOC)), key=replace(KEY, key_id=4))).key_id == 4


def test_no_records_is_no_registration(bench):
    refused(bench, ControlReason.MALFORMED, register(5))


def test_a_full_site_takes_nothing_new(monkeypatch, bench):
    monkeypatch.setattr(registrations, "MAX_PER_SITE", 1)
    bench.register(register(5, record("2001:db8:1:1::/64", RLOC)))
    refused(bench, ControlReason.TABLE_FULL, register(6, record("2001:db8:1:2::/64", RLOC)))


def test_more_specifics_where_they_are_accepted(bench):
    bench.register(register(5, record("2001:db8:1:2::/64", RLOC), record("2001:db8:1::1/128", RLOC)))
    assert set(bench.registered()) == {"2001:db8:1:2::/64", "2001:db8:1::1/128"}


def test_refusals_are_told_at_a_bounded_rate_and_counted_all(bench):
    for _ in range(50):
        bench.register(register(5, record("10.3.0.0/16", RLOC)))
    assert bench.dropped == {ControlReason.PREFIX_NOT_ALLOWED: 50}
    assert len(bench.events) == 3


def test_a_replay_is_refused_and_a_repeat_is_answered_without_a_change(bench):
    old = auth.sign(register(5, record(HOME, RLOC)), KEY)
    new = auth.sign(register(6, record(HOME, "198.51.100.8")), KEY)
    bench.receive(old)
    (first,) = bench.receive(new)
    bench.later(100)
    saved = dict(bench.saved)
    assert bench.receive(new, at("192.0.2.66")) == [first], "to where it went the first time"
    assert bench.saved == saved
    assert bench.receive(old) == []
    assert bench.dropped == {ControlReason.NONCE_OLD: 1}
    assert bench.registered() == {HOME: ["198.51.100.8"]}
    bench.later(81)
    assert bench.registered() == {}, "the repeat did not refresh it"


def test_repeats_are_rate_limited(bench):
    payload = auth.sign(register(5, record(HOME, RLOC)), KEY)
    answers = [bench.receive(payload) for _ in range(20)]
    assert sum(map(len, answers)) == 1 + 3
    assert bench.dropped == {ControlReason.RATE_LIMITED: 16}


def test_a_restart_remembers_the_nonces(bench):
    payload = auth.sign(register(5, record(HOME, RLOC)), KEY)
    bench.receive(payload)
    again = Bench(site(HOME), saved=bench.saved)
    assert again.receive(payload) == []
    assert again.dropped == {ControlReason.NONCE_OLD: 1}
    assert notify_of(again.register(register(6, record(HOME, RLOC)))).nonce == 6


def test_a_restart_keeps_silent_about_who_registers_within_a_minute(bench):
    assert bench.ask("10.1.9.9").records[0].ttl == 1, "nobody ever registered: a first start"
    bench.register(register(5, record(HOME, RLOC)))
    again = Bench(site(HOME), saved=bench.saved)
    assert again.request(ms_helpers.request(1, "10.1.1.1")) == []
    assert again.dropped == {ControlReason.RELEARNING: 1}
    again.register(register(6, record(HOME, RLOC), proxy_reply=True))
    assert again.ask("10.1.1.1").records[0].locators


def test_xtr_ids_have_nonces_of_their_own(bench):
    one, two = XtrIdentity(1, 0), XtrIdentity(2, 0)
    for nonce, identity in ((50, one), (5, two), (51, one), (6, two)):
        assert notify_of(bench.register(register(nonce, record(HOME, RLOC), identity=identity))).nonce == nonce
    assert bench.dropped == {}


def test_a_registration_times_out_after_three_minutes(bench):
    bench.register(register(5, record(HOME, RLOC)))
    assert bench.server.poll_timeout().at == bench.now + 180
    bench.later(100)
    bench.register(register(6, record(HOME, RLOC)))
    bench.later(179.9)
    assert bench.registered() == {HOME: [RLOC]}
    bench.later(0.2)
    assert bench.registered() == {}
    assert bench.event_names()[-1] == "registration-expired"
    assert bench.server.poll_timeout() is None


def test_with_the_t_bit_the_record_ttl_rules(bench):
    bench.register(register(5, record(HOME, RLOC, ttl=1), use_ttl=True))
    bench.later(61)
    assert bench.registered() == {}


def test_with_the_t_bit_a_ttl_that_lispers_net_says_in_seconds_is_one_of_seconds(bench):
    bench.register(register(5, record(HOME, RLOC, ttl=0x80000000 | 30), use_ttl=True))
    bench.later(29)
    assert HOME in bench.registered()
    bench.later(2)
    assert bench.registered() == {}


def test_a_ttl_of_zero_withdraws(bench):
    bench.register(register(5, record(HOME, RLOC)))
    assert notify_of(bench.register(register(6, record(HOME, ttl=0)))).nonce == 6
    assert bench.registered() == {}
    assert bench.server.poll_timeout() is None


def test_the_last_of_several_xtrs_replaces_and_merging_ones_add_up(bench):
    one, two = XtrIdentity(1, 0), XtrIdentity(2, 0)
    bench.register(register(1, record(HOME, RLOC), identity=one))
    bench.register(register(1, record(HOME, "198.51.100.8"), identity=two))
    assert bench.registered() == {HOME: ["198.51.100.8"]}
    bench.register(register(2, record(HOME, "198.51.100.9"), identity=one, merge=True))
    bench.register(register(2, record(HOME, "198.51.100.8"), identity=two, merge=True))
    assert bench.registered() == {HOME: ["198.51.100.8", "198.51.100.9"]}
    bench.later(100)
    bench.register(register(3, record(HOME, "198.51.100.8"), identity=two, merge=True))
    bench.later(100)
    assert bench.registered() == {HOME: ["198.51.100.8"]}, "the other one fell silent"


def test_a_mobile_node_that_comes_from_elsewhere_replaces_what_it_said(bench):
    bench.register(register(1, record(HOME, RLOC)), at(RLOC))
    bench.register(register(2, record(HOME, "192.0.2.200")), at("192.0.2.200"))
    assert bench.registered() == {HOME: ["192.0.2.200"]}
    changes = [event.fields["change"] for event in bench.events if event.name == "map-register-accepted"]
    assert changes == ["new", "changed"]


def test_a_locator_that_can_be_none_is_left_out_and_counted(bench):
    bad = record(HOME, RLOC, "224.0.0.5", "255.255.255.255")
    bench.register(register(5, bad))
    assert bench.registered() == {HOME: [RLOC]}
    assert bench.dropped == {ControlReason.LOCATOR_REFUSED: 2}


def test_an_action_means_nothing_in_a_map_register():
    bench = Bench(site(HOME, proxy_reply=True))
    bench.register(register(5, replace(record(HOME), action=int(Action.DROP))))
    (answer,) = bench.ask("10.1.0.1").records
    assert answer.action == Action.NO_ACTION


def test_messages_of_others(bench):
    signed = [auth.sign(kind(5, (record(HOME, RLOC),)), KEY) for kind in (MapNotify, MapNotifyAck)]
    for payload in (MapReply(5, (record(HOME, RLOC),)).encode(), *signed):
        assert bench.receive(payload) == []
    assert bench.dropped == {ControlReason.NOT_FOR_ROLE: 3}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", ControlReason.MALFORMED),
        (b"\x30\x00\x00\x01", ControlReason.MALFORMED),
        (b"\xe0\x00\x00\x00", ControlReason.UNKNOWN_TYPE),
    ],
)
def test_what_cannot_be_read(bench, payload, reason):
    assert bench.receive(payload) == []
    assert bench.dropped == {reason: 1}


def test_neither_port_4342(bench):
    payload = auth.sign(register(5, record(HOME, RLOC)), KEY)
    assert bench.receive(payload, at(RLOC, 9), at("192.0.2.1", 10)) == []
    assert bench.dropped == {ControlReason.WRONG_PORT: 1}


@given(st.binary(max_size=200))
def test_random_bytes_change_nothing(payload):
    bench = Bench(site(HOME))
    assert bench.receive(payload) == []
    assert sum(bench.dropped.values()) == 1
    assert bench.registered() == {}
    assert bench.saved == {}


@given(st.data())
def test_a_damaged_map_register_changes_nothing(data):
    payload = bytearray(auth.sign(register(5, record(HOME, RLOC)), KEY))
    index = data.draw(st.integers(0, len(payload) - 1))
    payload[index] ^= data.draw(st.integers(1, 255))
    bench = Bench(site(HOME))
    assert bench.receive(bytes(payload)) == [] or payload[0] >> 4 != 3
    assert (bench.registered(), bench.saved) == ({}, {})


def test_views(bench):
    bench.register(register(5, record(HOME, RLOC)))
    bench.later(10)
    status = bench.server.view("status", bench.now)
    assert (status["mode"], status["sites"], status["sites_registered"], status["registrations"]) == ("MS", 3, 1, 1)
    assert status["next"] == {"in": 170.0, "why": "a registration times out"}
    states = {one["eid_prefix"]: one["state"] for one in bench.sites()}
    assert states == {HOME: "registered", "10.2.0.0/16": "unregistered", "2001:db8:1::/48": "unregistered"}
    (shown,) = bench.sites()[0]["registrations"]
    assert (shown["uptime"], shown["expires"], shown["last_registerer"]) == (10.0, 170.0, str(ETR))
    assert KEY.secret.decode() not in str((status, bench.sites(), bench.events))
    assert status["drops"] == {}
    with pytest.raises(KeyError):
        bench.server.view("map-cache", bench.now)


def test_static_registrations_are_shown():
    bench = Bench(static=(mapping("10.9.0.0/16", RLOC),))
    (shown,) = bench.server.view("sites", bench.now)["static"]
    assert (shown["eid_prefix"], shown["locators"][0]["address"]) == ("10.9.0.0/16", RLOC)


def test_a_locator_of_an_unknown_kind_is_ignored(bench):
    odd = record(HOME, RLOC)
    odd = replace(odd, locators=(*odd.locators, LocatorRecord(None)))
    assert notify_of(bench.register(register(5, odd))).records == (odd,)
    assert bench.registered() == {HOME: [RLOC]}


def test_nested_sites_belong_to_the_most_specific_one():
    bench = Bench(site("10.0.0.0/8", more_specifics=True), site(HOME, OTHER_KEY))
    bench.register(register(5, record("10.1.1.0/24", RLOC)))
    bench.register(register(5, record("10.3.1.0/24", RLOC)))
    assert set(bench.registered()) == {"10.3.1.0/24"}
    assert bench.dropped == {ControlReason.PREFIX_NOT_ALLOWED: 1}


def test_made_up_addresses_cannot_fill_the_log(bench):
    for number in range(500):
        wrong = auth.sign(register(5, record(HOME, RLOC)), Key(b"guess", KeyType.HMAC_SHA256))
        bench.receive(wrong, at(f"198.51.{100 + number // 250}.{1 + number % 250}"))
        bench.receive(b"\x10" + bytes(3), at(f"198.51.{100 + number // 250}.{1 + number % 250}"))
    assert bench.dropped == {ControlReason.MAC_WRONG: 500, ControlReason.MALFORMED: 500}
    assert [event.name for event in bench.events].count("map-register-refused") == 3
    assert [event.name for event in bench.events].count("datagram-refused") == 5


def test_what_it_does_not_understand_of_a_locator_is_told_on(bench):
    plain = record(HOME, RLOC)
    (address,) = (locator.address for locator in plain.locators)
    strange = (LocatorRecord(AsNumber(65000, at("198.51.100.8").address)), LocatorRecord(Json(b'{"seat": "23A"}')))
    message = register(5, replace(plain, locators=(*plain.locators, *strange)), proxy_reply=True)
    bench.register(message)
    (told,) = bench.ask("10.1.2.3").records
    assert [locator.address for locator in told.locators] == [address, *(locator.address for locator in strange)]
    (shown,) = bench.sites()[0]["registrations"]
    assert [locator["says"] and locator["says"]["lcaf"] for locator in shown["locators"]] == [None, "as-number"]
    assert shown["carried"][0]["address"]["document"] == '{"seat": "23A"}'
