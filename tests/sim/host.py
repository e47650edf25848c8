"""A host of the simulated network: a role with its kernel, its clock's timer and its disk."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from lispfast.control.effects import Commit, Datagram, Event, Persist, Send
from lispfast.control.role import Role
from lispfast.model.addresses import Address, Eid, Endpoint
from lispfast.model.forwarding import Encapsulate, PathMtu
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Profile
from lispfast.model.underlay import Attachment, Interface, Underlay
from lispfast.model.units import InstanceId, Seconds, WireMtu

from .dataplane import SlowDataPlane
from .network import Frame, Network, Packet

OVERDUE_MAX = 4
"""Times in a row that a role may still have something due right after it did what was due."""


def interface(name: str, *addresses: str, index: int = 2, up: bool = True, routed: bool = True) -> Interface:
    """An interface with up to one address a family."""
    by_version = {parsed.version: Attachment(parsed, routed=routed) for parsed in map(ip_address, addresses)}
    return Interface(name, index, up, WireMtu(1500), by_version.get(4), by_version.get(6))


class Host:
    """Runs what `make_role(disk)` gives; the disk outlives a crash, the role does not.

    A datagram that a kernel would refuse, from an address that the host does not have, is an AssertionError.
    """

    def __init__(self, network: Network, name: str, make_role: Callable[[dict[str, int]], Role]) -> None:
        self.network = network
        self.name = name
        self.disk: dict[str, int] = {}
        self.events: list[tuple[Seconds, Event]] = []
        self.underlay = Underlay()
        self.up = False
        self._make_role = make_role
        self._timer = 0
        self._overdue = 0
        self.wakeups = 0
        network.hosts.append(self)
        network.rewire()

    # --- Life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Boot with what is on the disk."""
        self.up = True
        self.network.rewire()
        self.dataplane = SlowDataPlane(self._transmit, lambda: self.network.now)
        self._reading = 0
        self.role = self._make_role(self.disk)
        settings = getattr(self.role, "settings", None)
        self.dataplane.table.private = settings is not None and settings.profile is Profile.PRIVATE
        self._step(lambda: self.role.start(self.network.now))
        self._tell_underlay()

    def crash(self) -> None:
        """Off, from one moment to the next."""
        self.up = False
        self.network.rewire()
        self._timer += 1

    def stop(self) -> None:
        """Off in good order."""
        self._step(lambda: self.role.stop(self.network.now))
        self.crash()

    def attach(self, *interfaces: Interface) -> None:
        """The host is attached like this from now on."""
        self.underlay = Underlay(interfaces)
        self.network.rewire()
        if self.up:
            self._tell_underlay()

    # --- Packets ------------------------------------------------------------------------------------------------------

    def send(self, source: str, destination: str, serial: int, iid: int = 0) -> None:
        """An application sends a packet from one of our EIDs."""
        self.dataplane.send(Packet(ip_address(source), ip_address(destination), serial, iid))
        self._punts()

    def hint(self, rloc: str, mtu: int) -> None:
        """A router, or somebody who says to be one, tells the MTU of the path to an RLOC."""
        self.dataplane.punts.append(PathMtu(ip_address(rloc), WireMtu(mtu)))
        self._punts()

    def receive_data(self, packet: Packet, source: Endpoint) -> None:
        """An encapsulated packet came to one of our addresses."""
        self.dataplane.receive(packet, source)
        self._punts()

    def receive_control(self, payload: bytes, source: Endpoint, destination: Endpoint) -> None:
        """A datagram came to port 4342 of one of our addresses."""
        came_in = self.interface_of(destination.address)
        datagram = Datagram(payload, source, destination, came_in.index if came_in else 0)
        self._step(lambda: self.role.handle_datagram(datagram, self.network.now))

    def interface_of(self, address: Address) -> Interface | None:
        """The interface that has this address and is up."""
        for one in self.underlay.interfaces:
            attachment = one.attachment(address.version)
            if attachment is not None and attachment.address == address:
                return one
        return None

    def addresses(self) -> list[Address]:
        """Every address of an interface that is up."""
        attachments = [one.attachment(version) for one in self.underlay.interfaces for version in (4, 6)]
        return [attachment.address for attachment in attachments if attachment is not None]

    def forget(self) -> None:
        """What was told and delivered up to now is of no interest any more."""
        self.events.clear()
        self.dataplane.delivered.clear()
        self.dataplane.rejected.clear()
        self.dataplane.native.clear()

    # --- To look at ---------------------------------------------------------------------------------------------------

    @property
    def serials(self) -> list[int]:
        """Of the packets that came to an EID of ours, in the order of their arrival."""
        return [packet.serial for _, packet in self.dataplane.delivered]

    @property
    def arrivals(self) -> list[Seconds]:
        """When they came."""
        return [at for at, _ in self.dataplane.delivered]

    def told(self, name: str, since: float = 0.0) -> list[Event]:
        """Events of that name."""
        return [event for at, event in self.events if event.name == name and at >= since]

    def told_at(self, name: str, since: float = 0.0) -> list[Seconds]:
        """When events of that name were told."""
        return [at for at, event in self.events if event.name == name and at >= since]

    def way_to(self, eid: str, iid: int = 0) -> list[str]:
        """The RLOCs that packets for an EID are sent to, in the order of the verdict; none if they are not sent."""
        verdict = self.dataplane.table.lookup(Eid(ip_address(eid), InstanceId(iid)))
        return [str(locator.address) for locator in verdict.locators] if isinstance(verdict, Encapsulate) else []

    def mtu_to(self, eid: str) -> int:
        """What packets for an EID may have on their way, outer headers included; it has one RLOC."""
        (mtu,) = self.dataplane.table.mtus(Eid(ip_address(eid))).values()
        return mtu

    def drops(self) -> dict[ControlReason, int]:
        """Reasons that were given at all."""
        return {reason: count for reason, count in self.role.drops().items() if count}

    # --- The kernel and the driver ------------------------------------------------------------------------------------

    def _tell_underlay(self) -> None:
        def step() -> None:
            self._tell_traffic()
            self.role.handle_underlay(self.underlay, self.network.now)

        self._step(step)

    def _tell_traffic(self) -> None:
        traffic = self.dataplane.traffic(self._reading)
        self._reading = traffic.reading
        self.role.handle_traffic(traffic, self.network.now)

    def _punts(self) -> None:
        for punt in self.dataplane.take_punts():
            self._step(lambda punt=punt: self.role.handle_punt(punt, self.network.now))

    def _step(self, step: Callable[[], None]) -> None:
        step()
        for effect in self.role.take_effects():
            match effect:
                case Persist(key, 0):
                    self.disk.pop(key, None)
                case Persist(key, value):
                    self.disk[key] = value
                case Commit(transaction):
                    self.dataplane.commit(transaction)
                case Send():
                    self._send(effect)
        self.events += [(self.network.now, event) for event in self.role.take_events()]
        self._arm()
        self._punts()

    def _send(self, send: Send) -> None:
        """As the kernel does it: fill in the source."""
        source = send.source or self._source_for(send.destination.address, send.ifindex)
        assert source is not None, f"{self.name} has no way to {send.destination.address}"
        self._own(source)
        endpoint = Endpoint(source, send.source_port)
        self.network.carry(Frame(self.network.now, self.name, endpoint, send.destination, send.payload))

    def _source_for(self, destination: Address, ifindex: int) -> Address | None:
        for one in self.underlay.interfaces:
            attachment = one.attachment(destination.version)
            if attachment is not None and ifindex in (0, one.index):
                return attachment.address
        return None

    def _transmit(self, packet: Packet, source: Endpoint, destination: Endpoint) -> None:
        self._own(source.address)
        self.network.carry(Frame(self.network.now, self.name, source, destination, packet))

    def _own(self, source: Address) -> None:
        assert self.interface_of(source) is not None, f"{self.name} sends from {source}, which it does not have"

    def _arm(self) -> None:
        """One timer, fired somewhere in the slack that it was given."""
        timeout = self.role.poll_timeout()
        self._timer += 1
        if timeout is None or not self.up:
            return
        timer = self._timer
        assert timeout.slack >= 0, f"{timeout.why}: a slack that is over before it begins"
        late = self.network.random.random() * timeout.slack * self.network.conditions.lateness
        when = max(self.network.now, timeout.at) + late

        def fire() -> None:
            if timer == self._timer and self.up:
                self._step(self._time_out)

        self.network.at(when, fire)

    def _time_out(self) -> None:
        self.wakeups += 1
        self._tell_traffic()
        self.role.handle_timeout(self.network.now)
        timeout = self.role.poll_timeout()
        self._overdue = self._overdue + 1 if timeout is not None and timeout.at <= self.network.now else 0
        assert self._overdue < OVERDUE_MAX, f"{self.name}: {timeout}: it stays due whatever is done"
