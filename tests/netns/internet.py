"""A small internet for the daemon's stories: two mobile nodes, a Map-Server, and a router in the middle.

laptop --- lan0 +--------+ ap0 --- wlan0 phone
                | router |
    ms --- srv0 +--------+ bs0 --- wwan0 phone
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lispfast.lab import Host, Lab, Node, lispconf
from lispfast.lab.host import Interface

KEY = "a shared secret"
PHONE_EIDS = ("172.16.1.1", "fd10::1:1")
LAPTOP_EIDS = ("172.16.2.1", "fd10::2:1")
SITES = ("172.16.0.0/16", "fd10::/64")
BOUND_S = 10.0


@dataclass(frozen=True, slots=True)
class Network:
    """A link of the router: its number makes its addresses."""

    number: int
    versions: Sequence[int]

    def address(self, host: int, version: int) -> str:
        return f"192.0.{self.number}.{host}" if version == 4 else f"2001:db8:{self.number}::{host}"

    def with_length(self, host: int) -> list[str]:
        return [f"{self.address(host, v)}/{24 if v == 4 else 64}" for v in self.versions]

    def gateways(self) -> list[str]:
        return [self.address(1, v) for v in self.versions]


class Internet:
    """The hosts and links; the phone is on Wi-Fi. `versions` are the underlay's families."""

    def __init__(self, lab: Lab, versions: Sequence[int] = (4, 6)) -> None:
        self.router = lab.host("router", forward=True)
        self.ms, self.laptop, self.phone = (lab.host(name) for name in ("ms", "laptop", "phone"))
        self.wifi, self.lte, self.lan, self.servers = (Network(number, versions) for number in (11, 12, 13, 14))
        self.wlan0 = self._wire(lab, "ap0", self.wifi, self.phone, "wlan0")
        self.wwan0 = self._wire(lab, "bs0", self.lte, self.phone, "wwan0")
        join(self._wire(lab, "lan0", self.lan, self.laptop, "eth0"), self.lan)
        join(self._wire(lab, "srv0", self.servers, self.ms, "eth0"), self.servers)
        join(self.wlan0, self.wifi)
        self.map_server = self.servers.address(10, versions[0])

    def _wire(self, lab: Lab, router_end: str, network: Network, host: Host, name: str) -> Interface:
        ours, theirs = lab.link(self.router, router_end, host, name)
        ours.up()
        ours.add_address(*network.with_length(1))
        return theirs

    def map_server_conf(self, extra: str = "") -> str:
        return lispconf.MapServer(SITES, KEY, extra=extra).render()

    def mobile_conf(self, eids: Sequence[str], interfaces: Sequence[str], **fields: object) -> str:
        prefixes = [f"{eid}/{128 if ':' in eid else 32}" for eid in eids]
        words: dict[str, object] = {"key": KEY, **fields}
        return lispconf.MobileNode(prefixes, interfaces, self.map_server, **words).render()  # type: ignore[arg-type]

    def start_map_server(self) -> Node:
        node = Node(self.ms, self.map_server_conf())
        node.start()
        node.wait_ready()
        return node

    def start_phone(self, **fields: object) -> Node:
        return self._start(self.phone, self.mobile_conf(PHONE_EIDS, ("wlan0", "wwan0"), **fields))

    def start_laptop(self, **fields: object) -> Node:
        return self._start(self.laptop, self.mobile_conf(LAPTOP_EIDS, ("eth0",), **fields))

    def _start(self, host: Host, conf: str) -> Node:
        node = Node(host, conf)
        node.start()
        node.wait_ready()
        node.wait_event("map-notify-received", BOUND_S)
        return node


def join(interface: Interface, network: Network) -> None:
    """What a DHCP client or a router advertisement would do."""
    interface.up()
    interface.add_address(*network.with_length(10))
    interface.add_default(*network.gateways())


def leave(interface: Interface) -> None:
    """What a network manager does when it leaves."""
    interface.down()
    interface.flush_addresses()
