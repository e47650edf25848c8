from __future__ import annotations

import json
from ipaddress import ip_address

import pytest
from hypothesis import given

from lispfast.model.addresses import EidPrefix, Endpoint
from lispfast.model.mapping import Hop, Locator, Mapping
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.addresses import InstanceAddress, OtherAddress, WireAddress
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.lcaf import Lcaf, LcafHeader
from lispfast.wire.lcaf_keys import Json, OpaqueKey
from lispfast.wire.lcaf_locators import AfiList, Angle, AsNumber, GeoLocation, SecurityKey
from lispfast.wire.lisp_sec import EidData, ReplyAuthentication, RequestAuthentication, SignedPrefixes, WrappedKey
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_referral import MapReferral, ReferralRecord, Signature
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.message import Message
from lispfast.wire.records import EidRecord, LocatorRecord, record_from_mapping
from lispfast.wire.text import describe

from . import strategies

V4, V6 = ip_address("10.0.1.2"), ip_address("2001:db8::1")
EID = ip_address("172.16.1.1")
NONCE = Nonce(0x0123456789ABCDEF)
SECRET = b"SECRETSECRETSECRETSECRET"


def test_a_map_request() -> None:
    request = MapRequest(NONCE, EID, (V4, V6), (RequestRecord(EID, 32, 0x80),), smr=True, identity=XtrIdentity(5, 7))
    assert describe(request) == {
        "type": "map-request",
        "nonce": "0x0123456789abcdef",
        "source_eid": "172.16.1.1",
        "itr_rlocs": ["10.0.1.2", "2001:db8::1"],
        "records": [{"eid_prefix": "172.16.1.1/32", "reserved": 0x80}],
        **dict.fromkeys(("authoritative", "probe", "pitr", "smr_invoked", "local_xtr", "dont_reply"), False),
        "smr": True,
        "map_data": None,
        "identity": {"xtr_id": "0x" + "5".zfill(32), "site_id": "0x0000000000000007"},
    }


def test_a_map_reply() -> None:
    path = (Hop(V4, strict=True), Hop(V6))
    mapping = Mapping(EidPrefix.parse("fd10::/64", 7), (Locator(V4, path=path),), Minutes(10), version=3)
    (record,) = describe(MapReply(NONCE, (record_from_mapping(mapping),)))["records"]
    hops = [
        {"address": "10.0.1.2", "lookup": False, "probe": False, "strict": True},
        {"address": "2001:db8::1", "lookup": False, "probe": False, "strict": False},
    ]
    assert record == {
        "eid_prefix": "[7]fd10::/64",
        "ttl": 10,
        "locators": [
            {
                "address": {"lcaf": "explicit-path", "hops": hops},
                "priority": 1,
                "weight": 100,
                "multicast_priority": 255,
                "multicast_weight": 0,
                "local": False,
                "probed": False,
                "reachable": True,
            }
        ],
        "action": "no-action",
        "authoritative": False,
        "map_version": 3,
    }


def test_what_is_reserved_is_shown_when_it_is_set() -> None:
    record = EidRecord(V4, 32, Minutes(1), (LocatorRecord(V4, unused=8),), 6, reserved=1, reserved_version=2)
    shown = describe(MapReply(NONCE, (record,), reserved=0x100, trailing=b"\0more"))
    assert (shown["reserved"], shown["trailing"]) == (0x100, "0x006d6f7265")
    (told,) = shown["records"]
    assert (told["action"], told["reserved"], told["reserved_version"], told["locators"][0]["unused"]) == (6, 1, 2, 8)
    assert "reserved" not in describe(MapReply(NONCE, ()))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (None, None),
        (OtherAddress(17, b"phone\0"), {"afi": 17, "name": "phone"}),
        (OtherAddress(17, b"\xff\0"), {"afi": 17, "name": "0xff"}),
        (OtherAddress(6, bytes(range(6))), {"afi": 6, "address": "00:01:02:03:04:05"}),
        (InstanceAddress(7, V4), {"lcaf": "instance-id", "iid": 7, "address": "10.0.1.2", "mask_len": 0, "flags": 0}),
        (Lcaf(99, b"\1\2", flags=3), {"lcaf": 99, "payload": "0102", "flags": 3}),
        (Lcaf(10, b"\1\2"), {"lcaf": "explicit-path", "unreadable": 2}),
        (Lcaf(2, b"\1"), {"lcaf": "instance-id", "unreadable": 1}),
        (
            AfiList((V4, AsNumber(5, None))),
            {"lcaf": "afi-list", "addresses": ["10.0.1.2", {"lcaf": "as-number", "number": 5, "address": None}]},
        ),
        (
            Json(b'{"a": 1}', header=LcafHeader(rsvd2=2)),
            {"lcaf": "json", "rsvd2": 2, "document": '{"a": 1}', "address": None},
        ),
        (OpaqueKey(0, 0, b"\1"), {"lcaf": "opaque-key", "field_number": 0, "wildcards": 0, "key": "0x01"}),
        (
            GeoLocation(Angle(True, 37, 24), Angle(False, 122), None, V4),
            {
                "lcaf": "geo-location",
                "latitude": {"positive": True, "degrees": 37, "minutes": 24, "seconds": 0},
                "longitude": {"positive": False, "degrees": 122, "minutes": 0, "seconds": 0},
                "altitude": None,
                "address": "10.0.1.2",
            },
        ),
    ],
)
def test_an_address(address: WireAddress, shown: object) -> None:
    assert describe(MapRequest(NONCE, address, (V4,), ()))["source_eid"] == shown


