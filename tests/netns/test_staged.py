"""Packets that waited for their mapping leave before those that follow them."""

from __future__ import annotations

import select
import socket
from ipaddress import ip_address

import pytest

from lispfast.lab import Lab, until
from lispfast.lab.packets import CONTROL_PORT, read_udp
from lispfast.model.addresses import EidPrefix
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.units import Minutes
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest
from lispfast.wire.records import record_from_mapping

from .tunnelworld import BOUND_S, Pair, burst

STAGED = 60
AFTER = 500
STAGE = 120  # frames: the stage holds 512 KiB


class SlowResolver:
    """A Map-Resolver at the left node's router that answers when it is told to."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._sock = pair.router.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._sock.bind(("192.0.21.1", CONTROL_PORT))
        self._sock.settimeout(BOUND_S)

    def take(self, eid: str) -> MapRequest:
        """The next Map-Request for an EID."""
        while True:
            message = self._sock.recv(2000)
            if message[0] >> 4 != EncapsulatedControl.TYPE:
                continue  # a Map-Register
            inner = read_udp(EncapsulatedControl.decode(message).packet)
            assert inner is not None
            request = MapRequest.decode(inner.payload)
            if request.records[0].eid == ip_address(eid):
                return request

    def answer(self, request: MapRequest, eid: str) -> None:
        """Say that the EID is at the right node's RLOC."""
        prefix = EidPrefix.parse(f"{eid}/{128 if ':' in eid else 32}")
        locator = Locator(ip_address(self._pair.right.rloc))
        record = record_from_mapping(Mapping(prefix, (locator,), Minutes(10), authoritative=True))
        self._sock.sendto(MapReply(request.nonce, (record,)).encode(), (self._pair.left.rloc, CONTROL_PORT))

    def close(self) -> None:
        """Close its socket."""
        self._sock.close()


@pytest.fixture
def pair(lab: Lab) -> Pair:
    """The left node knows no mapping, the right one does."""
    made = Pair(lab)
    made.left.start(None)
    made.right.start(made.left)
    made.wait()
    return made


class Numbered:
    """Numbered datagrams of 500 bytes in one flow, `each` of them to the kernel at a time."""

    def __init__(self, pair: Pair, family: int, each: int) -> None:
        self._each = each
        self._next = 0
        self._near, self.far = pair.left.udp(family), pair.right.udp(family)
        self._near.connect(self.far.getsockname())
        if each > 1:
            self._near.setsockopt(socket.IPPROTO_UDP, 103, 500)  # UDP_SEGMENT: one frame to lmn0

    def send(self) -> None:
        """Send the next."""
        numbers = range(self._next, self._next + self._each)
        self._near.send(b"".join(number.to_bytes(4, "big") + bytes(496) for number in numbers))
        self._next += self._each

    def check(self) -> None:
        """Everything that was sent arrives in its order."""
        with self._near, self.far:
            came = [int.from_bytes(self.far.recv(2000)[:4], "big") for _ in range(self._next)]
        assert came == list(range(self._next))


@pytest.mark.parametrize("each", [1, 8], ids=["alone", "in-big-frames"])
@pytest.mark.parametrize("family", [4, 6], ids=["v4", "v6"])
def test_numbered_datagrams_arrive_in_order(pair: Pair, family: int, each: int) -> None:
    resolver = SlowResolver(pair)
    flow = Numbered(pair, family, each)
    for _ in range(STAGED):
        flow.send()
    until(lambda: pair.left.plane()["staged"] == STAGED, BOUND_S, "all of them are staged")
    eid = pair.right.eids[family]
    resolver.answer(resolver.take(eid), eid)
    sent = STAGED
    while sent < STAGED + 20 or not select.select([flow.far], [], [], 0.001)[0]:  # on and on, as the mapping comes
        assert sent < STAGE, "the mapping came too late"
        flow.send()
        sent += 1
    for _ in range(AFTER):
        flow.send()
    flow.check()
    assert pair.left.plane()["drops"] == {}
    resolver.close()


def test_the_order_within_a_flow_is_kept_from_the_first(pair: Pair) -> None:
    """Sizes that break runs: each new size ends one."""
    resolver = SlowResolver(pair)
    near = pair.left.udp(4)
    near.sendto(b"first", (pair.right.eids[4], 9))
    resolver.answer(resolver.take(pair.right.eids[4]), pair.right.eids[4])
    until(lambda: pair.right.plane()["packets_in"], BOUND_S, "the first packet")
    near.close()
    sizes = [4, 1200, 1200, 600, 1200, 5, 5, 5, 1400, 1400, 900] * 60
    numbers = [int.from_bytes(payload[:4], "big") for payload in burst(pair.left, pair.right, 4, sizes)]
    assert numbers == list(range(len(sizes)))
    resolver.close()
