"""Real daemons with LISP-SEC required and PubSub on: a conversation, two moves, and what tshark says of each packet."""

from __future__ import annotations

import json
from ipaddress import ip_address

import pytest

from lispfast.lab import Lab, Node, until
from lispfast.lab.capture import Capture
from lispfast.lab.packets import CONTROL_PORT, DATA_PORT, Datagram
from lispfast.lab.ping import ping
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest
from lispfast.wire.message import Message, decode

from .internet import BOUND_S, LAPTOP_EIDS, PHONE_EIDS, Internet, join, leave
from .test_control import datagrams

SECRETS = """lisp-sec-key {
    key-id = 3
    key    = "between ITRs and the Map-Resolver"
}
pubsub = on
pubsub-key {
    key-id   = 7
    key-type = 2
    key      = "between subscribers and the Map-Server"
}
"""
SNAP = 2000
LAPTOP, PHONE = f"{LAPTOP_EIDS[0]}/32", f"{PHONE_EIDS[0]}/32"


@pytest.fixture
def net(lab: Lab) -> Internet:
    """Without IPv6, so that each message goes to one place."""
    return Internet(lab, (4,))


def start(net: Internet) -> tuple[Node, Node, Node]:
    server = Node(net.ms, net.map_server_conf("lisp-sec = on\n" + SECRETS))
    server.start()
    server.wait_ready()
    words = {"rloc_versions": (4,), "proxy_reply": True, "extra": "lisp-sec = required\n" + SECRETS}
    return server, net.start_laptop(**words), net.start_phone(**words)


def rlocs(node: Node, eid_prefix: str) -> list[str]:
    """Where it sends packets for the EID-prefix."""
    entries = json.loads(node.ctl("map-cache", "--json"))["entries"]
    found = [entry for entry in entries if entry["eid_prefix"] == eid_prefix]
    return [locator["address"] for entry in found for locator in entry["locators"]]


def read(capture: Capture) -> list[tuple[Datagram, Message]]:
    """Every control message on its way in to the router; all of them can be read."""
    return [(d, decode(d.payload)) for d in datagrams(capture) if CONTROL_PORT in (d.source_port, d.destination_port)]


def complaints(net: Internet, capture: Capture) -> list[str]:
    """The frames that tshark cannot read; checksums are none on a wire that is no wire."""
    words = ["-o", "udp.check_checksum:FALSE", "-Y", "_ws.malformed || _ws.short"]
    return net.router.run("tshark", "-r", str(capture.path), *words).splitlines()


def test_a_conversation_and_two_moves_are_protected_and_well_formed(net: Internet) -> None:
    capture = Capture(net.router, f"inbound and (udp port {CONTROL_PORT} or udp port {DATA_PORT})", snap=SNAP)
    server, laptop, phone = start(net)
    assert ping(net.phone, LAPTOP_EIDS[0], count=5, interval=0.01, timeout=5).lost == 0
    for place, joins, leaves in ((net.lte, net.wwan0, net.wlan0), (net.wifi, net.wlan0, net.wwan0)):
        leave(leaves)
        join(joins, place)
        here = place.address(10, 4)
        until(lambda here=here: rlocs(laptop, PHONE) == [here], BOUND_S, f"the laptop sends to {here}")
        assert ping(net.laptop, PHONE_EIDS[0], count=5, interval=0.01, timeout=5).lost == 0
    assert rlocs(phone, LAPTOP) == [net.lan.address(10, 4)]
    capture.stop()
    assert complaints(net, capture) == []
    said = read(capture)
    by_server = [message for datagram, message in said if str(datagram.source) == net.map_server]
    replies = [message for _, message in said if isinstance(message, MapReply) and not message.probe]
    assert all(reply.security for reply in replies), "LISP-SEC is required"
    questions = [message for _, message in said if isinstance(message, EncapsulatedControl)]
    assert questions
    assert all(question.security for question in questions)
    assert all(message.security for _, message in said if isinstance(message, MapRegister))
    published = [message for message in by_server if isinstance(message, MapNotify) and message.key_id == 7]
    acknowledged = {message.nonce for _, message in said if isinstance(message, MapNotifyAck)}
    told = {locator.address for notify in published for record in notify.records for locator in record.locators}
    assert {ip_address(place.address(10, 4)) for place in (net.lte, net.wifi)} <= told, "of both moves"
    assert {notify.nonce for notify in published} <= acknowledged
    assert [message for _, message in said if isinstance(message, MapRequest) and message.smr] == [], "nobody needs one"
    for node in (server, laptop, phone):
        text = node.ctl("status", "--json")
        assert set(json.loads(text)["drops"]) <= {"nonce-unknown"}, "an answer that a slow host asked for twice"
        assert "between" not in text + (node.host.directory / "lispd.log").read_text(), "no secret shows"


def test_a_node_that_knows_another_secret_reaches_nobody_and_says_why(net: Internet) -> None:
    server, _, phone = start(net)
    phone.stop()
    other = SECRETS.replace("between ITRs and", "not between ITRs and")
    words = {"rloc_versions": (4,), "proxy_reply": True, "extra": "lisp-sec = required\n" + other}
    phone = net.start_phone(**words)
    assert ping(net.phone, LAPTOP_EIDS[0], count=2, interval=0.01, timeout=1).lost == 2
    assert rlocs(phone, LAPTOP) == []
    until(lambda: json.loads(server.ctl("status", "--json"))["drops"] != {}, BOUND_S, "the Map-Server counts it")
