"""The internet checksum (RFC 1071) and the pseudo-headers of UDP."""

from __future__ import annotations

from lispfast.model.addresses import Address

PROTOCOL_UDP = 17


def internet_checksum(data: bytes) -> int:
    """The complement of the ones' complement sum of 16-bit words, 0 to 0xffff; an odd byte is padded with zero.

    Over data that holds its own correct checksum this is 0.
    """
    if len(data) % 2:
        data += b"\0"
    total = int.from_bytes(data, "big")
    # 2**16 is 1 modulo 0xffff, so the remainder is the folded sum; a sum that is a multiple folds to 0xffff, not to 0.
    folded = total % 0xFFFF or (0xFFFF if total else 0)
    return 0xFFFF - folded


def pseudo_header(source: Address, destination: Address, udp_length: int) -> bytes:
    """What the UDP checksum covers beside the datagram (RFC 768; RFC 8200 section 8.1)."""
    if source.version == 4:
        return source.packed + destination.packed + bytes((0, PROTOCOL_UDP)) + udp_length.to_bytes(2, "big")
    return source.packed + destination.packed + udp_length.to_bytes(4, "big") + bytes((0, 0, 0, PROTOCOL_UDP))


def udp_checksum(source: Address, destination: Address, datagram: bytes) -> int:
    """The checksum of a UDP header with payload whose checksum field is zero; never 0, which means none (RFC 768)."""
    return internet_checksum(pseudo_header(source, destination, len(datagram)) + datagram) or 0xFFFF


def udp_checksum_holds(source: Address, destination: Address, datagram: bytes) -> bool:
    """Whether the checksum inside a whole UDP datagram is right; the caller looks for the zero that means none."""
    return internet_checksum(pseudo_header(source, destination, len(datagram)) + datagram) == 0
