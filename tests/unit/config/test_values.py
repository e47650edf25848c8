from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.config.schema import KEY_TYPES
from lispfast.config.values import (
    BadValueError,
    read_address,
    read_choice,
    read_flag,
    read_interface,
    read_key_type,
    read_number,
    read_path,
    read_prefix,
    read_secret,
)
from lispfast.model.settings import KeyType


def refused(read: Callable[[str], object], text: str) -> str:
    with pytest.raises(BadValueError) as caught:
        read(text)
    return f"{caught.value.text} ({caught.value.hint})" if caught.value.hint else caught.value.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.2.3", '"1.2.3" is no IPv4 or IPv6 address'),
        ("1.2.3.4/32", '"1.2.3.4/32" is no IPv4 or IPv6 address'),
        ("", '"" is no IPv4 or IPv6 address'),
        (
            "ms.example.org",
            '"ms.example.org" is no IPv4 or IPv6 address (names are not looked up: put its IPv4 or IPv6 address here)',
        ),
        ("0.0.0.0", '"0.0.0.0" is no unicast address'),
        ("255.255.255.255", '"255.255.255.255" is no unicast address'),
        ("ff02::1", '"ff02::1" is no unicast address'),
        ("224.0.0.1", '"224.0.0.1" is no unicast address'),
        ("fe80::1", '"fe80::1" is link-local: it means nothing beyond its link'),
        ("fe80::1%eth0", '"fe80::1%eth0" has a zone (leave out the part from % on)'),
    ],
)
def test_addresses_refused(text: str, said: str) -> None:
    assert refused(read_address, text) == said


def test_addresses() -> None:
    assert str(read_address("128.223.156.35")) == "128.223.156.35"
    assert str(read_address("2001:67C:21B4:108::b")) == "2001:67c:21b4:108::b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10.0.0.0", '"10.0.0.0" has no length (did you mean "10.0.0.0/32"?)'),
        ("2001:db8::1", '"2001:db8::1" has no length (did you mean "2001:db8::1/128"?)'),
        ("10.0.0.5/24", '"10.0.0.5/24" has bits set beyond its length (did you mean "10.0.0.0/24"?)'),
        ("2001:db8::1/64", '"2001:db8::1/64" has bits set beyond its length (did you mean "2001:db8::/64"?)'),
        ("10.0.0.0/33", '"10.0.0.0/33" is no EID-prefix (address/length)'),
        ("eth0", '"eth0" is no EID-prefix (address/length)'),
        ("10.0.0.0/255.0.0.0", '"10.0.0.0/255.0.0.0" is no EID-prefix (address/length, the length in bits)'),
        ("239.1.0.0/16", '"239.1.0.0/16" is multicast: no EID can be in it'),
        ("127.0.0.1/32", '"127.0.0.1/32" is loopback: no EID can be in it'),
        ("::1/128", '"::1/128" is loopback: no EID can be in it'),
        ("fe80::1/128", '"fe80::1/128" is link-local: no EID can be in it'),
        ("169.254.1.1/32", '"169.254.1.1/32" is link-local: no EID can be in it'),
        ("0.0.0.0/32", '"0.0.0.0/32" is unspecified: no EID can be in it'),
        ("::/128", '"::/128" is unspecified: no EID can be in it'),
    ],
)
def test_prefixes_refused(text: str, said: str) -> None:
    assert refused(lambda t: read_prefix(t, 0), text) == said


def test_prefixes() -> None:
    prefix = read_prefix("153.16.10.0/24", 7)
    assert (prefix.network, prefix.iid) == (ip_network("153.16.10.0/24"), 7)
    assert read_prefix("0.0.0.0/0", 0).length == 0


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("255", 255), ("0x1F", 31), ("0Xff", 255), ("-1", -1)])
def test_numbers(text: str, number: int) -> None:
    assert read_number(text, -1, 255) == number


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("256", '"256" is out of range (0 to 255)'),
        ("-1", '"-1" is out of range (0 to 255)'),
        ("1.5", '"1.5" is no number (0 to 255)'),
        ("", '"" is no number (0 to 255)'),
        ("٣", '"٣" is no number (0 to 255)'),
        ("010", '"010" starts with 0, which libconfuse reads as octal (10?)'),
        ("9" * 5000, f'"{"9" * 59}…" is no number (0 to 255)'),
    ],
)
def test_numbers_refused(text: str, said: str) -> None:
    assert refused(lambda t: read_number(t, 0, 255), text) == said


def test_flags() -> None:
    assert [read_flag(t) for t in ("on", "True", "YES", "off", "false", "No")] == [True] * 3 + [False] * 3
    assert refused(read_flag, "1") == '"1" is neither on nor off (on, true, yes or off, false, no)'


def test_choices() -> None:
    assert read_choice("HALVES", ("default", "halves")) == "halves"
    assert refused(lambda t: read_choice(t, ("default", "halves")), "halfs") == (
        '"halfs" is not known here (did you mean "halves"?)'
    )
    assert refused(lambda t: read_choice(t, ("default", "halves")), "xyz") == (
        '"xyz" is not known here (one of default, halves)'
    )


def test_key_types() -> None:
    names = ("1", "2", "3", "none", "hmac-sha-1", "HMAC-SHA-256", "hmac-sha-256-hkdf", "None")
    kinds = [KeyType.HMAC_SHA1, KeyType.HMAC_SHA256, KeyType.HKDF_SHA256, KeyType.NONE]
    assert [read_key_type(name, KEY_TYPES) for name in names] == kinds * 2
    assert "0 is cleartext (use 2, or none" in refused(lambda t: read_key_type(t, KEY_TYPES), "0")
    assert "did you mean" in refused(lambda t: read_key_type(t, KEY_TYPES), "hmac-sha256")


def test_secrets_are_the_bytes_of_the_file() -> None:
    assert read_secret("foo%bar") == b"foo%bar"
    assert read_secret("é\udcff") == b"\xc3\xa9\xff"
    assert refused(read_secret, "") == "the key is empty"
    assert "longer than 255" in refused(read_secret, "x" * 256)


def test_interfaces() -> None:
    assert read_interface("enp0s31f6.4000a") == "enp0s31f6.4000a"
    assert refused(read_interface, "enp0s31f6.4000ab") == (
        '"enp0s31f6.4000ab" is no interface name (at most 15 characters)'
    )
    assert "tunnel's own" in refused(read_interface, "lmn0")
    for text in ("", "a b", "a/b", "eth0:1", ".", "..", "a\n"):
        assert "is no interface name" in refused(read_interface, text)


def test_paths() -> None:
    assert read_path("/run/x") == "/run/x"
    assert refused(read_path, "run/x") == '"run/x" is no absolute path (start it with /)'
    assert "too long" in refused(lambda t: read_path(t, 10), "/" + "x" * 10)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (
        read_address,
        lambda t: read_prefix(t, 0),
        lambda t: read_number(t, 0, 255),
        read_flag,
        lambda t: read_key_type(t, KEY_TYPES),
        read_secret,
        read_interface,
        read_path,
    ):
        with suppress(BadValueError):
            read(text)
