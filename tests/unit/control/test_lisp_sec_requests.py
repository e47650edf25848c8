"""An ITR with LISP-SEC, on the bench with a Map-Resolver of the test's own making (RFC 9303 sections 6.4 and 6.9)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.control import lisp_sec
from lispfast.control.lisp_sec import HmacId, KdfId
from lispfast.model.addresses import EidPrefix
from lispfast.model.mapping import Action, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType, LispSec, Use
from lispfast.wire.addresses import OtherAddress
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.lisp_sec import EidData
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.message import decode
from lispfast.wire.records import record_from_mapping

from .mn_helpers import ON_LTE, ON_WIFI, PEER, PEER_RLOC, SERVER, SERVER_2, Bench, host, mapping, settings

SECRET = Key(b"shared with the Map-Resolver", KeyType.HMAC_SHA256, 5)
PEER_PREFIX = str(host(PEER))
FORGED = ip_address("203.0.113.66")


class Resolver:
    """Opens what the node protected and answers it, well or badly."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def last(self) -> tuple[EncapsulatedControl, MapRequest]:
        _, message = self.bench.messages(EncapsulatedControl)[-1]
        return message, decode(message.inner().payload)

    @property
    def protected(self) -> bool:
        return self.last()[0].security

    def key(self) -> bytes:
        message, request = self.last()
        return lisp_sec.unwrap(message.authentication.key, [SECRET], request.nonce)

    def reply(
        self,
        *mappings: Mapping,
        vouched: str = PEER_PREFIX,
        hmac_id: HmacId = HmacId.SHA256_128,
        kdf_id: KdfId = KdfId.HKDF_SHA256,
        cant_sign: bool = False,
        key: bytes | None = None,
    ) -> MapReply:
        key = key or self.key()
        plain = MapReply(self.last()[1].nonce, tuple(record_from_mapping(m) for m in mappings or (TRUE,)))
        eid = lisp_sec.sign_prefixes(key, kdf_id, hmac_id, [EidPrefix.parse(vouched)], cant_sign=cant_sign)
        return lisp_sec.sign_reply(lisp_sec.derive(kdf_id, key), hmac_id, plain, eid)


TRUE = mapping(PEER_PREFIX, PEER_RLOC)


def asking(use: Use = Use.REQUIRED, **changes: object) -> tuple[Bench, Resolver]:
    """A node whose Map-Request for PEER is on its way."""
    bench = Bench(settings(lisp_sec=LispSec(use, (SECRET,)), map_request_retries=5, **changes), ON_WIFI)
    bench.punt(PEER)
    return bench, Resolver(bench)


def test_a_map_request_takes_a_wrapped_key_along():
    _, resolver = asking()
    message, request = resolver.last()
    data = message.authentication
    assert (data.requested_hmac_id, data.eid, data.key.key_id) == (2, EidData(2), 5)
    assert len(resolver.key()) == 16
    assert request.records == (RequestRecord(PEER, 32),)


def test_each_map_request_has_a_key_of_its_own():
    bench, resolver = asking()
    first = resolver.key()
    bench.pass_time(2.5)
    assert len(bench.questions()) == 3
    assert resolver.key() != first


def test_a_protected_reply_is_learnt_and_its_keys_are_forgotten():
    bench, resolver = asking()
    bench.pass_time(2.5)
    reply = resolver.reply()
    bench.receive(reply, SERVER)
    assert bench.ways(PEER)
    assert bench.dropped == {}
    assert len(bench.node.resolver.protection) == 0
    bench.receive(reply, SERVER)
    assert bench.dropped == {ControlReason.NONCE_UNKNOWN: 1}, "a replay"


def changed_eid_ad(reply: MapReply) -> MapReply:
    eid = reply.authentication.eid
    wider = replace(eid, signed=replace(eid.signed, records=(RequestRecord(ip_address("10.0.0.0"), 8),)))
    return replace(reply, authentication=replace(reply.authentication, eid=wider))


def stripped(reply: MapReply) -> MapReply:
    return replace(reply, authentication=None)


