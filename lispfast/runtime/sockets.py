"""The control port: one UDP socket a family on 4342, bound to no address, so that a roam rebinds nothing.

The source address and the interface go with each datagram as a control message (RFC 3542, ip(7) IP_PKTINFO), and come
with each that is received.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from lispfast.control.effects import Datagram, Send
from lispfast.model.addresses import CONTROL_PORT, Address, Endpoint
from lispfast.model.errors import HostError

MAX_DATAGRAM = 65535
BURST = 64
"""Datagrams read at one wake-up, so that a flood on the control port leaves the loop time for everything else."""

IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)  # the constant has a name since Python 3.14 only
_PKTINFO4 = struct.Struct("=I4s4s")
_PKTINFO6 = struct.Struct("=16sI")


class ControlSockets:
    """Both families of the control port on the asyncio loop.

    `pinned` asks each datagram that is sent to name its source and interface: on a mobile node one that leaves the
    choice to the kernel would be routed into the node's own tunnel.
    """

    def __init__(self, on_datagram: Callable[[Datagram], None], pinned: bool, port: int = CONTROL_PORT) -> None:
        self._on_datagram = on_datagram
        self._pinned = pinned
        self._port = port
        self._sockets: dict[int, socket.socket] = {}

    def open(self) -> None:
        """Bind both families and begin to receive; HostError if somebody else has the port."""
        loop = asyncio.get_running_loop()
        try:
            for version in (4, 6):
                sock = self._sockets[version] = _bind(version, self._port)
                loop.add_reader(sock, self._readable, sock, version)
        except OSError as error:
            self.close()
            raise HostError(
                f"UDP port {self._port} cannot be opened ({error.strerror or error})",
                "stop the other LISP daemon of this host",
            ) from None

    def close(self) -> None:
        """Stop receiving and give the ports back."""
        loop = asyncio.get_running_loop()
        for sock in self._sockets.values():
            loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def send(self, send: Send) -> None:
        """Send one datagram; OSError is the kernel's answer, ValueError a datagram that nobody pinned."""
        if self._pinned and (send.source is None or not send.ifindex):
            raise ValueError("a mobile node's datagram must name its source and interface")
        destination = (str(send.destination.address), send.destination.port)
        ancillary = _pktinfo(send.destination.address.version, send.source, send.ifindex)
        self._sockets[send.destination.address.version].sendmsg([send.payload], ancillary, 0, destination)

    def _readable(self, sock: socket.socket, version: int) -> None:
        for _ in range(BURST):
            try:
                payload, ancillary, _flags, name = sock.recvmsg(MAX_DATAGRAM, 256)
            except BlockingIOError:
                return
            except OSError:
                return  # an asynchronous error of an earlier send: retransmission is the core's business
            destination, ifindex = _arrival(ancillary, version)
            if destination is None:
                continue
            source = Endpoint(ip_address(name[0].partition("%")[0]), name[1])
            self._on_datagram(Datagram(payload, source, Endpoint(destination, self._port), ifindex))


def _bind(version: int, port: int) -> socket.socket:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if version == 4:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.bind(("", port))
    except OSError:
        sock.close()
        raise
    return sock


def _pktinfo(version: int, source: Address | None, ifindex: int) -> list[tuple[int, int, bytes]]:
    if source is None and not ifindex:
        return []
    packed = source.packed if source is not None else bytes(4 if version == 4 else 16)
    if version == 4:
        return [(socket.IPPROTO_IP, IP_PKTINFO, _PKTINFO4.pack(ifindex, packed, bytes(4)))]
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PKTINFO6.pack(packed, ifindex))]


def _arrival(ancillary: list[tuple[int, int, bytes]], version: int) -> tuple[Address | None, int]:
    for level, kind, data in ancillary:
        if version == 4 and (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            ifindex, _local, destination = _PKTINFO4.unpack(data[: _PKTINFO4.size])
            return IPv4Address(destination), ifindex
        if version == 6 and (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            destination, ifindex = _PKTINFO6.unpack(data[: _PKTINFO6.size])
            return IPv6Address(destination), ifindex
    return None, 0
