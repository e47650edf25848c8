from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.model.addresses import Endpoint
from lispfast.model.errors import WireError
from lispfast.wire.checksum import internet_checksum
from lispfast.wire.packet import InnerDatagram, decode_packet, encode_packet

from . import strategies

PAIR_V4 = Endpoint(ip_address("172.16.1.1"), 4342), Endpoint(ip_address("172.16.2.1"), 4342)
PAIR_V6 = Endpoint(ip_address("fd10::1:1"), 61000), Endpoint(ip_address("fd10::2:1"), 4342)
PAIRS = pytest.mark.parametrize("pair", [PAIR_V4, PAIR_V6], ids=["v4", "v6"])


def altered(octets: bytes, offset: int, new: str, fix_header: bool = True) -> bytes:
    """The packet with bytes overwritten and, for IPv4, the header's checksum made right again."""
    value = bytes.fromhex(new)
    changed = bytearray(octets[:offset] + value + octets[offset + len(value) :])
    if fix_header and octets[0] >> 4 == 4:
        changed[10:12] = bytes(2)
        changed[10:12] = internet_checksum(bytes(changed[:20])).to_bytes(2, "big")
    return bytes(changed)


def test_figure_of_ipv4() -> None:
    octets = encode_packet(*PAIR_V4, b"hello", ttl=255)
    assert octets[:10].hex() == "45000021000040 00ff11".replace(" ", "")
    assert octets[12:26].hex() == "ac100101ac100201" + "10f610f6000d"
    assert internet_checksum(octets[:20]) == 0
    assert octets[28:] == b"hello"


def test_figure_of_ipv6() -> None:
    octets = encode_packet(*PAIR_V6, b"hello")
    assert octets[:8].hex() == "60000000000d1140"
    assert octets[40:46].hex() == "ee4810f6000d"
    assert octets[48:] == b"hello"


@given(strategies.endpoint_pairs, st.binary(max_size=50), strategies.octet, st.binary(max_size=4))
def test_round_trip(pair: tuple[Endpoint, Endpoint], payload: bytes, ttl: int, padding: bytes) -> None:
    octets = encode_packet(*pair, payload, ttl)
    assert octets[-len(payload) - 2 : len(octets) - len(payload)] != bytes(2)
    assert decode_packet(octets + padding) == InnerDatagram(*pair, payload, ttl)


@PAIRS
def test_every_truncation_is_refused(pair: tuple[Endpoint, Endpoint]) -> None:
    octets = encode_packet(*pair, b"hello")
    for length in range(len(octets)):
        with pytest.raises(WireError):
            decode_packet(octets[:length])


@PAIRS
def test_a_checksum_of_zero_is_none_and_a_wrong_one_is_refused(pair: tuple[Endpoint, Endpoint]) -> None:
    octets = encode_packet(*pair, b"hello")
    udp = len(octets) - 13
    assert decode_packet(altered(octets, udp + 6, "0000")).payload == b"hello"
    with pytest.raises(WireError, match="checksum"):
        decode_packet(altered(octets, udp + 6, "1234"))
    for offset in (*range(udp, udp + 4), *range(udp + 8, udp + 13)):
        with pytest.raises(WireError, match="checksum"):
            decode_packet(altered(octets, offset, f"{octets[offset] ^ 0x20:02x}"))


@pytest.mark.parametrize(
    ("offset", "new", "problem"),
    [
        (0, "55", "version"),
        (0, "44", "header length"),
        (0, "4f", "needs 60 bytes|checksum"),
        (2, "0013", "total length"),
        (2, "0022", "payload"),
        (2, "001b", "UDP checksum"),
        (6, "2000", "fragment"),
        (6, "0001", "fragment"),
        (9, "06", "not UDP"),
        (24, "0007", "less than a header"),
        (24, "000e", "UDP payload"),
    ],
)
def test_ipv4_that_is_not_sound(offset: int, new: str, problem: str) -> None:
    with pytest.raises(WireError, match=problem):
        decode_packet(altered(encode_packet(*PAIR_V4, b"hello"), offset, new))


def test_ipv4_with_a_wrong_header_checksum() -> None:
    with pytest.raises(WireError, match="IPv4 checksum"):
        decode_packet(altered(encode_packet(*PAIR_V4, b"hello"), 8, "01", fix_header=False))


def test_ipv4_options_are_stepped_over() -> None:
    octets = encode_packet(*PAIR_V4, b"hello")
    header = bytearray(octets[:20] + b"\x01\x01\x01\x00")
    header[0] = 0x46
    header[2:4] = (len(octets) + 4).to_bytes(2, "big")
    header[10:12] = bytes(2)
    header[10:12] = internet_checksum(bytes(header)).to_bytes(2, "big")
    assert decode_packet(bytes(header) + octets[20:]) == decode_packet(octets)


@pytest.mark.parametrize(
    ("offset", "new", "problem"),
    [
        (6, "00", "not UDP"),  # a hop-by-hop header
        (6, "2c", "not UDP"),  # a fragment header
        (4, "0000", "needs"),
        (4, "000e", "payload"),
        (44, "0000", "less than a header"),  # a jumbogram
    ],
)
def test_ipv6_that_is_not_sound(offset: int, new: str, problem: str) -> None:
    with pytest.raises(WireError, match=problem):
        decode_packet(altered(encode_packet(*PAIR_V6, b"hello"), offset, new))


def test_port_4341_goes_neither_in_nor_out() -> None:
    source, destination = PAIR_V4
    with pytest.raises(ValueError, match="4341"):
        encode_packet(Endpoint(source.address, 4341), destination, b"")
    # The ports are 16 bits of the same sum, so that changing both in opposite directions keeps the checksum right.
    octets = altered(encode_packet(*PAIR_V4, b""), 20, "10f510f7")
    with pytest.raises(WireError, match="4341"):
        decode_packet(octets)


def test_families_do_not_mix() -> None:
    with pytest.raises(ValueError, match="families"):
        encode_packet(PAIR_V4[0], PAIR_V6[1], b"")


def test_more_than_an_ip_packet_holds_is_our_mistake() -> None:
    for pair in (PAIR_V4, PAIR_V6):
        with pytest.raises(ValueError, match="length"):
            encode_packet(*pair, bytes(65536 - 8))