def changed_locator(reply: MapReply) -> MapReply:
    return replace(reply, records=(record_from_mapping(mapping(PEER_PREFIX, FORGED)),))


def trailing(reply: MapReply) -> MapReply:
    return replace(reply, trailing=b"x")


def bare_eid_ad(reply: MapReply) -> MapReply:
    return replace(reply, authentication=replace(reply.authentication, eid=EidData(2)))


def other_hmac(reply: MapReply) -> MapReply:
    return replace(reply, authentication=replace(reply.authentication, hmac_id=1))


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (changed_eid_ad, ControlReason.LISP_SEC_EID_HMAC),
        (bare_eid_ad, ControlReason.LISP_SEC_EID_HMAC),
        (changed_locator, ControlReason.LISP_SEC_PKT_HMAC),
        (trailing, ControlReason.LISP_SEC_PKT_HMAC),
        (stripped, ControlReason.LISP_SEC_MISSING),
        (other_hmac, ControlReason.LISP_SEC_ALGORITHM),
        (lambda reply: replace(reply, nonce=reply.nonce ^ 1), ControlReason.NONCE_UNKNOWN),
    ],
)
def test_a_forged_reply_changes_nothing_and_the_true_one_still_counts(forge, reason):
    bench, resolver = asking()
    true = resolver.reply()
    bench.receive(forge(true), SERVER)
    assert bench.dropped == {reason: 1}
    assert not bench.ways(PEER)
    bench.receive(true, SERVER)
    assert bench.ways(PEER)


@given(st.data())
def test_no_changed_byte_of_a_reply_is_learnt(data):
    bench, resolver = asking()
    octets = bytearray(resolver.reply().encode())
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    bench.receive(bytes(octets), SERVER)
    assert not bench.ways(PEER)
    assert sum(bench.dropped.values()) == 1


def test_a_reply_under_another_key_is_refused():
    bench, resolver = asking()
    bench.receive(resolver.reply(key=bytes(16)), SERVER)
    assert bench.dropped == {ControlReason.LISP_SEC_EID_HMAC: 1}
    assert not bench.ways(PEER)


def test_an_etr_that_signs_what_its_map_server_does_not_vouch_for_is_refused():
    """It has the MS-OTK, and so a right MAC over the whole: only the Map-Server's stands in its way."""
    bench, resolver = asking()
    bench.receive(resolver.reply(mapping("10.0.0.0/24", FORGED)), SERVER)
    assert bench.dropped == {ControlReason.LISP_SEC_OVERCLAIM: 1}
    assert not bench.ways(PEER)
    assert "map-reply-refused" in bench.event_names()


def test_of_several_records_those_stay_that_are_vouched_for():
    """The example of RFC 9303 section 6.9.1 in IPv4: one beside it, one within, one wider."""
    bench, resolver = asking()
    beside, wider = mapping("10.0.1.0/24", FORGED), mapping("10.0.0.0/16", FORGED)
    bench.receive(resolver.reply(beside, mapping("10.0.0.0/24", PEER_RLOC), wider, vouched="10.0.0.0/24"), SERVER)
    assert bench.dropped == {ControlReason.LISP_SEC_OVERCLAIM: 2}
    assert [entry.prefix for entry in bench.node.cache.entries()] == [EidPrefix.parse("10.0.0.0/24")]


def test_an_answer_by_the_other_algorithms_is_asked_for_then():
    """Section 6.9: who lacks what was asked for says so by using another."""
    bench, resolver = asking()
    bench.receive(resolver.reply(hmac_id=HmacId.SHA1_96, kdf_id=KdfId.HKDF_SHA1_128), SERVER)
    assert bench.dropped == {ControlReason.LISP_SEC_ALGORITHM: 1}
    assert not bench.ways(PEER)
    bench.pass_time(1.2)
    data = resolver.last()[0].authentication
    assert (data.requested_hmac_id, data.eid.kdf_id) == (1, 1)
    bench.receive(resolver.reply(hmac_id=HmacId.SHA1_96, kdf_id=KdfId.HKDF_SHA1_128), SERVER)
    assert bench.ways(PEER)


