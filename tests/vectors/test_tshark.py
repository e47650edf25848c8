"""tshark, which is not ours, reads what we encode: no complaint, and the same values."""

from __future__ import annotations

import os
import shutil
import subprocess
from ipaddress import ip_address
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lispfast.model.addresses import EidPrefix, Endpoint
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.message import Message, decode
from lispfast.wire.packet import encode_packet
from lispfast.wire.records import record_from_mapping, wire_eid

from .dissection import REPEATED, Shown, shown
from .pcap import write_packets

WARNING = 0x600000  # tshark's severities: comment, chat, note, warning, error, in steps of 0x200000
NONCE = Nonce(0x0123456789ABCDEF)
RLOC_V4, RLOC_V6 = ip_address("10.0.1.2"), ip_address("2001:db8:1::2")
PEER_V4, PEER_V6 = ip_address("10.0.3.2"), ip_address("2001:db8:3::2")
LOCATORS = (Locator(RLOC_V6, 2, 50, local=True), Locator(RLOC_V4, 1, 100, probed=True), Locator(PEER_V4, 255, 0, 1, 2))
IDS = XtrIdentity(0x00112233445566778899AABBCCDDEEFF, 7)
AUTHENTICATION = {1: bytes(range(20)), 2: bytes(range(32))}
PREFIXES = [
    EidPrefix.parse(text, iid)
    for text in ("172.16.1.1/32", "172.16.0.0/16", "fd10::1:1/128", "fd10::/48")
    for iid in (0, 1, 0xFFFFFF)
]


def mapping(prefix: EidPrefix) -> Mapping:
    return Mapping(prefix, LOCATORS, Minutes(10), authoritative=True, version=5)


def registrations() -> list[Message]:
    found: list[Message] = []
    for prefix in PREFIXES:
        records = (record_from_mapping(mapping(prefix)),)
        for algorithm, mac in AUTHENTICATION.items():
            common = {"algorithm_id": algorithm, "auth_data": mac}
            found += [
                MapRegister(NONCE, records, want_map_notify=True, **common),
                MapRegister(NONCE, records, key_id=3, proxy_reply=True, use_ttl=True, identity=IDS, **common),
                MapNotify(NONCE, records, **common),
                MapNotify(NONCE, records * 2, identity=IDS, **common),
            ]
    return found


def requests() -> list[Message]:
    found: list[Message] = []
    rlocs = (RLOC_V6, RLOC_V4)
    for prefix in PREFIXES:
        record = (RequestRecord(wire_eid(prefix), prefix.length),)
        source = wire_eid(prefix)
        plain = MapRequest(NONCE, source, rlocs, record)
        found += [
            plain,
            MapRequest(NONCE, source, rlocs, record, authoritative=True, pitr=True, local_xtr=True),
            MapRequest(NONCE, source, rlocs, record, smr=True, dont_reply=True),
            MapRequest(NONCE, None, rlocs[1:], record, probe=True),
        ]
        inside = Endpoint(prefix.network[0], 4342)
        invoked = MapRequest(NONCE, source, rlocs, record, smr_invoked=True)
        for message in (plain, invoked):
            found.append(EncapsulatedControl.wrap(inside, inside, message.encode()))
    return found


def replies() -> list[Message]:
    found: list[Message] = [MapReply(NONCE, tuple(record_from_mapping(mapping(prefix)) for prefix in PREFIXES))]
    for prefix in PREFIXES:
        positive = record_from_mapping(mapping(prefix))
        found.append(MapReply(NONCE, (positive,), probe=True))
        found += [
            MapReply(NONCE, (record_from_mapping(Mapping(prefix, (), Minutes(15), action)),)) for action in Action
        ]
    return found


SENT = {"registrations": registrations(), "requests": requests(), "replies": replies()}


def dissect(packets: list[bytes], folder: Path) -> list[ElementTree.Element]:
    """tshark's reading of IP packets, one element each; skips without tshark, which CI must have."""
    program = shutil.which("tshark")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("tshark is missing, and CI must have it")
        pytest.skip("tshark is not installed")
    capture = folder / "sent.pcap"
    write_packets(capture, packets)
    checks = [word for name in ("ip", "udp") for word in ("-o", f"{name}.check_checksum:TRUE")]
    command = [program, "-n", "-r", str(capture), "-T", "pdml", *checks]
    done = subprocess.run(command, capture_output=True, check=True, timeout=100)
    return ElementTree.fromstring(done.stdout).findall("packet")


def complaints(packet: ElementTree.Element) -> list[str]:
    """Expert items of level warning or above."""
    found = []
    for item in packet.iter("field"):
        severity = item.find("field[@name='_ws.expert.severity']")
        if severity is not None and int(severity.get("show", "0")) >= WARNING:
            found.append(item.get("showname", ""))
    return found


def fields(proto: ElementTree.Element) -> list[Shown]:
    """The leaves of one LISP message, those that say something of their own."""
    found: list[Shown] = []
    for item in proto.iter("field"):
        name, text = item.get("name", ""), item.get("show", "")
        if not name.startswith("lisp.") or name in REPEATED or name.endswith(".afi"):
            continue
        try:
            found.append((name, int(text, 0)))
        except ValueError:
            found.append((name, text))
    return found


@pytest.mark.parametrize("kind", SENT)
@pytest.mark.parametrize("version", [4, 6])
def test_tshark_reads_what_we_encoded(kind: str, version: int, tmp_path: Path) -> None:
    source, destination = (RLOC_V4, PEER_V4) if version == 4 else (RLOC_V6, PEER_V6)
    ends = Endpoint(source, 4342), Endpoint(destination, 4342)
    messages = SENT[kind]
    packets = dissect([encode_packet(*ends, message.encode()) for message in messages], tmp_path)
    assert len(packets) == len(messages)
    for message, packet in zip(messages, packets, strict=True):
        assert complaints(packet) == []
        protocols = [proto for proto in packet.findall("proto") if proto.get("name") == "lisp"]
        expected = [message]
        if isinstance(message, EncapsulatedControl):
            expected.append(decode(message.inner().payload))
        assert [fields(proto) for proto in protocols] == [shown(each) for each in expected]


def test_tshark_would_complain(tmp_path: Path) -> None:
    """The oracle is awake: a wrong checksum and a record cut short are both found."""
    ends = Endpoint(RLOC_V4, 4342), Endpoint(PEER_V4, 4342)
    whole = encode_packet(*ends, SENT["replies"][1].encode())
    wrong = whole[:-1] + bytes((whole[-1] ^ 1,))
    short = encode_packet(*ends, SENT["replies"][1].encode()[:-6])
    fine, checksum, cut = dissect([whole, wrong, short], tmp_path)
    assert complaints(fine) == []
    assert complaints(checksum) != []
    assert complaints(cut) != []
