"""Hypothesis strategies for every value that the codecs encode, in the form that decoding gives back."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

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
from lispfast.wire.addresses import FIXED_LENGTHS, InstanceAddress, Lcaf, OtherAddress
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.info_message import InfoMessage
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_referral import MapReferral
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
lcafs = st.builds(Lcaf, octet.filter(lambda kind: kind != 2), st.binary(max_size=20), octet, octet, octet)
plain = st.one_of(st.none(), ipv4, ipv6, names, fixed, lcafs)
addresses = st.one_of(
    plain,
    st.builds(InstanceAddress, bits(32), plain, octet, octet, octet),
    st.builds(InstanceAddress, bits(32), st.builds(InstanceAddress, bits(32), plain)),
)

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
    addresses,
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

request_records = st.builds(RequestRecord, addresses, octet, octet)
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


map_referrals = st.builds(MapReferral, nonces, octet, trailing, masked(0x0FFFFF00))
info_messages = st.builds(
    InfoMessage,
    nonces,
    st.booleans(),
    ttl=bits(32),
    eid=addresses,
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