def test_on_too_asks_for_the_other_algorithms_with_protection():
    """Who answers by them has LISP-SEC, and is not one that is silent to it."""
    bench, resolver = asking(Use.ON)
    bench.receive(resolver.reply(hmac_id=HmacId.SHA1_96, kdf_id=KdfId.HKDF_SHA1_128), SERVER)
    bench.pass_time(1.2)
    assert resolver.protected
    assert resolver.last()[0].authentication.requested_hmac_id == 1


def test_a_record_that_is_no_eid_prefix_is_refused_by_who_reads_records():
    """LISP-SEC compares EID-prefixes; of what is none it has nothing to say."""
    bench, resolver = asking()
    odd = replace(record_from_mapping(TRUE), eid=OtherAddress(16389, bytes(6)), mask_len=48)
    plain = replace(resolver.reply(), records=(odd,), authentication=None)
    eid = lisp_sec.sign_prefixes(resolver.key(), KdfId.HKDF_SHA256, HmacId.SHA256_128, [EidPrefix.parse(PEER_PREFIX)])
    ms_key = lisp_sec.derive(KdfId.HKDF_SHA256, resolver.key())
    bench.receive(lisp_sec.sign_reply(ms_key, HmacId.SHA256_128, plain, eid), SERVER)
    assert bench.dropped == {ControlReason.MALFORMED: 1}
    assert not bench.ways(PEER)


def test_the_keys_of_a_lookup_that_nobody_answers_are_forgotten():
    bench, _ = asking()
    bench.pass_time(30)
    assert len(bench.node.resolver) == 0
    assert len(bench.node.resolver.protection) == 0


def test_nothing_is_left_of_lookups_that_are_over():
    """Whom we ask for is up to what strangers let our hosts send to."""
    bench, resolver = asking()
    bench.receive(resolver.reply(), SERVER)
    for n in range(50):
        bench.punt(ip_address(f"10.0.0.{100 + n}"))
    bench.pass_time(60)
    protection = bench.node.resolver.protection
    assert (len(bench.node.resolver), protection._wishes, protection._pending) == (0, {}, {})


def test_a_flood_of_forgeries_under_a_known_nonce_writes_few_lines():
    bench, resolver = asking()
    forged = changed_locator(resolver.reply())
    for _ in range(100):
        bench.receive(forged, SERVER)
    assert bench.dropped == {ControlReason.LISP_SEC_PKT_HMAC: 100}
    assert bench.event_names().count("map-reply-refused") == 3


def test_the_keys_of_many_moves_are_bounded():
    bench, _ = asking()
    for n in range(100):
        bench.pass_time(1.2)
        bench.move(ON_LTE if n % 2 else ON_WIFI)
    assert len(bench.node.resolver.protection) <= 16


# --- Required, on and off ---------------------------------------------------------------------------------------------


def test_required_never_asks_without():
    bench, resolver = asking(Use.REQUIRED)
    for _ in range(5):
        bench.receive(stripped(resolver.reply()), SERVER)
        bench.pass_time(1.2)
        assert resolver.protected
    assert not bench.ways(PEER)
    assert bench.dropped == {ControlReason.LISP_SEC_MISSING: 5}
    assert "lisp-sec-downgraded" not in bench.event_names()


def test_required_without_a_key_believes_nothing():
    bench = Bench(settings(lisp_sec=LispSec(Use.REQUIRED)), ON_WIFI)
    bench.know(PEER, PEER_RLOC)
    assert not bench.ways(PEER)
    assert bench.dropped == {ControlReason.LISP_SEC_MISSING: 1}


@pytest.mark.parametrize("lisp_sec_settings", [LispSec(), LispSec(Use.OFF, (SECRET,)), LispSec(Use.ON)])
def test_off_or_on_without_a_key_asks_without(lisp_sec_settings):
    bench = Bench(settings(lisp_sec=lisp_sec_settings), ON_WIFI)
    bench.punt(PEER)
    assert not Resolver(bench).protected
    bench.reply(TRUE)
    assert bench.ways(PEER)


