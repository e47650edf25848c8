"""A probe of one-way delivery: a sequence-numbered UDP packet each millisecond.

`python -m lispfast.lab.probe send SOURCE DESTINATION` writes to standard output how many it sent when it is ended;
`python -m lispfast.lab.probe receive ADDRESS FILE` appends an entry to FILE for each packet, with the kernel's time of
receipt. Both use the wall clock, which all network namespaces share.
"""

from __future__ import annotations

import argparse
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PORT = 7007
MAGIC = 0x6C697370_70726F62  # "lisppro" "b": tells a probe from any other datagram
PACKET = struct.Struct("!QQQ")  # magic, sequence number, time sent
ENTRY = struct.Struct("!QQQ")  # sequence number, time sent, time received

SO_TIMESTAMPNS = 35  # asm-generic/socket.h, as the next two
SO_RCVBUFFORCE = 33
TIMESPEC = struct.Struct("@qq")

# Ours.
INTERVAL_NS = 1_000_000
RECEIVE_BUFFER = 4 << 20
FLUSH_SECONDS = 0.05  # how far behind the file may be when nothing comes
PRIORITY = -10  # it measures the network, not how long it waited for a processor


@dataclass(frozen=True, slots=True)
class Probe:
    """A received probe; times are wall clock in nanoseconds."""

    sequence: int
    sent: int
    received: int


def read_probes(path: Path) -> list[Probe]:
    """What a receiver has written so far, in the order of receipt."""
    content = path.read_bytes() if path.exists() else b""
    whole = len(content) - len(content) % ENTRY.size
    return [Probe(*entry) for entry in ENTRY.iter_unpack(content[:whole])]


def sequence_of(payload: bytes) -> int | None:
    """The sequence number of a probe's UDP payload, None if it is no probe."""
    if len(payload) < PACKET.size:
        return None
    magic, sequence, _sent = PACKET.unpack_from(payload)
    return int(sequence) if magic == MAGIC else None


def send(source: str, destination: str) -> None:
    """Send until told to end; what was late is sent at once, so each millisecond has its number."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    stop = _until_told()
    failed = sequence = 0
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((source, PORT))
        due = time.time_ns()
        while not stop:
            now = time.time_ns()
            if now < due:
                time.sleep((due - now) / 1e9)
                continue
            try:
                sock.sendto(PACKET.pack(MAGIC, sequence, now), (destination, PORT))
            except OSError:  # its number is spent: the receiver misses it
                failed += 1
            sequence += 1
            due += INTERVAL_NS
    print(f"sent={sequence} failed={failed}", flush=True)


def receive(address: str, path: Path) -> None:
    """Receive until told to end, and write down each probe."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    stop = _until_told()
    with socket.socket(family, socket.SOCK_DGRAM) as sock, path.open("ab") as out:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        sock.bind((address, PORT))
        sock.setblocking(False)
        print("ready", flush=True)
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            while not stop:
                if selector.select(FLUSH_SECONDS):
                    _drain(sock, out.write)
                else:
                    out.flush()


def _drain(sock: socket.socket, write: Callable[[bytes], object]) -> None:
    while True:
        try:
            payload, ancillary, _flags, _peer = sock.recvmsg(256, socket.CMSG_SPACE(TIMESPEC.size))
        except BlockingIOError:
            return
        received = next(
            (
                seconds * 1_000_000_000 + nanoseconds
                for level, kind, data in ancillary
                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS)
                for seconds, nanoseconds in [TIMESPEC.unpack(data)]
            ),
            time.time_ns(),
        )
        if sequence_of(payload) is not None:
            _magic, sequence, sent = PACKET.unpack_from(payload)
            write(ENTRY.pack(sequence, sent, received))


def _until_told() -> list[int]:
    """A list that is empty until SIGTERM or SIGINT comes."""
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: told.append(number))
    return told


def main() -> None:
    """Send or receive, as the command line says."""
    parser = argparse.ArgumentParser(description="send or receive a sequence-numbered UDP packet each millisecond")
    verbs = parser.add_subparsers(dest="verb", required=True)
    sender = verbs.add_parser("send")
    sender.add_argument("source")
    sender.add_argument("destination")
    receiver = verbs.add_parser("receive")
    receiver.add_argument("address")
    receiver.add_argument("file", type=Path)
    options = parser.parse_args()
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    try:
        if options.verb == "send":
            send(options.source, options.destination)
        else:
            receive(options.address, options.file)
    except OSError as error:
        sys.exit(f"probe: {error}")


if __name__ == "__main__":
    main()
