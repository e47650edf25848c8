"""An internet in memory and in virtual time: roles, their addresses, and datagrams that take a while or get lost."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from ipaddress import ip_address

from lispfast.control.effects import Commit, Datagram, Event, Persist, Send
from lispfast.control.role import Role
from lispfast.model.addresses import Address, Eid, Endpoint
from lispfast.model.forwarding import Miss, PrefixTraffic, Resolve, Traffic
from lispfast.model.underlay import Attachment, Interface, Underlay
from lispfast.model.units import Seconds, WireMtu
from lispfast.wire.message import Message, decode
from tests.sim.tables import Table

Loss = Callable[[str, Message], bool]
"""Whether a message that this host sends gets lost."""


def attached(name: str, index: int, *addresses: str) -> Interface:
    found = {ip_address(a).version: Attachment(ip_address(a), routed=True) for a in addresses}
    return Interface(name, index, True, WireMtu(1500), found.get(4), found.get(6))


class Host:
    """A role with a table and the traffic that went through it."""

    def __init__(self, name: str, role: Role, internet: Internet) -> None:
        self.name = name
        self.role = role
        self.table = Table()
        self.saved: dict[str, int] = {}
        self.events: list[tuple[Seconds, Event]] = []
        self.addresses: set[Address] = set()
        self.delivered: list[tuple[Seconds, str]] = []
        self.lost = 0
        self.staged: list[tuple[str, Address, Address]] = []
        self._sent_to: dict[Address, Seconds] = {}
        self._came_from: dict[Address, Seconds] = {}
        self._internet = internet

    def attach(self, *interfaces: Interface) -> None:
        """The host is on these networks from now on, and on no other."""
        self.addresses = {a.address for i in interfaces for v in (4, 6) if (a := i.attachment(v))}
        self._traffic()
        self.role.handle_underlay(Underlay(tuple(interfaces)), self._internet.now)
        self._internet.carry_out(self)

    def receive(self, datagram: Datagram) -> None:
        self.role.handle_datagram(datagram, self._internet.now)
        self._internet.carry_out(self)

    def wake(self) -> None:
        self._traffic()
        self.role.handle_timeout(self._internet.now)
        self._internet.carry_out(self)

    def packet(self, label: str, source: str, destination: str) -> None:
        """An application sends a packet from an EID of ours."""
        self._forward(label, ip_address(source), ip_address(destination))

    def arrived(self, label: str, source: Address, destination: Address, rloc: Address) -> None:
        """An encapsulated packet came."""
        self._came_from[rloc] = self._internet.now
        if Eid(destination) in self.table.local:
            self.delivered.append((self._internet.now, label))

    def release(self) -> None:
        waiting, self.staged = self.staged, []
        for label, source, destination in waiting:
            self._forward(label, source, destination)

    def event_times(self, name: str) -> list[Seconds]:
        return [at for at, event in self.events if event.name == name]

    def _forward(self, label: str, source: Address, destination: Address) -> None:
        if isinstance(self.table.lookup(Eid(destination)), Resolve):
            if not any(waiting == destination for _, _, waiting in self.staged):
                self.role.handle_punt(Miss(destination, source), self._internet.now)
            self.staged.append((label, source, destination))
            self._internet.carry_out(self)
            return
        ways = self.table.ways(Eid(destination))
        if not ways:
            self.lost += 1
            return
        self._sent_to[destination] = self._internet.now
        outer, rloc = ways[0]
        self._internet.carry(lambda host: host.arrived(label, source, destination, outer), rloc)

    def _traffic(self) -> None:
        now = self._internet.now
        prefixes = {}
        for address, at in self._sent_to.items():
            matches = [prefix for prefix in self.table.verdicts if prefix.contains(Eid(address))]
            best = max(matches, key=lambda prefix: prefix.length)
            prefixes[best] = PrefixTraffic(1, 1, 0, Seconds(now - at))
        outer = {address: Seconds(now - at) for address, at in self._came_from.items()}
        self.role.handle_traffic(Traffic(prefixes, outer), now)


class Internet:
    """Hosts and the datagrams between them; `latency` is one way, in seconds."""

    def __init__(self, latency: float = 0.01) -> None:
        self.now = Seconds(1000.0)
        self.latency = latency
        self.loss: Loss = lambda sender, message: False
        self.hosts: list[Host] = []
        self.log: list[tuple[Seconds, str, Message]] = []
        self._queue: list[tuple[Seconds, int, Callable[[], None]]] = []
        self._serial = itertools.count()
        self.random = random.Random(7)

    def add(self, name: str, role: Role) -> Host:
        host = Host(name, role, self)
        self.hosts.append(host)
        role.start(self.now)
        self.carry_out(host)
        return host

    def carry(self, deliver: Callable[[Host], None], destination: Address) -> None:
        """Bring something to whoever has the address when it arrives."""

        def arrive() -> None:
            for host in self.hosts:
                if destination in host.addresses:
                    deliver(host)

        heapq.heappush(self._queue, (Seconds(self.now + self.latency), next(self._serial), arrive))

    def carry_out(self, host: Host) -> None:
        for effect in host.role.take_effects():
            match effect:
                case Commit(transaction):
                    host.table.commit(transaction)
                    host.release()
                case Persist(key, value):
                    host.saved[key] = value
                case Send():
                    self._send(host, effect)
        host.events += [(self.now, event) for event in host.role.take_events()]

    def run(self, seconds: float) -> None:
        """Let everything happen that is due by then, in order."""
        end = Seconds(self.now + seconds)
        for _ in range(100_000):
            timers = [(t.at, host) for host in self.hosts if (t := host.role.poll_timeout()) is not None]
            at, host = min(timers, key=lambda timer: timer[0], default=(Seconds(end + 1), None))
            arrival = self._queue[0][0] if self._queue else Seconds(end + 1)
            if min(at, arrival) > end:
                self.now = end
                return
            self.now = max(self.now, min(at, arrival))
            if arrival <= at:
                heapq.heappop(self._queue)[2]()
            elif host is not None:
                host.wake()
        raise AssertionError("the hosts keep each other awake")

    def count(self, kind: type, sender: str | None = None) -> int:
        """How many messages of a kind were sent, by a host or by anybody."""
        return sum(isinstance(m, kind) and sender in (None, name) for _, name, m in self.log)

    def _send(self, host: Host, send: Send) -> None:
        source = send.source
        if source is None:
            same = [a for a in host.addresses if a.version == send.destination.address.version]
            source = min(same, key=str)
        if source not in host.addresses:
            raise AssertionError(f"{host.name} sends from {source}, which it does not have")
        message = decode(send.payload)
        self.log.append((self.now, host.name, message))
        if self.loss(host.name, message):
            return
        datagram = Datagram(send.payload, Endpoint(source, send.source_port), send.destination)
        self.carry(lambda receiver: receiver.receive(datagram), send.destination.address)
