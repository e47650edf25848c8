from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

import pytest

from lispfast.control.effects import Datagram, Send
from lispfast.model.addresses import Endpoint
from lispfast.model.errors import HostError
from lispfast.runtime.sockets import ControlSockets

LO = socket.if_nametoindex("lo")


def free_port() -> int:
    """A UDP port that neither family uses."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::", 0))
        return int(sock.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_addresses_and_interface_come_and_go_with_each_datagram(host: str) -> None:
    async def scene() -> list[Datagram]:
        seen: list[Datagram] = []
        arrived = asyncio.Event()
        port = free_port()

        def on_datagram(datagram: Datagram) -> None:
            seen.append(datagram)
            arrived.set()

        sockets = ControlSockets(on_datagram, pinned=True, port=port)
        sockets.open()
        try:
            source = ip_address("127.0.0.77" if host == "127.0.0.1" else host)
            sockets.send(Send(b"hello", Endpoint(ip_address(host), port), source, LO))
            await asyncio.wait_for(arrived.wait(), 5)
            assert seen[0].destination == Endpoint(ip_address(host), port)
            assert seen[0].source == Endpoint(source, port), "sent from the source address that was asked for"
        finally:
            sockets.close()
        return seen

    (datagram,) = asyncio.run(scene())
    assert datagram.payload == b"hello"
    assert datagram.ifindex == LO


def test_a_mobile_node_sends_nothing_unpinned() -> None:
    async def scene() -> None:
        sockets = ControlSockets(lambda datagram: None, pinned=True, port=free_port())
        sockets.open()
        try:
            for source, ifindex in ((None, LO), (ip_address("127.0.0.1"), 0)):
                with pytest.raises(ValueError, match="must name its source and interface"):
                    sockets.send(Send(b"x", Endpoint(ip_address("127.0.0.1"), 9), source, ifindex))
        finally:
            sockets.close()

    asyncio.run(scene())


def test_a_port_that_is_taken_is_a_sentence_and_leaves_nothing_open() -> None:
    async def scene(port: int) -> None:
        sockets = ControlSockets(lambda datagram: None, pinned=False, port=port)
        with pytest.raises(HostError, match="stop the other LISP daemon"):
            sockets.open()

    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind(("::", 0))
        port = other.getsockname()[1]
        asyncio.run(scene(port))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(("0.0.0.0", port))  # the family that had opened was closed again
