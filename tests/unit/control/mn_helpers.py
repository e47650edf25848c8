"""A mobile node on the bench: virtual time, a strict table, and the messages of those that it talks to."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import ip_address, ip_network

from lispfast.control import auth
from lispfast.control.effects import Commit, Datagram, Event, Persist, Send
from lispfast.control.mobile_node import MobileNode
from lispfast.model.addresses import CONTROL_PORT, Address, Eid, EidPrefix, Endpoint
from lispfast.model.forwarding import Miss, PrefixTraffic, Traffic, Verdict
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import (
    DatabaseMapping,
    InterfaceLocator,
    Key,
    KeyType,
    MapServerSettings,
    Mode,
    Probing,
    Profile,
    Settings,
)
from lispfast.model.underlay import Attachment, Interface, Underlay
from lispfast.model.units import Minutes, Nonce, Seconds, WireMtu
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.message import Message, decode
from lispfast.wire.records import record_from_mapping, wire_eid
from tests.sim.tables import Table

KEY = Key(b"the shared secret", KeyType.HMAC_SHA1)
WRONG_KEY = Key(b"not the shared secret", KeyType.HMAC_SHA1)
SERVER = ip_address("192.0.2.1")
SERVER_2 = ip_address("192.0.2.2")
EID = ip_address("10.0.0.1")
EID_V6 = ip_address("fd00::1")
PEER = ip_address("10.0.0.2")
PEER_V6 = ip_address("fd00::2")
WIFI = ip_address("198.51.100.10")
LTE = ip_address("203.0.113.20")
LTE_V6 = ip_address("2001:db8:20::20")
PEER_RLOC = ip_address("192.0.2.77")
PEER_RLOC_2 = ip_address("192.0.2.78")
PEER_RLOC_V6 = ip_address("2001:db8:77::77")
FIRST_NONCE = 5_000


def interface(name: str, *addresses: Address, up: bool = True, routed: bool = True, mtu: int = 1500) -> Interface:
    attached = {a.version: Attachment(a, routed=routed) for a in addresses}
    index = {"wlan0": 3, "wwan0": 4}[name]
    return Interface(name, index, up, WireMtu(mtu), attached.get(4), attached.get(6))


NOWHERE = Underlay()
ON_WIFI = Underlay((interface("wlan0", WIFI),))
ON_LTE = Underlay((interface("wwan0", LTE),))
ON_LTE_V6 = Underlay((interface("wwan0", LTE_V6),))
ON_LTE_DUAL = Underlay((interface("wwan0", LTE, LTE_V6),))
ON_BOTH = Underlay((interface("wlan0", WIFI), interface("wwan0", LTE)))


def host(address: Address) -> EidPrefix:
    return Eid(address).prefix


def database(*eids: Address, ttl: int = 10) -> tuple[DatabaseMapping, ...]:
    locators = (
        InterfaceLocator("wlan0", 4, 1, 100),
        InterfaceLocator("wlan0", 6, 2, 100),
        InterfaceLocator("wwan0", 4, 3, 100),
        InterfaceLocator("wwan0", 6, 4, 100),
    )
    return tuple(DatabaseMapping(host(eid), locators, Minutes(ttl)) for eid in eids)


def database_v6(*eids: Address) -> tuple[DatabaseMapping, ...]:
    """Reached over IPv6 alone, while SERVER has an IPv4 address."""
    locators = (InterfaceLocator("wlan0", 6, 1, 100), InterfaceLocator("wwan0", 6, 2, 100))
    return tuple(DatabaseMapping(host(eid), locators) for eid in eids)


def settings(**changes: object) -> Settings:
    usual = Settings(
        Mode.MN,
        map_servers=(MapServerSettings(SERVER, KEY, proxy_reply=True),),
        map_resolvers=(SERVER,),
        database=database(EID, EID_V6),
        probing=Probing(Seconds(0)),
        rloc_lookup=False,  # its Map-Requests are test_visited_sites' business
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def mapping(prefix: str, *rlocs: Address, ttl: int = 10, action: Action = Action.NO_ACTION, **flags: object) -> Mapping:
    locators = tuple(Locator(rloc) for rloc in rlocs)
    return replace(Mapping(EidPrefix(ip_network(prefix)), locators, Minutes(ttl), action), **flags)  # type: ignore[arg-type]


class Bench:
    """Holds a mobile node; `sent` are its datagrams since the last `clear`, effects are carried out as they come."""

    def __init__(self, configured: Settings | None = None, underlay: Underlay | None = None, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.node = MobileNode(configured or settings(), lambda: Nonce(self.random.getrandbits(64)), FIRST_NONCE)
        self.now = Seconds(1000.0)
        self.table = Table()
        self.table.private = self.node.settings.profile is Profile.PRIVATE
        self.saved: dict[str, int] = {}
        self.sent: list[Send] = []
        self.sent_at: list[Seconds] = []
        self.events: list[Event] = []
        self.order: list[str] = []
        self.node.start(self.now)
        self.take()
        if underlay is not None:
            self.move(underlay)

    def take(self) -> None:
        for effect in self.node.take_effects():
            self.order.append(type(effect).__name__)
            match effect:
                case Commit(transaction):
                    self.table.commit(transaction)
                case Persist(key, value):
                    self.saved[key] = value
                case Send():
                    self.sent.append(effect)
                    self.sent_at.append(self.now)
        self.events += self.node.take_events()

    def clear(self) -> None:
        self.sent.clear()
        self.sent_at.clear()
        self.events.clear()
        self.order.clear()

    def move(self, underlay: Underlay) -> None:
        self.node.handle_underlay(underlay, self.now)
        self.take()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, waking the node exactly when it asks for it."""
        end = Seconds(self.now + seconds)
        for _ in range(10_000):
            timeout = self.node.poll_timeout()
            if timeout is None or timeout.at > end:
                self.now = end
                return
            self.now = max(self.now, timeout.at)
            self.node.handle_timeout(self.now)
            self.take()
        raise AssertionError("the node keeps waking itself")

    def receive(self, message: Message | bytes, source: Address, destination: Address | None = None) -> None:
        payload = message if isinstance(message, bytes) else message.encode()
        to = destination or self.node.position.control_source(source.version).address  # type: ignore[union-attr]
        datagram = Datagram(payload, Endpoint(source, CONTROL_PORT), Endpoint(to, CONTROL_PORT))
        self.node.handle_datagram(datagram, self.now)
        self.take()

    def punt(self, destination: Address, source: Address | None = None) -> None:
        own = EID if destination.version == 4 else EID_V6
        self.node.handle_punt(Miss(destination, source or own), self.now)
        self.take()

    def use(self, *prefixes: EidPrefix, idle: float = 0.0, outer: dict[Address, float] | None = None) -> None:
        """The data plane reports that packets went to these, and came from those."""
        counted = {prefix: PrefixTraffic(1, 100, 0, Seconds(idle)) for prefix in prefixes}
        self.node.handle_traffic(Traffic(counted, {a: Seconds(age) for a, age in (outer or {}).items()}), self.now)

    # --- What the node sent, by kind ----------------------------------------------------------------------------------

    def messages(self, kind: type) -> list[tuple[Send, Message]]:
        return [(send, message) for send in self.sent if isinstance(message := decode(send.payload), kind)]

    def registers(self, server: Address = SERVER) -> list[MapRegister]:
        return [m for s, m in self.messages(MapRegister) if s.destination.address == server]  # type: ignore[misc]

    def questions(self) -> list[MapRequest]:
        """Map-Requests to a Map-Resolver, out of their encapsulation."""
        inner = [decode(m.inner().payload) for _, m in self.messages(EncapsulatedControl)]  # type: ignore[union-attr]
        return [request for request in inner if isinstance(request, MapRequest)]

    def asked(self) -> list[str]:
        return [f"{_address(r.records[0].eid)}/{r.records[0].mask_len}" for r in self.questions()]

    def requests(self) -> list[tuple[Send, MapRequest]]:
        """Map-Requests straight to an RLOC: probes and solicitations."""
        return self.messages(MapRequest)  # type: ignore[return-value]

    def replies(self) -> list[tuple[Send, MapReply]]:
        return self.messages(MapReply)  # type: ignore[return-value]

    def event_names(self) -> list[str]:
        return [event.name for event in self.events]

    @property
    def dropped(self) -> dict[ControlReason, int]:
        return {reason: count for reason, count in self.node.drops().items() if count}

    # --- What others answer -------------------------------------------------------------------------------------------

    def notify(self, register: MapRegister | None = None, server: Address = SERVER, key: Key = KEY) -> None:
        """The Map-Server acknowledges a Map-Register, by default its latest."""
        register = register or self.registers(server)[-1]
        answer = MapNotify(register.nonce, register.records)
        self.receive(auth.sign(answer, key), server)

    def reply(self, *mappings: Mapping, request: MapRequest | None = None, source: Address = SERVER) -> None:
        """A Map-Reply to a question, by default the latest."""
        nonce = (request or self.questions()[-1]).nonce
        self.receive(MapReply(nonce, tuple(record_from_mapping(m) for m in mappings)), source)

    def solicit(self, moved: EidPrefix, record: EidPrefix, source: Address = PEER_RLOC, **flags: bool) -> None:
        """An SMR from a peer."""
        records = (RequestRecord(wire_eid(record), record.length),)
        nonce = Nonce(self.random.getrandbits(64))
        smr = MapRequest(nonce, wire_eid(moved), (source,), records, smr=True, dont_reply=True)
        self.receive(replace(smr, **flags), source)  # type: ignore[arg-type]

    def verdict(self, address: Address) -> Verdict | None:
        return self.table.lookup(Eid(address))

    def ways(self, address: Address) -> list[tuple[Address, Address]]:
        return self.table.ways(Eid(address))

    def know(self, address: Address, *rlocs: Address, ttl: int = 10) -> None:
        """A packet for the EID, its question and its answer."""
        self.punt(address)
        self.reply(mapping(str(host(address)), *rlocs, ttl=ttl))


def registered(configured: Settings | None = None, underlay: Underlay = ON_WIFI) -> Bench:
    """A node whose Map-Servers have all confirmed it, with nothing left to look at."""
    bench = Bench(configured, underlay)
    for server in bench.node.settings.map_servers:
        for register in bench.registers(server.address):
            bench.notify(register, server.address)
    bench.pass_time(1)
    bench.clear()
    return bench


def _address(eid: object) -> object:
    return getattr(eid, "address", eid)
