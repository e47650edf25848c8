"""From the values that others had, our encoder and our MAC make the bytes that they sent."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from lispfast.control import auth, map_requests
from lispfast.model.addresses import EidPrefix
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.settings import Key, KeyType
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import NOTIFICATION_BIT, MapRequest, RequestRecord
from lispfast.wire.message import Message
from lispfast.wire.records import record_from_mapping, wire_eid

from .captures import messages

ANCHOR = Key(b"anchorkey", KeyType.HMAC_SHA1)
EID, PEER = EidPrefix.parse("172.16.1.1/32"), EidPrefix.parse("172.16.2.1/32")
V4, V6, PEER_V4, PEER_V6 = (ip_address(text) for text in ("10.0.1.2", "2001:db8:1::2", "10.0.3.2", "2001:db8:3::2"))


def register(prefix: EidPrefix, locator: Locator, **flags: bool) -> Callable[[Nonce], bytes]:
    record = record_from_mapping(Mapping(prefix, (locator,), Minutes(10), authoritative=True))
    return lambda nonce: auth.sign(MapRegister(nonce, (record,), want_map_notify=True, **flags), ANCHOR)


def notify(prefix: EidPrefix, locator: Locator) -> Callable[[Nonce], bytes]:
    record = record_from_mapping(Mapping(prefix, (locator,), Minutes(10), authoritative=True))
    return lambda nonce: auth.sign(MapNotify(nonce, (record,)), ANCHOR)


def reply(mapping: Mapping, *, probed: bool = False) -> Callable[[Nonce], bytes]:
    # lispers.net sets bits of a probe's reply that are reserved.
    reserved = 0x3F00 if probed else 0
    records = (record_from_mapping(mapping),)
    return lambda nonce: MapReply(nonce, records, probe=probed, reserved=reserved).encode()


def asks(request: Callable[[Nonce], MapRequest]) -> Callable[[Nonce], bytes]:
    return lambda nonce: request(nonce).encode()


OOR_NEGATIVE = Mapping(EidPrefix.parse("0.0.0.0/1"), (), Minutes(15), Action.NATIVELY_FORWARD, authoritative=True)
LISPERS = EidPrefix.parse("153.16.2.0/24")
LISPERS_XTR = XtrIdentity(0x70844E4D79F145B31BFEC7C501154C58, None)
LISPERS_ASKED = RequestRecord(ip_address("153.16.2.10"), 32, NOTIFICATION_BIT)
LISPERS_RLOCS = (ip_address("10.9.0.11"),)

MADE: dict[str, tuple[str, Callable[[Nonce], bytes]]] = {
    "Map-Register": ("oor/v4rloc-ra0", register(EID, Locator(V4, local=True))),
    "Map-Register over IPv6": ("oor/v6rloc-ra0", register(EID, Locator(V6, local=True))),
    "Map-Register, proxy reply": ("oor/proxyreply-ra0", register(EID, Locator(V4, local=True), proxy_reply=True)),
    "Map-Notify": ("oor/v4rloc-ra0", notify(EID, Locator(V4))),
    "Map-Notify over IPv6": ("oor/v6rloc-ra0", notify(EID, Locator(V6))),
    "Map-Request": ("oor/v4rloc-ra0", asks(lambda n: map_requests.question(PEER, wire_eid(EID), (V4,), n))),
    "Map-Request over IPv6": ("oor/v6rloc-ra0", asks(lambda n: map_requests.question(PEER, wire_eid(EID), (V6,), n))),
    "Map-Request after an SMR": (
        "oor/handover4-rms0",
        asks(lambda n: map_requests.question(EID, wire_eid(PEER), (PEER_V4,), n, smr_invoked=True)),
    ),
    "Map-Reply": (
        "oor/v4rloc-ra0",
        reply(Mapping(PEER, (Locator(PEER_V4, local=True),), Minutes(10), authoritative=True)),
    ),
    "Map-Reply over IPv6": (
        "oor/v6rloc-ra0",
        reply(Mapping(PEER, (Locator(PEER_V6, local=True),), Minutes(10), authoritative=True)),
    ),
    "Map-Reply of a Map-Server": ("oor/proxyreply-ra0", reply(Mapping(PEER, (Locator(PEER_V4),), Minutes(10)))),
    "Map-Reply, negative": ("oor/handover4-rms0", reply(OOR_NEGATIVE)),
    "Map-Request, subscribes": (
        "lispers.net/lispers_sha2_probe_pubsub",
        asks(lambda n: MapRequest(n, ip_address("153.16.1.10"), LISPERS_RLOCS, (LISPERS_ASKED,), identity=LISPERS_XTR)),
    ),
    "Map-Reply to a probe": (
        "lispers.net/lispers_sha2_probe_pubsub",
        reply(
            Mapping(
                LISPERS,
                (Locator(ip_address("10.9.0.12"), 0, 0, local=True, probed=True),),
                Minutes(1440),
                authoritative=True,
            ),
            probed=True,
        ),
    ),
}


def nonce_of(message: Message) -> Nonce:
    return getattr(message, "nonce", Nonce(0))


@pytest.mark.parametrize("what", MADE)
def test_our_encoder_makes_what_they_sent(what: str) -> None:
    name, make = MADE[what]
    sent = {payload: nonce_of(message) for payload, message in messages(f"{name}.pcap")}
    assert any(make(nonce) == payload for payload, nonce in sent.items())
