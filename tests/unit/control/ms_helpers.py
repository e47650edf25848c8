"""A Map-Server on the bench, with the messages that an xTR would send it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from lispfast.control import auth
from lispfast.control.effects import Datagram, Event, Persist, Send
from lispfast.control.map_server import MapServer
from lispfast.model.addresses import CONTROL_PORT, EidPrefix, Endpoint
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType, Mode, Settings, Site
from lispfast.model.units import Minutes, Nonce, Seconds
from lispfast.wire.addresses import WireAddress
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.message import Message, decode
from lispfast.wire.records import EidRecord, eid_prefix, record_from_mapping, wire_eid

KEY = Key(b"the shared secret", KeyType.HMAC_SHA256)
OTHER_KEY = Key(b"another secret", KeyType.HMAC_SHA256)

SERVER = Endpoint(ip_address("192.0.2.1"), CONTROL_PORT)
SERVER_V6 = Endpoint(ip_address("2001:db8::1"), CONTROL_PORT)
ETR = Endpoint(ip_address("198.51.100.7"), CONTROL_PORT)
ITR = Endpoint(ip_address("203.0.113.9"), CONTROL_PORT)
ITR_V6 = Endpoint(ip_address("2001:db8:9::9"), CONTROL_PORT)


def at(address: str, port: int = CONTROL_PORT) -> Endpoint:
    return Endpoint(ip_address(address), port)


def prefix(text: str, iid: int = 0) -> EidPrefix:
    return EidPrefix.parse(text, iid)


def site(text: str, key: Key = KEY, iid: int = 0, more_specifics: bool = False, proxy_reply: bool = False) -> Site:
    return Site(prefix(text, iid), key, more_specifics, proxy_reply)


def mapping(text: str, *rlocs: str, ttl: int = 10, iid: int = 0) -> Mapping:
    locators = tuple(Locator(ip_address(rloc), local=True) for rloc in rlocs)
    return Mapping(prefix(text, iid), locators, Minutes(ttl))


def record(text: str, *rlocs: str, ttl: int = 10, iid: int = 0) -> EidRecord:
    return record_from_mapping(mapping(text, *rlocs, ttl=ttl, iid=iid))


def register(nonce: int, *records: EidRecord, **flags: object) -> MapRegister:
    return replace(MapRegister(Nonce(nonce), records, want_map_notify=True), **flags)  # type: ignore[arg-type]


def request(nonce: int, *eids: str, itr: tuple[WireAddress, ...] = (ITR.address,), **flags: object) -> MapRequest:
    records = tuple(
        RequestRecord(wire_eid(p), p.length) for p in (prefix(eid if "/" in eid else host(eid)) for eid in eids)
    )
    return replace(MapRequest(Nonce(nonce), None, itr, records), **flags)  # type: ignore[arg-type]


def host(eid: str) -> str:
    return f"{eid}/{ip_address(eid).max_prefixlen}"


class Bench:
    """Holds a Map-Server, hands it messages and collects what comes out."""

    def __init__(self, *sites: Site, static: tuple[Mapping, ...] = (), saved: dict[str, int] | None = None) -> None:
        settings = Settings(Mode.MS, sites=sites, static_registrations=static)
        self.server = MapServer(settings, _no_nonce, saved or {})
        self.now = Seconds(1000.0)
        self.saved: dict[str, int] = dict(saved or {})
        self.events: list[Event] = []
        self.order: list[str] = []
        self.server.start(self.now)

    def later(self, seconds: float) -> None:
        self.now = Seconds(self.now + seconds)
        self.server.handle_timeout(self.now)
        self.take()

    def take(self) -> list[Send]:
        """Effects carried out, events kept; what is to be sent."""
        self.events += self.server.take_events()
        sends = []
        for effect in self.server.take_effects():
            self.order.append(type(effect).__name__)
            if isinstance(effect, Persist):
                self.saved[effect.key] = effect.value
            elif isinstance(effect, Send):
                sends.append(effect)
        return sends

    def receive(self, payload: bytes, source: Endpoint = ETR, destination: Endpoint | None = None) -> list[Send]:
        if destination is None:
            destination = SERVER if source.address.version == 4 else SERVER_V6
        self.server.handle_datagram(Datagram(payload, source, destination), self.now)
        return self.take()

    def register(self, message: MapRegister, source: Endpoint = ETR, key: Key = KEY) -> list[Send]:
        return self.receive(auth.sign(message, key), source)

    def request(
        self, message: MapRequest, source: Endpoint = ITR, inner: Endpoint | None = None, **flags: bool
    ) -> list[Send]:
        """In an ECM from `source`, `inner` inside: the requested EID is the inner destination."""
        eid = (
            eid_prefix(message.records[0].eid, message.records[0].mask_len) if message.records else prefix("0.0.0.0/0")
        )
        to = Endpoint(eid.network.network_address, CONTROL_PORT)
        if inner is None:
            inner = source if source.address.version == eid.version else Endpoint(to.address, source.port)
        return self.receive(EncapsulatedControl.wrap(inner, to, message.encode(), **flags).encode(), source)

    def ask(self, *eids: str, **kwargs: object) -> MapReply:
        """The one Map-Reply to a Map-Request."""
        (send,) = self.request(request(0xABC, *eids, **kwargs))  # type: ignore[arg-type]
        reply = message_of(send)
        assert isinstance(reply, MapReply)
        assert reply.nonce == 0xABC
        return reply

    @property
    def dropped(self) -> dict[ControlReason, int]:
        return {reason: count for reason, count in self.server.drops().items() if count}

    def event_names(self) -> list[str]:
        return [event.name for event in self.events]

    def sites(self) -> list[dict[str, object]]:
        return self.server.view("sites", self.now)["sites"]  # type: ignore[return-value]

    def registered(self) -> dict[str, list[str]]:
        """EID-prefix to RLOCs, as the operator sees it."""
        found: dict[str, list[str]] = {}
        for one in self.sites():
            for registration in one["registrations"]:  # type: ignore[attr-defined]
                found[registration["eid_prefix"]] = [locator["address"] for locator in registration["locators"]]
        return found


def _no_nonce() -> Nonce:
    raise AssertionError("a Map-Server draws no nonce")


def message_of(send: Send) -> Message:
    return decode(send.payload)


def notify_of(sends: list[Send], key: Key = KEY) -> MapNotify:
    """The one Map-Notify, its MAC checked."""
    (send,) = sends
    notify = message_of(send)
    assert isinstance(notify, MapNotify)
    assert auth.verify(send.payload, notify, key)
    return notify
