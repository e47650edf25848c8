"""The networks that a host is attached to: a whole snapshot at a time, never a delta."""

from __future__ import annotations

from dataclasses import dataclass

from lispfast.model.addresses import Address, Network
from lispfast.model.units import WireMtu


@dataclass(frozen=True, slots=True)
class Attachment:
    """One family on one interface: the address that the node can be reached at there.

    `address` is of global scope, not tentative, deprecated or duplicate. `gateway` is the next hop of the interface's
    default route, None for a default without one (a point-to-point link) or without a default; `routed` says whether
    there is a default. `on_link` are the prefixes reached without a gateway.
    """

    address: Address
    gateway: Address | None = None
    routed: bool = False
    on_link: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Interface:
    """A physical interface; `up` means administratively up and with a carrier."""

    name: str
    index: int
    up: bool
    mtu: WireMtu
    v4: Attachment | None = None
    v6: Attachment | None = None

    def attachment(self, version: int) -> Attachment | None:
        """The attachment of family 4 or 6, None where there is none or the interface is down."""
        if not self.up:
            return None
        return self.v4 if version == 4 else self.v6


@dataclass(frozen=True, slots=True)
class Underlay:
    """Every interface that the configuration names and the host has, in the order of the configuration."""

    interfaces: tuple[Interface, ...] = ()

    def interface(self, name: str) -> Interface | None:
        """The interface of that name, None where the host has none."""
        return next((i for i in self.interfaces if i.name == name), None)
