"""AES-128 (FIPS 197) and its key wrap (RFC 3394 section 2.2.1), slow and plain: the other opinion in tests."""

from __future__ import annotations


def _times(a: int, b: int) -> int:
    """The product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def _substitute(octet: int) -> int:
    inverse = next((x for x in range(256) if _times(octet, x) == 1), 0)
    turned = [inverse << n & 0xFF | inverse >> 8 - n for n in range(5)]
    return turned[0] ^ turned[1] ^ turned[2] ^ turned[3] ^ turned[4] ^ 0x63


_BOX = [_substitute(octet) for octet in range(256)]


def _round_keys(key: bytes) -> list[bytes]:
    words = [key[n : n + 4] for n in range(0, 16, 4)]
    constant = 1
    while len(words) < 44:
        word = words[-1]
        if len(words) % 4 == 0:
            word = bytes(_BOX[octet] for octet in word[1:] + word[:1])
            word = bytes((word[0] ^ constant,)) + word[1:]
            constant = _times(constant, 2)
        words.append(_xor(words[-4], word))
    return [b"".join(words[n : n + 4]) for n in range(0, 44, 4)]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _mix(column: bytes) -> bytes:
    matrix = ((2, 3, 1, 1), (1, 2, 3, 1), (1, 1, 2, 3), (3, 1, 1, 2))
    mixed = []
    for row in matrix:
        value = 0
        for factor, octet in zip(row, column, strict=True):
            value ^= _times(factor, octet)
        mixed.append(value)
    return bytes(mixed)


def encrypt(key: bytes, block: bytes) -> bytes:
    """One block."""
    keys = _round_keys(key)
    state = _xor(block, keys[0])
    for number, round_key in enumerate(keys[1:], 1):
        state = bytes(_BOX[state[(n + 4 * (n % 4)) % 16]] for n in range(16))
        if number < 10:
            state = b"".join(_mix(state[n : n + 4]) for n in range(0, 16, 4))
        state = _xor(state, round_key)
    return state


def key_wrap(key: bytes, data: bytes) -> bytes:
    """Eight bytes more than `data`, whose length is a multiple of eight."""
    first = b"\xa6" * 8
    rest = [data[n : n + 8] for n in range(0, len(data), 8)]
    for j in range(6):
        for i in range(len(rest)):
            block = encrypt(key, first + rest[i])
            first = _xor(block[:8], (len(rest) * j + i + 1).to_bytes(8, "big"))
            rest[i] = block[8:]
    return first + b"".join(rest)
