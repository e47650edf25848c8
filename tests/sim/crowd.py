"""A traveller and many peers at one Map-Server, every one of them a whole mobile node, made cheaply.

A peer that registers costs its Map-Register a minute; the others stand in the Map-Server's static registrations, and
differ in nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import replace
from ipaddress import ip_address

from lispfast.control.map_server import MapServer
from lispfast.model.addresses import EidPrefix
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.settings import (
    DatabaseMapping,
    InterfaceLocator,
    MapServerSettings,
    Mode,
    Probing,
    Settings,
    Site,
)
from lispfast.model.units import Minutes

from .host import Host, interface
from .network import Conditions, Network
from .world import KEY, SERVER_V4, mobile_node, nonces

SITE = "10.1.0.0/16"
TRAVELLER = "10.1.0.1"


class Crowd:
    """`traveller` is not attached yet; the peers are up, `peers[n]` has the EID `eid(n)` and the RLOC `rloc(n)`.

    The first `registering` of them register, and let the Map-Server answer for them; so does the traveller.
    """

    def __init__(
        self,
        peers: int,
        registering: int,
        ttl: Minutes,
        seed: int = 1,
        conditions: Conditions | None = None,
        probing: Probing | None = None,
        memory: int | None = None,
        node_settings: MappingOf[str, object] | None = None,
        server_settings: MappingOf[str, object] | None = None,
    ) -> None:
        self.network = Network(seed, conditions or Conditions(), memory=memory)
        self.ttl = ttl
        self.probing = probing or Probing()
        self.node_settings = dict(node_settings or {})
        static = tuple(
            Mapping(EidPrefix.parse(f"{eid(n)}/32"), (Locator(ip_address(rloc(n))),), ttl)
            for n in range(registering, peers)
        )
        sites = (Site(EidPrefix.parse(SITE), KEY, accept_more_specifics=True),)
        settings = replace(
            Settings(Mode.MS, sites=sites, static_registrations=static),
            **(server_settings or {}),  # type: ignore[arg-type]
        )
        self.server = Host(self.network, "server", lambda disk: MapServer(settings, nonces(self.network), dict(disk)))
        self.server.attach(interface("eth0", SERVER_V4))
        self.server.start()
        self.traveller = self.node("traveller", TRAVELLER, registers=True)
        self.peers = [self.node(f"peer-{n}", eid(n), registers=n < registering) for n in range(peers)]
        for n, peer in enumerate(self.peers):
            peer.attach(interface("eth0", rloc(n)))
            self.network.after(self.network.random.random() * 60, peer.start)  # not all in one second

    def node(self, name: str, eid: str, *, registers: bool) -> Host:
        """A mobile node with one EID, reached at whatever IPv4 address its `eth0` has."""
        server = MapServerSettings(ip_address(SERVER_V4), KEY, proxy_reply=True)
        database = DatabaseMapping(EidPrefix.parse(f"{eid}/32"), (InterfaceLocator("eth0", 4),), self.ttl)
        settings = Settings(
            Mode.MN,
            map_servers=(server,) if registers else (),
            map_resolvers=(ip_address(SERVER_V4),),
            database=(database,),
            probing=self.probing,
        )
        settings = replace(settings, **self.node_settings)  # type: ignore[arg-type]
        return mobile_node(self.network, name, settings)

    @property
    def hosts(self) -> list[Host]:
        """Everybody."""
        return [self.server, self.traveller, *self.peers]


def eid(n: int) -> str:
    """Of peer `n`."""
    return f"10.1.{1 + n // 250}.{1 + n % 250}"


def rloc(n: int) -> str:
    """Of peer `n`."""
    return f"192.0.2.{10 + n}" if n < 200 else f"198.18.{n // 250}.{n % 250}"
