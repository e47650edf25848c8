"""A Map-Server and an ETR with LISP-SEC on the bench (RFC 9303 sections 6.5 to 6.8)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import lisp_sec
from lispfast.control.lisp_sec import HmacId, KdfId, WrapId
from lispfast.control.map_server import MapServer
from lispfast.model.addresses import CONTROL_PORT, Endpoint
from lispfast.model.mapping import Action
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType, LispSec, MapServerSettings, Mode, Settings, Site, Use
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.lisp_sec import EidData, RequestAuthentication, WrappedKey
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.records import eid_prefix

from . import mn_helpers as mn
from .ms_helpers import (
    ETR,
    ITR,
    KEY,
    OTHER_KEY,
    Bench,
    at,
    mapping,
    message_of,
    prefix,
    record,
    register,
    request,
    site,
)

SECRET = Key(b"shared with ITRs", KeyType.HMAC_SHA256, 5)
OTK = bytes(range(100, 116))
NONCE = 0xABC
ETR_2 = at("198.51.100.8")
EID = "10.1.2.3"
SITE = "10.1.0.0/16"


def server(*sites: Site, use: Use = Use.ON, **changes: object) -> Bench:
    bench = Bench(*sites)
    settings = Settings(Mode.MS, sites=sites, lisp_sec=LispSec(use, (SECRET,)), **changes)  # type: ignore[arg-type]
    bench.server = MapServer(settings, _no_nonce, {})
    return bench


def _no_nonce() -> int:
    raise AssertionError("it makes no key of its own")


def protection(hmac_id: int = HmacId.SHA256_128, kdf_id: int = KdfId.HKDF_SHA256) -> RequestAuthentication:
    return RequestAuthentication(lisp_sec.wrap(OTK, SECRET, NONCE), hmac_id, EidData(kdf_id))


def ask(bench: Bench, eid: str = EID, authentication: RequestAuthentication | None = None) -> list:
    """What the Map-Server sends when an ITR asks, decoded."""
    inner = Endpoint(ip_address(eid), CONTROL_PORT)
    wrapped = EncapsulatedControl.wrap(
        ITR, inner, request(NONCE, eid).encode(), authentication=authentication or protection()
    )
    return [(send, message_of(send)) for send in bench.receive(wrapped.encode(), ITR)]


def the_reply(bench: Bench, **kwargs: object) -> MapReply:
    """The one Map-Reply, its MACs verified as an ITR would."""
    ((send, reply),) = ask(bench, **kwargs)  # type: ignore[arg-type]
    assert isinstance(reply, MapReply)
    assert send.destination == ITR
    kdf_id = KdfId(reply.authentication.eid.kdf_id)
    assert lisp_sec.prefixes_authentic(OTK, reply.authentication.eid)
    assert lisp_sec.reply_authentic(lisp_sec.derive(kdf_id, OTK), reply)
    return reply


def vouched(eid: EidData) -> list[str]:
    return [str(eid_prefix(one.eid, one.mask_len)) for one in eid.signed.records]


def etr_registers(bench: Bench, nonce: int = 1, source: Endpoint = ETR, key: Key = KEY, **flags: object) -> None:
    bench.register(register(nonce, record(SITE, str(source.address)), **flags), source, key)


# --- Table 1 of section 6.7 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", [True, False])
def test_who_wants_proxy_replies_gets_a_protected_one_whatever_its_s_bit(security):
    bench = server(site(SITE))
    etr_registers(bench, proxy_reply=True, security=security)
    reply = the_reply(bench)
    assert vouched(reply.authentication.eid) == [SITE]
    assert not reply.authentication.eid.signed.cant_sign
    assert reply.records[0].locators


def forwarded(bench: Bench) -> tuple[object, EncapsulatedControl]:
    ((send, message),) = ask(bench)
    assert isinstance(message, EncapsulatedControl)
    assert message.to_etr
    return send, message


def test_an_etr_with_the_s_bit_gets_a_derived_key_under_its_own_secret():
    bench = server(site(SITE))
    etr_registers(bench, security=True)
    send, message = forwarded(bench)
    assert send.destination.address == ETR.address
    data = message.authentication
    assert lisp_sec.unwrap(data.key, [KEY], NONCE) == lisp_sec.derive(KdfId.HKDF_SHA256, OTK)
    assert data.requested_hmac_id == HmacId.SHA256_128
    assert lisp_sec.prefixes_authentic(OTK, data.eid)
    assert vouched(data.eid) == [SITE]
    assert not data.eid.signed.cant_sign
    assert OTK not in message.encode()


def test_the_secret_is_the_one_that_the_etr_registered_with_last():
    old, new = replace(KEY, key_id=1), replace(OTHER_KEY, key_id=2)
    bench = server(replace(site(SITE, new), other_keys=(old,)))
    etr_registers(bench, security=True, key=old)
    assert forwarded(bench)[1].authentication.key.key_id == 1
    etr_registers(bench, nonce=2, security=True, key=new)
    wrapped = forwarded(bench)[1].authentication.key
    assert wrapped.key_id == 2
    assert lisp_sec.unwrap(wrapped, [new], NONCE)


@pytest.mark.parametrize("last", ["with", "without"])
def test_of_several_etrs_one_with_the_s_bit_answers_and_the_others_set_the_e_bit(last):
    bench = server(site(SITE))
    with_it = (ETR, {"security": True})
    without = (ETR_2, {})
    for nonce, (source, flags) in enumerate([without, with_it] if last == "with" else [with_it, without], 1):
        etr_registers(bench, nonce, source, merge=True, **flags)
    send, message = forwarded(bench)
    assert send.destination.address == ETR.address
    assert message.authentication.eid.signed.cant_sign


def test_of_several_etrs_with_the_s_bit_the_one_that_registered_last_answers():
    bench = server(site(SITE))
    for nonce, source in enumerate((ETR, ETR_2, ETR), 1):
        etr_registers(bench, nonce, source, merge=True, security=True)
        send, message = forwarded(bench)
        assert send.destination.address == source.address
        assert not message.authentication.eid.signed.cant_sign
        bench.now += 3


def test_where_no_etr_has_the_s_bit_the_answer_is_negative_with_the_e_bit():
    bench = server(site(SITE))
    etr_registers(bench)
    reply = the_reply(bench)
    (negative,) = reply.records
    assert negative.locators == ()
    assert (negative.action, negative.ttl) == (Action.DROP, 1)
    assert reply.authentication.eid.signed.cant_sign
    assert vouched(reply.authentication.eid) == [SITE]


def test_an_etr_without_a_secret_counts_as_one_without_the_s_bit():
    nobody = Key(b"", KeyType.NONE)
    bench = server(site(SITE, nobody))
    etr_registers(bench, key=nobody, security=True)
    assert the_reply(bench).authentication.eid.signed.cant_sign


@pytest.mark.parametrize("eid", [EID, "192.168.1.1"])
def test_a_hole_is_told_with_protection(eid):
    bench = server(site(SITE))
    reply = the_reply(bench, eid=eid)
    assert reply.records[0].locators == ()
    assert not reply.authentication.eid.signed.cant_sign
    assert prefix(vouched(reply.authentication.eid)[0]).covers(prefix(f"{eid}/32"))


def test_a_static_registration_is_told_with_protection():
    bench = server(static_registrations=(mapping(SITE, "198.51.100.7"),))
    assert vouched(the_reply(bench).authentication.eid) == [SITE]


def test_a_map_request_without_protection_is_answered_as_ever():
    bench = server(site(SITE))
    etr_registers(bench, security=True)
    (send,) = bench.request(request(NONCE, EID))
    assert not message_of(send).security


# --- Algorithms and sizes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "used"), [(0, 2), (1, 1), (2, 2), (77, 2)])
def test_the_hmac_and_the_kdf_are_those_asked_for_where_we_have_them(asked, used):
    bench = server(static_registrations=(mapping(SITE, "198.51.100.7"),))
    data = the_reply(bench, authentication=protection(asked, asked)).authentication
    assert (data.eid.kdf_id, data.eid.signed.hmac_id, data.hmac_id) == (used, used, used)


def test_a_protected_reply_keeps_to_the_size_for_an_unknown_path():
    more = [mapping(f"10.1.{n}.0/24", "198.51.100.7", "2001:db8::7") for n in range(30)]
    bench = server(static_registrations=(mapping(SITE, "198.51.100.7"), *more))
    sizes = [len(send.payload) for eid in (EID, "10.1.15.1", "10.1.99.1") for send, _ in ask(bench, eid)]
    assert sizes
    assert max(sizes) <= 548


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (lisp_sec.wrap(OTK, replace(SECRET, key_id=9), NONCE), ControlReason.LISP_SEC_KEY_UNKNOWN),
        (lisp_sec.wrap(OTK, replace(SECRET, secret=b"x"), NONCE), ControlReason.LISP_SEC_UNWRAP),
        (lisp_sec.wrap(OTK, SECRET, NONCE + 1), ControlReason.LISP_SEC_UNWRAP),
        (WrappedKey(5, WrapId.NULL, bytes(8) + OTK), ControlReason.LISP_SEC_UNENCRYPTED),
        (WrappedKey(5, WrapId.AES_HKDF_SHA256, bytes(8)), ControlReason.LISP_SEC_UNENCRYPTED),
    ],
)
def test_a_map_request_whose_key_cannot_be_had_is_dropped(key, reason):
    bench = server(site(SITE))
    etr_registers(bench, proxy_reply=True)
    assert ask(bench, authentication=replace(protection(), key=key)) == []
    assert bench.dropped == {reason: 1}
    assert bench.event_names().count("map-request-refused") == 1
    for _ in range(20):
        ask(bench, authentication=replace(protection(), key=key))
    assert bench.event_names().count("map-request-refused") <= 3, "whoever sends such things fills no log"


def test_off_answers_without_protection():
    bench = server(site(SITE), use=Use.OFF)
    etr_registers(bench, proxy_reply=True)
    ((_, reply),) = ask(bench)
    assert not reply.security


# --- The ETR ----------------------------------------------------------------------------------------------------------


def etr(use: Use = Use.ON, key: Key = mn.KEY, *others: Key) -> mn.Bench:
    servers = (MapServerSettings(mn.SERVER, key, other_keys=others),)
    return mn.Bench(mn.settings(map_servers=servers, lisp_sec=LispSec(use)), mn.ON_WIFI)


def mandate(key: Key = mn.KEY, hmac_id: int = HmacId.SHA256_128, signed: bool = True) -> RequestAuthentication:
    """What a Map-Server sends along for the node's EID."""
    eid = lisp_sec.sign_prefixes(OTK, KdfId.HKDF_SHA256, HmacId.SHA256_128, [mn.host(mn.EID)])
    ms_key = lisp_sec.derive(KdfId.HKDF_SHA256, OTK)
    return RequestAuthentication(lisp_sec.wrap(ms_key, key, NONCE), hmac_id, eid if signed else EidData(2))


