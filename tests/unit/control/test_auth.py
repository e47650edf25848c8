import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.control import auth
from lispfast.model.settings import Hkdf, Key, KeyType
from lispfast.model.units import Nonce
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_register import MapRegister
from lispfast.wire.message import decode

from .ms_helpers import record

SHA1 = Key(b"secret", KeyType.HMAC_SHA1)
SHA256 = Key(b"secret", KeyType.HMAC_SHA256)
HKDF = Key(b"secret", KeyType.HKDF_SHA256)
NONE = Key(b"", KeyType.NONE)
RECORDS = (record("10.1.0.0/16", "198.51.100.7"),)


def truncated(payload: bytes, length: int, full: int) -> bytes:
    """The datagram again with a MAC cut to `length`, made as a sender of such MACs makes it."""
    claimed = payload[:14] + length.to_bytes(2, "big") + bytes(length) + payload[16 + full :]
    digest = hashlib.sha1 if full == 20 else hashlib.sha256
    return claimed[:16] + hmac.new(b"secret", claimed, digest).digest()[:length] + claimed[16 + length :]


@pytest.mark.parametrize("kind", [MapRegister, MapNotify, MapNotifyAck])
@pytest.mark.parametrize(("key", "length"), [(SHA1, 20), (SHA256, 32)])
def test_sign_fills_a_full_length_mac_over_everything(kind, key, length):
    message = kind(nonce=Nonce(7), records=RECORDS, identity=XtrIdentity(1, 2))
    payload = auth.sign(message, replace(key, key_id=9))
    assert payload[12:16] == bytes((9, int(key.algorithm), 0, length))
    zeroed = payload[:16] + bytes(length) + payload[16 + length :]
    digest = hashlib.sha1 if length == 20 else hashlib.sha256
    assert payload[16 : 16 + length] == hmac.new(b"secret", zeroed, digest).digest()
    assert auth.verify(payload, decode(payload), key)


@given(st.data(), st.sampled_from([SHA1, SHA256, HKDF]))
def test_no_changed_byte_verifies(data, key):
    payload = bytearray(auth.sign(MapRegister(Nonce(7), RECORDS), key))
    message = decode(bytes(payload))
    # Not the type and the Record Count, the lengths and the counts: with them it decodes to another message or to none.
    at = data.draw(st.integers(0, len(payload) - 1).filter(lambda at: at not in (0, 3, 14, 15)))
    payload[at] ^= data.draw(st.integers(1, 255))
    assert not auth.verify(bytes(payload), message, key)


def test_an_added_byte_does_not_verify():
    payload = auth.sign(MapRegister(Nonce(7), RECORDS), SHA256) + b"\0"
    assert not auth.verify(payload, decode(payload), SHA256)


@pytest.mark.parametrize(("key", "full", "cut"), [(SHA1, 20, 12), (SHA256, 32, 16)])
def test_only_the_full_and_the_named_length_are_accepted(key, full, cut):
    payload = auth.sign(MapRegister(Nonce(7), RECORDS), key)
    accepted = {
        length
        for length in range(full + 1)
        if auth.verify(short := truncated(payload, length, full), decode(short), key)
    }
    assert accepted == {cut, full}


def test_the_key_must_be_the_one_that_the_message_claims():
    payload = auth.sign(MapRegister(Nonce(7), RECORDS), replace(SHA256, key_id=3))
    message = decode(payload)
    assert auth.verify(payload, message, SHA256), "a key-id of 0 is any"
    assert auth.verify(payload, message, replace(SHA256, key_id=3))
    assert not auth.verify(payload, message, replace(SHA256, key_id=4))
    assert not auth.verify(payload, message, SHA1)
    assert not auth.verify(payload, message, Key(b"secreT", KeyType.HMAC_SHA256))


@pytest.mark.parametrize("key", [SHA1, SHA256, HKDF])
def test_the_standard_library_computes_the_same(monkeypatch, key):
    message = MapRegister(Nonce(7), RECORDS)
    with_cryptography = auth.sign(message, key)
    assert not auth.STANDARD_LIBRARY_ONLY
    monkeypatch.setattr(auth, "STANDARD_LIBRARY_ONLY", True)
    assert auth.sign(message, key) == with_cryptography
    assert auth.verify(with_cryptography, decode(with_cryptography), key)


