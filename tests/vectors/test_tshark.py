"""tshark, which is not ours, reads what we encode: no complaint, and the same values."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lispfast.model.addresses import EidPrefix, Endpoint
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.addresses import LCAF_TYPES, OtherAddress
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.info_message import InfoMessage
from lispfast.wire.lcaf import LcafHeader, LcafValue
from lispfast.wire.lcaf_keys import ApplicationData, Json, KeyValue, MulticastInfo, OpaqueKey, SourceDestination
from lispfast.wire.lcaf_locators import (
    AfiList,
    Angle,
    AsNumber,
    EncapsulationFormat,
    ExplicitPath,
    GeoLocation,
    NatTraversal,
    NonceLocator,
    PathHop,
    Replica,
    ReplicationList,
    SecurityKey,
)
from lispfast.wire.lisp_sec import EidData, ReplyAuthentication, RequestAuthentication, SignedPrefixes, WrappedKey
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_referral import MapReferral, ReferralRecord
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import NOTIFICATION_BIT, MapRequest, RequestRecord
from lispfast.wire.message import Message, decode
from lispfast.wire.packet import encode_packet
from lispfast.wire.records import EidRecord, LocatorRecord, record_from_mapping, wire_eid

from .dissection import REPEATED, Shown, shown
from .pcap import write_packets

WARNING = 0x600000  # tshark's severities: comment, chat, note, warning, error, in steps of 0x200000
UNREAD = {4, 6, 11, 14, 16}  # LCAF types that tshark 4.0 says it does not dissect
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


def others() -> list[Message]:
    """What a mobile node only hears of: acknowledgements of others, referrals, NAT traversal."""
    found: list[Message] = []
    for prefix in PREFIXES:
        record = record_from_mapping(mapping(prefix))
        referral = ReferralRecord(record.eid, record.mask_len, Minutes(1440), record.locators, 1, True, True, 9)
        # tshark 4.0 does not look into an LCAF for the EID of these two.
        info = {"algorithm_id": 1, "auth_data": AUTHENTICATION[1], "ttl": Minutes(5)}
        seen = NatTraversal(4342, 61000, PEER_V4, PEER_V6, RLOC_V4, (RLOC_V6, PEER_V4))
        found += [
            MapNotifyAck(NONCE, (record,), algorithm_id=1, auth_data=AUTHENTICATION[1]),
            MapReferral(NONCE, (referral, replace(referral, authoritative=False, incomplete=False))),
            InfoMessage(NONCE, eid=prefix.network[0], mask_len=prefix.length, **info),
            InfoMessage(NONCE, reply=True, eid=prefix.network[0], mask_len=prefix.length, translation=seen, **info),
        ]
    return found


def extended() -> list[Message]:
    """What the companions of RFC 9301 add: PubSub, LISP-SEC, mobile EIDs; and a mapping that a request brings."""
    found: list[Message] = []
    for prefix in PREFIXES:
        records = (record_from_mapping(mapping(prefix)),)
        asked = (RequestRecord(wire_eid(prefix), prefix.length),)
        subscribed = (replace(asked[0], reserved=NOTIFICATION_BIT),)
        ask = MapRequest(NONCE, wire_eid(prefix), (RLOC_V4, RLOC_V6), asked)
        wrapped = EncapsulatedControl.wrap(*(Endpoint(prefix.network[0], 4342),) * 2, ask.encode(), to_etr=True)
        vouched = EidData(2, SignedPrefixes(asked, 2, bytes(16), cant_sign=True))
        key = WrappedKey(1, 2, bytes(24))
        found += [
            replace(ask, records=subscribed, identity=IDS),
            replace(ask, map_data=records[0]),
            replace(ask, map_data=records[0], identity=XtrIdentity(5, None)),
            MapReply(NONCE, records, authentication=ReplyAuthentication(vouched, 2, bytes(16))),
            replace(wrapped, to_ms=True, ddt=True),
            replace(wrapped, authentication=RequestAuthentication(key, 2, EidData(2))),
            MapRegister(NONCE, records, security=True, merge=True, eid_notify=True, use_ttl=True, identity=IDS),
        ]
    return found


NAME = OtherAddress(17, b"router.example\0")
GEO = GeoLocation(Angle(True, 37, 24, 30), Angle(False, 122, 4, 5), -86, None)
LCAFS: list[LcafValue] = [
    AfiList((RLOC_V4, RLOC_V6, NAME, GEO)),
    AsNumber(65000, RLOC_V4),
    ApplicationData(0xB8, 6, (0, 65535), (443, 443), RLOC_V4),
    replace(GEO, address=RLOC_V6),
    OpaqueKey(1, 0, b"opaque"),
    NatTraversal(4342, 61000, RLOC_V4, PEER_V4, None, (PEER_V6,)),
    NonceLocator(0x123456, RLOC_V6),
    MulticastInfo(7, 24, 32, RLOC_V4, ip_address("232.1.1.1"), header=LcafHeader(rsvd2=5)),
    ExplicitPath((PathHop(RLOC_V4, lookup=True), PathHop(RLOC_V6, probe=True), PathHop(PEER_V4, strict=True))),
    SecurityKey(1, (b"public", b"another"), RLOC_V4),
    SourceDestination(24, 48, RLOC_V4, RLOC_V6),
    ReplicationList((Replica(0, RLOC_V4), Replica(1, RLOC_V6))),
    Json(b"{}", RLOC_V4),
    KeyValue(RLOC_V4, NAME),
    EncapsulationFormat(0x11, RLOC_V4),
]


def canonical_addresses() -> list[Message]:
    """Each LCAF as a locator between others, and as an EID."""
    found: list[Message] = []
    for lcaf in LCAFS:
        locators = (LocatorRecord(RLOC_V4), LocatorRecord(lcaf, 2, 50), LocatorRecord(RLOC_V6))
        found += [
            MapReply(NONCE, (EidRecord(RLOC_V4, 32, Minutes(1), locators),)),
            MapNotify(NONCE, (EidRecord(lcaf, 0, Minutes(1), locators[:1]),), auth_data=AUTHENTICATION[2]),
        ]
    return found


SENT = {
    "registrations": registrations(),
    "requests": requests(),
    "replies": replies(),
    "others": others(),
    "extended": extended(),
    "canonical addresses": canonical_addresses(),
}


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


def test_every_lcaf_is_among_them() -> None:
    assert {lcaf.TYPE for lcaf in LCAFS} == set(LCAF_TYPES)


@pytest.mark.parametrize("kind", SENT)
@pytest.mark.parametrize("version", [4, 6])
def test_tshark_reads_what_we_encoded(kind: str, version: int, tmp_path: Path) -> None:
    source, destination = (RLOC_V4, PEER_V4) if version == 4 else (RLOC_V6, PEER_V6)
    ends = Endpoint(source, 4342), Endpoint(destination, 4342)
    messages = SENT[kind]
    packets = dissect([encode_packet(*ends, message.encode()) for message in messages], tmp_path)
    assert len(packets) == len(messages)
    for message, packet in zip(messages, packets, strict=True):
        unread = sum(lcaf.TYPE in UNREAD for lcaf in LCAFS if str(lcaf) in str(message))
        assert len(complaints(packet)) == unread
        protocols = [proto for proto in packet.findall("proto") if proto.get("name") == "lisp"]
        expected = [message]
        if isinstance(message, EncapsulatedControl) and not message.security:  # it does not read LISP-SEC
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
