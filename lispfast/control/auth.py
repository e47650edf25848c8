"""Authentication of Map-Register, Map-Notify and Map-Notify-Ack (RFC 9301 sections 5.6, 5.7 and 12.5).

The MAC covers the whole UDP payload with the Authentication Data zeroed. The RFC's words stop at the last RLOC-record,
which would leave out the xTR-ID and Site-ID; every implementation measured covers them, and so do we.

    Algorithm ID    MAC            key of a message                          lengths taken    length sent
    0               none           none                                      0                0
    1               HMAC-SHA-1     the shared secret                         20, 12           20
    2               HMAC-SHA-256   the shared secret                         32, 16           32
    3               HMAC-SHA-256   HKDF-SHA256 of nonce and shared secret    32, 16           `Key.hkdf`, 32

Of algorithm 3 nobody else's messages were at hand, and the RFC leaves open what `Hkdf` has; it is experimental. We
read "KDF(nonce+PSK, s)" as input keying material and salt, the nonce as its 8 bytes, and derive 32 bytes.

A ring of keys takes the place of one while keys are changed: its first key signs, and a message is authentic under
any of those that have the Key ID and the algorithm which it claims.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import replace

from lispfast.control.hkdf import hkdf
from lispfast.model.settings import Key, KeyType
from lispfast.wire.auth_header import AUTH_OFFSET
from lispfast.wire.bits import unsigned
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_register import MapRegister

try:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.hmac import HMAC
except ImportError:  # pragma: no cover - the standard library computes the same, without the audited constant time
    STANDARD_LIBRARY_ONLY = True
else:
    STANDARD_LIBRARY_ONLY = False
"""Whether `cryptography` is missing, so that the daemon can warn once."""

Authenticated = MapRegister | MapNotify | MapNotifyAck

# --- From the RFC -----------------------------------------------------------------------------------------------------

# Section 5.6: the salt of algorithm 3.
SALTS: dict[type[Authenticated], bytes] = {
    MapRegister: b"Map-Register Authentication",
    MapNotify: b"Map-Notify Authentication",
    MapNotifyAck: b"Map-Notify-Ack Authentication",
}

# --- Ours -------------------------------------------------------------------------------------------------------------

# Full and truncated lengths. Section 12.5 names the truncated ones; Open Overlay Router, VPP, OpenDaylight and
# lispers.net all send the full one. No other length is compared at all, so a short MAC is never easier to guess.
_LENGTHS = {
    KeyType.NONE: (0,),
    KeyType.HMAC_SHA1: (20, 12),
    KeyType.HMAC_SHA256: (32, 16),
    KeyType.HKDF_SHA256: (32, 16),
}
_DERIVED = 32  # bytes of a message's key: as many as the hash has, as RFC 4868 section 2.1.1 wants of a key


def sign(message: Authenticated, key: Key) -> bytes:
    """The datagram of the message, with key-id, algorithm-id and the MAC of `key` filled in.

    ValueError where the key asks for a MAC of a length that nobody would take.
    """
    length = key.hkdf.mac_length if key.algorithm is KeyType.HKDF_SHA256 else _LENGTHS[key.algorithm][0]
    if length not in _LENGTHS[key.algorithm]:
        raise ValueError(f"a MAC of {length} bytes")
    unsigned_message = replace(message, key_id=key.key_id, algorithm_id=int(key.algorithm), auth_data=bytes(length))
    payload = bytearray(unsigned_message.encode())
    if length:
        payload[AUTH_OFFSET : AUTH_OFFSET + length] = _mac(bytes(payload), message, key)[:length]
    return bytes(payload)


def verify(payload: bytes, message: Authenticated, key: Key) -> bool:
    """Whether the MAC in `payload`, which decodes to `message`, was made with `key`.

    The algorithm must be the key's; a key-id of 0 in `key` accepts every key-id. Compares in constant time. A key of
    algorithm 0 accepts whatever claims no authentication.
    """
    length = len(message.auth_data)
    if not names(message, key) or length not in _LENGTHS[key.algorithm]:
        return False
    if key.algorithm is KeyType.NONE:
        return True
    end = AUTH_OFFSET + length
    expected = _mac(payload[:AUTH_OFFSET] + bytes(length) + payload[end:], message, key)
    return hmac.compare_digest(payload[AUTH_OFFSET:end], expected[:length])


def verifying(payload: bytes, message: Authenticated, keys: Iterable[Key]) -> Key | None:
    """The first key of a ring that the message is authentic under, with the Key ID that the message claims."""
    found = next((key for key in keys if verify(payload, message, key)), None)
    return None if found is None else replace(found, key_id=message.key_id)


def names(message: Authenticated, key: Key) -> bool:
    """Whether the message claims this key: its algorithm, and its key-id where one is configured."""
    return message.algorithm_id == int(key.algorithm) and key.key_id in (0, message.key_id)


def fingerprint(key: Key) -> str:
    """Eight hex digits that tell keys apart in the state on disk; a captured Map-Register gives away no less."""
    return _hmac(key.secret, b"lispfast key fingerprint", key.algorithm)[:4].hex()


def _mac(zeroed: bytes, message: Authenticated, key: Key) -> bytes:
    """The full MAC over the payload, whose Authentication Data is zero already."""
    secret = key.secret
    if key.algorithm is KeyType.HKDF_SHA256:
        nonce = unsigned(message.nonce, 8, "nonce")
        secret = hkdf("sha256", nonce + secret, SALTS[type(message)], key.hkdf.info, _DERIVED)
    return _hmac(secret, zeroed, key.algorithm)


def _hmac(secret: bytes, data: bytes, algorithm: KeyType) -> bytes:
    if STANDARD_LIBRARY_ONLY:
        digest = hashlib.sha1 if algorithm is KeyType.HMAC_SHA1 else hashlib.sha256
        return hmac.new(secret, data, digest).digest()
    context = HMAC(secret, hashes.SHA1() if algorithm is KeyType.HMAC_SHA1 else hashes.SHA256())
    context.update(data)
    return context.finalize()
