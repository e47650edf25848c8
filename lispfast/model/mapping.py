"""What the mapping system says of an EID-prefix: its locators, or what to do without any."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.units import Minutes

UNUSABLE_PRIORITY = 255  # RFC 9301 section 5.4: never used for unicast


class Action(IntEnum):
    """The ACT of a record without locators (RFC 9301 sections 5.4 and 12.3)."""

    NO_ACTION = 0
    NATIVELY_FORWARD = 1
    SEND_MAP_REQUEST = 2
    DROP = 3
    DROP_POLICY_DENIED = 4
    DROP_AUTH_FAILURE = 5


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop of an explicit locator path, and its L-, P- and S-bit (RFC 8060 section 4.6)."""

    address: Address
    lookup: bool = False
    probe: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Locator:
    """One RLOC of a mapping with its policy (RFC 9301 section 5.4).

    `priority` and `weight` are 0 to 255, lower priority first, 255 never; `reachable` is the R-bit, `local` the L-bit,
    `probed` the p-bit. `encapsulation` is configured, never heard: None is the node's own form.
    `path` is an explicit locator path, of which `address` is the first hop; empty without one. `encoded` is the address
    as it stands on the wire where that says more than these two.
    """

    address: Address
    priority: int = 1
    weight: int = 100
    multicast_priority: int = 255
    multicast_weight: int = 0
    local: bool = False
    probed: bool = False
    reachable: bool = True
    encapsulation: Encapsulation | None = None
    path: tuple[Hop, ...] = ()
    encoded: bytes = b""

    @property
    def usable(self) -> bool:
        """Whether unicast may be sent there at all: R set and a priority other than 255."""
        return self.reachable and self.priority != UNUSABLE_PRIORITY

    @property
    def etr(self) -> Address:
        """The RLOC of the node that packets end at: its own, or of a path's last hop."""
        return self.path[-1].address if self.path else self.address

    @property
    def rlocs(self) -> tuple[Address, ...]:
        """The RLOCs that packets may be sent to: its own, or of each hop that is no EID."""
        return tuple(hop.address for hop in self.path if not hop.lookup) if self.path else (self.address,)


@dataclass(frozen=True, slots=True)
class CarriedLocator:
    """A locator that names no RLOC and is not acted on: its bytes on the wire, L- and p-bit cleared, to be told on."""

    encoded: bytes


@dataclass(frozen=True, slots=True)
class Mapping:
    """An EID-prefix with its locator-set; `action` counts only where `locators` is empty.

    `carried` are the locators that only others may know what to do with.
    """

    prefix: EidPrefix
    locators: tuple[Locator, ...]
    ttl: Minutes
    action: Action = Action.NO_ACTION
    authoritative: bool = False
    version: int = 0
    carried: tuple[CarriedLocator, ...] = ()

    @property
    def negative(self) -> bool:
        """Whether this is a Negative Map-Reply's record: no locators."""
        return not self.locators


def sort_locators(locators: tuple[Locator, ...]) -> tuple[Locator, ...]:
    """In the order of the wire: IPv4 before IPv6, ascending (RFC 9301 section 5.5), then LCAFs (RFC 8060 section 3)."""
    return tuple(sorted(locators, key=_order))


def _order(locator: Locator) -> tuple[object, ...]:
    """LCAFs of a type are equal to RFC 8060, which sorts by {AFI, type}; by what they say the order stays the same."""
    hops = tuple((hop.address.version, int(hop.address)) for hop in locator.path)
    return bool(hops or locator.encoded), locator.address.version, int(locator.address), hops, locator.encoded
