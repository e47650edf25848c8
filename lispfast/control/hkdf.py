"""HKDF, which makes a key of other secrets (RFC 5869)."""

from __future__ import annotations

import hmac

HASHES = {"sha1": 20, "sha256": 32}
"""The hash functions that LISP uses it with, by their name in hashlib, and how many bytes they give."""


def hkdf(hash_name: str, secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """`length` bytes out of `secret`, the input keying material; an empty salt is as many zeros as the hash has bytes.

    ValueError for more than 255 times the hash.
    """
    size = HASHES[hash_name]
    if not 0 <= length <= 255 * size:
        raise ValueError(f"{length} bytes of HKDF over {hash_name}")
    extracted = hmac.digest(salt or bytes(size), secret, hash_name)
    block, expanded, counter = b"", b"", 1
    while len(expanded) < length:
        block = hmac.digest(extracted, block + info + bytes((counter,)), hash_name)
        expanded += block
        counter += 1
    return expanded[:length]
