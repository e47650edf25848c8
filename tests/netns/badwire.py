"""A bad wire: a program between two interfaces of a router that loses some packets and holds others back.

`python badwire.py NAME LOSE HOLD` makes the TUN device NAME and gives back what is sent there, but for one packet in
LOSE, and with one in HOLD a few packets later than its turn; 0 is never. It says "ready", and when it is told to end,
how many packets it passed, lost and held. The choice is by a fixed seed.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import signal
import struct
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
LATER = (3, 12)  # packets: beyond TCP's three duplicates too
PATIENCE_MS = 5  # what is held goes when nothing comes


def main(name: str, lose: int, hold: int) -> None:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("=16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    chance = random.Random(4341)
    held: list[tuple[int, bytes]] = []
    seen = lost = late = 0
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    print("ready", flush=True)
    while not told:
        ready = poll.poll(PATIENCE_MS if held else 200)
        packet = _read(fd) if ready else b""
        if packet:
            seen += 1
            if lose and chance.randrange(lose) == 0:
                lost += 1
            elif hold and chance.randrange(hold) == 0:
                late += 1
                held.append((seen + chance.randint(*LATER), packet))
            else:
                _write(fd, packet)
        while held and (held[0][0] <= seen or not ready):
            _write(fd, held.pop(0)[1])
    print(f"passed={seen - lost} lost={lost} held={late}", flush=True)


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except (BlockingIOError, OSError):  # the device is still down
        return b""


def _write(fd: int, packet: bytes) -> None:
    try:
        os.write(fd, packet)
    except OSError:  # the router takes no such packet: lost like the others
        pass


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
