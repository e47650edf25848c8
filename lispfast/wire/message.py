"""Every control message of port 4342, by the type in its first nibble (RFC 9301 section 5.1)."""

from __future__ import annotations

from lispfast.model.errors import WireError
from lispfast.wire.auth_header import AUTH_OFFSET as AUTH_OFFSET
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.info_message import InfoMessage
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_referral import MapReferral
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest

# From RFC 9304 section 3. No sub-type is spoken here.
SHARED_EXTENSION = 15
SUBTYPE_MASK = 0x0FFF

Message = (
    MapRequest | MapReply | MapRegister | MapNotify | MapNotifyAck | MapReferral | InfoMessage | EncapsulatedControl
)

_BY_TYPE: dict[int, type[Message]] = {
    kind.TYPE: kind
    for kind in (
        MapRequest,
        MapReply,
        MapRegister,
        MapNotify,
        MapNotifyAck,
        MapReferral,
        InfoMessage,
        EncapsulatedControl,
    )
}


class UnknownType(WireError):  # noqa: N818 - named as the reason that counts it
    """A message type that is unassigned, or one that no codec reads."""


def decode(payload: bytes) -> Message:
    """Read a UDP payload of port 4342.

    UnknownType for a type without a codec, WireError for what cannot be read. The value encodes to the same bytes.
    """
    if not payload:
        raise WireError("type", 0, "an empty datagram")
    kind = payload[0] >> 4
    codec = _BY_TYPE.get(kind)
    if kind == SHARED_EXTENSION and len(payload) > 1:
        subtype = int.from_bytes(payload[:2], "big") & SUBTYPE_MASK
        raise UnknownType("sub-type", 0, f"no codec for sub-type {subtype} of the shared extension type")
    if codec is None:
        raise UnknownType("type", 0, f"no codec for type {kind}")
    return codec.decode(payload)
