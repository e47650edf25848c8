"""Whole roles under fire: whatever datagram comes, at whatever moment, a role neither raises nor loses its order.

Datagrams are messages of every kind, partly in answer to what the role sent and well authenticated, and most of them
with bytes changed afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from ipaddress import ip_network
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from lispfast.control import auth
from lispfast.model.addresses import EidPrefix, Endpoint
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.settings import MapServerSettings, Probing, ProxyEtr
from lispfast.model.units import InstanceId, Minutes, Nonce, Seconds
from lispfast.wire.addresses import InstanceAddress, Lcaf, OtherAddress
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.lcaf_keys import Json
from lispfast.wire.lcaf_locators import AfiList, ExplicitPath, PathHop
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.message import decode
from lispfast.wire.records import EidRecord, LocatorRecord, record_from_mapping, wire_eid

from . import mn_helpers as mn
from . import ms_helpers as ms

STEPS = 60
RLOCS = [mn.PEER_RLOC, mn.PEER_RLOC_2, mn.PEER_RLOC_V6, mn.WIFI, mn.LTE, mn.EID, mn.PEER, mn.SERVER]
NETWORKS = [
    ip_network((address, length), strict=False)
    for address in (mn.EID, mn.PEER, mn.EID_V6, mn.PEER_V6)
    for length in (0, 8, 16, 31, address.max_prefixlen)
]
ODD_EIDS = [None, mn.PEER, OtherAddress(17, b"a name\0"), InstanceAddress(2**32 - 1, mn.PEER), Lcaf(255, b"vendor")]
seeds = st.integers(0, 2**32).map(Random)


def damage(random: Random, payload: bytes) -> bytes:
    """The payload with a few bytes changed, cut out, put in or cut off; sometimes as it is."""
    changed = bytearray(payload)
    for _ in range(random.choice((0, 0, 1, 1, 2, 4))):
        at = random.randrange(len(changed) + 1)
        match random.randrange(4):
            case 0:
                changed[at : at + 1] = bytes((random.choice((0, 1, 127, 128, 255, random.randrange(256))),))
            case 1:
                del changed[at : at + random.randrange(9)]
            case 2:
                changed[at:at] = random.randbytes(random.randrange(9))
            case 3:
                del changed[at:]
    return bytes(changed)


def some_prefix(random: Random) -> EidPrefix:
    return EidPrefix(random.choice(NETWORKS), InstanceId(random.choice((0, 0, 0, 7))))


def some_records(random: Random) -> tuple[EidRecord, ...]:
    def mapping() -> Mapping:
        locators = tuple(
            Locator(
                random.choice(RLOCS), random.choice((0, 1, 255)), random.choice((0, 100)), probed=random.random() < 0.3
            )
            for _ in range(random.choice((0, 1, 1, 3)))
        )
        ttl = Minutes(random.choice((0, 1, 10, 0xFFFFFFFF)))
        return Mapping(some_prefix(random), locators, ttl, random.choice(list(Action)), random.random() < 0.7)

    sound = [record_from_mapping(mapping()) for _ in range(random.choice((0, 1, 1, 3)))]
    odd = [replace(record, eid=random.choice(ODD_EIDS), mask_len=200) for record in sound if random.random() < 0.2]
    return tuple(
        replace(record, locators=tuple(map(partial(wrapped, random), record.locators))) for record in sound + odd
    )


def wrapped(random: Random, locator: LocatorRecord) -> LocatorRecord:
    """The locator, now and then with an LCAF for its address."""
    inside = [locator.address, *random.choices(RLOCS, k=2)]
    other = random.choice(
        (Lcaf(99, b"new"), Json(b"{}"), AfiList(tuple(inside)), ExplicitPath(tuple(map(PathHop, inside))))
    )
    return replace(locator, address=other) if random.random() < 0.2 else locator


def some_request(random: Random, nonce: Nonce) -> MapRequest:
    asked = [some_prefix(random) for _ in range(random.choice((0, 1, 1, 3)))]
    return MapRequest(
        nonce,
        random.choice((None, mn.PEER, mn.EID)),
        tuple(random.choices(RLOCS, k=random.choice((1, 2)))),
        tuple(RequestRecord(wire_eid(prefix), prefix.length) for prefix in asked),
        probe=random.random() < 0.3,
        smr=random.random() < 0.3,
        dont_reply=random.random() < 0.2,
    )


def in_ecm(random: Random, payload: bytes) -> bytes:
    ports = [random.choice((0, 4342, 4342, 5000)) for _ in range(2)]
    return EncapsulatedControl.wrap(Endpoint(mn.PEER, ports[0]), Endpoint(mn.EID, ports[1]), payload).encode()


# --- The mobile node --------------------------------------------------------------------------------------------------


def node(random: Random) -> mn.Bench:
    configured = mn.settings(
        map_servers=tuple(MapServerSettings(server, mn.KEY) for server in (mn.SERVER, mn.SERVER_2)),
        map_resolvers=(mn.SERVER, mn.SERVER_2)[: random.randrange(3)],
        proxy_etrs=(ProxyEtr(mn.PEER_RLOC),) if random.random() < 0.5 else (),
        proxy_itrs=(mn.PEER_RLOC_2,) if random.random() < 0.5 else (),
        static_map_cache=(mn.mapping("10.5.0.0/16", mn.PEER_RLOC_2),),
        probing=Probing(Seconds(random.choice((0, 3))), 1, Seconds(1)),
    )
    return mn.Bench(configured, mn.ON_BOTH, seed=random.randrange(2**32))


def to_the_node(random: Random, bench: mn.Bench) -> bytes:
    questions = [*bench.questions(), *(request for _, request in bench.requests())]
    nonce = random.choice([q.nonce for q in questions] or [Nonce(7)])
    registers = [register for server in (mn.SERVER, mn.SERVER_2) for register in bench.registers(server)]

    def notify() -> bytes:
        if not registers:
            return b""
        register = random.choice(registers)
        told = register.records if random.random() < 0.8 else some_records(random)
        return auth.sign(
            MapNotify(random.choice((register.nonce, Nonce(3))), told), random.choice((mn.KEY, mn.WRONG_KEY))
        )

    kinds: list[Callable[[], bytes]] = [
        lambda: MapReply(nonce, some_records(random), probe=random.random() < 0.4).encode(),
        lambda: some_request(random, nonce).encode(),
        lambda: in_ecm(random, damage(random, some_request(random, nonce).encode())),
        notify,
    ]
    return damage(random, random.choice(kinds)())


def one_step(random: Random, bench: mn.Bench) -> None:
    match random.randrange(8):
        case 0:
            bench.move(random.choice((mn.NOWHERE, mn.ON_WIFI, mn.ON_LTE, mn.ON_BOTH, mn.ON_LTE_V6)))
        case 1:
            bench.pass_time(random.choice((0, 0.3, 1, 31, 200)))
        case 2:
            bench.punt(random.choice((mn.PEER, mn.PEER_V6, mn.EID)))
        case 3:
            bench.use(some_prefix(random), idle=random.choice((0, 70)), outer={mn.PEER_RLOC: random.choice((0, 100))})
        case _ if ways := bench.node.position.ways:
            sources = [s for s in (mn.SERVER, mn.SERVER_2, *RLOCS) if s.version in {w.address.version for w in ways}]
            bench.receive(to_the_node(random, bench), random.choice(sources))


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_the_mobile_node(random: Random) -> None:
    bench = node(random)
    for _ in range(STEPS):
        one_step(random, bench)
    cached = bench.node.cache.prefixes()
    assert not any(EidPrefix(ip_network(eid)).covers(prefix) for eid in (mn.EID, mn.EID_V6) for prefix in cached)
    assert set(cached) <= set(bench.table.verdicts), "the data plane knows what the cache knows"
    assert len(bench.table.verdicts) <= len(cached) + 2, "and nothing else but the defaults"
    for noun in ("status", "map-cache", "database"):
        json.dumps(bench.node.view(noun, bench.now))


# --- The Map-Server ---------------------------------------------------------------------------------------------------


def to_the_server(random: Random, sent: list[bytes]) -> bytes:
    def register() -> bytes:
        identity = XtrIdentity(random.randrange(2), random.randrange(2)) if random.random() < 0.3 else None
        flags = {name: random.random() < 0.4 for name in ("proxy_reply", "want_map_notify", "merge", "use_ttl")}
        message = MapRegister(Nonce(random.randrange(1000)), some_records(random), identity=identity, **flags)
        return auth.sign(message, random.choice((ms.KEY, ms.KEY, ms.OTHER_KEY)))

    kinds: list[Callable[[], bytes]] = [
        register,
        lambda: some_request(random, Nonce(5)).encode(),
        lambda: in_ecm(random, some_request(random, Nonce(5)).encode()),
        lambda: random.choice(sent or [b""]),
    ]
    sent.append(random.choice(kinds)())
    return sent[-1] if random.random() < 0.5 else damage(random, sent[-1])


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_the_map_server(random: Random) -> None:
    sites = (
        ms.site("10.0.0.0/8", more_specifics=True),
        ms.site("10.0.0.2/31", ms.OTHER_KEY, more_specifics=True, proxy_reply=True),
        ms.site("fd00::/16", more_specifics=True),
    )
    bench = ms.Bench(*sites, static=(ms.mapping("10.9.0.0/16", "198.51.100.9"),))
    sources = [ms.ETR, ms.ITR, ms.ITR_V6, ms.at("203.0.113.9", 0), ms.at("203.0.113.9", 4341), ms.at("127.0.0.1")]
    sent: list[bytes] = []
    for _ in range(STEPS):
        if random.random() < 0.1:
            bench.later(random.choice((0.1, 61, 181)))
        for send in bench.receive(to_the_server(random, sent), random.choice(sources)):
            decode(send.payload)
    for prefix in bench.registered():
        registered = EidPrefix.parse(prefix.rpartition("]")[2])
        assert any(site.prefix.covers(registered) for site in sites), "nothing outside the sites"
    for noun in ("status", "sites"):
        json.dumps(bench.server.view(noun, bench.now))
