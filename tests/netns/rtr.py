"""A re-encapsulating router of the tests' own: a hop of an explicit locator path. lispfast is none.

It takes the outer header off each data packet and puts on its own, to the hop behind it, with a TTL one less (RFC 9300
section 5.3); and it answers RLOC-probes, for whatever EID-prefix, with itself.
"""

from __future__ import annotations

import array
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

from lispfast.lab import Host
from lispfast.lab.packets import CONTROL_PORT, DATA_PORT
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest
from lispfast.wire.message import decode
from lispfast.wire.records import EidRecord, LocatorRecord

SO_RCVBUFFORCE, IP_RECVTTL = 33, 12  # asm-generic/socket.h, linux/in.h
BUFFER = 4 << 20
WAIT_S = 0.1  # between two looks at whether it is to end

Words = list[tuple[int, int, bytes]]  # what recvmsg says beside the payload
Sender = tuple[str, int]


class Rtr:
    """Sends on to `behind` from `start` to `stop`; `forwarded` counts the packets."""

    def __init__(self, host: Host, address: str, behind: str) -> None:
        self.host, self.address, self.behind = host, address, behind
        self.forwarded = 0
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._ending.clear()
        for work, port in ((self._forward, DATA_PORT), (self._answer, CONTROL_PORT)):
            sock = self.host.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
            sock.settimeout(WAIT_S)
            sock.bind((self.address, port))
            self._threads.append(threading.Thread(target=self._run, args=(sock, work), daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _run(self, sock: socket.socket, work: Callable[[socket.socket, bytes, Words, Sender], None]) -> None:
        with sock:
            while not self._ending.is_set():
                try:
                    payload, words, _flags, sender = sock.recvmsg(65535, socket.CMSG_SPACE(4))
                except TimeoutError:
                    continue
                work(sock, payload, words, sender)

    def _forward(self, sock: socket.socket, payload: bytes, words: Words, _sender: Sender) -> None:
        (ttl,) = (struct.unpack("i", data)[0] for _level, kind, data in words if kind == socket.IP_TTL)
        header, inner = bytes(8), payload[8:]
        less = array.array("i", [ttl - 1])
        sock.sendmsg([header, inner], [(socket.IPPROTO_IP, socket.IP_TTL, less)], 0, (self.behind, DATA_PORT))
        self.forwarded += 1

    def _answer(self, sock: socket.socket, payload: bytes, _words: Words, sender: Sender) -> None:
        request = decode(payload)
        if not isinstance(request, MapRequest) or not request.probe:
            return
        (asked,) = request.records
        locator = LocatorRecord(ip_address(self.address), 1, 100, 255, 0, probed=True)
        record = EidRecord(asked.eid, asked.mask_len, 10, (locator,), authoritative=True)
        sock.sendto(replace(MapReply(request.nonce, (record,)), probe=True).encode(), sender)
