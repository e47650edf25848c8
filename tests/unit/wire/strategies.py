"""Hypothesis strategies for every value that the codecs encode, in the form that decoding gives back."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from hypothesis import strategies as st

from lispfast.model.addresses import Endpoint
from lispfast.wire import (
    encapsulated_control,
    info_message,
    lisp_sec,
    map_notify,
    map_register,
    map_reply,
    map_request,
)
from lispfast.wire.addresses import FIXED_LENGTHS, LCAF_TYPES, InstanceAddress, OtherAddress
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.info_message import InfoMessage
from lispfast.wire.lcaf import Lcaf, LcafHeader, LcafValue
from lispfast.wire.lcaf_keys import (
    ApplicationData,
    Json,
    KeyValue,
    MulticastInfo,
    OpaqueKey,
    SourceDestination,
)
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
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_referral import MapReferral, ReferralRecord, Signature
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.records import EidRecord, LocatorRecord


def bits(width: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << width) - 1)


def masked(mask: int) -> st.SearchStrategy[int]:
    return st.one_of(st.just(0), bits(32).map(lambda value: value & mask))


octet = bits(8)
ipv4 = st.one_of(st.just(IPv4Address("192.0.2.1")), bits(32).map(IPv4Address))
ipv6 = st.one_of(st.just(IPv6Address("2001:db8::1")), bits(128).map(IPv6Address))
names = st.binary(max_size=8).map(lambda name: OtherAddress(17, name.replace(b"\0", b"") + b"\0"))
fixed = st.sampled_from(sorted(FIXED_LENGTHS)).flatmap(
    lambda afi: st.binary(min_size=FIXED_LENGTHS[afi], max_size=FIXED_LENGTHS[afi]).map(lambda d: OtherAddress(afi, d))
)
UNKNOWN_TYPES = sorted(set(range(255)) - {2} - set(LCAF_TYPES))
unknown = st.builds(Lcaf, st.sampled_from(UNKNOWN_TYPES), st.binary(max_size=20), octet, octet, octet)
plain = st.one_of(st.none(), ipv4, ipv6, names, fixed, unknown)
known = st.one_of(st.none(), ipv4, ipv6, names, fixed)
headers = st.just(LcafHeader()) | st.builds(LcafHeader, octet, octet, octet)


def lists(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=3).map(tuple)


def lcafs(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[LcafValue]:
    """Each type that we know, with such addresses inside."""
    ports = st.tuples(bits(16), bits(16))
    angles = st.builds(Angle, st.booleans(), bits(15), octet, octet)
    altitudes = st.none() | st.integers(-(1 << 31), (1 << 31) - 2)
    hops = st.builds(PathHop, inside, st.booleans(), st.booleans(), st.booleans(), masked(0xFFF8))
    data = st.binary(max_size=9)
    fields: dict[type[LcafValue], tuple[st.SearchStrategy[Any], ...]] = {
        AfiList: (lists(inside),),
        AsNumber: (bits(32), inside),
        ApplicationData: (bits(24), octet, ports, ports, inside),
        GeoLocation: (angles, angles, altitudes, inside),
        OpaqueKey: (octet, bits(16), data),
        NatTraversal: (bits(16), bits(16), inside, inside, inside, lists(inside)),
        NonceLocator: (bits(24), inside, octet),
        MulticastInfo: (bits(32), octet, octet, inside, inside, bits(16)),
        ExplicitPath: (lists(hops),),
        SecurityKey: (octet, lists(data), inside, st.booleans(), octet, masked(0xFE)),
        SourceDestination: (octet, octet, inside, inside, bits(16)),
        ReplicationList: (lists(st.builds(Replica, octet, inside, bits(24))),),
        Json: (data, inside),
        KeyValue: (inside, inside),
        EncapsulationFormat: (bits(32), inside),
    }
    assert set(fields) == set(LCAF_TYPES.values())
    return st.one_of(*(st.builds(kind, *parts, header=headers) for kind, parts in fields.items()))


def instances(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[InstanceAddress]:
    return st.builds(InstanceAddress, bits(32), inside, octet, octet, octet)


addresses = st.one_of(plain, instances(plain), lcafs(plain), lcafs(lcafs(plain)), instances(instances(plain)))
eids = st.one_of(known, instances(known), lcafs(known))

locator_records = st.builds(
    LocatorRecord,
    addresses,
    octet,
    octet,
    octet,
    octet,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    masked(0xFFF8),
)
eid_records = st.builds(
    EidRecord,
    eids,
    octet,
    bits(32),
    st.lists(locator_records, max_size=3).map(tuple),
    bits(3),
    st.booleans(),
    bits(12),
    bits(12),
    bits(4),
)
records = st.lists(eid_records, max_size=3).map(tuple)
identities = st.builds(XtrIdentity, bits(128), bits(64))
trailing = st.binary(max_size=30)
nonces = bits(64)

authentication = {
    "key_id": octet,
    "algorithm_id": octet,
    "auth_data": st.binary(max_size=40),
}

request_records = st.builds(RequestRecord, eids, octet, octet)
eid_data = st.builds(
    lisp_sec.EidData,
    bits(16),
    st.none()
    | st.builds(
        lisp_sec.SignedPrefixes,
        st.lists(request_records, max_size=3).map(tuple),
        bits(16),
        st.binary(max_size=32),
        st.booleans(),
        bits(7),
    ),
)
request_authentications = st.builds(
    lisp_sec.RequestAuthentication,
    st.builds(lisp_sec.WrappedKey, octet, octet, st.binary(max_size=32)),
    bits(16),
    eid_data,
    octet,
)
reply_authentications = st.builds(lisp_sec.ReplyAuthentication, eid_data, bits(16), st.binary(max_size=32), bits(24))

map_requests = st.one_of(
    st.builds(
        MapRequest,
        nonces,
        addresses,
        st.lists(addresses, min_size=1, max_size=4).map(tuple),
        st.lists(request_records, max_size=3).map(tuple),
        map_data=st.none() | eid_records,
        identity=identity,
        reserved=masked(map_request.RESERVED_MASK),
        trailing=behind,
        **dict.fromkeys(
            ("authoritative", "probe", "smr", "pitr", "smr_invoked", "local_xtr", "dont_reply"), st.booleans()
        ),
    )
    for identity, behind in (
        (st.none() | identities, trailing),
        (st.builds(XtrIdentity, bits(128), st.none()), st.just(b"")),
    )
)
map_replies = st.builds(
    MapReply,
    nonces,
    records,
    st.booleans(),
    st.booleans(),
    st.none() | reply_authentications,
    masked(map_reply.RESERVED_MASK),
    trailing,
)
map_registers = st.builds(
    MapRegister,
    nonces,
    records,
    identity=st.none() | identities,
    reserved=masked(map_register.RESERVED_MASK),
    trailing=trailing,
    **authentication,
    **dict.fromkeys(
        ("proxy_reply", "want_map_notify", "merge", "use_ttl", "eid_notify", "security"),
        st.booleans(),
    ),
)


def notifications(kind: type[map_notify.Notification]) -> st.SearchStrategy[map_notify.Notification]:
    reserved = masked(map_notify.RESERVED_MASK & ~map_notify.IDENTITY_BIT)
    identity = st.none() | identities
    return st.builds(kind, nonces, records, identity=identity, reserved=reserved, trailing=trailing, **authentication)


signatures = st.builds(Signature, bits(32), bits(32), bits(32), bits(16), octet, st.binary(max_size=9), bits(24))
referral_records = st.builds(
    ReferralRecord,
    eids,
    octet,
    bits(32),
    lists(locator_records),
    bits(3),
    st.booleans(),
    st.booleans(),
    bits(12),
    lists(signatures),
    bits(11),
)
map_referrals = st.builds(MapReferral, nonces, lists(referral_records), masked(0x0FFFFF00), trailing)
info_messages = st.builds(
    InfoMessage,
    nonces,
    st.booleans(),
    ttl=bits(32),
    eid=eids,
    mask_len=octet,
    translation=addresses,
    reserved=masked(info_message.RESERVED_MASK),
    reserved_eid=octet,
    trailing=trailing,
    **authentication,
)
encapsulated = st.builds(
    EncapsulatedControl,
    st.binary(max_size=60),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.none() | request_authentications,
    masked(encapsulated_control.RESERVED_MASK),
)
messages = st.one_of(
    map_requests,
    map_replies,
    map_registers,
    notifications(MapNotify),
    notifications(MapNotifyAck),
    map_referrals,
    info_messages,
    encapsulated,
)

ports = bits(16).filter(lambda port: port != 4341)
endpoint_pairs = st.one_of(
    *(
        st.tuples(st.builds(Endpoint, family, ports), st.builds(Endpoint, family, ports))
        for family in (bits(32).map(IPv4Address), bits(128).map(IPv6Address))
    )
)