def test_an_eid_that_is_no_prefix_keeps_its_mask_length() -> None:
    (record,) = describe(MapReply(NONCE, (EidRecord(OtherAddress(17, b"x\0"), 16, Minutes(1)),)))["records"]
    assert (record["eid"], record["mask_len"]) == ({"afi": 17, "name": "x"}, 16)


def test_what_an_encapsulated_control_message_carries() -> None:
    ends = Endpoint(EID, 4342), Endpoint(ip_address("172.16.2.1"), 4342)
    request = MapRequest(NONCE, EID, (V4,), (RequestRecord(EID, 32),))
    message = EncapsulatedControl.wrap(*ends, request.encode(), ddt=True)
    shown = describe(message)
    assert (shown["type"], shown["ddt"], shown["authentication"]) == ("encapsulated-control", True, None)
    assert shown["packet"] == {
        "length": len(message.packet),
        "source": "172.16.1.1:4342",
        "destination": "172.16.2.1:4342",
        "ttl": 64,
        "message": describe(request),
    }
    assert "error" in describe(EncapsulatedControl(b"\x45"))["packet"]


def test_nesting_is_bounded() -> None:
    ends = Endpoint(EID, 4342), Endpoint(EID, 4342)
    message = EncapsulatedControl(b"")
    for _ in range(1500):
        message = EncapsulatedControl.wrap(*ends, message.encode())
    assert json.dumps(describe(message)).count("encapsulated-control") == 3


def secrets() -> list[Message]:
    key = WrappedKey(1, 2, SECRET)
    eid = EidData(2, SignedPrefixes((RequestRecord(EID, 32),), 2, SECRET))
    locator = LocatorRecord(AfiList((SecurityKey(1, (SECRET,), V4), Lcaf(11, SECRET))))
    return [
        MapRegister(NONCE, (), auth_data=SECRET),
        MapNotify(NONCE, (), auth_data=SECRET),
        EncapsulatedControl(SECRET, authentication=RequestAuthentication(key, 2, eid)),
        MapReply(NONCE, (), authentication=ReplyAuthentication(eid, 2, SECRET)),
        MapReply(NONCE, (EidRecord(EID, 32, Minutes(1), (locator,)),)),
        MapReferral(
            NONCE, (ReferralRecord(EID, 32, Minutes(1), signatures=(Signature(Minutes(1), 1, 1, 1, 1, SECRET),)),)
        ),
    ]


@pytest.mark.parametrize("message", secrets(), ids=lambda message: type(message).__name__)
def test_no_secret_is_shown(message: Message) -> None:
    text = json.dumps(describe(message))
    assert "SECRET" not in text
    assert SECRET.hex()[:8] not in text
    assert "***" in text


def test_the_length_of_a_mac_is_shown() -> None:
    shown = describe(MapRegister(NONCE, (), auth_data=bytes(32)))
    assert (shown["auth_data"], shown["auth_length"]) == ("***", 32)


@given(strategies.messages)
def test_every_message_has_a_text(message: Message) -> None:
    shown = describe(message)
    assert json.loads(json.dumps(shown)) == shown
