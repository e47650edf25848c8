"""The cryptography of LISP-SEC against an independent one of hashlib, hmac and an AES written out."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.control import lisp_sec
from lispfast.control.lisp_sec import HmacId, KdfId, UnwrapError, WrapId
from lispfast.model.addresses import EidPrefix
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType
from lispfast.model.units import Nonce
from lispfast.wire.cursor import Cursor
from lispfast.wire.lisp_sec import EidData
from lispfast.wire.map_reply import MapReply
from lispfast.wire.message import decode
from lispfast.wire.records import record_from_mapping

from .ms_helpers import mapping
from .slow_aes import key_wrap

OTK = bytes(range(16))
NONCE = Nonce(0x0102030405060708)
KEY = Key(b"of the Map-Resolver", KeyType.HMAC_SHA256, 3)
PREFIXES = (EidPrefix.parse("10.1.0.0/16"), EidPrefix.parse("2001:db8:103::/48"))
REPLY = MapReply(NONCE, (record_from_mapping(mapping("10.1.0.0/16", "198.51.100.7")),))


def slow_kdf(hash_name: str, secret: bytes) -> bytes:
    """RFC 5869 without salt and info, cut to 16 bytes: less than a block."""
    size = hashlib.new(hash_name).digest_size
    extracted = hmac.new(bytes(size), secret, hash_name).digest()
    return hmac.new(extracted, b"\x01", hash_name).digest()[:16]


def test_the_slow_key_wrap_is_that_of_rfc_3394():
    """Section 4.1 of RFC 3394."""
    key, data = bytes(range(16)), bytes.fromhex("00112233445566778899aabbccddeeff")
    assert key_wrap(key, data).hex() == "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"


@pytest.mark.parametrize(("kdf", "name"), [(KdfId.HKDF_SHA1_128, "sha1"), (KdfId.HKDF_SHA256, "sha256")])
def test_the_key_of_the_map_server_is_derived_from_that_of_the_itr(kdf, name):
    assert lisp_sec.derive(kdf, OTK) == slow_kdf(name, OTK)


def test_a_key_is_wrapped_under_a_key_of_nonce_string_and_secret():
    wrapped = lisp_sec.wrap(OTK, KEY, NONCE)
    wrapping_key = slow_kdf("sha256", NONCE.to_bytes(8, "big") + b"OTK-Key-Wrap" + KEY.secret)
    assert (wrapped.key_id, wrapped.wrap_id, len(wrapped.data)) == (3, 2, 24)
    assert wrapped.data == key_wrap(wrapping_key, OTK)
    assert lisp_sec.unwrap(wrapped, [KEY], NONCE) == OTK


def test_the_ring_is_asked_for_the_key_id_and_every_key_of_it_is_tried():
    wrapped = lisp_sec.wrap(OTK, KEY, NONCE)
    others = [replace(KEY, secret=b"rolled over"), Key(b"other", KeyType.HMAC_SHA256, 4)]
    assert lisp_sec.unwrap(wrapped, [*others, KEY], NONCE) == OTK
    assert lisp_sec.unwrap(wrapped, [replace(KEY, key_id=0)], NONCE) == OTK


@pytest.mark.parametrize(
    ("keys", "nonce", "change", "reason"),
    [
        ([], NONCE, {}, ControlReason.LISP_SEC_KEY_UNKNOWN),
        ([replace(KEY, key_id=4)], NONCE, {}, ControlReason.LISP_SEC_KEY_UNKNOWN),
        ([Key(b"", KeyType.NONE, 3)], NONCE, {}, ControlReason.LISP_SEC_KEY_UNKNOWN),
        ([replace(KEY, secret=b"wrong")], NONCE, {}, ControlReason.LISP_SEC_UNWRAP),
        ([KEY], Nonce(NONCE + 1), {}, ControlReason.LISP_SEC_UNWRAP),
        ([KEY], NONCE, {"data": bytes(24)}, ControlReason.LISP_SEC_UNWRAP),
        ([KEY], NONCE, {"data": bytes(16)}, ControlReason.LISP_SEC_UNENCRYPTED),
        ([KEY], NONCE, {"data": bytes(8) + OTK, "wrap_id": WrapId.NULL}, ControlReason.LISP_SEC_UNENCRYPTED),
        ([KEY], NONCE, {"wrap_id": 77}, ControlReason.LISP_SEC_UNENCRYPTED),
    ],
)
def test_what_cannot_be_unwrapped_says_why(keys, nonce, change, reason):
    wrapped = replace(lisp_sec.wrap(OTK, KEY, NONCE), **change)
    with pytest.raises(UnwrapError) as told:
        lisp_sec.unwrap(wrapped, keys, nonce)
    assert told.value.reason is reason


@given(st.integers(0, 23), st.integers(1, 255))
def test_no_changed_byte_unwraps(at, change):
    wrapped = lisp_sec.wrap(OTK, KEY, NONCE)
    data = bytearray(wrapped.data)
    data[at] ^= change
    with pytest.raises(UnwrapError):
        lisp_sec.unwrap(replace(wrapped, data=bytes(data)), [KEY], NONCE)


# --- MACs -------------------------------------------------------------------------------------------------------------

HMACS = [(HmacId.SHA1_96, "sha1", 12), (HmacId.SHA256_128, "sha256", 16)]


@pytest.mark.parametrize(("hmac_id", "name", "length"), HMACS)
@pytest.mark.parametrize("cant_sign", [False, True])
def test_the_prefixes_have_a_mac_over_all_of_the_eid_ad(hmac_id, name, length, cant_sign):
    data = lisp_sec.sign_prefixes(OTK, KdfId.HKDF_SHA256, hmac_id, PREFIXES, cant_sign=cant_sign)
    octets = data.encode()
    zeroed = octets[:-length] + bytes(length)
    assert octets[-length:] == hmac.new(OTK, zeroed, name).digest()[:length]
    assert int.from_bytes(octets[:2], "big") == len(octets)
    assert lisp_sec.prefixes_authentic(OTK, EidData.read(Cursor(octets)))
    assert not lisp_sec.prefixes_authentic(bytes(16), data)


@pytest.mark.parametrize(("hmac_id", "name", "length"), HMACS)
def test_a_reply_has_a_mac_over_all_of_it(hmac_id, name, length):
    eid = lisp_sec.sign_prefixes(OTK, KdfId.HKDF_SHA256, HmacId.SHA256_128, PREFIXES)
    reply = lisp_sec.sign_reply(OTK, hmac_id, REPLY, eid)
    octets = reply.encode()
    zeroed = octets[:-length] + bytes(length)
    assert octets[-length:] == hmac.new(OTK, zeroed, name).digest()[:length]
    assert reply.authentication.eid == eid
    assert lisp_sec.reply_authentic(OTK, decode(octets))
    assert not lisp_sec.reply_authentic(bytes(16), reply)


@given(st.data())
def test_no_changed_byte_of_a_reply_is_authentic(data):
    eid = lisp_sec.sign_prefixes(OTK, KdfId.HKDF_SHA256, HmacId.SHA256_128, PREFIXES)
    ms_key = lisp_sec.derive(KdfId.HKDF_SHA256, OTK)
    octets = bytearray(lisp_sec.sign_reply(ms_key, HmacId.SHA256_128, REPLY, eid).encode())
    at = data.draw(st.integers(1, len(octets) - 1))
    octets[at] ^= data.draw(st.integers(1, 255))
    try:
        reply = decode(bytes(octets))
    except lisp_sec.LispfastError:
        return
    assert not lisp_sec.reply_authentic(ms_key, reply)


@pytest.mark.parametrize("length", range(20))
def test_only_the_exact_length_is_compared(length):
    eid = lisp_sec.sign_prefixes(OTK, KdfId.HKDF_SHA256, HmacId.SHA256_128, PREFIXES)
    zeroed = replace(eid, signed=replace(eid.signed, hmac=bytes(length)))
    full = hmac.new(OTK, zeroed.encode(), "sha256").digest()
    short = replace(eid, signed=replace(eid.signed, hmac=full[:length]))
    assert lisp_sec.prefixes_authentic(OTK, short) == (length == 16)


@pytest.mark.parametrize("unknown", [0, 3, 0xFFFF])
def test_unknown_algorithms_are_replaced_when_asked_for_and_refused_when_used(unknown):
    assert lisp_sec.known_hmac(unknown) is HmacId.SHA256_128
    assert lisp_sec.known_kdf(unknown) is KdfId.HKDF_SHA256
    eid = lisp_sec.sign_prefixes(OTK, KdfId.HKDF_SHA256, HmacId.SHA256_128, PREFIXES)
    assert not lisp_sec.prefixes_authentic(OTK, replace(eid, signed=replace(eid.signed, hmac_id=unknown)))
    reply = lisp_sec.sign_reply(OTK, HmacId.SHA256_128, REPLY, eid)
    other = replace(reply, authentication=replace(reply.authentication, hmac_id=unknown))
    assert not lisp_sec.reply_authentic(OTK, other)


def test_an_eid_ad_of_an_itr_vouches_for_nothing():
    assert not lisp_sec.prefixes_authentic(OTK, EidData(2))
    assert not lisp_sec.reply_authentic(OTK, REPLY)


def test_a_one_time_key_is_two_draws():
    drawn = iter((Nonce(1), Nonce(2**64 - 1)))
    assert lisp_sec.one_time_key(lambda: next(drawn)) == bytes(7) + b"\x01" + b"\xff" * 8


def test_no_key_shows():
    wrapped = lisp_sec.wrap(OTK, KEY, NONCE)
    shown = repr(wrapped) + repr(KEY)
    assert KEY.secret.decode() not in shown
    assert repr(wrapped.data) not in shown


def test_a_key_without_an_algorithm_or_a_secret_wraps_nothing():
    assert lisp_sec.can_wrap(Key(b"a secret", KeyType.HMAC_SHA256))
    assert not lisp_sec.can_wrap(Key(b"a secret", KeyType.NONE))
    assert not lisp_sec.can_wrap(Key(b"", KeyType.HMAC_SHA256))
