"""What crosses the wall to the data plane: verdicts and transactions in, punts and traffic out.

Nothing here assumes a thread, a file descriptor or a batch, so that a second backend can stand behind the same wall.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from lispfast.model.addresses import DATA_PORT, Address, Eid, EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.units import InstanceId, Seconds, WireMtu

SOURCE_SLOTS = 64
"""Source-RLOC slots of a data plane: interfaces times families, with room to spare."""

LOCATOR_SET_MAX = (1 << 31) - 1
"""The highest id of a locator-set."""


class RejectCode(IntEnum):
    """Which ICMP destination unreachable answers a rejected packet, named by meaning for both families."""

    NO_ROUTE = 0  # ICMPv4 net unreachable (0), ICMPv6 no route (0)
    PROHIBITED = 1  # ICMPv4 administratively prohibited (13), ICMPv6 the same (1)


@dataclass(frozen=True, slots=True)
class InnerTunnel:
    """A tunnel inside of another: an RLOC that is itself the EID of a visited site.

    The packet goes to `address` behind an IP and UDP header of its own from the source RLOC of `slot`, and that packet
    into the outer tunnel. Its 8 bytes of `header` are LISP's.
    """

    address: Address
    slot: int
    header: bytes
    port: int = DATA_PORT


@dataclass(frozen=True, slots=True)
class ForwardingLocator:
    """Where and how to send: a locator compiled for the data plane.

    `slot` names the source RLOC (see SourceRloc), `mtu` is the effective MTU of the path, outer headers included,
    `header` the 8 bytes in front of the inner packet in the form of `encapsulation` (RFC 9300 section 5.3 for LISP);
    the data plane fills in the next protocol of the GPE forms. `inside` is a tunnel that the packet enters first.
    """

    address: Address
    slot: int
    header: bytes
    port: int = DATA_PORT
    mtu: WireMtu = WireMtu(1500)
    priority: int = 1
    weight: int = 100
    encapsulation: Encapsulation = Encapsulation.LISP
    inside: InnerTunnel | None = None


@dataclass(frozen=True, slots=True)
class Encapsulate:
    """Send to one of these by priority and weight; the locators are never empty."""

    locators: tuple[ForwardingLocator, ...]


@dataclass(frozen=True, slots=True)
class Native:
    """Leave as it is, outside LISP."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Drop and answer with ICMP destination unreachable."""

    code: RejectCode = RejectCode.NO_ROUTE


@dataclass(frozen=True, slots=True)
class Drop:
    """Drop in silence, counted as `mapping-drop`."""


@dataclass(frozen=True, slots=True)
class Resolve:
    """Stage the packet and punt its EID: somebody is to ask for the mapping."""


Verdict = Encapsulate | Native | Reject | Drop | Resolve


@dataclass(frozen=True, slots=True)
class LocatorSet:
    """A locator-set under an id of the writer's choice, 1 to LOCATOR_SET_MAX, which is replaced for all who name it."""

    id: int
    locators: tuple[ForwardingLocator, ...]


@dataclass(frozen=True, slots=True)
class EncapsulateSet:
    """Encapsulate to the locators of the set with this id, whatever they are at the time."""

    id: int


@dataclass(frozen=True, slots=True)
class SourceRloc:
    """What a source slot holds from now on; `address` None empties it and packets that need it are dropped."""

    slot: int
    address: Address | None
    ifindex: int = 0


@dataclass(frozen=True, slots=True)
class LocalPrefix:
    """An EID-prefix of ours: packets from it go out, packets to it come in.

    `version` is its Map-Version (RFC 9302), 0 for none: a packet that speaks of another is to be judged by it.
    """

    prefix: EidPrefix
    version: int = 0

    def __str__(self) -> str:
        host = self.prefix.length == self.prefix.network.max_prefixlen
        return str(Eid(self.prefix.network.network_address, self.prefix.iid) if host else self.prefix)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A change of the shared table: a reader sees all of it or none.

    `put` sets or replaces the verdict of a prefix, `withdraw` removes prefixes (one that is not there is an error),
    `local` replaces the set of our own EID-prefixes when it is not None, `sources` stores source-RLOC slots. A prefix
    stands in `put` and `withdraw` together at most once.

    `sets` sets or replaces the locators of locator-sets, which `put` may name at once; `withdraw_sets` removes some. To
    name a set that is not there is an error, and so is to remove one that a prefix still names after the transaction.
    """

    put: tuple[tuple[EidPrefix, Verdict | EncapsulateSet], ...] = ()
    withdraw: tuple[EidPrefix, ...] = ()
    local: tuple[LocalPrefix, ...] | None = None
    sources: tuple[SourceRloc, ...] = ()
    sets: tuple[LocatorSet, ...] = ()
    withdraw_sets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Miss:
    """A punt: a packet for `destination` waits in the stage; `source` is the local EID that sent it."""

    destination: Address
    source: Address
    iid: InstanceId = InstanceId(0)


@dataclass(frozen=True, slots=True)
class PathMtu:
    """A punt: a router, or our own interface, said that packets to `locator` may have at most `mtu` bytes, outer
    headers included. A hint from anybody: to be bounded before it is believed."""

    locator: Address
    mtu: WireMtu


@dataclass(frozen=True, slots=True)
class NoSegmentation:
    """A punt: the interface takes no segmentation runs; the data plane sends it one datagram a message from now on."""

    ifindex: int


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A punt: a router, or the host itself, said by ICMP that `locator` is not to be reached. A hint from anybody: to
    be probed, never to be believed (RFC 9301 section 7)."""

    locator: Address


@dataclass(frozen=True, slots=True)
class HeaderHint:
    """A punt: what the LISP header of a packet from `rloc` says that the one before did not (RFC 9300 section 5.3).

    `source` is the inner source. `nonce` is 24 bits, `echo` the E-bit that asks to have it back; `source_version` and
    `destination_version` are Map-Versions (RFC 9302), `status_bits` the locators of the sender that are up. None for
    what the packet did not carry.
    """

    rloc: Address
    source: Address
    iid: InstanceId = InstanceId(0)
    nonce: int | None = None
    echo: bool = False
    source_version: int | None = None
    destination_version: int | None = None
    status_bits: int | None = None


Punt = Miss | PathMtu | NoSegmentation | Unreachable | HeaderHint


@dataclass(frozen=True, slots=True)
class PrefixTraffic:
    """How a prefix of the table was used: inner packets and bytes; `idle` is the time since the last packet out, None
    for never. What comes in counts for the prefix that the inner source matches."""

    packets_out: int
    bytes_out: int
    drops: int
    idle: Seconds | None
    packets_in: int = 0
    bytes_in: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """A reading of the data plane's use: by prefix, and the outer sources that packets came from with their age.

    `prefixes` are those used since an earlier reading, each with its counters up to now; who is not there was not used
    since. `reading` names this reading to the data plane that made it.
    """

    prefixes: dict[EidPrefix, PrefixTraffic]
    outer_sources: dict[Address, Seconds]
    reading: int = 0
