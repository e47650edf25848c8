"""A flow between real daemons while the table of the one that sends changes as often as Map-Replies can change it."""

from __future__ import annotations

import select
import socket
from itertools import count
from typing import Any

import pytest

from lispfast.lab import Lab, until
from lispfast.lab.packets import CONTROL_PORT, read_udp
from lispfast.model.addresses import EidPrefix, parse_address
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.units import Minutes
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest
from lispfast.wire.records import record_from_mapping

from .tunnelworld import BOUND_S, Pair

ANSWERS = 150  # a resolver asks for a hundred EIDs a second at most
BURST, AHEAD = 8, 64  # numbered datagrams at a time, and under way
STRANGERS = {4: "172.20.{}.{}", 6: "fd10::9:{}:{}"}
AROUND = {4: "172.16.0.0/12", 6: "fd10::/16"}  # both the flow's EID and the strangers'


class TellingResolver:
    """A Map-Resolver at the left node's router; each of its answers tells of the flow's EID too, and differently."""

    def __init__(self, pair: Pair, family: int) -> None:
        self._pair, self._family = pair, family
        self._eid, self.length = parse_address(pair.right.eids[family]), {4: 32, 6: 128}[family]
        self.answers = 0
        self.sock = pair.router.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sock.bind(("192.0.21.1", CONTROL_PORT))

    def answer(self) -> None:
        """Answer whatever was asked."""
        while select.select([self.sock], [], [], 0)[0]:
            message = self.sock.recv(2000)
            if message[0] >> 4 != EncapsulatedControl.TYPE:
                continue  # a Map-Register
            datagram = read_udp(EncapsulatedControl.decode(message).packet)
            assert datagram is not None
            request = MapRequest.decode(datagram.payload)
            asked = {self._eid, request.records[0].eid}
            told = [self._mapping(f"{eid}/{self.length}") for eid in sorted(asked)]
            if len(asked) > 1:  # only what an answer covers may it tell of
                around = EidPrefix.parse(AROUND[self._family])
                told.append(Mapping(around, (), Minutes(10), Action.SEND_MAP_REQUEST))
            reply = MapReply(request.nonce, tuple(record_from_mapping(mapping) for mapping in told))
            self.sock.sendto(reply.encode(), (self._pair.left.rloc, CONTROL_PORT))
            self.answers += 1

    def weight(self, answer: int) -> int:
        """What an answer, counted from 0, says of the flow's locator."""
        return 1 + answer % 200

    def _mapping(self, prefix: str) -> Mapping:
        locator = Locator(parse_address(self._pair.right.rloc), weight=self.weight(self.answers))
        return Mapping(EidPrefix.parse(prefix), (locator,), Minutes(10), authoritative=True)


@pytest.mark.parametrize("family", [4, 6], ids=["v4", "v6"])
def test_a_flow_under_continuous_commits(lab: Lab, family: int) -> None:
    pair = Pair(lab)
    pair.left.start(None, "rloc-lookup = off\n")  # the questions are about EIDs alone
    pair.right.start(pair.left)
    pair.wait()
    resolver = TellingResolver(pair, family)
    near, far = pair.left.udp(family), pair.right.udp(family)
    strangers = (STRANGERS[family].format(1 + number // 200, 1 + number % 200) for number in count())
    with near, far, resolver.sock:
        near.connect(far.getsockname())
        sent = came = missed = 0
        stranger = pair.left.udp(family)
        while resolver.answers < ANSWERS or came < sent:
            if resolver.answers < ANSWERS:
                for _ in range(min(BURST, AHEAD - (sent - came))):
                    near.send(sent.to_bytes(4, "big") + bytes(sent % 1200))
                    sent += 1
                if missed <= resolver.answers + 8:
                    stranger.sendto(b"?", (next(strangers), 9))
                    missed += 1
            resolver.answer()
            waits = BOUND_S if sent - came == AHEAD or resolver.answers == ANSWERS else 0
            ready = select.select([far, resolver.sock], [], [], waits)[0]
            assert ready or not waits, "what was sent does not come"
            while select.select([far], [], [], 0)[0]:
                assert int.from_bytes(far.recv(2000)[:4], "big") == came, "lost, or overtaken"
                came += 1
        stranger.close()
    print(f"{came} datagrams, {resolver.answers} answers, {missed} strangers")
    assert came > 10 * ANSWERS
    own = f"{pair.right.eids[family]}/{resolver.length}"

    def entries() -> dict[str, dict[str, Any]]:
        return {entry["eid_prefix"]: entry for entry in pair.left.ask("map-cache")["entries"]}

    last = resolver.weight(resolver.answers - 1)
    until(lambda: entries()[own]["locators"][0]["weight"] == last, BOUND_S, "the locator that the last answer told of")
    assert len(entries()) > ANSWERS // 2
    assert entries()[own]["packets_out"] == came, "counted by one prefix, whatever replaced its locators"
    assert pair.left.plane()["drops"] == {}