def asks_etr(bench: mn.Bench, authentication: RequestAuthentication | None) -> list[MapReply]:
    bench.clear()
    inner = Endpoint(mn.PEER, CONTROL_PORT), Endpoint(mn.EID, CONTROL_PORT)
    question = request(NONCE, str(mn.EID), itr=(mn.PEER_RLOC,)).encode()
    message = EncapsulatedControl.wrap(*inner, question, to_etr=True, authentication=authentication)
    bench.receive(message, mn.SERVER)
    return [reply for _, reply in bench.replies()]


@pytest.mark.parametrize(("asked", "used"), [(0, 2), (1, 1), (2, 2), (77, 2)])
def test_an_etr_copies_the_eid_ad_and_signs_the_whole(asked, used):
    given = mandate(hmac_id=asked)
    (reply,) = asks_etr(etr(), given)
    assert reply.authentication.eid == given.eid
    assert reply.authentication.hmac_id == used
    assert lisp_sec.reply_authentic(lisp_sec.derive(KdfId.HKDF_SHA256, OTK), reply)
    assert reply.records[0].authoritative


def test_an_etr_knows_every_key_of_its_ring():
    old = replace(mn.KEY, secret=b"the old one")
    (reply,) = asks_etr(etr(Use.ON, mn.KEY, old), mandate(old))
    assert reply.security


