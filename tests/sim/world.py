"""The network of the stories: a Map-Server, a phone and a laptop, each a whole role behind a slow data plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address

from lispfast.control.map_server import MapServer
from lispfast.control.mobile_node import MobileNode
from lispfast.control.register_nonce import KEY as REGISTER_NONCE
from lispfast.model.addresses import EidPrefix
from lispfast.model.settings import (
    DatabaseMapping,
    InterfaceLocator,
    Key,
    KeyType,
    MapServerSettings,
    Mode,
    Probing,
    ProxyEtr,
    Settings,
    Site,
)
from lispfast.model.underlay import Interface
from lispfast.model.units import Nonce, Seconds

from .host import Host, interface
from .network import Conditions, Network

KEY = Key(b"the shared secret", KeyType.HMAC_SHA256)
SERVER_V4, SERVER_V6 = "192.0.2.1", "2001:db8:0:1::1"
PHONE_V4, PHONE_V6 = "10.0.0.1", "fd00::1"
LAPTOP_V4, LAPTOP_V6 = "10.0.0.2", "fd00::2"
WIFI, LTE, HOTEL = "198.51.100.10", "203.0.113.10", "198.51.100.200"
OFFICE, TRAIN = "192.0.2.130", "203.0.113.77"
TALKED = 900_000
"""The serial of the packets of `World.talk`."""
NO_PROBES = Probing(interval=Seconds(0))
RANGES = ("10.0.0.0/24", "fd00::/64")
"""Sites that accept the EID-prefixes of both nodes as more-specifics."""


class World:
    """Nodes that are not started yet; `server` is there from the beginning.

    `sites` are EID-prefixes whose more-specifics may be registered; without any, each EID-prefix is a site of its own.
    `node_settings` and `server_settings` are fields of their `Settings` that are to be others than usual.
    """

    def __init__(
        self,
        seed: int = 1,
        conditions: Conditions | None = None,
        proxy_reply: bool = False,
        proxy_etrs: tuple[ProxyEtr, ...] = (),
        probing: Probing = NO_PROBES,
        server: str = SERVER_V4,
        iid: int = 0,
        sites: tuple[str, ...] = (),
        node_settings: Mapping[str, object] | None = None,
        server_settings: Mapping[str, object] | None = None,
    ) -> None:
        self.network = Network(seed, conditions or Conditions())
        self.proxy_reply = proxy_reply
        self.proxy_etrs = proxy_etrs
        self.probing = probing
        self.iid = iid
        self.server_address = ip_address(server)
        self.wall_clock = 0.0  # seconds that the clock of every node is ahead of the network's time
        eids = [f"{v4}/32" for v4 in (PHONE_V4, LAPTOP_V4)] + [f"{v6}/128" for v6 in (PHONE_V6, LAPTOP_V6)]
        allowed = tuple(Site(EidPrefix.parse(prefix, iid), KEY, bool(sites)) for prefix in sites or eids)
        settings = replace(Settings(Mode.MS, sites=allowed), **(server_settings or {}))  # type: ignore[arg-type]
        self.node_settings = dict(node_settings or {})
        self.server = Host(self.network, "server", lambda disk: MapServer(settings, nonces(self.network), dict(disk)))
        self.server.attach(interface("eth0", SERVER_V4, SERVER_V6))
        self.server.start()
        self.phone = self.node("phone", PHONE_V4, PHONE_V6, ("wlan0", "wwan0"))
        self.laptop = self.node("laptop", LAPTOP_V4, LAPTOP_V6, ("eth0",))

    def node(self, name: str, v4: str, v6: str, interfaces: tuple[str, ...]) -> Host:
        """A mobile node with an EID of each family, reached at whatever its interfaces have, the first one first."""
        ranked = enumerate(interfaces, start=1)
        locators = tuple(InterfaceLocator(one, version, rank) for rank, one in ranked for version in (4, 6))
        server = MapServerSettings(self.server_address, KEY, self.proxy_reply)
        database = [DatabaseMapping(EidPrefix.parse(eid, self.iid), locators) for eid in (f"{v4}/32", f"{v6}/128")]
        settings = Settings(
            Mode.MN,
            map_servers=(server,),
            map_resolvers=(self.server_address,),
            database=tuple(database),
            proxy_etrs=self.proxy_etrs,
            probing=self.probing,
        )
        settings = replace(settings, **self.node_settings)  # type: ignore[arg-type]
        return mobile_node(self.network, name, settings, lambda: self.wall_clock)

    def boot(self, phone: str = WIFI, laptop: str = OFFICE) -> None:
        """Phone on Wi-Fi, laptop at the office, both registered."""
        self.phone.attach(wlan(phone))
        self.laptop.attach(interface("eth0", laptop))
        self.phone.start()
        self.laptop.start()
        self.network.run_until(lambda: len(self.registered()) == 4, within=120)

    def registered(self) -> dict[str, list[str]]:
        """EID-prefix to RLOCs as the Map-Server has them."""
        found = {}
        for site in self.server.role.view("sites", self.network.now)["sites"]:  # type: ignore[attr-defined]
            for one in site["registrations"]:
                found[one["eid_prefix"]] = [locator["address"] for locator in one["locators"]]
        return found

    def converse(self, count: int, interval: float = 0.02, start: int = 0) -> None:
        """The phone and the laptop send each other numbered packets for a while."""
        for n in range(count):
            serial = start + n

            def exchange(serial: int = serial) -> None:
                self.phone.send(PHONE_V4, LAPTOP_V4, serial)
                self.laptop.send(LAPTOP_V4, PHONE_V4, serial)

            self.network.after(n * interval, exchange)

    def both_at(self, phone: str, laptop: str) -> bool:
        """Whether each of them sends to where the other one is."""
        return self.laptop.way_to(PHONE_V4) == [phone] and self.phone.way_to(LAPTOP_V4) == [laptop]

    def fresh(self, age: float) -> bool:
        """Whether packets came to both of them within the last `age` seconds."""
        hosts = (self.phone, self.laptop)
        return all(host.arrivals and host.arrivals[-1] >= self.network.now - age for host in hosts)

    def talk(self) -> None:
        """They have each other's mappings, by a packet each way."""
        self.converse(1, start=TALKED)
        self.network.run_until(lambda: TALKED in self.phone.serials and TALKED in self.laptop.serials, within=60)


def mobile_node(network: Network, name: str, settings: Settings, wall_clock: Callable[[], float] = lambda: 0.0) -> Host:
    """A whole mobile node; `wall_clock` is how many seconds its clock is ahead of the network's time when it boots."""

    def make(disk: dict[str, int]) -> MobileNode:
        clock = int((network.now + wall_clock()) * 1e9)
        first = max(disk.get(REGISTER_NONCE, 0) + 1, clock)
        return MobileNode(settings, nonces(network), first)

    return Host(network, name, make)


def nonces(network: Network) -> Callable[[], Nonce]:
    """Unpredictable to the roles, and a function of the seed."""
    return lambda: Nonce(network.random.getrandbits(64))


def wlan(address: str = WIFI, up: bool = True) -> Interface:
    return interface("wlan0", address, index=2, up=up)


def wwan(address: str = LTE, up: bool = True) -> Interface:
    return interface("wwan0", address, index=3, up=up)
