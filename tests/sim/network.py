"""Carries datagrams between hosts in virtual time, as badly as its conditions say.

Everything random comes from one seeded generator and everything happens in the order of one queue, so a run is a
function of its seed. What is sent stands in `sent`, so that a story can say that nobody else could have done it.

A datagram passes the sender's link upwards, the middle and the receiver's link downwards: each of them may lose it,
make two of it and delay it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_network
from random import Random
from typing import TYPE_CHECKING

from lispfast.model.addresses import CONTROL_PORT, Address, Endpoint
from lispfast.model.errors import WireError
from lispfast.model.units import Seconds
from lispfast.wire.addresses import InstanceAddress
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest
from lispfast.wire.message import decode

from . import seeds

if TYPE_CHECKING:
    from .host import Host

EIDS = ip_network("10.0.0.0/8"), ip_network("172.16.0.0/12"), ip_network("fd00::/8")
"""Where the stories have their EIDs, and whoever else they ask for; their RLOCs are elsewhere."""
MAX_STEPS = 200_000
"""Of one `run`: a story that needs more has a loop in it."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What may happen to a datagram: `loss` and `duplication` are probabilities, `delay` and `jitter` seconds.

    The delay of each datagram lies evenly between `delay` and `delay + jitter`; more jitter than the time between two
    datagrams reorders them. `lateness` is the share of its slack that a timer may be late by: with 0 hosts are
    punctual, and times can be told to the millisecond.
    """

    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.005
    jitter: float = 0.0
    lateness: float = 1.0


@dataclass(frozen=True, slots=True)
class Link:
    """What connects an address to the middle: `up` is the way from the host, `down` the way to it."""

    up: Conditions
    down: Conditions


@dataclass(frozen=True, slots=True)
class Packet:
    """An inner packet, from EID to EID; `serial` tells it from others, `header` are the 8 bytes in front of it."""

    source: Address
    destination: Address
    serial: int
    iid: int = 0
    header: bytes = bytes(8)


@dataclass(frozen=True, slots=True)
class Frame:
    """A UDP datagram on the wire at the moment it is sent: control bytes, or an encapsulated inner packet."""

    at: Seconds
    sender: str
    source: Endpoint
    destination: Endpoint
    content: bytes | Packet

    @property
    def kind(self) -> str:
        """`Data`, or the name of the message, with `ECM` before what an Encapsulated Control Message holds.

        Two kinds of Map-Request have their own names, `SMR` and `Probe`, and the answer to a probe is a `ProbeReply`.
        So have a question whether an RLOC is an EID, `ECM Locate`, and its answer, `LocateReply`: who counts questions
        counts those for EIDs.
        """
        if isinstance(self.content, Packet):
            return "Data"
        try:
            message = decode(self.content)
            if isinstance(message, EncapsulatedControl):
                inside = decode(message.inner().payload)
                about_rloc = isinstance(inside, MapRequest) and not any(_is_eid(one.eid) for one in inside.records)
                return "ECM Locate" if about_rloc else "ECM " + type(inside).__name__
        except WireError:
            return "Garbage"
        if isinstance(message, MapRequest) and (message.smr or message.probe):
            return "SMR" if message.smr else "Probe"
        if isinstance(message, MapReply) and message.probe:
            return "ProbeReply"
        if isinstance(message, MapReply) and message.records and not any(_is_eid(one.eid) for one in message.records):
            return "LocateReply"
        return type(message).__name__


def _is_eid(named: object) -> bool:
    """Whether a record of a question or an answer is about EIDs; a hole in the mapping system may be about RLOCs."""
    address = named.address if isinstance(named, InstanceAddress) else named
    return not isinstance(address, IPv4Address | IPv6Address) or any(address in one for one in EIDS)


@dataclass
class Network:
    """The hosts and what is on its way between them.

    `conditions` are those of the middle, `links` those of the last miles that have any, by address. `lose` picks frames
    that never arrive and `watch` sees every frame. `memory` is how many of the newest frames are kept, None for all.
    """

    seed: int = 1
    conditions: Conditions = field(default_factory=Conditions)
    now: Seconds = Seconds(1000.0)
    memory: int | None = None

    def __post_init__(self) -> None:
        self.seed = seeds.choose(self.seed)
        self.random = Random(self.seed)
        self.hosts: list[Host] = []
        self.links: dict[Address, Link] = {}
        self.sent: list[Frame] | deque[Frame] = [] if self.memory is None else deque(maxlen=self.memory)
        self.lost: list[Frame] | deque[Frame] = [] if self.memory is None else deque(maxlen=self.memory)
        self.lose: Callable[[Frame], bool] = lambda frame: False
        self.watch: Callable[[Frame], None] = lambda frame: None
        self._owners: dict[Address, Host] | None = None
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do it then."""
        self._serial += 1
        heapq.heappush(self._queue, (when, self._serial, action))

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Do it so much later."""
        self.at(self.now + delay, action)

    def carry(self, frame: Frame) -> None:
        """Take a frame from its sender."""
        self.sent.append(frame)
        self.watch(frame)
        delays = [0.0]
        for segment in self._path(frame):
            delays = [longer for delay in delays for longer in self._pass(frame, segment, delay)]
        for delay in delays:
            if self.lose(frame):
                self.lost.append(frame)
            else:
                self.after(delay, lambda: self._arrive(frame))

    def owner(self, address: Address) -> Host | None:
        """The host that has this address now."""
        if self._owners is None:
            self._owners = {}
            for host in self.hosts:
                for one in host.addresses() if host.up else ():
                    self._owners.setdefault(one, host)
        return self._owners.get(address)

    def rewire(self) -> None:
        """A host is up or down now, or attached elsewhere."""
        self._owners = None

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        self._run(self.now + seconds, lambda: False)

    def run_until(self, condition: Callable[[], bool], within: float) -> float:
        """Let time pass until it holds; how long it took. AssertionError if it does not hold in time."""
        start = self.now
        self._run(self.now + within, condition)
        assert condition(), f"it did not happen within {within} s"
        return self.now - start

    def frames(self, kind: str, sender: str | None = None, since: float = 0.0) -> list[Frame]:
        """What was sent of a kind, oldest first."""
        return [f for f in self.sent if f.at >= since and sender in (None, f.sender) and f.kind == kind]

    def control(self, sender: str | None = None, since: float = 0.0) -> list[Frame]:
        """Every control datagram that was sent, oldest first."""
        sent = [f for f in self.sent if f.at >= since and sender in (None, f.sender)]
        return [f for f in sent if not isinstance(f.content, Packet)]

    def _run(self, end: float, condition: Callable[[], bool]) -> None:
        for _ in range(MAX_STEPS):
            if condition():
                return
            if not self._queue or self._queue[0][0] > end:
                self.now = Seconds(end)
                return
            when, _, action = heapq.heappop(self._queue)
            assert when >= self.now, "time runs one way"
            self.now = Seconds(when)
            action()
        raise AssertionError(f"more than {MAX_STEPS} steps")

    def _path(self, frame: Frame) -> list[Conditions]:
        up, down = self.links.get(frame.source.address), self.links.get(frame.destination.address)
        return [self.conditions, *([up.up] if up else []), *([down.down] if down else [])]

    def _pass(self, frame: Frame, conditions: Conditions, delay: float) -> list[float]:
        """The delays of the copies that come out of one part of the way."""
        copies = 1 + (self.random.random() < conditions.duplication)
        delays = []
        for _ in range(copies):
            longer = delay + conditions.delay + self.random.random() * conditions.jitter
            if self.random.random() < conditions.loss:
                self.lost.append(frame)
            else:
                delays.append(longer)
        return delays

    def _arrive(self, frame: Frame) -> None:
        host = self.owner(frame.destination.address)
        if host is None:
            self.lost.append(frame)
        elif isinstance(frame.content, Packet):
            host.receive_data(frame.content, frame.source)
        elif frame.destination.port == CONTROL_PORT:
            host.receive_control(frame.content, frame.source, frame.destination)
