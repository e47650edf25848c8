"""The authentication header of Map-Register, Map-Notify, Map-Notify-Ack and Info messages (RFC 9301 section 5.6).

Older texts read Key ID and Algorithm ID as one 16-bit Key ID whose value names the algorithm: the same bytes with a
Key ID of 0.
"""

from __future__ import annotations

from typing import NamedTuple

from lispfast.wire.bits import unsigned
from lispfast.wire.cursor import Cursor

AUTH_OFFSET = 16  # RFC 9301 section 5.6: where the authentication data starts in types 3, 4 and 5


class AuthHeader(NamedTuple):
    """Key ID, Algorithm ID and the authentication data, whose length goes onto the wire before it."""

    key_id: int
    algorithm_id: int
    auth_data: bytes


def encode_auth(key_id: int, algorithm_id: int, auth_data: bytes) -> bytes:
    """The 4 bytes of the header and the authentication data."""
    header = unsigned(key_id, 1, "Key ID") + unsigned(algorithm_id, 1, "Algorithm ID")
    return header + unsigned(len(auth_data), 2, "authentication data length") + auth_data


def read_auth(cursor: Cursor) -> AuthHeader:
    """Read one at the cursor."""
    key_id = cursor.unsigned(1, "Key ID")
    algorithm_id = cursor.unsigned(1, "Algorithm ID")
    length = cursor.unsigned(2, "authentication data length")
    return AuthHeader(key_id, algorithm_id, cursor.take(length, "authentication data"))
