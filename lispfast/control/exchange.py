"""The control messages of a mobile node or xTR: which machine each is for, and what one machine's answer tells another.

A Map-Reply is an answer to the resolver or, with the P-bit, to the prober; a Map-Request asks us or, with the S-bit,
solicits; a Map-Notify answers the registrar, or is published to the subscriber.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lispfast.control.effects import Datagram
from lispfast.control.map_cache import Origin
from lispfast.control.map_replies import believable, settles
from lispfast.control.map_requests import prefix_named
from lispfast.control.responder import Asked
from lispfast.model.addresses import CONTROL_PORT, Address
from lispfast.model.errors import WireError
from lispfast.model.mapping import Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.units import Seconds
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest
from lispfast.wire.records import mapping_from_record

if TYPE_CHECKING:
    from lispfast.control.mobile_node import MobileNode


class Exchange:
    """Holds no state: it reads the node's machines and calls them."""

    def __init__(self, node: MobileNode) -> None:
        self._node = node

    def handle_message(self, message: object, datagram: Datagram, now: Seconds) -> None:
        """Tell the machine that the message is for; count it where there is none."""
        match message:
            case MapRequest():
                addresses = datagram.source.address, datagram.destination.address
                self._on_request(Asked(message, *addresses, datagram.source.port, encapsulated=False), now)
            case EncapsulatedControl():
                self._on_encapsulated(message, datagram, now)
            case MapReply(probe=True):
                self._on_probe_reply(message, now)
            case MapReply():
                self._on_reply(message, datagram, now)
            case MapNotify():
                self._on_notify(message, datagram, now)
            case _:
                self._node.outbox.drop(ControlReason.NOT_FOR_ROLE)

    def _on_encapsulated(self, message: EncapsulatedControl, datagram: Datagram, now: Seconds) -> None:
        opened = self._node.intake.open(message, datagram, now)
        if opened is None:
            return
        inner, request = opened
        if CONTROL_PORT not in (inner.source.port, inner.destination.port):
            self._node.outbox.drop(ControlReason.ECM_INNER)
        elif isinstance(request, MapRequest):
            addresses = inner.source.address, datagram.destination.address
            port, authentication = inner.source.port, message.authentication
            self._on_request(Asked(request, *addresses, port, True, authentication), now)
        else:
            self._node.outbox.drop(ControlReason.NOT_FOR_ROLE)

    def _on_request(self, asked: Asked, now: Seconds) -> None:
        if asked.request.smr:  # whatever else it claims to be: an SMR is never answered
            self._node.smr_responder.handle_smr(asked, self._node.position, now)
        else:
            answered = self._node.responder.handle_request(asked, now)
            if answered and not asked.request.probe:  # a probe asks whether we are there, and maybe at the old place
                self._node.solicitor.handle_answered(asked.request, answered)
                self._node.verifier.handle_request(asked.request, self._node.position, now)

    def _on_reply(self, reply: MapReply, datagram: Datagram, now: Seconds) -> None:
        asked = self._node.resolver.match(reply.nonce)
        if asked is None:
            self._node.outbox.drop(ControlReason.NONCE_UNKNOWN)
            return
        checked = self._node.resolver.protection.check(reply, now)
        mappings = believable(checked, asked, self._node.position, self._node.outbox) if checked else ()
        if not mappings:
            return
        accepted = self._node.subscriber.handle_reply(asked, reply.nonce, mappings, now)
        answered = self._node.resolver.answered(reply.nonce, now)
        if not accepted:  # a subscription is refused: the mapping is asked for alone
            self._node.resolver.refresh(asked, now)
            return
        self._node.changed(self._node.cache.learn(mappings, asked, now), now)
        self._node.hints.handle_reply(tuple(m for m in mappings if m.authoritative), reply.echo_nonce)
        for mapping in mappings:
            if settles(mapping):
                self._node.resolver.covered(mapping.prefix, now)
        self._node.outbox.event(
            "map-reply-received",
            **{"from": str(datagram.source.address)},
            eid_prefix=",".join(str(mapping.prefix) for mapping in mappings),
            locators=",".join(str(locator.address) for mapping in mappings for locator in mapping.locators),
            rtt_us=round(answered.rtt * 1_000_000),
        )

    def _on_notify(self, message: MapNotify, datagram: Datagram, now: Seconds) -> None:
        """The answer to a Map-Register, or one to a question that subscribed, or a publication.

        RFC 9437 section 6 tells the last two by their EID, which is not ours; but our own EID may come up in a hole
        that we are subscribed to.
        """
        node = self._node
        eids = [eid for record in message.records if (eid := prefix_named(record.eid, record.mask_len)) is not None]
        ours = any(node.position.mapping(eid) is not None for eid in eids)
        if (
            (ours and not node.subscriber.covers(eids))
            or not node.subscriber.enabled
            or node.registrar.outstanding(message.nonce)
        ):
            if node.registrar.handle_notify(message, datagram, now):
                node.solicitor.handle_notified(node.registrar.complete, now)
            return
        published = node.subscriber.handle_notify(message, datagram, node.resolver.match(message.nonce), now)
        if published is None:
            return
        if published.confirms:
            node.resolver.answered(message.nonce, now)
        node.changed(node.cache.learn(published.learn, published.asked, now), now)
        for mapping in published.learn:
            if settles(mapping):
                node.resolver.covered(mapping.prefix, now)
        if published.lost and node.cache.in_use(published.asked, now):
            node.resolver.refresh(published.asked, now)

    def _on_probe_reply(self, reply: MapReply, now: Seconds) -> None:
        """A probe's answer is no mapping; where it says another thing than the cache, the mapping system is asked."""
        asked = self._node.prober.handle_reply(reply, now)
        entry = self._node.cache.get(asked) if asked else None
        if entry is None or entry.origin is not Origin.MAP_REPLY or entry.mapping.negative:  # a proxy-ETR's answer
            return
        self._node.hints.handle_reply((entry.mapping,), reply.echo_nonce)
        try:
            told = [m for m in map(mapping_from_record, reply.records) if m.prefix == entry.prefix]
        except WireError:
            self._node.outbox.drop(ControlReason.MALFORMED)
            return
        known = {rloc for locator in entry.mapping.locators for rloc in locator.rlocs}
        by_hops = any(locator.path for locator in entry.mapping.locators)  # a hop may name itself, or who is behind it
        for mapping in told:
            named = {rloc for locator in mapping.locators for rloc in locator.rlocs}
            if named - known if by_hops else _policy(mapping) != _policy(entry.mapping):
                self._node.resolver.refresh(entry.prefix, now)


def _policy(mapping: Mapping) -> set[tuple[tuple[Address, ...], int, int, bool]]:
    """What packets depend on: which RLOCs, and how they share."""
    return {(locator.rlocs, locator.priority, locator.weight, locator.reachable) for locator in mapping.locators}
