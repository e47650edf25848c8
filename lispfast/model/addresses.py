"""EIDs, EID-prefixes and endpoints, over the standard library's address types."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from lispfast.model.units import InstanceId

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

CONTROL_PORT = 4342  # RFC 9301 section 12.1
DATA_PORT = 4341  # RFC 9300 section 19.1


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A UDP address and port."""

    address: Address
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Eid:
    """One endpoint identifier: an address within an instance-ID."""

    address: Address
    iid: InstanceId = InstanceId(0)

    @property
    def prefix(self) -> EidPrefix:
        """The host prefix, /32 or /128, that holds this EID alone."""
        return EidPrefix(ip_network(self.address), self.iid)

    def __str__(self) -> str:
        return f"[{self.iid}]{self.address}" if self.iid else str(self.address)


@dataclass(frozen=True, slots=True)
class EidPrefix:
    """An EID-prefix within an instance-ID; no host bits are set."""

    network: Network
    iid: InstanceId = InstanceId(0)

    @classmethod
    def parse(cls, text: str, iid: int = 0) -> EidPrefix:
        """Read `address/length`; ValueError for anything else, host bits included."""
        return cls(ip_network(text), InstanceId(iid))

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.network.version

    @property
    def length(self) -> int:
        """The mask length in bits."""
        return self.network.prefixlen

    def contains(self, eid: Eid) -> bool:
        """Whether the EID lies inside; never across families or instance-IDs."""
        return eid.iid == self.iid and eid.address in self.network

    def covers(self, other: EidPrefix) -> bool:
        """Whether the other prefix is this one or a more-specific of it."""
        if other.iid != self.iid or other.version != self.version or other.length < self.length:
            return False
        return other.network.network_address in self.network

    def __str__(self) -> str:
        return f"[{self.iid}]{self.network}" if self.iid else str(self.network)


def parse_address(text: str) -> Address:
    """Read an IPv4 or IPv6 address; ValueError for anything else."""
    return ip_address(text)
