"""One big packet into the many that it stands for, slow and obviously right: each is built whole, from its fields."""

from __future__ import annotations

TCP, UDP = 6, 17
FIN, PSH, CWR = 0x01, 0x08, 0x80


def checksum(data: bytes) -> int:
    """RFC 1071, two bytes at a time."""
    data += b"\0" * (len(data) % 2)
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2], "big")
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def put(data: bytes, at: int, value: int, size: int = 2) -> bytes:
    return data[:at] + value.to_bytes(size, "big") + data[at + size :]


def number(data: bytes, at: int, size: int = 2) -> int:
    return int.from_bytes(data[at : at + size], "big")


def pseudo(packet: bytes, protocol: int, length: int, destination: bytes | None = None) -> bytes:
    """The pseudo header of RFC 9293 section 3.1 and RFC 8200 section 8.1."""
    if packet[0] >> 4 == 4:
        return packet[12:16] + (destination or packet[16:20]) + bytes([0, protocol]) + length.to_bytes(2, "big")
    return packet[8:24] + (destination or packet[24:40]) + length.to_bytes(4, "big") + bytes([0, 0, 0, protocol])


def complete(packet: bytes, protocol: int, start: int, destination: bytes | None = None) -> bytes:
    """The packet with the checksum of its transport header."""
    offset = start + (16 if protocol == TCP else 6)
    packet = put(packet, offset, 0)
    value = checksum(pseudo(packet, protocol, len(packet) - start, destination) + packet[start:])
    return put(packet, offset, value or (0xFFFF if protocol == UDP else 0))


def with_lengths(packet: bytes) -> bytes:
    """The packet with the length that it has in its IP header, and the checksum of that."""
    if packet[0] >> 4 == 6:
        return put(packet, 4, len(packet) - 40)
    header = (packet[0] & 15) * 4
    packet = put(put(packet, 2, len(packet)), 10, 0)
    return put(packet, 10, checksum(packet[:header]))


def segment(packet: bytes, protocol: int, start: int, size: int, destination: bytes | None = None) -> list[bytes]:
    """The packets, of at most `size` bytes of payload, that one with its TCP or UDP header at `start` stands for.

    A routing header is told by the `destination` that the pseudo header has.
    """
    version = packet[0] >> 4
    tcp = protocol == TCP
    headers = start + ((packet[start + 12] >> 4) * 4 if tcp else 8)
    whole = packet[headers:]
    payloads = [whole[at : at + size] for at in range(0, len(whole), size)]
    made = []
    for index, payload in enumerate(payloads):
        one = packet[:headers] + payload
        if version == 4:
            one = put(one, 4, (number(packet, 4) + index) % 2**16)
        if tcp:
            one = put(one, start + 4, (number(packet, start + 4, 4) + index * size) % 2**32, 4)
            flags = packet[start + 13]
            if index > 0:
                flags &= ~CWR
            if index < len(payloads) - 1:
                flags &= ~(FIN | PSH)
            one = put(one, start + 13, flags, 1)
        else:
            one = put(one, start + 4, 8 + len(payload))
        made.append(complete(with_lengths(one), protocol, start, destination))
    return made
