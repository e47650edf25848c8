"""What of a Map-Reply may be believed: the records that answer the question that was asked (RFC 9301 section 5.5)."""

from __future__ import annotations

from lispfast.control.mobility import Position
from lispfast.control.outbox import Outbox
from lispfast.model.addresses import EidPrefix
from lispfast.model.errors import WireError
from lispfast.model.mapping import Action, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.wire.map_reply import MapReply
from lispfast.wire.records import mapping_from_record, refused_locators


def believable(reply: MapReply, asked: EidPrefix, position: Position, outbox: Outbox) -> tuple[Mapping, ...]:
    """The mappings that the reply may tell about `asked`; empty where it does not answer the question.

    Believed are records that cover what was asked, its more-specifics, and the more-specifics of a covering record. Our
    own EID-prefixes are nobody else's to tell. The reply stands or falls as a whole where it cannot be read.
    """
    try:
        mappings = [mapping_from_record(record) for record in reply.records]
    except WireError:
        mappings = []
    if not mappings:
        outbox.drop(ControlReason.MALFORMED)
        return ()
    for record in reply.records:
        if refused_locators(record):
            outbox.drop(ControlReason.LOCATOR_REFUSED)
    foreign = [mapping for mapping in mappings if position.mapping(mapping.prefix) is None]
    scopes = [asked, *(mapping.prefix for mapping in foreign if mapping.prefix.covers(asked))]
    told = [mapping for mapping in foreign if any(scope.covers(mapping.prefix) for scope in scopes)]
    if len(told) < len(mappings):
        outbox.drop(ControlReason.PREFIX_NOT_ALLOWED)
    return tuple(told)


def settles(mapping: Mapping) -> bool:
    """Whether packets that the mapping matches need nobody to be asked: not where it is gone, or says to ask."""
    return mapping.ttl > 0 and (bool(mapping.locators) or mapping.action is not Action.SEND_MAP_REQUEST)
