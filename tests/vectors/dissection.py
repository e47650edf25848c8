"""What tshark is to show of our messages, field by field in its order, from the values that we encoded."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from lispfast.wire.addresses import InstanceAddress, WireAddress
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.info_message import InfoMessage
from lispfast.wire.lcaf import LcafValue
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_referral import MapReferral
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest
from lispfast.wire.message import Message
from lispfast.wire.records import EidRecord, LocatorRecord

from .lcaf_dissection import LCAF_REPEATED, Shown, shown_lcaf

# Fields that repeat others: groups, the AFI before an address, and the fixed parts of an LCAF.
REPEATED = {
    "lisp.mreq.flags",
    "lisp.mreq.itr_rloc",
    "lisp.mreq.record",
    "lisp.mrep.record",
    "lisp.mapping",
    "lisp.loc",
    "lisp.loc.flags",
} | LCAF_REPEATED


def shown(message: Message) -> list[Shown]:
    """The fields of one message; what is inside of an ECM is a message of its own."""
    match message:
        case MapRequest():
            return [("lisp.type", 1), *_map_request(message)]
        case MapReply():
            return [("lisp.type", 2), *_map_reply(message)]
        case MapRegister():
            return [("lisp.type", 3), *_map_register(message)]
        case MapNotify():
            return [("lisp.type", 4), *_map_notify(message)]
        case MapNotifyAck():
            return [("lisp.type", 5)]  # tshark 4.0 reads no more of it
        case MapReferral():
            return [("lisp.type", 6), *_map_referral(message)]
        case InfoMessage():
            return [("lisp.type", 7), *_info_message(message)]
        case EncapsulatedControl():
            flags = [("lisp.ecm.flags.sec", int(message.security)), ("lisp.ecm.flags.ddt", int(message.ddt))]
            reserved = int(message.to_etr) << 25 | int(message.to_ms) << 24 | message.reserved
            return [("lisp.type", 8), *flags, ("lisp.ecm.res", reserved)]
        case _:
            raise NotImplementedError(type(message).__name__)


def _map_request(message: MapRequest) -> Iterator[Shown]:
    yield "lisp.mreq.flags.auth", int(message.authoritative)
    yield "lisp.mreq.flags.mrp", int(message.map_data is not None)
    yield "lisp.mreq.flags.probe", int(message.probe)
    yield "lisp.mreq.flags.smr", int(message.smr)
    yield "lisp.mreq.flags.pitr", int(message.pitr)
    yield "lisp.mreq.flags.smri", int(message.smr_invoked)
    # tshark 4.0 takes I, L and D, bits 11, 17 and 18, for the first and the last of nine reserved bits.
    reserved = int(message.identity is not None) << 7 | int(message.local_xtr) << 1 | int(message.dont_reply)
    yield "lisp.mreq.res", reserved
    yield "lisp.irc", len(message.itr_rlocs) - 1
    yield "lisp.records", len(message.records)
    yield "lisp.nonce", message.nonce
    if message.source_eid is None:
        yield "lisp.mreq.srceid.string", "not set"
    yield from _address("lisp.mreq.srceid.ipv4", "lisp.mreq.srceid_ipv6", message.source_eid)
    for rloc in message.itr_rlocs:
        yield from _address("lisp.mreq.itr_rloc_ipv4", "lisp.mreq.itr_rloc_ipv6", rloc)
    for record in message.records:
        yield "lisp.mreq.record.res", record.reserved
        yield "lisp.mreq.record.prefix.length", record.mask_len
        yield from _address("lisp.mreq.record.prefix.ipv4", "lisp.mreq.record.prefix.ipv6", record.eid)
    if message.map_data is not None:
        yield from _records((message.map_data,))


def _map_reply(message: MapReply) -> Iterator[Shown]:
    yield "lisp.mrep.flags.probe", int(message.probe)
    yield "lisp.mrep.flags.enlr", int(message.echo_nonce)
    yield "lisp.mrep.flags.sec", int(message.security)
    yield "lisp.mrep.res", 0
    yield "lisp.records", len(message.records)
    yield "lisp.nonce", message.nonce
    yield from _records(message.records)


def _map_register(message: MapRegister) -> Iterator[Shown]:
    yield "lisp.mreg.flags.pmr", int(message.proxy_reply)
    yield "lisp.mreg.flags.sec", int(message.security)
    yield "lisp.mreg.flags.xtrid", int(message.identity is not None)
    yield "lisp.mreg.flags.rtr", 0
    yield "lisp.mreg.res", int(message.eid_notify) << 3 | int(message.use_ttl) << 2 | int(message.merge) << 1
    yield "lisp.mreg.flags.wmn", int(message.want_map_notify)
    yield from _authenticated(message)


def _map_notify(message: MapNotify) -> Iterator[Shown]:
    yield "lisp.mnot.flags.xtrid", int(message.identity is not None)
    yield "lisp.mnot.flags.rtr", 0
    yield "lisp.mnot.res", 0
    yield from _authenticated(message)


def _authenticated(message: MapRegister | MapNotify) -> Iterator[Shown]:
    yield "lisp.records", len(message.records)
    yield "lisp.nonce", message.nonce
    # tshark 4.0 reads Key ID and Algorithm ID as one.
    yield "lisp.keyid", message.key_id << 8 | message.algorithm_id
    yield "lisp.authlen", len(message.auth_data)
    yield "lisp.auth", message.auth_data.hex(":")
    yield from _records(message.records)
    if message.identity:
        assert message.identity.site_id is not None
        yield "lisp.xtrid", message.identity.xtr_id.to_bytes(16, "big").hex(":")
        yield "lisp.siteid", message.identity.site_id.to_bytes(8, "big").hex(":")


def _map_referral(message: MapReferral) -> Iterator[Shown]:
    yield "lisp.mref.res", 0
    yield "lisp.records", len(message.records)
    yield "lisp.nonce", message.nonce
    for record in message.records:
        yield "lisp.mapping.ttl", record.ttl
        yield "lisp.mapping.loccnt", len(record.referrals)
        yield "lisp.mapping.eid.masklen", record.mask_len
        yield "lisp.mapping.act", record.action
        yield "lisp.mapping.auth", int(record.authoritative)
        yield "lisp.referral.incomplete", int(record.incomplete)
        yield "lisp.mapping.res1", 0
        yield "lisp.referral.sigcnt", len(record.signatures)
        yield "lisp.mapping.ver", record.map_version
        yield from _address("lisp.mapping.eid.ipv4", "lisp.mapping.eid.ipv6", record.eid)
        for referral in record.referrals:
            yield from _locator(referral)


def _info_message(message: InfoMessage) -> Iterator[Shown]:
    yield "lisp.info.r", int(message.reply)
    yield "lisp.info.res1", 0
    yield "lisp.nonce", message.nonce
    yield "lisp.keyid", message.key_id << 8 | message.algorithm_id
    yield "lisp.authlen", len(message.auth_data)
    yield "lisp.auth", message.auth_data.hex(":")
    yield "lisp.info.ttl", message.ttl
    yield "lisp.info.res2", 0
    yield "lisp.info.prefix.masklen", message.mask_len
    yield from _address("lisp.info.prefix.ipv4", "lisp.info.prefix.ipv6", message.eid)
    yield from _address("", "", message.translation)


def _records(records: tuple[EidRecord, ...]) -> Iterator[Shown]:
    for record in records:
        yield "lisp.mapping.ttl", record.ttl
        yield "lisp.mapping.loccnt", len(record.locators)
        yield "lisp.mapping.eid.masklen", record.mask_len
        yield "lisp.mapping.act", record.action
        yield "lisp.mapping.auth", int(record.authoritative)
        yield "lisp.mapping.res1", 0
        yield "lisp.mapping.res2", 0
        yield "lisp.mapping.ver", record.map_version
        yield from _address("lisp.mapping.eid.ipv4", "lisp.mapping.eid.ipv6", record.eid)
        for locator in record.locators:
            yield from _locator(locator)


def _locator(locator: LocatorRecord) -> Iterator[Shown]:
    yield "lisp.loc.priority", locator.priority
    yield "lisp.loc.weight", locator.weight
    yield "lisp.loc.multicast_priority", locator.multicast_priority
    yield "lisp.loc.multicast_weight", locator.multicast_weight
    yield "lisp.loc.flags.res", 0
    yield "lisp.loc.flags.local", int(locator.local)
    yield "lisp.loc.flags.probe", int(locator.probed)
    yield "lisp.loc.flags.reach", int(locator.reachable)
    if isinstance(locator.address, IPv4Address | IPv6Address):
        yield "lisp.loc.locator", str(locator.address)
    else:
        yield from _address("", "", locator.address)


def _address(name_v4: str, name_v6: str, address: WireAddress) -> Iterator[Shown]:
    match address:
        case None:
            return
        case IPv4Address():
            yield name_v4, str(address)
        case IPv6Address():
            yield name_v6, str(address)
        case InstanceAddress() | LcafValue():
            yield from shown_lcaf(address)
        case _:
            raise NotImplementedError(type(address).__name__)
