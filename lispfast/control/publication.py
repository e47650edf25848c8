"""The Map-Notifies of PubSub: what a Map-Server signs for one subscriber (RFC 9437 sections 5 and 6)."""

from __future__ import annotations

from lispfast.control.auth import sign
from lispfast.control.subscriptions import Wish
from lispfast.model.mapping import Action, Mapping
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.records import record_from_mapping
from lispfast.wire.sizes import PAYLOAD_MAX


def signed(wish: Wish, nonce: Nonce, told: tuple[Mapping, ...]) -> bytes:
    """These mappings, under the key of the subscription."""
    records = tuple(record_from_mapping(mapping) for mapping in told)
    return sign(MapNotify(nonce, records, identity=_identity(wish)), wish.key)


def removal(wish: Wish, nonce: Nonce) -> bytes:
    """Says that there is no subscription any more: no locators, ACT 5 (section 5). TTL 0 for who does not know it."""
    gone = Mapping(wish.prefix, (), Minutes(0), Action.DROP_AUTH_FAILURE)
    return signed(wish, nonce, (gone,))


def room(wish: Wish) -> int:
    """Bytes of a Map-Notify that may go to any of the ITR-RLOCs."""
    return min(PAYLOAD_MAX[rloc.version] for rloc in wish.rlocs)


def _identity(wish: Wish) -> XtrIdentity | None:
    """The IDs, where both came: others that share the key must not take the message for theirs."""
    return wish.identity if wish.identity.site_id is not None else None
