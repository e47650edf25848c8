"""The MSS option of a SYN lowered, slow and obviously right: the header is taken apart, put together and summed."""

from __future__ import annotations

from .twin_segment import TCP, complete

SYN, MSS = 0x02, 2


def clamp(packet: bytes, start: int, mtu: int) -> bytes:
    """The whole TCP packet as it is to leave; `start` is where its TCP header begins."""
    most = mtu - (40 if packet[0] >> 4 == 4 else 60)
    end = start + (packet[start + 12] >> 4) * 4
    if not packet[start + 13] & SYN or not 0 < most < 65535 or end > len(packet) or end < start + 20:
        return packet
    left, options = packet[start + 20 : end], b""
    while left and left[0] != 0:
        size = 1 if left[0] == 1 or len(left) < 2 else left[1]
        if left[0] != 1 and (len(left) < 2 or size < 2 or size > len(left)):
            break
        option, left = left[:size], left[size:]
        if option[0] == MSS and size == 4:
            option = option[:2] + min(int.from_bytes(option[2:], "big"), most).to_bytes(2, "big")
        options += option
    made = packet[: start + 20] + options + left + packet[end:]
    return made if made == packet else complete(made, TCP, start)
