"""One of each control message, as a mobile node or its Map-Server sends it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from lispfast.model.addresses import EidPrefix, Endpoint
from lispfast.model.mapping import Action, Hop, Locator, Mapping
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.info_message import InfoMessage
from lispfast.wire.lcaf_keys import Json
from lispfast.wire.lcaf_locators import AfiList, Angle, GeoLocation, NatTraversal
from lispfast.wire.lisp_sec import EidData, ReplyAuthentication, RequestAuthentication, SignedPrefixes, WrappedKey
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_referral import MapReferral, ReferralRecord
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import NOTIFICATION_BIT, MapRequest, RequestRecord
from lispfast.wire.message import Message
from lispfast.wire.records import EidRecord, LocatorRecord, record_from_mapping, wire_eid

NONCE = Nonce(0x0123456789ABCDEF)
RLOC4, RLOC6 = ip_address("192.0.2.1"), ip_address("2001:db8::1")
EID, PEER = EidPrefix.parse("172.16.1.1/32"), EidPrefix.parse("172.16.2.1/32")
EID6 = EidPrefix.parse("fd10::1:1/128", 7)
MAC = bytes(range(32))
LOCATORS = (Locator(RLOC4, local=True), Locator(RLOC6, 2, local=True))
RECORD = record_from_mapping(Mapping(EID, LOCATORS, Minutes(10), authoritative=True))
RECORD6 = record_from_mapping(Mapping(EID6, LOCATORS, Minutes(10), authoritative=True))
XTR = XtrIdentity(0x00112233445566778899AABBCCDDEEFF, 1)
SIGNED: dict[str, Any] = {"key_id": 1, "algorithm_id": 2, "auth_data": MAC}
ASKED = RequestRecord(wire_eid(PEER), 32)
QUESTION = MapRequest(NONCE, wire_eid(EID), (RLOC4, RLOC6), (ASKED,))
INNER = Endpoint(EID.network[0], 4342), Endpoint(PEER.network[0], 4342)
PROTECTED = RequestAuthentication(WrappedKey(1, 2, bytes(24)), 2, EidData(2))
VOUCHED = EidData(2, SignedPrefixes((ASKED,), 2, bytes(16)))
PATH = (Hop(RLOC4, strict=True), Hop(RLOC6, probe=True))
PLACE = GeoLocation(Angle(True, 37, 24, 30), Angle(False, 122, 4, 5), 12, None)
CANONICAL = (
    LocatorRecord(AfiList((PLACE, RLOC4))),
    LocatorRecord(Json(b'{"site": "one"}')),
    record_from_mapping(Mapping(EID, (Locator(RLOC4, path=PATH),), Minutes(1))).locators[0],
)
REFERRAL = ReferralRecord(wire_eid(EID), 16, Minutes(1440), RECORD.locators, 1, True)
SEEN = NatTraversal(
    4342, 61000, RLOC4, ip_address("198.51.100.1"), ip_address("10.0.0.2"), (ip_address("198.51.100.9"),)
)

MESSAGES: dict[str, Message] = {
    "Map-Request": QUESTION,
    "Map-Request, subscribes": MapRequest(
        NONCE, wire_eid(EID), (RLOC4, RLOC6), (RequestRecord(wire_eid(PEER), 32, NOTIFICATION_BIT),), identity=XTR
    ),
    "RLOC-probe": MapRequest(NONCE, None, (RLOC4,), (ASKED,), probe=True),
    "SMR": MapRequest(NONCE, wire_eid(EID), (RLOC4, RLOC6), (ASKED,), smr=True, dont_reply=True),
    "Map-Reply": MapReply(NONCE, (RECORD,)),
    "Map-Reply, negative": MapReply(
        NONCE, (EidRecord(EID.network[0], 24, Minutes(15), action=Action.NATIVELY_FORWARD),)
    ),
    "Map-Reply, LCAFs": MapReply(NONCE, (EidRecord(EID.network[0], 32, Minutes(10), CANONICAL),)),
    "Map-Reply, LISP-SEC": MapReply(NONCE, (RECORD,), authentication=ReplyAuthentication(VOUCHED, 2, bytes(16))),
    "Map-Register": MapRegister(
        NONCE, (RECORD, RECORD6), want_map_notify=True, proxy_reply=True, identity=XTR, **SIGNED
    ),
    "Map-Notify": MapNotify(NONCE, (RECORD, RECORD6), identity=XTR, **SIGNED),
    "Map-Notify-Ack": MapNotifyAck(NONCE, (RECORD,), **SIGNED),
    "Map-Referral": MapReferral(NONCE, (REFERRAL,)),
    "Info-Request": InfoMessage(NONCE, ttl=Minutes(10), eid=wire_eid(EID), mask_len=32, **SIGNED),
    "Info-Reply": InfoMessage(
        NONCE, reply=True, ttl=Minutes(10), eid=wire_eid(EID), mask_len=32, translation=SEEN, **SIGNED
    ),
    "ECM": EncapsulatedControl.wrap(*INNER, QUESTION.encode()),
    "ECM, LISP-SEC": EncapsulatedControl(
        EncapsulatedControl.wrap(*INNER, QUESTION.encode()).packet, authentication=PROTECTED
    ),
}
