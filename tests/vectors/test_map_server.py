"""Our Map-Server in the place of those in the captures: it says what they said, as far as the RFC wants it said."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control.auth import verify
from lispfast.control.effects import Datagram, Send
from lispfast.control.map_server import MapServer
from lispfast.model.addresses import CONTROL_PORT, EidPrefix, Endpoint
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, KeyType, Mode, PubSub, Settings, Site
from lispfast.model.units import Nonce, Seconds
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest
from lispfast.wire.message import Message, decode

from .captures import capture
from .pcap import read_datagrams

OOR_KEY = Key(b"anchorkey", KeyType.HMAC_SHA1)
OOR_EIDS = ("172.16.1.1/32", "172.16.2.1/32", "fd10::1:1/128", "fd10::2:1/128")
OOR_SERVERS = {ip_address("10.0.0.2"), ip_address("2001:db8::2")}
OOR = Settings(Mode.MS, sites=tuple(Site(EidPrefix.parse(eid), OOR_KEY) for eid in OOR_EIDS))

LISPERS_SERVERS = {ip_address("10.9.0.1")}
LISPERS = Settings(
    Mode.MS,
    sites=tuple(
        Site(EidPrefix.parse(eid), Key(secret, KeyType.HMAC_SHA256))
        for eid, secret in (("153.16.1.0/24", b"secret1"), ("153.16.2.0/24", b"secret2"))
    ),
)


def no_nonce() -> Nonce:
    raise AssertionError("a Map-Server draws no nonce")


def replay(name: str, servers: set[object], server: MapServer) -> list[tuple[Datagram, list[Send], list[bytes]]]:
    """Each datagram to the Map-Server, what ours sends then, and what theirs sent before the next one."""
    steps: list[tuple[Datagram, list[Send], list[bytes]]] = []
    seen: set[bytes] = set()
    for source, destination, payload in read_datagrams(capture(name)):
        if CONTROL_PORT not in (source.port, destination.port):
            continue
        if destination.address in servers:
            datagram = Datagram(payload, source, destination)
            server.handle_datagram(datagram, Seconds(float(len(steps))))
            sends = [effect for effect in server.take_effects() if isinstance(effect, Send)]
            steps.append((datagram, sends, []))
        elif source.address in servers and payload not in seen:
            seen.add(payload)
            next(theirs for _, _, theirs in steps).append(payload)
    return steps


def by_nonce(messages: list[Message]) -> dict[int, Message]:
    found: dict[int, Message] = {}
    for message in messages:
        if isinstance(message, EncapsulatedControl):
            found[decode(message.inner().payload).nonce] = message  # type: ignore[union-attr]
        else:
            found[message.nonce] = message  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize("name", ["v4rloc-rms0", "v6rloc-rms0", "proxyreply-rms0", "handover4-rms0"])
def test_in_the_place_of_open_overlay_router(name: str) -> None:
    server = MapServer(OOR, no_nonce, {})
    steps = replay(f"oor/{name}.pcap", OOR_SERVERS, server)
    ours = by_nonce([decode(send.payload) for _, sends, _ in steps for send in sends])
    theirs = by_nonce([decode(payload) for _, _, payloads in steps for payload in payloads])
    assert set(ours) == set(theirs)
    assert set(map(type, theirs.values())) >= {MapNotify}
    for nonce, said in theirs.items():
        mine = ours[nonce]
        match said:
            case MapNotify():
                assert isinstance(mine, MapNotify)
                assert comparable(mine) == comparable(said)
            case EncapsulatedControl():
                assert mine == replace(said, to_etr=True), "the packet inside unchanged"
            case MapReply():
                assert isinstance(mine, MapReply)
                assert facts(mine) == facts(said)
                assert not any(record.authoritative for record in mine.records), "theirs sets it in negative ones"
            case _:
                raise AssertionError(said)
    assert {reason: count for reason, count in server.drops().items() if count} == {}
    assert {one["state"] for one in server.view("sites", Seconds(0.0))["sites"]} <= {"registered", "unregistered"}


def comparable(notify: MapNotify) -> MapNotify:
    """Without what they change and we copy (RFC 9301 section 5.7): A, L, and so the MAC."""
    records = tuple(
        replace(r, authoritative=False, locators=tuple(replace(loc, local=False) for loc in r.locators))
        for r in notify.records
    )
    return replace(notify, records=records, auth_data=bytes(len(notify.auth_data)))


def facts(reply: MapReply) -> list[tuple[object, ...]]:
    return [
        (r.eid, r.mask_len, r.ttl, r.action, [(loc.address, loc.priority) for loc in r.locators]) for r in reply.records
    ]


@pytest.mark.parametrize(
    "name", ["lispers_underlay", "lispers_sha2_ecm_forwarded_noreply", "lispers_sha2_probe_pubsub"]
)
def test_in_the_place_of_lispers_net(name: str) -> None:
    """Its xTRs register with a constant nonce: once they are believed, then never again (RFC 9301 section 5.6)."""
    server = MapServer(LISPERS, no_nonce, {})
    steps = replay(f"lispers.net/{name}.pcap", LISPERS_SERVERS, server)
    registers = [datagram for datagram, _, _ in steps if isinstance(decode(datagram.payload), MapRegister)]
    assert len(registers) > len({datagram.source for datagram in registers})
    shown = server.view("sites", Seconds(0.0))["sites"]
    assert [(one["eid_prefix"], one["state"]) for one in shown] == [  # type: ignore[attr-defined]
        ("153.16.1.0/24", "registered"),
        ("153.16.2.0/24", "registered"),
    ]
    drops = server.drops()
    assert (
        drops[ControlReason.MAC_WRONG]
        == drops[ControlReason.PREFIX_NOT_ALLOWED]
        == drops[ControlReason.KEY_UNKNOWN]
        == 0
    )
    sent = [(send.destination, decode(send.payload)) for _, sends, _ in steps for send in sends]
    assert all(isinstance(message, EncapsulatedControl | MapReply) for _, message in sent)
    assert {destination for destination, message in sent if isinstance(message, EncapsulatedControl)} <= {
        Endpoint(ip_address("10.9.0.11"), CONTROL_PORT),
        Endpoint(ip_address("10.9.0.12"), CONTROL_PORT),
    }


def test_a_sha_1_registration_is_none_of_a_sha_256_site() -> None:
    server = MapServer(LISPERS, no_nonce, {})
    replay("lispers.net/lispers_sha1_register_only.pcap", LISPERS_SERVERS, server)
    assert server.drops()[ControlReason.KEY_UNKNOWN] == 1


def test_lispers_net_subscribes_without_a_site_id_and_gets_a_map_notify() -> None:
    """Its I-bit is followed by the xTR-ID alone (RFC 9437 section 4 wants both); so it gets none of them back."""
    key = Key(b"pubsub", KeyType.HMAC_SHA256)
    sites = tuple(replace(site, proxy_reply=True) for site in LISPERS.sites)
    server = MapServer(replace(LISPERS, sites=sites, pubsub=PubSub(True, (key,))), no_nonce, {})
    steps = replay("lispers.net/lispers_sha2_probe_pubsub.pcap", LISPERS_SERVERS, server)
    sent = [(datagram, decode(send.payload)) for datagram, sends, _ in steps for send in sends]
    notifies = [(datagram, message) for datagram, message in sent if isinstance(message, MapNotify)]
    assert notifies
    for datagram, message in notifies:
        ecm = decode(datagram.payload)
        assert isinstance(ecm, EncapsulatedControl)
        request = decode(ecm.inner().payload)
        assert isinstance(request, MapRequest)
        assert request.identity is not None
        assert request.identity.site_id is None
        assert (message.nonce, message.identity) == (request.nonce, None)
        assert verify(message.encode(), message, key)
