"""Somebody off the path: writes any source address, knows prefixes and RLOCs, and neither nonces nor keys.

He does not see what the others send each other. What he plays back he is given, as if he had once been on the path.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

from lispfast.model.addresses import CONTROL_PORT, EidPrefix, Endpoint
from lispfast.model.mapping import Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Probing
from lispfast.model.units import Seconds
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.message import Message, decode
from tests.scenarios.conftest import PUNCTUAL
from tests.sim.host import Host
from tests.sim.network import Frame
from tests.sim.world import LAPTOP_V4, OFFICE, PHONE_V4, SERVER_V4, WIFI, World

LAIR = "203.0.113.66"
"""The address that the attacker wants packets to be sent to."""
VICTIM = "203.0.113.200"
"""Of somebody who has nothing to do with it, whom answers are to hit."""
PHONE, LAPTOP = f"{PHONE_V4}/32", f"{LAPTOP_V4}/32"
PROBES = Probing(Seconds(30), 2, Seconds(1))
SITES = (PHONE, LAPTOP, "fd00::1/128", "fd00::2/128")


def peaceful(*, proxy_reply: bool = True) -> World:
    """Phone and laptop registered and in conversation, each limit refilled, all messages of the beginning over."""
    world = World(conditions=PUNCTUAL, proxy_reply=proxy_reply, probing=PROBES)
    world.boot()
    world.talk()
    world.network.run(20)
    return world


def forge(
    world: World,
    target: Host,
    message: Message | bytes,
    source: str = LAIR,
    port: int = CONTROL_PORT,
    to_port: int = CONTROL_PORT,
) -> None:
    """A datagram leaves the attacker for the target's only address."""
    payload = message if isinstance(message, bytes) else message.encode()
    (destination,) = [address for address in target.addresses() if address.version == 4]
    ends = Endpoint(ip_address(source), port), Endpoint(destination, to_port)
    world.network.carry(Frame(world.network.now, "attacker", *ends, payload))


@dataclass(frozen=True)
class Knowledge:
    """All that decides where packets go."""

    verdicts: dict[str, dict[EidPrefix, object]]
    caches: dict[str, dict[EidPrefix, Mapping]]
    registered: dict[str, list[str]]


def knowledge(world: World) -> Knowledge:
    """Of all nodes and the Map-Server now."""
    nodes = (world.phone, world.laptop)
    return Knowledge(
        {host.name: dict(host.dataplane.table.verdicts) for host in nodes},
        {host.name: {entry.prefix: entry.mapping for entry in host.role.cache.entries()} for host in nodes},  # type: ignore[attr-defined]
        world.registered(),
    )


@contextmanager
def unmoved(world: World, host: Host, *reasons: ControlReason, says: tuple[str, ...] = ()) -> Iterator[None]:
    """What is forged inside changes nothing: `host` drops it for exactly these reasons, one drop each.

    Within the fifth of a second that follows, `host` sends messages of the kinds `says` in that order and no others.
    """
    before, drops, began = knowledge(world), host.role.drops(), world.network.now
    yield
    world.network.run(0.2)
    assert knowledge(world) == before
    after = host.role.drops()
    assert sorted(r for r in after for _ in range(after[r] - drops[r])) == sorted(reasons)
    assert tuple(frame.kind for frame in world.network.control(host.name, since=began)) == says


def caught(world: World, kind: str, receiver: str) -> Frame:
    """The newest message of a kind to one of the hosts."""
    addresses = {"server": SERVER_V4, "phone": WIFI, "laptop": OFFICE}
    return [f for f in world.network.frames(kind) if str(f.destination.address) == addresses[receiver]][-1]


def message_of(frame: Frame) -> Message:
    """What it says, out of its encapsulation."""
    assert isinstance(frame.content, bytes)
    message = decode(frame.content)
    return decode(message.inner().payload) if isinstance(message, EncapsulatedControl) else message
