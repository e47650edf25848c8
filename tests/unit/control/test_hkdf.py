"""HKDF against the test cases of RFC 5869, appendix A."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.control.hkdf import hkdf

COUNTED = bytes(range(256))

CASES = {
    "A.1": (
        "sha256",
        b"\x0b" * 22,
        COUNTED[:0x0D],
        COUNTED[0xF0:0xFA],
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    "A.2": (
        "sha256",
        COUNTED[:0x50],
        COUNTED[0x60:0xB0],
        COUNTED[0xB0:],
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    "A.3": (
        "sha256",
        b"\x0b" * 22,
        b"",
        b"",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
    "A.4": (
        "sha1",
        b"\x0b" * 11,
        COUNTED[:0x0D],
        COUNTED[0xF0:0xFA],
        "085a01ea1b10f36933068b56efa5ad81a4f14b822f5b091568a9cdd4f155fda2c22e422478d305f3f896",
    ),
    "A.5": (
        "sha1",
        COUNTED[:0x50],
        COUNTED[0x60:0xB0],
        COUNTED[0xB0:],
        "0bd770a74d1160f7c9f12cd5912a06ebff6adcae899d92191fe4305673ba2ffe8fa3f1a4e5ad79f3f334b3b202b2173c"
        "486ea37ce3d397ed034c7f9dfeb15c5e927336d0441f4c4300e2cff0d0900b52d3b4",
    ),
    "A.6": (
        "sha1",
        b"\x0b" * 22,
        b"",
        b"",
        "0ac1af7002b3d761d1e55298da9d0506b9ae52057220a306e07b6b87e8df21d0ea00033de03984d34918",
    ),
    "A.7": (
        "sha1",
        b"\x0c" * 22,
        b"",
        b"",
        "2c91117204d745f3500d636a62f64f0ab3bae548aa53d423b0d1f27ebba6f5e5673a081d70cce7acfc48",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cases_of_the_rfc(case):
    hash_name, secret, salt, info, output = CASES[case]
    expected = bytes.fromhex(output)
    assert hkdf(hash_name, secret, salt, info, len(expected)) == expected


@given(st.sampled_from(["sha1", "sha256"]), st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 100))
def test_less_is_a_part_of_more_and_the_first_block_is_two_hmacs(hash_name, secret, info, length):
    whole = hkdf(hash_name, secret, b"salt", info, 100)
    assert hkdf(hash_name, secret, b"salt", info, length) == whole[:length]
    extracted = hmac.new(b"salt", secret, getattr(hashlib, hash_name)).digest()
    first = hmac.new(extracted, info + b"\x01", getattr(hashlib, hash_name)).digest()
    assert whole.startswith(first)


@pytest.mark.parametrize("length", [-1, 255 * 32 + 1])
def test_more_than_there_is_and_less_than_nothing_are_refused(length):
    with pytest.raises(ValueError, match="bytes of HKDF"):
        hkdf("sha256", b"secret", b"", b"", length)
