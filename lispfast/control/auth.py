"""Authentication of Map-Register, Map-Notify and Map-Notify-Ack (RFC 9301 sections 5.6, 5.7 and 12.5).

The MAC covers the whole UDP payload with the Authentication Data zeroed. The RFC's words stop at the last RLOC-record,
which would leave out the xTR-ID and Site-ID; every implementation measured covers them, and so do we.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

from lispfast.model.settings import Key, KeyType
from lispfast.wire.auth_header import AUTH_OFFSET
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

# --- Ours -------------------------------------------------------------------------------------------------------------

# Full and truncated lengths. Section 12.5 names the truncated ones; Open Overlay Router, VPP, OpenDaylight and
# lispers.net all send the full one. No other length is compared at all, so a short MAC is never easier to guess.
_LENGTHS = {KeyType.HMAC_SHA1: (20, 12), KeyType.HMAC_SHA256: (32, 16)}

Authenticated = MapRegister | MapNotify | MapNotifyAck


def sign(message: Authenticated, key: Key) -> bytes:
    """The datagram of the message, with key-id, algorithm-id and a full-length MAC of `key` filled in."""
    zeros = bytes(_LENGTHS[key.algorithm][0])
    unsigned = replace(message, key_id=key.key_id, algorithm_id=int(key.algorithm), auth_data=zeros)
    payload = bytearray(unsigned.encode())
    mac = _mac(bytes(payload), key)
    payload[AUTH_OFFSET : AUTH_OFFSET + len(mac)] = mac
    return bytes(payload)


def verify(payload: bytes, message: Authenticated, key: Key) -> bool:
    """Whether the MAC in `payload`, which decodes to `message`, was made with `key`.

    The algorithm must be the key's; a key-id of 0 in `key` accepts every key-id. Compares in constant time.
    """
    if not names(message, key) or len(message.auth_data) not in _LENGTHS[key.algorithm]:
        return False
    end = AUTH_OFFSET + len(message.auth_data)
    claimed = payload[AUTH_OFFSET:end]
    expected = _mac(payload[:AUTH_OFFSET] + bytes(len(claimed)) + payload[end:], key)
    return hmac.compare_digest(claimed, expected[: len(message.auth_data)])


def names(message: Authenticated, key: Key) -> bool:
    """Whether the message claims this key: its algorithm, and its key-id where one is configured."""
    return message.algorithm_id == int(key.algorithm) and key.key_id in (0, message.key_id)


def fingerprint(key: Key) -> str:
    """Eight hex digits that tell keys apart in the state on disk; a captured Map-Register gives away no less."""
    return _mac(b"lispfast key fingerprint", key)[:4].hex()


def _mac(data: bytes, key: Key) -> bytes:
    if STANDARD_LIBRARY_ONLY:
        digest = hashlib.sha1 if key.algorithm is KeyType.HMAC_SHA1 else hashlib.sha256
        return hmac.new(key.secret, data, digest).digest()
    context = HMAC(key.secret, hashes.SHA1() if key.algorithm is KeyType.HMAC_SHA1 else hashes.SHA256())
    context.update(data)
    return context.finalize()
