"""The conversation with the kernel: one socket asks and changes, another listens. The only importer of pyroute2.

pyroute2 carries and numbers the messages; rtnl reads and writes them (see there why).
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable, Iterable
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nlsocket import NetlinkRequest
from pyroute2.netlink.rtnl import (
    RTMGRP_IPV4_IFADDR,
    RTMGRP_IPV4_ROUTE,
    RTMGRP_IPV4_RULE,
    RTMGRP_IPV6_IFADDR,
    RTMGRP_IPV6_ROUTE,
    RTMGRP_IPV6_RULE,
    RTMGRP_LINK,
)
from pyroute2.netlink.rtnl.iprsocket import AsyncIPRSocket

from lispfast.model.errors import HostError
from lispfast.runtime.changes import Change, Flag, Message
from lispfast.runtime.hostview import TABLE_LOCAL, HostView
from lispfast.runtime.rtnl import decode_address, decode_link, decode_route, decode_rule, is_near

GROUPS = (
    RTMGRP_LINK
    | RTMGRP_IPV4_IFADDR
    | RTMGRP_IPV6_IFADDR
    | RTMGRP_IPV4_ROUTE
    | RTMGRP_IPV6_ROUTE
    | RTMGRP_IPV4_RULE
    | RTMGRP_IPV6_RULE
)
LISTEN_BUFFER = 4 << 20
"""Bytes of notifications that may wait: a full one only costs a new round of questions, so it need not be huge."""
DUMP_ATTEMPTS = 5
"""A dump that the kernel calls interrupted, because something changed meanwhile, is asked for again this often."""

_HEADER = struct.Struct("=IHHII")
_ERROR_TYPE = 2  # NLMSG_ERROR; what pyroute2 queues when reading the socket failed


class ChangeError(HostError):
    """The kernel refused a change."""

    def __init__(self, change: Change, code: int) -> None:
        super().__init__(f"cannot {change.text} ({os.strerror(code)})", "")
        self.code = code


class Netlink:
    """The two sockets. Everything must be called on one asyncio loop, and one request at a time."""

    def __init__(self) -> None:
        self._asker: Any = None
        self._listener: Any = None
        self._on_change: Callable[[], None] = _ignore

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return self._asker is not None

    async def open(self, on_change: Callable[[], None] | None = None) -> None:
        """Open both; `on_change` is called for each notification, and when some may have been lost."""
        self._on_change = on_change or _ignore
        self._asker = AsyncIPRSocket(groups=0)
        # It stands in for requests that old kernels lacked, and looks into each message: not needed here.
        self._asker.request_proxy = None
        await self._asker.bind()
        if on_change:
            await self._listen()

    def close(self) -> None:
        """Close both; may be called twice."""
        self._on_change = _ignore
        for sock in (self._asker, self._listener):
            if sock is not None:
                sock.close()
        self._asker = self._listener = None

    async def view(self) -> HostView:
        """Ask for everything. What changes meanwhile brings a notification after this began."""
        links = [decode_link(body) for body in await self._dump(Message.GETLINK, 16)]
        addresses = [decode_address(body) for body in await self._dump(Message.GETADDR, 8)]
        bodies = await self._dump(Message.GETROUTE, 12)
        routes = [decode_route(body) for body in bodies if body[4] != TABLE_LOCAL]
        rules = [decode_rule(body) for body in await self._dump(Message.GETRULE, 12)]
        return HostView(
            tuple(links),
            tuple(address for address in addresses if address),
            tuple(route for route in routes if route),
            tuple(rule for rule in rules if rule),
        )

    async def change(self, change: Change) -> None:
        """Make one change; ChangeError if the kernel refuses it."""
        for error in await self.change_all([change]):
            raise error

    async def change_all(self, changes: Iterable[Change]) -> list[ChangeError]:
        """Make changes that do not depend on each other, all in one system call; returns the refusals."""
        requests = [(change, NetlinkRequest(self._asker, _Request(change))) for change in changes]
        if not requests:
            return []
        for _, request in requests:
            await request.prepare()
        self._asker.send(b"".join(request.msg.data for _, request in requests))
        refused = []
        for change, request in requests:
            try:
                async for _ in request.response():
                    pass
            except NetlinkError as error:
                if error.code not in change.tolerated:
                    refused.append(ChangeError(change, error.code))
        return refused

    async def _dump(self, message: Message, header: int) -> list[bytes]:
        for _ in range(DUMP_ATTEMPTS):
            bodies: list[bytes] = []
            change = Change(message, Flag.DUMP, bytes(header), f"read {message.name}")
            collector = _Collector(self._asker.marshal, bodies)
            request = NetlinkRequest(self._asker, _Request(change), parser=collector)
            await request.send()
            try:
                async for _message in request.response():
                    pass
            except NetlinkError as error:
                raise ChangeError(change, error.code) from None
            if not collector.interrupted:
                break
        return bodies

    async def _listen(self) -> None:
        self._listener = _Listener(self._heard)
        await self._listener.bind()

    def _heard(self, broken: bool) -> None:
        if broken and self._listener is not None:
            # pyroute2 gives up on a socket whose buffer overflowed: take another, then ask for everything again.
            asyncio.get_running_loop().create_task(self._reopen())
        else:
            self._on_change()

    async def _reopen(self) -> None:
        if self._listener is None:
            return
        self._listener.close()
        await self._listen()
        self._on_change()


class _Request(dict[str, Any]):
    """What NetlinkRequest wants of a message, over a body that is already encoded."""

    def __init__(self, change: Change) -> None:
        flags = change.flags | Flag.REQUEST
        if change.flags & Flag.DUMP != Flag.DUMP:
            flags |= Flag.ACK
        super().__init__(header={"type": int(change.message), "flags": int(flags)})
        self._body = change.body
        self.data = b""

    def reset(self) -> None:
        """Nothing to forget."""

    def encode(self) -> None:
        """Put the header before the body."""
        header = self["header"]
        size = _HEADER.size + len(self._body)
        self.data = _HEADER.pack(size, header["type"], header["flags"], header["sequence_number"], header["pid"])
        self.data += self._body + bytes(-len(self._body) % 4)


class _Collector:
    """Parser of a dump: keeps the bodies, leaves the end and errors to pyroute2."""

    def __init__(self, marshal: Any, bodies: list[bytes]) -> None:
        self._marshal = marshal
        self._bodies = bodies
        self.interrupted = False

    def __call__(self, data: bytes, offset: int, length: int) -> Any:
        _, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        self.interrupted |= bool(flags & Flag.DUMP_INTERRUPTED)
        if kind < Message.NEWLINK:
            return self._marshal.parse_one_message(kind, flags, sequence, data, offset, length)
        self._bodies.append(bytes(data[offset + _HEADER.size : offset + length]))
        return {"header": {"type": kind, "flags": flags, "error": None}}


class _Listener(AsyncIPRSocket):  # type: ignore[misc]
    """Hands each batch of notifications over at once, unread: what changed is found by asking."""

    def __init__(self, heard: Callable[[bool], None]) -> None:
        self._heard = heard
        self._broken = False
        super().__init__(groups=GROUPS, rcvbuf=LISTEN_BUFFER)

    def enqueue(self, data: bytes, _addr: object) -> None:
        """Called by pyroute2 with each datagram, or with an error message in place of one."""
        if self._broken:
            return
        self._broken = _HEADER.unpack_from(data)[1] == _ERROR_TYPE
        if self._broken or concerns_us(data):
            self._heard(self._broken)


def concerns_us(data: bytes) -> bool:
    """Whether a datagram of notifications may mean anything here.

    A route through a gateway to anything but everywhere does not, and a host may have very many that come and go.
    """
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, offset)
        body = data[offset + _HEADER.size : offset + length]
        if kind not in (Message.NEWROUTE, Message.DELROUTE) or is_near(body):
            return True
        offset += max(_HEADER.size, (length + 3) & ~3)
    return False


def _ignore() -> None:
    """Nobody listens."""