def test_fingerprints_tell_keys_apart_and_show_nothing():
    names = {auth.fingerprint(key) for key in (SHA1, SHA256, Key(b"other", KeyType.HMAC_SHA1))}
    assert len(names) == 3
    assert auth.fingerprint(SHA1) == auth.fingerprint(replace(SHA1, key_id=5))


def expected_of_algorithm_3(payload: bytes, length: int, salt: bytes, info: bytes = b"") -> bytes:
    """RFC 9301 section 5.6 and RFC 5869 by hand: one block of HKDF is all that 32 bytes take."""
    extracted = hmac.new(salt, payload[4:12] + b"secret", hashlib.sha256).digest()
    derived = hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()
    zeroed = payload[:16] + bytes(length) + payload[16 + length :]
    return hmac.new(derived, zeroed, hashlib.sha256).digest()[:length]


@pytest.mark.parametrize(
    ("kind", "salt"),
    [
        (MapRegister, b"Map-Register Authentication"),
        (MapNotify, b"Map-Notify Authentication"),
        (MapNotifyAck, b"Map-Notify-Ack Authentication"),
    ],
)
@pytest.mark.parametrize("options", [Hkdf(), Hkdf(b"lisp", 16)])
def test_algorithm_3_derives_a_key_for_each_message(kind, salt, options):
    key = replace(HKDF, hkdf=options)
    payload = auth.sign(kind(nonce=Nonce(0x0102030405060708), records=RECORDS), key)
    assert payload[12:16] == bytes((0, 3, 0, options.mac_length))
    expected = expected_of_algorithm_3(payload, options.mac_length, salt, options.info)
    assert payload[16 : 16 + options.mac_length] == expected
    assert auth.verify(payload, decode(payload), key)
    assert not auth.verify(payload, decode(payload), replace(key, hkdf=replace(options, info=b"other")))


def test_algorithm_3_takes_both_lengths_whichever_it_sends():
    payload = auth.sign(MapRegister(Nonce(7), RECORDS), replace(HKDF, hkdf=Hkdf(mac_length=16)))
    assert auth.verify(payload, decode(payload), HKDF)


@pytest.mark.parametrize("length", [0, 12, 20, 33])
def test_a_mac_of_a_length_that_nobody_takes_is_not_sent(length):
    with pytest.raises(ValueError, match="a MAC of"):
        auth.sign(MapRegister(Nonce(7), RECORDS), replace(HKDF, hkdf=Hkdf(mac_length=length)))


def test_algorithm_0_has_no_authentication_data_and_counts_only_for_a_key_of_that_name():
    payload = auth.sign(MapRegister(Nonce(7), RECORDS), NONE)
    message = decode(payload)
    assert payload[12:16] == bytes(4)
    assert auth.verify(payload, message, NONE)
    assert not any(auth.verify(payload, message, key) for key in (SHA1, SHA256, HKDF))
    signed = auth.sign(MapRegister(Nonce(7), RECORDS), SHA256)
    assert not auth.verify(signed, decode(signed), NONE), "a MAC is not nothing"
    padded = payload[:14] + b"\0\x04" + bytes(4) + payload[16:]
    assert not auth.verify(padded, decode(padded), NONE)


def test_a_ring_finds_the_key_by_what_the_message_claims():
    old, new = replace(SHA1, key_id=1), Key(b"newer", KeyType.HMAC_SHA256, 2)
    rolled = Key(b"newest", KeyType.HMAC_SHA256, 2)
    ring = (new, rolled, old)
    for key in ring:
        payload = auth.sign(MapRegister(Nonce(7), RECORDS), key)
        assert auth.verifying(payload, decode(payload), ring) == key, "two keys may have one Key ID"
    stranger = auth.sign(MapRegister(Nonce(7), RECORDS), replace(rolled, key_id=3))
    assert auth.verifying(stranger, decode(stranger), ring) is None
    assert auth.verifying(stranger, decode(stranger), ()) is None


def test_a_key_for_every_key_id_answers_with_the_one_that_was_claimed():
    payload = auth.sign(MapRegister(Nonce(7), RECORDS), replace(SHA256, key_id=9))
    assert auth.verifying(payload, decode(payload), (SHA256,)) == replace(SHA256, key_id=9)


def test_a_key_shows_nothing_of_its_secret():
    key = Key(b"do not tell", KeyType.HKDF_SHA256)
    assert "tell" not in repr(key) + auth.fingerprint(key)
    assert auth.fingerprint(NONE)