def test_on_asks_without_after_an_answer_without_and_says_so_once():
    bench, resolver = asking(Use.ON)
    assert resolver.protected
    bench.receive(stripped(resolver.reply()), SERVER)
    assert not bench.ways(PEER), "discarded all the same (section 6.9)"
    bench.pass_time(1.2)
    assert not resolver.protected
    bench.reply(TRUE)
    assert bench.ways(PEER)
    assert bench.event_names().count("lisp-sec-downgraded") == 1
    bench.punt(ip_address("10.0.0.77"))
    assert not resolver.protected, "remembered of this Map-Resolver"
    assert bench.node.view("status", bench.now)["lisp_sec"] == {"use": "on", "unprotected": [str(SERVER)]}
    bench.pass_time(601)
    assert bench.node.view("status", bench.now)["lisp_sec"] == {"use": "on", "unprotected": []}
    bench.punt(ip_address("10.0.0.78"))
    assert resolver.protected, "and tried anew"


def test_on_asks_another_map_resolver_with_protection():
    bench, resolver = asking(Use.ON, map_resolvers=(SERVER, SERVER_2))
    bench.receive(stripped(resolver.reply()), SERVER)
    bench.pass_time(1.2)
    assert bench.messages(EncapsulatedControl)[-1][0].destination.address == SERVER_2
    assert resolver.protected


def test_on_asks_without_after_silence_and_remembers_it_after_three():
    bench, resolver = asking(Use.ON)
    for n in range(3):
        assert resolver.protected
        bench.pass_time(1.2)
        assert not resolver.protected
        bench.reply(mapping(f"{resolver.last()[1].records[0].eid}/32", PEER_RLOC))
        assert ("lisp-sec-downgraded" in bench.event_names()) == (n == 2)
        bench.punt(ip_address(f"10.0.0.{80 + n}"))
    assert not resolver.protected


def test_on_stays_protected_where_a_proven_map_resolver_is_silent():
    bench, resolver = asking(Use.ON)
    bench.receive(resolver.reply(), SERVER)
    bench.punt(ip_address("10.0.0.90"))
    for _ in range(4):
        assert resolver.protected
        bench.pass_time(1.2)


def negative(action: Action = Action.DROP) -> Mapping:
    return mapping(PEER_PREFIX, action=action, ttl=1)


def test_on_asks_without_where_no_etr_can_protect_its_answer():
    bench, resolver = asking(Use.ON)
    bench.receive(resolver.reply(negative(), cant_sign=True), SERVER)
    assert bench.dropped == {ControlReason.LISP_SEC_CANT_SIGN: 1}
    assert bench.event_names().count("lisp-sec-downgraded") == 1
    bench.pass_time(1.2)
    assert not resolver.protected
    bench.reply(TRUE)
    assert bench.ways(PEER)
    bench.punt(ip_address("10.0.0.91"))
    assert resolver.protected, "it says nothing of the Map-Resolver"


def test_on_takes_a_mapping_that_some_of_its_etrs_could_not_have_protected():
    """Section 6.7, the second rule: one of them did, and the E-bit is about the others."""
    bench, resolver = asking(Use.ON)
    bench.receive(resolver.reply(cant_sign=True), SERVER)
    assert bench.ways(PEER)
    assert bench.dropped == {}
    assert "lisp-sec-downgraded" not in bench.event_names()


def test_required_takes_the_negative_answer_instead():
    bench, resolver = asking(Use.REQUIRED)
    bench.receive(resolver.reply(negative(), cant_sign=True), SERVER)
    (entry,) = bench.node.cache.entries()
    assert entry.mapping.action is Action.DROP
    assert bench.dropped == {}


def test_no_key_shows_in_what_is_told():
    bench, resolver = asking(Use.ON)
    key, wrapped = resolver.key(), resolver.last()[0].authentication.key
    bench.receive(stripped(resolver.reply()), SERVER)
    shown = repr(bench.events) + repr(vars(bench.node.resolver.protection)) + repr(wrapped)
    shown += "".join(repr(bench.node.view(noun, bench.now)) for noun in ("status", "map-cache", "database"))
    for secret in (key, SECRET.secret, wrapped.data):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
