from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import example, given
from hypothesis import strategies as st

from lispfast.wire.checksum import internet_checksum, udp_checksum, udp_checksum_holds


def slow_checksum(data: bytes) -> int:
    """RFC 1071 word by word, the carry added at once."""
    total = 0
    for i in range(0, len(data), 2):
        total += (data[i] << 8) + (data[i + 1] if i + 1 < len(data) else 0)
        if total > 0xFFFF:
            total -= 0xFFFF
    return 0xFFFF - total


@given(st.binary(max_size=100))
@example(b"")
@example(bytes(8))
@example(b"\xff\xff")
@example(b"\xff\xfe\x00\x01")
@example(b"\xff" * 7)
def test_equals_the_slow_one(data: bytes) -> None:
    assert internet_checksum(data) == slow_checksum(data)


def test_the_example_of_rfc_1071() -> None:
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@given(st.binary(min_size=2, max_size=64).filter(lambda data: len(data) % 2 == 0))
def test_data_with_its_checksum_gives_zero(data: bytes) -> None:
    assert internet_checksum(data + internet_checksum(data).to_bytes(2, "big")) == 0


def test_udp_of_both_families_holds_until_a_byte_changes() -> None:
    for low, high in (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")):
        kind = IPv6Address if ":" in low else IPv4Address
        source, destination = kind(low), kind(high)
        head, payload = bytes.fromhex("10f610f6000d"), b"hello"
        checksum = udp_checksum(source, destination, head + bytes(2) + payload)
        datagram = head + checksum.to_bytes(2, "big") + payload
        assert udp_checksum_holds(source, destination, datagram)
        assert not udp_checksum_holds(source, destination, datagram[:-1] + b"p")
        assert not udp_checksum_holds(source, source, datagram)


def test_a_checksum_that_comes_out_as_zero_is_sent_as_all_ones() -> None:
    source = destination = IPv4Address("0.0.0.0")
    # Pseudo-header 0x0011 + 0x000a, length 0x000a, ports 0: the payload makes the sum 0xffff.
    datagram = bytes.fromhex("00000000000a0000") + (0xFFFF - 0x11 - 0xA - 0xA).to_bytes(2, "big")
    assert udp_checksum(source, destination, datagram) == 0xFFFF
