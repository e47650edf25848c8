"""Map-Requests at the Map-Server: answered, sent on to an ETR, or dropped."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import map_resolver
from lispfast.model.mapping import Action, Hop, Locator
from lispfast.model.reasons import ControlReason
from lispfast.model.underlay import Attachment, Interface, Underlay
from lispfast.model.units import WireMtu
from lispfast.wire.addresses import OtherAddress
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import RequestRecord
from lispfast.wire.message import decode
from lispfast.wire.records import eid_prefix, record_from_mapping
from lispfast.wire.sizes import PAYLOAD_MAX

from .ms_helpers import ETR, ITR, ITR_V6, SERVER, Bench, at, mapping, message_of, record, register, request, site

HOME = "10.1.0.0/16"
RLOC = "198.51.100.7"


@pytest.fixture
def bench():
    """Two registered EID-prefixes, one of them answered by proxy, and a site that nobody registered."""
    bench = Bench(
        site(HOME),
        site("10.2.0.0/16"),
        site("10.3.0.0/16", more_specifics=True),
        static=(mapping("10.9.0.0/16", RLOC),),
    )
    bench.register(register(1, record(HOME, RLOC)))
    bench.register(register(1, record("10.2.0.0/16", RLOC, "198.51.100.8"), proxy_reply=True))
    bench.events.clear()
    return bench


def answered(reply: MapReply) -> list[str]:
    return [str(eid_prefix(r.eid, r.mask_len)) for r in reply.records]


def test_a_proxy_reply(bench):
    (send,) = bench.request(request(7, "10.2.0.9"), ITR, at("10.77.0.1", 61000))
    assert (send.destination, send.source, send.source_port) == (at("203.0.113.9", 61000), SERVER.address, 4342)
    reply = message_of(send)
    assert isinstance(reply, MapReply)
    assert (reply.nonce, reply.probe, reply.echo_nonce, reply.security) == (7, False, False, False)
    (found,) = reply.records
    assert (answered(reply), found.ttl, found.authoritative) == (["10.2.0.0/16"], 10, False)
    assert [str(loc.address) for loc in found.locators] == [RLOC, "198.51.100.8"]
    assert not any(loc.local or loc.probed for loc in found.locators)
    assert bench.event_names() == ["map-reply-sent"]


def test_without_proxy_reply_the_etr_is_asked_with_the_same_packet(bench):
    message = request(7, "10.1.0.9")
    packet = EncapsulatedControl.wrap(at("10.77.0.1", 61000), at("10.1.0.9"), message.encode(), ttl=17)
    (send,) = bench.receive(packet.encode(), ITR)
    assert (send.destination, send.source, send.source_port) == (ETR, SERVER.address, 4342)
    forwarded = decode(send.payload)
    assert forwarded.packet == packet.packet
    assert (forwarded.to_etr, forwarded.to_ms, forwarded.security) == (True, False, False)
    assert bench.event_names() == ["map-request-forwarded"]


def test_a_plain_map_request_is_answered_and_sent_on_as_well(bench):
    (send,) = bench.receive(request(7, "10.2.0.9").encode(), at("203.0.113.9", 5555))
    assert send.destination == at("203.0.113.9", 5555)
    plain = request(7, "10.1.0.9").encode()
    (send,) = bench.receive(plain, at("203.0.113.9", 5555))
    inner = decode(send.payload).inner()
    assert (inner.source, inner.destination, inner.payload) == (at("203.0.113.9", 5555), SERVER, plain)


def test_the_site_may_want_proxy_replies_too():
    bench = Bench(site(HOME, proxy_reply=True))
    bench.register(register(1, record(HOME, RLOC)))
    assert answered(bench.ask("10.1.0.9")) == [HOME]


def test_a_static_registration(bench):
    (found,) = bench.ask("10.9.1.1").records
    assert ([str(loc.address) for loc in found.locators], found.authoritative) == ([RLOC], False)


def test_negative_replies(bench):
    unregistered = bench.ask("10.3.0.1")
    assert answered(unregistered) == ["10.3.0.0/16"]
    outside = bench.ask("10.4.0.1")
    assert answered(outside) == ["10.4.0.0/14"]
    found = [(r.ttl, r.action, r.locators) for r in (*unregistered.records, *outside.records)]
    assert found == [(1, Action.NATIVELY_FORWARD, ()), (15, Action.NATIVELY_FORWARD, ())]
    other_family = bench.ask("2001:db8::1")
    assert answered(other_family) == ["::/0"]


def test_a_registration_inside_the_site_is_left_out_of_the_hole(bench):
    bench.register(register(2, record("10.3.128.0/24", RLOC)))
    assert answered(bench.ask("10.3.1.1")) == ["10.3.0.0/17"]


def test_after_the_last_map_register_the_answer_turns_negative(bench):
    bench.later(181)
    (found,) = bench.ask("10.1.0.9").records
    assert (found.ttl, found.action, found.locators) == (1, Action.NATIVELY_FORWARD, ())


def test_a_late_timer_makes_nothing_live_longer(bench):
    bench.now += 181
    (found,) = bench.ask("10.1.0.9").records
    assert (found.ttl, found.locators) == (1, ())


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"probe": True}, ControlReason.PROBE_VIA_SYSTEM),
        ({"smr": True}, ControlReason.NOT_FOR_ROLE),
        ({"dont_reply": True}, ControlReason.NOT_FOR_ROLE),
        ({"itr": (None,)}, ControlReason.NO_ITR_RLOC),
        ({"itr": (ip_address("224.0.0.1"), ip_address("127.0.0.1"))}, ControlReason.NO_ITR_RLOC),
        ({"itr": (ip_address("fe80::1"),)}, ControlReason.NO_ITR_RLOC),
        ({"itr": (OtherAddress(6, bytes(6)),)}, ControlReason.NO_ITR_RLOC),
        ({"records": ()}, ControlReason.MALFORMED),
        ({"records": (RequestRecord(ip_address("10.2.0.1"), 33),)}, ControlReason.MALFORMED),
        ({"records": (RequestRecord(None, 0),)}, ControlReason.MALFORMED),
    ],
)
def test_map_requests_that_are_dropped(bench, flags, reason):
    payload = request(7, "10.2.0.9", **flags).encode()
    assert bench.receive(payload) == []
    packet = EncapsulatedControl.wrap(ITR, at("10.2.0.9"), payload).encode()
    assert bench.receive(packet) == []
    assert bench.dropped == {reason: 2}


def test_an_smr_invoked_map_request_is_an_ordinary_one(bench):
    assert answered(bench.ask("10.2.0.9", smr_invoked=True)) == ["10.2.0.0/16"]


def test_encapsulated_messages_that_are_dropped(bench):
    payload = request(7, "10.2.0.9").encode()
    good = EncapsulatedControl.wrap(ITR, at("10.2.0.9"), payload)
    damaged = bytearray(good.encode())
    damaged[-1] ^= 1
    assert bench.receive(bytes(damaged)) == []
    assert bench.receive(EncapsulatedControl(b"").encode()) == []
    assert bench.receive(EncapsulatedControl.wrap(ITR, at("10.2.0.9", 4343), payload).encode()) == []
    assert bench.dropped == {ControlReason.ECM_INNER: 3}
    reply = MapReply(7, ()).encode()
    assert bench.receive(EncapsulatedControl.wrap(ITR, at("10.2.0.9"), reply).encode()) == []
    assert bench.receive(EncapsulatedControl.wrap(ITR, at("10.2.0.9"), payload, to_etr=True).encode()) == []
    assert bench.receive(EncapsulatedControl.wrap(ITR, at("10.2.0.9"), payload, ddt=True).encode()) == []
    assert bench.dropped[ControlReason.NOT_FOR_ROLE] == 3


def test_a_port_that_cannot_be_answered(bench):
    assert bench.receive(request(7, "10.2.0.9").encode(), at("203.0.113.9", 4341)) == []
    assert bench.request(request(7, "10.2.0.9"), ITR, at("203.0.113.9", 0)) == []
    assert bench.dropped == {ControlReason.WRONG_PORT: 2}


def destinations(bench, *rlocs, source=ITR):
    itr = tuple(ip_address(rloc) for rloc in rlocs)
    return [str(send.destination.address) for send in bench.request(request(7, "10.2.0.9", itr=itr), source)]


def test_the_itr_rloc_with_the_best_proven_path(bench):
    assert destinations(bench, "2001:db8:9::9", "203.0.113.8", "203.0.113.9") == ["203.0.113.9"]
    assert destinations(bench, "2001:db8:9::9", "203.0.113.8", "203.0.113.7") == ["203.0.113.8"]
    assert destinations(bench, "2001:db8:9::9") == [], "nothing says yet that we have IPv6"
    assert bench.dropped == {ControlReason.NO_ITR_RLOC: 1}
    assert destinations(bench, "203.0.113.9", "2001:db8:9::9", source=ITR_V6) == ["2001:db8:9::9"]
    assert destinations(bench, "2001:db8:9::9") == ["2001:db8:9::9"]


def test_the_underlay_tells_our_families(bench):
    assert destinations(bench, "2001:db8:9::9") == []
    attachment = Attachment(ip_address("2001:db8::1"))
    bench.server.handle_underlay(Underlay((Interface("eth0", 2, True, WireMtu(1500), v6=attachment),)), bench.now)
    (send,) = bench.request(request(8, "10.2.0.9", itr=(ITR_V6.address,)))
    assert (send.destination.address, send.source) == (ITR_V6.address, None), (
        "the kernel chooses the other family's source"
    )


def test_loopback_answers_loopback_only(bench):
    assert destinations(bench, "127.0.0.1") == []
    assert destinations(bench, "127.0.0.1", source=at("127.0.0.1")) == ["127.0.0.1"]


def asked_etr(bench, *rlocs, source=ETR, nonce=10, **policy):
    said = record(HOME, *rlocs)
    locators = tuple(
        replace(loc, **policy) if index == 0 else replace(loc, priority=5) for index, loc in enumerate(said.locators)
    )
    bench.register(register(nonce, replace(said, locators=locators)), source)
    return [str(send.destination.address) for send in bench.request(request(nonce, "10.1.0.9"))]


def test_the_etr_that_registered_last_is_asked_if_it_is_a_locator(bench):
    assert asked_etr(bench, "198.51.100.8", "198.51.100.9", source=at("198.51.100.9")) == ["198.51.100.9"]


def test_else_the_best_locator(bench):
    assert asked_etr(bench, "198.51.100.8", "198.51.100.9", nonce=10) == ["198.51.100.8"]
    assert asked_etr(bench, "198.51.100.8", "198.51.100.9", nonce=11, priority=255) == ["198.51.100.9"]
    assert asked_etr(bench, "198.51.100.8", "198.51.100.9", nonce=12, reachable=False) == ["198.51.100.9"]


def test_else_the_address_that_registered(bench):
    assert asked_etr(bench, "2001:db8:7::7", nonce=10) == [RLOC]
    assert asked_etr(bench, "198.51.100.8", nonce=11, priority=255) == [RLOC]


def test_at_the_end_of_an_explicit_path_the_etr_is_asked_and_not_the_first_hop(bench):
    hops = tuple(Hop(ip_address(hop)) for hop in ("192.0.2.61", "192.0.2.62", "198.51.100.8"))
    known = replace(mapping(HOME), locators=(Locator(hops[0].address, path=hops),))
    bench.register(register(10, record_from_mapping(known)), at("198.51.100.9"))
    (send,) = bench.request(request(10, "10.1.0.9"))
    assert str(send.destination.address) == "198.51.100.8"


def test_never_ourselves(bench):
    assert asked_etr(bench, "192.0.2.1", nonce=10) == [RLOC]
    assert asked_etr(bench, "192.0.2.1", nonce=11, source=SERVER) == []
    assert bench.dropped == {ControlReason.LOCATOR_REFUSED: 1}


def test_several_records_are_each_answered(bench):
    sends = bench.request(request(7, "10.2.0.9", "10.4.0.1", "10.1.0.9", "10.1.0.10"))
    kinds = [type(message_of(send)).__name__ for send in sends]
    assert kinds == ["MapReply", "MapReply", "EncapsulatedControl"], "the ETR gets the whole Map-Request once"
    assert [answered(message_of(send)) for send in sends[:2]] == [["10.2.0.0/16"], ["10.4.0.0/14"]]


def test_of_many_records_a_bounded_number_is_answered(bench):
    """Each is answered by a message, so a question of 2 kB would hit its ITR-RLOC with 100."""
    sends = bench.request(request(7, *(f"10.4.{n}.1" for n in range(255))))
    assert len(sends) == map_resolver.MAX_RECORDS
    assert bench.dropped == {ControlReason.RATE_LIMITED: 1}


def test_one_map_request_goes_on_to_a_bounded_number_of_etrs():
    """Whole to each, so a question of 16 kB for the EIDs of 16 sites would make us send 256."""
    bench = Bench(*(site(f"10.{n}.0.0/16") for n in range(16)))
    for n in range(16):
        bench.register(register(1, record(f"10.{n}.0.0/16", f"198.51.100.{n + 10}")))
    sends = bench.request(request(7, *(f"10.{n}.0.1" for n in range(16))))
    assert [str(send.destination.address) for send in sends] == [f"198.51.100.{n + 10}" for n in range(4)]
    assert bench.dropped == {ControlReason.RATE_LIMITED: 12}


def test_overlapping_prefixes_come_in_one_map_reply_that_fits():
    bench = Bench(site("10.0.0.0/8", more_specifics=True, proxy_reply=True))
    texts = ["10.0.0.0/8", *(f"10.{n}.0.0/16" for n in range(100))]
    for text in texts:
        bench.register(register(1, record(text, RLOC)))
    (send,) = bench.request(request(7, "10.200.0.1"))
    assert answered(message_of(send)) == ["10.128.0.0/9"]
    (send,) = bench.request(request(7, "10.100.0.1"))
    assert len(send.payload) <= PAYLOAD_MAX[4]
    covering, *more = answered(message_of(send))
    assert covering == "10.96.0.0/11"
    assert more == [f"10.{n}.0.0/16" for n in range(96, 100)]


def test_one_question_is_answered_five_times_in_a_row_and_then_every_three_seconds(bench):
    def answers(count):
        return sum(len(bench.request(request(7, "10.2.0.9"))) for _ in range(count))

    assert answers(10) == 5
    assert bench.dropped == {ControlReason.RATE_LIMITED: 5}
    bench.later(3)
    assert answers(3) == 1
    assert len(bench.request(request(7, "10.2.0.10"))) == 1, "another question is not held up"


def test_a_destination_gets_a_bounded_number_of_messages(bench):
    def flood(eid):
        return sum(len(bench.request(request(7, eid.format(n >> 8, n & 255)))) for n in range(400))

    assert flood("10.2.{}.{}") == 200, "Map-Replies to one ITR-RLOC"
    assert flood("10.1.{}.{}") == 200, "Map-Requests to one ETR"
    bench.later(1)
    assert flood("10.2.{}.{}") == 100
