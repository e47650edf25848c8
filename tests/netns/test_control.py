"""The control plane of the real daemon: several servers, proxies, static mappings, and those who mean it ill."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from lispfast.control import auth
from lispfast.lab import Host, Lab, Node, until
from lispfast.lab.capture import Capture
from lispfast.lab.packets import CONTROL_PORT, DATA_PORT, Datagram, message_name, read_udp
from lispfast.lab.ping import ping
from lispfast.model.addresses import EidPrefix
from lispfast.model.mapping import Locator, Mapping
from lispfast.model.settings import Key, KeyType
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.message import Message
from lispfast.wire.records import EidRecord, record_from_mapping, wire_eid

from .internet import BOUND_S, KEY, LAPTOP_EIDS, PHONE_EIDS, Internet, Network, join, leave

PHONE, LAPTOP = (EidPrefix.parse(f"{eids[0]}/32") for eids in (PHONE_EIDS, LAPTOP_EIDS))


@pytest.fixture
def net(lab: Lab) -> Internet:
    """Without IPv6, so that each message goes to one place."""
    return Internet(lab, (4,))


def test_every_map_server_is_registered_with_and_a_dead_map_resolver_is_passed_over(lab: Lab, net: Internet) -> None:
    second = lab.host("ms2")
    beside = Network(15, (4,))
    ours, theirs = lab.link(net.router, "srv1", second, "eth0")
    ours.up()
    ours.add_address(*beside.with_length(1))
    join(theirs, beside)
    for host in (net.ms, second):
        node = Node(host, net.map_server_conf())
        node.start()
        node.wait_ready()
    dead, other = net.servers.address(99, 4), beside.address(10, 4)
    extra = f'map-server {{\n address = {other}\n key-type = 2\n key = "{KEY}"\n}}\n'
    nodes = []
    for host, eids, interface in ((net.laptop, LAPTOP_EIDS, "eth0"), (net.phone, PHONE_EIDS, "wlan0")):
        conf = net.mobile_conf(eids, (interface,), rloc_versions=(4,), extra=extra)
        nodes.append(Node(host, conf.replace("map-resolver = {", f"map-resolver = {{ {dead},")))
        nodes[-1].start()
        for address in (net.map_server, other):
            nodes[-1].wait_event("map-notify-received", BOUND_S, **{"from": address})
    assert ping(net.phone, LAPTOP_EIDS[0], count=2, interval=0.01, timeout=5).lost == 0
    asked = [
        event.fields["map-resolver"]
        for event in nodes[1].log.read()
        if event.name == "map-request-sent" and event.fields["purpose"] == "miss"  # the RLOC is looked up too
    ]
    assert asked == [dead, net.map_server]


def test_what_is_outside_lisp_goes_to_the_proxy_etr_of_its_family(net: Internet) -> None:
    net.start_map_server()
    proxies = {4: net.lan.address(10, 4), 6: net.servers.address(10, 4)}
    extra = "".join(
        f"proxy-etr-ipv{v} {{\n address = {a}\n priority = 1\n weight = 100\n}}\n" for v, a in proxies.items()
    )
    net.start_phone(rloc_versions=(4,), extra=extra)
    capture = Capture(net.router, f"inbound and udp dst port {DATA_PORT}")
    for destination in ("8.8.8.8", "2001:4860:4860::8888"):
        ping(net.phone, destination, count=1, timeout=0.2)
    capture.stop()
    sent = {(d.payload[8] >> 4, str(d.destination)) for d in datagrams(capture)}
    assert sent == set(proxies.items())


def test_a_move_is_told_to_the_proxy_itrs(net: Internet) -> None:
    net.start_map_server()
    proxy = net.lan.address(10, 4)
    phone = net.start_phone(rloc_versions=(4,), extra=f"proxy-itrs = {{ {proxy} }}\n")
    capture = Capture(net.router, f"inbound and udp port {CONTROL_PORT}")
    leave(net.wlan0)
    join(net.wwan0, net.lte)
    phone.wait_event("smr-sent", BOUND_S, to=proxy)
    told = until(lambda: messages(capture, "SMR", proxy), BOUND_S, "the SMR on the wire")
    assert told is not None
    for datagram in told:
        smr = MapRequest.decode(datagram.payload)
        assert smr.source_eid == smr.records[0].eid, "of a PITR both fields name the EID that moved"
        assert smr.itr_rlocs == (ip_address(net.lte.address(10, 4)),)


def test_a_static_mapping_is_not_asked_for(net: Internet) -> None:
    net.start_map_server()
    laptop = net.start_laptop(rloc_versions=(4,))
    static = f"static-map-cache {{\n eid-prefix = {LAPTOP}\n rloc = {net.lan.address(10, 4)}\n}}\n"
    phone = net.start_phone(rloc_versions=(4,), extra=static)
    assert ping(net.phone, LAPTOP_EIDS[0], count=2, interval=0.01).lost == 0
    assert phone.log.find("map-request-sent") is None
    assert laptop.log.find("map-request-sent", **{"eid-prefix": str(PHONE)}) is not None, "the answers' way was"


class Attacker:
    """Sends from a host's RLOC, from a port that is not the daemon's."""

    def __init__(self, host: Host, own: str, victim: str) -> None:
        self._socket = host.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._socket.bind((own, 0))
        self._victim = (victim, CONTROL_PORT)

    def send(self, message: Message | bytes) -> None:
        self._socket.sendto(message if isinstance(message, bytes) else message.encode(), self._victim)


def test_those_who_mean_it_ill_are_counted_and_change_nothing(net: Internet) -> None:
    net.start_map_server()
    net.start_laptop(rloc_versions=(4,))
    phone = net.start_phone(rloc_versions=(4,))
    assert ping(net.phone, LAPTOP_EIDS[0], count=2, interval=0.01).lost == 0
    before = views(phone)
    rloc = net.wifi.address(10, 4)
    server, peer = Attacker(net.ms, net.map_server, rloc), Attacker(net.laptop, net.lan.address(10, 4), rloc)
    evil = Locator(ip_address(net.wifi.address(1, 4)))

    def lie(*prefixes: EidPrefix) -> tuple[EidRecord, ...]:
        return tuple(
            record_from_mapping(Mapping(prefix, (evil,), Minutes(10), authoritative=True)) for prefix in prefixes
        )

    expected: Counter[str] = Counter()
    everything = EidPrefix.parse("0.0.0.0/0")
    for nonce in range(20):
        server.send(MapReply(Nonce(nonce), lie(LAPTOP, everything, PHONE)))
        server.send(MapReply(Nonce(nonce), lie(LAPTOP), probe=True))
    expected["nonce-unknown"] += 40
    wrong = Key(b"another secret", KeyType.HMAC_SHA256)
    server.send(auth.sign(MapNotify(Nonce(1), lie(PHONE)), wrong))
    expected["mac-wrong"] += 1
    peer.send(auth.sign(MapNotify(Nonce(1), lie(PHONE)), Key(KEY.encode(), KeyType.HMAC_SHA256)))
    expected["sender-unexpected"] += 1
    for stranger in ("172.16.9.9/32", str(PHONE)):
        prefix = EidPrefix.parse(stranger)
        record = RequestRecord(wire_eid(prefix), prefix.length)
        peer.send(MapRequest(Nonce(1), wire_eid(prefix), (evil.address,), (record,), smr=True, dont_reply=True))
        expected["smr-uncached"] += 1
    until(lambda: expected.items() <= drops(phone).items(), BOUND_S, "each of them counted")
    assert drops(phone) == expected
    assert views(phone) == before
    assert ping(net.phone, LAPTOP_EIDS[0], count=2, interval=0.01).lost == 0


def test_a_storm_of_forged_smrs_makes_no_storm_of_map_requests(net: Internet) -> None:
    net.start_map_server()
    net.start_laptop(rloc_versions=(4,))
    phone = net.start_phone(rloc_versions=(4,))
    assert ping(net.phone, LAPTOP_EIDS[0], count=2, interval=0.01).lost == 0
    capture = Capture(net.router, f"inbound and udp port {CONTROL_PORT}")
    peer = Attacker(net.laptop, net.lan.address(10, 4), net.wifi.address(10, 4))
    begun = phone.log.read()[-1].at + 1
    record = RequestRecord(wire_eid(PHONE), PHONE.length)
    rloc = ip_address(net.lan.address(10, 4))
    for nonce in range(2000):
        peer.send(MapRequest(Nonce(nonce), wire_eid(LAPTOP), (rloc,), (record,), smr=True, dont_reply=True))
    phone.wait_event("map-request-sent", BOUND_S, since=begun, purpose="solicited")
    assert ping(net.phone, LAPTOP_EIDS[0], count=10, interval=0.2).lost == 0
    capture.stop()
    asked = messages(capture, "encapsulated SMR-invoked Map-Request", net.map_server)
    assert 1 <= len(asked) <= 4, "one a second"
    lines = [event for event in phone.log.read() if event.at >= begun and event.name == "smr-received"]
    assert len(lines) <= 10, "nor does it fill the log"


def drops(node: Node) -> Counter[str]:
    return Counter(json.loads(node.ctl("status", "--json"))["drops"])


def views(node: Node) -> list[object]:
    """What would change if somebody were believed, without what passes with time."""
    entries = json.loads(node.ctl("map-cache", "--json"))["entries"]
    cache = {entry["eid_prefix"]: [locator["address"] for locator in entry["locators"]] for entry in entries}
    status = json.loads(node.ctl("status", "--json"))
    return [cache, json.loads(node.ctl("database", "--json")), [r["state"] for r in status["registrations"]]]


def datagrams(capture: Capture) -> Iterator[Datagram]:
    return (datagram for frame in capture.frames() if (datagram := read_udp(frame.packet)))


def messages(capture: Capture, name: str, destination: str) -> list[Datagram]:
    """The control messages of that name on their way to an address."""
    return [d for d in datagrams(capture) if message_name(d.payload) == name and str(d.destination) == destination]
