"""A message for people: every field by name, ready for JSON; what is secret, or proves a secret, is not in it.

A field that is zero or empty when all is well (reserved bits, bytes behind the message) is shown only where it is not.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from lispfast.model.errors import WireError
from lispfast.model.mapping import Action
from lispfast.wire.addresses import (
    AFI_DISTINGUISHED_NAME,
    LCAF_INSTANCE_ID,
    LCAF_TYPES,
    InstanceAddress,
    OtherAddress,
    WireAddress,
    decode_address,
)
from lispfast.wire.cursor import Cursor
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.identity import SITE_ID_LENGTH, XTR_ID_LENGTH
from lispfast.wire.lcaf import Lcaf, LcafHeader, LcafValue
from lispfast.wire.lcaf_keys import Json, OpaqueKey, VendorSpecific
from lispfast.wire.map_referral import ReferralRecord
from lispfast.wire.message import Message, decode
from lispfast.wire.records import LocatorRecord

SECRET = "***"
REFERRAL_ACTIONS = (  # RFC 8111 section 6.1
    "node-referral",
    "ms-referral",
    "ms-ack",
    "ms-not-registered",
    "delegation-hole",
    "not-authoritative",
)

# Ours.
NESTING_MAX = 2  # Encapsulated Control Messages inside of one another that are opened
# The only bytes that are shown; all others may be a key, a MAC or the like.
SHOWN = {(OpaqueKey, "key"), (VendorSpecific, "data"), (Json, "document")}
USUALLY_EMPTY = re.compile(r"reserved|rsvd|unused|trailing")
HEX_DIGITS = {"nonce": 16, "xtr_id": 2 * XTR_ID_LENGTH, "site_id": 2 * SITE_ID_LENGTH, "oui": 6}


def describe(message: Message) -> dict[str, Any]:
    """The message as objects, lists, strings, numbers and truth values; `type` is its name.

    An EID with its mask length is one `eid_prefix` (`[iid]address/length`), an LCAF an object with its type as `lcaf`.
    What an Encapsulated Control Message carries stands in it as `packet`, with an `error` where it cannot be read.
    """
    return _message(message, NESTING_MAX)


def describe_locator(encoded: bytes) -> dict[str, Any]:
    """A locator record from its bytes, its `address` as an object; WireError for what cannot be read."""
    return _fields(LocatorRecord.read(Cursor(encoded)))


def describe_address(encoded: bytes) -> Any:
    """An address from its bytes, AFI and all; WireError for what cannot be read."""
    return _value(decode_address(Cursor(encoded), "address"))


def _message(message: Message, depth: int) -> dict[str, Any]:
    shown = {"type": _name(type(message)), **_fields(message)}
    if isinstance(message, EncapsulatedControl):
        shown["packet"] = _packet(message, depth)
    return shown


def _packet(message: EncapsulatedControl, depth: int) -> dict[str, Any]:
    shown: dict[str, Any] = {"length": len(message.packet)}
    try:
        inner = message.inner()
        shown |= {"source": str(inner.source), "destination": str(inner.destination), "ttl": inner.ttl}
        if depth == 0:
            return shown | {"error": "nested too deeply"}
        return shown | {"message": _message(decode(inner.payload), depth - 1)}
    except WireError as error:
        return shown | {"error": str(error)}


def _fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, in their order."""
    shown: dict[str, Any] = {}
    for field in fields(value):
        name, content = field.name, getattr(value, field.name)
        if content or not USUALLY_EMPTY.fullmatch(name.partition("_")[0].rstrip("1234")):
            shown |= _field(value, name, content)
    return shown


def _field(owner: Any, name: str, content: Any) -> dict[str, Any]:
    """One field, under the name or names that people know it by."""
    if isinstance(content, LcafHeader):
        return {part: number for part, number in content._asdict().items() if number}
    if name == "eid" and hasattr(owner, "mask_len"):
        return _prefix(content, owner.mask_len)
    if name == "mask_len" and hasattr(owner, "eid"):
        return {}
    if name == "action":
        return {name: _action(owner, content)}
    if name == "auth_data":
        return {name: SECRET if content else "", "auth_length": len(content)}
    if name in HEX_DIGITS and isinstance(content, int):
        return {name: f"{content:#0{HEX_DIGITS[name] + 2}x}"}
    if isinstance(content, bytes):
        return {name: _octets(content) if name == "trailing" or (type(owner), name) in SHOWN else SECRET}
    return {name: _value(content)}


def _value(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case IPv4Address() | IPv6Address():
            return str(value)
        case InstanceAddress():
            return {"lcaf": "instance-id", **_fields(value)}
        case LcafValue():
            return {"lcaf": _name(type(value)), **_fields(value)}
        case Lcaf():
            return _opaque(value)
        case OtherAddress():
            return _other(value)
        case bytes():
            return SECRET
        case tuple():
            return value._asdict() if hasattr(value, "_asdict") else [_value(item) for item in value]
        case _ if is_dataclass(value):
            return _fields(value)
    raise TypeError(f"{type(value).__name__} has no text")


def _prefix(eid: WireAddress, mask_len: int) -> dict[str, Any]:
    iid, address = "", eid
    if isinstance(eid, InstanceAddress) and not (eid.mask_len or eid.rsvd1 or eid.flags):
        iid, address = f"[{eid.iid}]", eid.address
    if isinstance(address, IPv4Address | IPv6Address):
        return {"eid_prefix": f"{iid}{address}/{mask_len}"}
    return {"eid": _value(eid), "mask_len": mask_len}


def _action(owner: Any, action: int) -> str | int:
    if isinstance(owner, ReferralRecord):
        return REFERRAL_ACTIONS[action] if action < len(REFERRAL_ACTIONS) else action
    return Action(action).name.lower().replace("_", "-") if action in frozenset(Action) else action


def _opaque(lcaf: Lcaf) -> dict[str, Any]:
    """One of a type that we know holds what we could not read: a key, for all we know."""
    if lcaf.type in LCAF_TYPES or lcaf.type == LCAF_INSTANCE_ID:
        kind = LCAF_TYPES.get(lcaf.type)
        return {"lcaf": _name(kind) if kind else "instance-id", "unreadable": len(lcaf.payload)}
    header = {name: getattr(lcaf, name) for name in ("rsvd1", "flags", "rsvd2") if getattr(lcaf, name)}
    return {"lcaf": lcaf.type, "payload": lcaf.payload.hex(), **header}


def _other(address: OtherAddress) -> dict[str, Any]:
    if address.afi == AFI_DISTINGUISHED_NAME:
        return {"afi": address.afi, "name": _octets(address.data[:-1])}
    return {"afi": address.afi, "address": address.data.hex(":")}


def _octets(data: bytes) -> str:
    """As text where it is printable ASCII, else as hexadecimal digits behind 0x."""
    text = data.decode("latin-1")
    return text if text.isascii() and text.isprintable() else f"0x{data.hex()}"


def _name(kind: type) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()
