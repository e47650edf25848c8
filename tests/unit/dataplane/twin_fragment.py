"""IPv4 fragments, slow and obviously right (RFC 791 section 3.2), and what a receiver makes of them."""

from __future__ import annotations

from .twin_segment import checksum, number, put, with_lengths

MORE = 0x2000


def options(header: bytes) -> list[bytes]:
    """The options of an IPv4 header, without no-operations and what follows the end; ValueError for one cut off."""
    left, found = header[20:], []
    while left and left[0] != 0:
        size = 1 if left[0] == 1 else int.from_bytes(left[1:2])
        if left[0] != 1 and not 2 <= size <= len(left):
            raise ValueError(left)
        if left[0] != 1:
            found.append(left[:size])
        left = left[size:]
    return found


def later_header(header: bytes) -> bytes:
    """The header of the fragments after the first: the options with the copied flag, in their order."""
    copied = b"".join(option for option in options(header) if option[0] & 0x80)
    copied += bytes(-len(copied) % 4)
    return bytes([0x40 | (20 + len(copied)) // 4]) + header[1:20] + copied


def fewest(packet: bytes, room: int) -> int:
    """The least number of fragments of at most `room` bytes, by trying every number."""
    header = packet[: (packet[0] & 15) * 4]
    payload = len(packet) - len(header)
    if len(packet) <= room:
        return 1
    most, last = (room - len(header)) // 8 * 8, room - len(later_header(header))
    return next(count for count in range(2, payload + 2) if (count - 1) * most + last >= payload)


def fragment(packet: bytes, room: int, each: int) -> list[bytes]:
    """Fragments of `each` bytes of payload, the last of what is left."""
    header = packet[: (packet[0] & 15) * 4]
    payload, field = packet[len(header) :], number(packet, 6)
    count = fewest(packet, room)
    made = []
    for index in range(count):
        part = payload[index * each :] if index == count - 1 else payload[index * each : (index + 1) * each]
        one = (header if index == 0 else later_header(header)) + part
        more = field & MORE if index == count - 1 else MORE
        one = put(one, 6, (field & ~MORE) + index * each // 8 | more)
        made.append(with_lengths(one))
    return made


def reassemble(fragments: list[bytes]) -> bytes:
    """What a receiver of these fragments and nothing else gets."""
    parts: dict[int, bytes] = {}
    for one in fragments:
        header = (one[0] & 15) * 4
        assert checksum(one[:header]) == 0
        assert number(one, 2) == len(one)
        parts[(number(one, 6) & 0x1FFF) * 8] = one[header:]
    data, first = b"", min(parts)
    while first + len(data) in parts:
        data += parts.pop(first + len(data))
    assert parts == {}
    return data
