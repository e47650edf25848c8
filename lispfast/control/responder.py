"""Answers Map-Requests and RLOC-probes for our own EIDs (RFC 9301 sections 5.4, 5.5 and 7.1).

A Map-Request comes directly or, from a Map-Server, in an Encapsulated Control Message; a probe comes only directly
(section 5.3). A solicitation is none of these and is never answered. What becomes of a mapping that the request brought
along says piggyback.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from lispfast.control.lisp_sec import UnwrapError
from lispfast.control.lisp_sec_answers import Mandate, MandateOpener
from lispfast.control.mobility import Position, Source
from lispfast.control.outbox import Outbox
from lispfast.control.ratelimit import RateLimiter
from lispfast.model.addresses import DATA_PORT, Address, EidPrefix
from lispfast.model.errors import WireError
from lispfast.model.mapping import Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.units import Nonce, Seconds
from lispfast.wire.lisp_sec import RequestAuthentication
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.records import eid_prefix, record_from_mapping, refused
from lispfast.wire.sizes import PAYLOAD_MAX

# --- From the RFC -----------------------------------------------------------------------------------------------------

REPLY_INTERVAL = Seconds(3)  # RFC 9301 section 5.4: recommended for a destination RLOC

# --- Ours -------------------------------------------------------------------------------------------------------------

# The interval taken literally holds up a peer's second EID and its answer after our second move; the MUST is only to
# limit the rate. So it counts for each (RLOC, EID-prefix) with a burst, beside a looser one for the RLOC alone.
REPLY_BURST = 4
RLOC_INTERVAL = Seconds(0.1)
RLOC_BURST = 32
REFUSAL_INTERVAL = Seconds(10)  # of each reason: RFC 9303 section 6.5 wants a word in the log, and no flood of it
REFUSAL_BURST = 3
MAX_RECORDS = 16  # of one Map-Request that are answered; a sender may only send one


@dataclass(frozen=True, slots=True)
class Asked:
    """A Map-Request as it came: from where, to which of our addresses, and the port that wants the Map-Reply."""

    request: MapRequest
    sender: Address
    receiver: Address
    reply_port: int
    encapsulated: bool
    authentication: RequestAuthentication | None = None


class Responder:
    """Holds no state but its rate limits: our mappings come with each position.

    `echoes` says in each Map-Reply that we echo nonces (the E-bit, RFC 9300 section 10.1); `mandates` opens what
    LISP-SEC added to a Map-Request, and without it nothing is protected.
    """

    def __init__(self, outbox: Outbox, *, echoes: bool = False, mandates: MandateOpener | None = None) -> None:
        self._echoes = echoes
        self._mandates = mandates
        self._outbox = outbox
        self._position = Position()
        self._per_prefix = RateLimiter(REPLY_INTERVAL, REPLY_BURST)
        self._per_rloc = RateLimiter(RLOC_INTERVAL, RLOC_BURST)
        self._refusals = RateLimiter(REFUSAL_INTERVAL, REFUSAL_BURST)

    def handle_position(self, position: Position) -> None:
        """We stand elsewhere now."""
        self._position = position

    def handle_request(self, asked: Asked, now: Seconds) -> tuple[EidPrefix, ...]:
        """Answer it, or count why not; those of our EID-prefixes that its sender has been told of."""
        if asked.request.probe and asked.encapsulated:
            self._outbox.drop(ControlReason.PROBE_VIA_SYSTEM)
            return ()
        if asked.request.dont_reply:
            self._outbox.drop(ControlReason.NOT_FOR_ROLE)
            return ()
        if asked.reply_port in (0, DATA_PORT):  # nobody hears a Map-Reply there
            self._outbox.drop(ControlReason.WRONG_PORT)
            return ()
        destination = self._destination(asked)
        if destination is None:
            self._outbox.drop(ControlReason.NO_ITR_RLOC)
            return ()
        try:
            mandate = self._mandates.open(asked.authentication, asked.request.nonce) if self._mandates else None
        except UnwrapError as error:
            self._refuse(error.reason, asked, now)
            return ()
        records = asked.request.records[:MAX_RECORDS]
        if not records:
            self._outbox.drop(ControlReason.MALFORMED)
        if len(asked.request.records) > MAX_RECORDS:
            self._outbox.drop(ControlReason.RATE_LIMITED)
        told = [self._answer(record, asked, destination, mandate, now) for record in records]
        return tuple(prefix for prefix in told if prefix is not None)

    def _refuse(self, reason: ControlReason, asked: Asked, now: Seconds) -> None:
        self._outbox.drop(reason)
        if self._refusals.allow(reason, now):
            fields = {"from": str(asked.sender), "reason": reason.value}
            self._outbox.event("map-request-refused", "warning", **fields)

    def _answer(
        self, record: RequestRecord, asked: Asked, destination: Address, mandate: Mandate | None, now: Seconds
    ) -> EidPrefix | None:
        try:
            prefix = eid_prefix(record.eid, record.mask_len)
        except WireError:
            self._outbox.drop(ControlReason.MALFORMED)
            return None
        mapping = self._position.mapping(prefix)
        if mapping is None:
            self._outbox.drop(ControlReason.EID_NOT_OURS)
            return None
        allowed = self._per_rloc.allow(destination, now) and self._per_prefix.allow((destination, mapping.prefix), now)
        source = self._source(asked, destination)
        if not allowed or source is None:
            self._outbox.drop(ControlReason.RATE_LIMITED)
            return None
        probed = asked.receiver if asked.request.probe else None
        reply = self._reply(asked.request.nonce, mapping, probed, PAYLOAD_MAX[destination.version], mandate)
        self._outbox.send(reply.encode(), source, destination, asked.reply_port)
        self._outbox.event("map-reply-sent", "debug", to=str(destination), eid_prefix=str(mapping.prefix))
        return mapping.prefix

    def _reply(
        self, nonce: Nonce, mapping: Mapping, probed: Address | None, room: int, mandate: Mandate | None
    ) -> MapReply:
        """The best match, and our more-specifics of it as far as they fit (section 5.5)."""
        under = [m for m in self._position.mappings if m.prefix != mapping.prefix and mapping.prefix.covers(m.prefix)]
        mappings = [replace(m, ttl=mapping.ttl) for m in (mapping, *under)]  # one TTL, so that they end together
        records = tuple(record_from_mapping(_mark(m, probed)) for m in mappings)
        reply = MapReply(nonce, records, probe=probed is not None, echo_nonce=self._echoes)
        while len(reply.records) > 1 and len(_protected(reply, mandate).encode()) > room:
            reply = replace(reply, records=reply.records[:-1])
        return _protected(reply, mandate)

    def _destination(self, asked: Asked) -> Address | None:
        """The ITR-RLOC to answer to: the sender's own address if it is one, else the first that we can send to."""
        usable = [rloc for rloc in asked.request.itr_rlocs if self._can_send(rloc)]
        addresses = [rloc for rloc in usable if isinstance(rloc, IPv4Address | IPv6Address)]
        return asked.sender if asked.sender in addresses else next(iter(addresses), None)

    def _can_send(self, rloc: object) -> bool:
        if not isinstance(rloc, IPv4Address | IPv6Address) or refused(rloc):
            return False
        own = any(m.prefix.version == rloc.version and rloc in m.prefix.network for m in self._position.mappings)
        return not own and self._position.source(rloc.version) is not None

    def _source(self, asked: Asked, destination: Address) -> Source | None:
        """The address that was asked, so that a probe is answered by the locator probed; else the way out."""
        addressed = self._position.source_at(asked.receiver)
        if addressed is not None and addressed.address.version == destination.version:
            return addressed
        return self._position.source(destination.version)


def _protected(reply: MapReply, mandate: Mandate | None) -> MapReply:
    return mandate.reply(reply) if mandate else reply


def _mark(mapping: Mapping, probed: Address | None) -> Mapping:
    """Set the p-bit on the locator that was probed (section 5.4)."""
    return replace(mapping, locators=tuple(replace(loc, probed=loc.etr == probed) for loc in mapping.locators))
