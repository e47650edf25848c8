"""The keys and MACs of LISP-SEC (RFC 9303): what ITR, Map-Resolver, Map-Server and ETR compute, and nothing of when.

    ITR-OTK     drawn by the ITR for one Map-Request; reaches the Map-Resolver wrapped under a secret of both
    MS-OTK      derived from it by the Map-Server; reaches the ETR wrapped under the secret of its registration
    EID-AD      the EID-prefixes that may be answered, with a MAC keyed with the ITR-OTK: an ETR cannot claim more
    PKT-AD      a MAC over the whole Map-Reply keyed with the MS-OTK

What the RFC leaves open, and how we read it: "KDF(x)" is HKDF with x as input keying material, no salt and no info, and
gives 16 bytes, since every key here has 128 bits; "+" is concatenation, the nonce its 8 bytes; MACs are truncated to
what their names say, 12 and 16 bytes; and it is the HMAC that is zero while it is computed, not the HMAC ID.

An unencrypted one-time key is refused in both directions, as no transport of ours is protected (section 6.5).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import replace
from enum import IntEnum

from lispfast.control.hkdf import hkdf
from lispfast.control.role import NonceSource
from lispfast.model.addresses import EidPrefix
from lispfast.model.errors import LispfastError
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType
from lispfast.model.units import Nonce
from lispfast.wire.bits import unsigned
from lispfast.wire.lisp_sec import EidData, ReplyAuthentication, SignedPrefixes, WrappedKey
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import RequestRecord
from lispfast.wire.records import wire_eid

try:
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
except ImportError:  # pragma: no cover - the standard library has no AES
    AVAILABLE = False
else:
    AVAILABLE = True
"""Whether `cryptography` is there: without it nothing is protected, and nothing protected can be read."""

# --- From the RFC -----------------------------------------------------------------------------------------------------

KEY_LENGTH = 16  # section 6.1: one-time keys have 128 bits
WRAPPED_LENGTH = 24  # section 6.5: a preamble of 64 bits and the key
_WRAP_STRING = b"OTK-Key-Wrap"  # section 6.5


class HmacId(IntEnum):
    """Section 8.3."""

    NO_PREFERENCE = 0
    SHA1_96 = 1
    SHA256_128 = 2


class KdfId(IntEnum):
    """Section 8.5."""

    NO_PREFERENCE = 0
    HKDF_SHA1_128 = 1
    HKDF_SHA256 = 2


class WrapId(IntEnum):
    """Section 8.4."""

    NULL = 1
    AES_HKDF_SHA256 = 2


_HMACS = {HmacId.SHA1_96: ("sha1", 12), HmacId.SHA256_128: ("sha256", 16)}
_KDFS = {KdfId.HKDF_SHA1_128: "sha1", KdfId.HKDF_SHA256: "sha256"}


class UnwrapError(LispfastError):
    """A one-time key cannot be had, and why."""

    def __init__(self, reason: ControlReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def one_time_key(nonces: NonceSource) -> bytes:
    """A fresh key: two draws of what gives unpredictable nonces (section 7.2)."""
    return b"".join(unsigned(nonces(), 8, "nonce") for _ in range(2))


def known_hmac(hmac_id: int) -> HmacId:
    """The algorithm that is asked for, the one that everybody has where we lack it (section 6.7.1)."""
    return HmacId(hmac_id) if hmac_id in _HMACS else HmacId.SHA256_128


def known_kdf(kdf_id: int) -> KdfId:
    """The algorithm that is asked for, the one that everybody has where we lack it (section 6.7.1)."""
    return KdfId(kdf_id) if kdf_id in _KDFS else KdfId.HKDF_SHA256


def derive(kdf_id: KdfId, itr_key: bytes) -> bytes:
    """The MS-OTK of an ITR-OTK (section 6.7.1); KeyError for an algorithm that is none."""
    return hkdf(_KDFS[kdf_id], itr_key, b"", b"", KEY_LENGTH)


def can_wrap(key: Key) -> bool:
    """Whether one-time keys can be wrapped under this secret at all."""
    return AVAILABLE and key.algorithm is not KeyType.NONE and bool(key.secret)


def wrap(one_time: bytes, key: Key, nonce: Nonce) -> WrappedKey:
    """A one-time key for who shares `key`, in the message with this nonce (section 6.5)."""
    return WrappedKey(key.key_id, WrapId.AES_HKDF_SHA256, aes_key_wrap(_wrapping_key(key, nonce), one_time))


def unwrap(wrapped: WrappedKey, keys: Iterable[Key], nonce: Nonce) -> bytes:
    """The one-time key, by that of `keys` with the Key ID it names that opens it; UnwrapError where there is none.

    A key-id of 0 in a key accepts every key-id, as for Map-Registers.
    """
    if wrapped.wrap_id != WrapId.AES_HKDF_SHA256 or len(wrapped.data) != WRAPPED_LENGTH:
        raise UnwrapError(ControlReason.LISP_SEC_UNENCRYPTED)
    named = [key for key in keys if key.key_id in (0, wrapped.key_id) and can_wrap(key)]
    if not named:
        raise UnwrapError(ControlReason.LISP_SEC_KEY_UNKNOWN)
    for key in named:
        try:
            return aes_key_unwrap(_wrapping_key(key, nonce), wrapped.data)
        except InvalidUnwrap:
            continue
    raise UnwrapError(ControlReason.LISP_SEC_UNWRAP)


def sign_prefixes(
    itr_key: bytes, kdf_id: KdfId, hmac_id: HmacId, prefixes: Iterable[EidPrefix], *, cant_sign: bool = False
) -> EidData:
    """The EID-AD that vouches for these EID-prefixes (section 6.7.1); `cant_sign` is the E-bit."""
    records = tuple(RequestRecord(wire_eid(prefix), prefix.length) for prefix in prefixes)
    unsigned_data = EidData(kdf_id, SignedPrefixes(records, hmac_id, bytes(_HMACS[hmac_id][1]), cant_sign))
    return _with_hmac(unsigned_data, _mac(hmac_id, itr_key, unsigned_data.encode()))


def prefixes_authentic(itr_key: bytes, data: EidData) -> bool:
    """Whether the MAC of an EID-AD was made with this ITR-OTK, by an algorithm that we have."""
    signed = data.signed
    if signed is None or signed.hmac_id not in _HMACS:
        return False
    hmac_id = HmacId(signed.hmac_id)
    expected = _mac(hmac_id, itr_key, _with_hmac(data, bytes(len(signed.hmac))).encode())
    return hmac.compare_digest(signed.hmac, expected)


def sign_reply(ms_key: bytes, hmac_id: HmacId, reply: MapReply, eid: EidData) -> MapReply:
    """The Map-Reply with Authentication Data: the EID-AD as it is, and a MAC over everything (section 6.8)."""
    unsigned_reply = replace(reply, authentication=ReplyAuthentication(eid, hmac_id, bytes(_HMACS[hmac_id][1])))
    mac = _mac(hmac_id, ms_key, unsigned_reply.encode())
    return replace(reply, authentication=ReplyAuthentication(eid, hmac_id, mac))


def reply_authentic(ms_key: bytes, reply: MapReply) -> bool:
    """Whether the MAC over a Map-Reply was made with this MS-OTK, by an algorithm that we have."""
    data = reply.authentication
    if data is None or data.hmac_id not in _HMACS:
        return False
    zeroed = replace(reply, authentication=replace(data, hmac=bytes(len(data.hmac))))
    return hmac.compare_digest(data.hmac, _mac(HmacId(data.hmac_id), ms_key, zeroed.encode()))


def _wrapping_key(key: Key, nonce: Nonce) -> bytes:
    return hkdf("sha256", unsigned(nonce, 8, "nonce") + _WRAP_STRING + key.secret, b"", b"", KEY_LENGTH)


def _mac(hmac_id: HmacId, key: bytes, data: bytes) -> bytes:
    hash_name, length = _HMACS[hmac_id]
    return hmac.digest(key, data, hash_name)[:length]


def _with_hmac(data: EidData, mac: bytes) -> EidData:
    assert data.signed is not None, "only a Map-Server's EID-AD has a MAC"
    return replace(data, signed=replace(data.signed, hmac=mac))