@pytest.mark.parametrize(
    ("authentication", "reason"),
    [
        (mandate(mn.WRONG_KEY), ControlReason.LISP_SEC_UNWRAP),
        (replace(mandate(), key=WrappedKey(0, WrapId.NULL, bytes(8) + OTK)), ControlReason.LISP_SEC_UNENCRYPTED),
        (mandate(signed=False), ControlReason.MALFORMED),
    ],
)
def test_an_etr_drops_what_it_cannot_open(authentication, reason):
    bench = etr()
    assert asks_etr(bench, authentication) == []
    assert bench.dropped == {reason: 1}
    assert bench.event_names().count("map-request-refused") == 1
    for _ in range(20):
        asks_etr(bench, authentication)
    assert bench.event_names().count("map-request-refused") <= 3, "whoever sends such things fills no log"


def test_an_etr_answers_without_what_came_without():
    (reply,) = asks_etr(etr(), None)
    assert not reply.security


def test_an_etr_that_has_it_off_answers_without():
    (reply,) = asks_etr(etr(Use.OFF), mandate())
    assert not reply.security


@pytest.mark.parametrize(
    ("use", "key", "security"),
    [
        (Use.OFF, mn.KEY, False),
        (Use.ON, mn.KEY, True),
        (Use.REQUIRED, mn.KEY, True),
        (Use.ON, Key(b"", KeyType.NONE), False),
    ],
)
def test_a_map_register_says_whether_we_have_it(use, key, security):
    bench = etr(use, key)
    assert [message.security for _, message in bench.messages(MapRegister)] == [security]


def test_the_registrations_of_a_map_server_show_no_secret():
    bench = server(site(SITE))
    etr_registers(bench, security=True)
    ask(bench)
    shown = repr(bench.events) + repr(bench.sites()) + repr(bench.server.view("status", bench.now))
    registrations = bench.server.registrations.prefixes.items()
    shown += repr(list(registrations))
    for secret in (KEY.secret, SECRET.secret, OTK):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown


def test_the_map_request_goes_on_to_the_etr_byte_for_byte():
    bench = server(site(SITE))
    etr_registers(bench, security=True)
    _, message = forwarded(bench)
    assert message.inner().payload == request(NONCE, EID).encode()
