"""Answers Map-Requests out of the mapping system, or lets an ETR answer (RFC 9301 sections 8.3 and 8.4).

A Map-Request comes inside an Encapsulated Control Message or, by way of tolerance, plain. What it is, and what follows:

    Map-Request                                       what follows
    SMR, or with the D-bit                            dropped: it asks nothing of a Map-Server
    RLOC-probe                                        dropped (5.3)
    without an ITR-RLOC that we can send to           dropped (5.3)
    protected, and its one-time key cannot be had     dropped (RFC 9303 section 6.5)
    any other, for each of its records                Map-Reply, Map-Notify where it subscribes (publisher has which)
                                                      or forwarding, as mapping_system has it, and what
                                                      lisp_sec_answers adds where it is protected
"""

from __future__ import annotations

from dataclasses import dataclass

from lispfast.control.effects import Datagram, Send
from lispfast.control.lisp_sec import UnwrapError
from lispfast.control.lisp_sec_answers import RequestOpener, RequestProtection, signers, unprotected
from lispfast.control.mapping_system import Answer, Forward, MappingSystem, Reply, Silence
from lispfast.control.outbox import Outbox
from lispfast.control.publisher import Publisher
from lispfast.control.ratelimit import RateLimiter
from lispfast.control.registrations import Registration
from lispfast.control.subscriptions import Wish
from lispfast.model.addresses import CONTROL_PORT, DATA_PORT, Address, EidPrefix, Endpoint
from lispfast.model.errors import WireError
from lispfast.model.mapping import Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import LispSec, PubSub
from lispfast.model.units import Nonce, Seconds
from lispfast.wire.addresses import WireAddress
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.lisp_sec import RequestAuthentication
from lispfast.wire.map_reply import MapReply
from lispfast.wire.map_request import MapRequest
from lispfast.wire.records import eid_prefix, record_from_mapping, refused
from lispfast.wire.sizes import PAYLOAD_MAX

# --- From the RFC -----------------------------------------------------------------------------------------------------

REPLY_INTERVAL = Seconds(3.0)  # section 5.4, here for each destination RLOC and EID-prefix

# --- Ours -------------------------------------------------------------------------------------------------------------

# Section 5.4 recommends one Map-Reply in 3 s to an RLOC. Word for word that would stall a node that opens connections
# to two EIDs, or whose first Map-Reply was lost. So one question may be put five times in a row, as a resolver with 1 s
# between its tries does, and a destination gets 100 messages a second: a proxy ITR keeps working, and a forged ITR-RLOC
# makes us no flood.
REPLY_BURST = 5
DESTINATION_INTERVAL = Seconds(0.01)
DESTINATION_BURST = 200
MAX_RECORDS = 16  # of one Map-Request that are answered, each by a message; a sender may only send one
MAX_FORWARDS = 4  # of one Map-Request, whole to each ETR: what a sender makes us send in all
NOTIFY_ROOM = 60  # bytes that a Map-Notify has and a Map-Reply has not: a MAC of 32, its header, xTR-ID and Site-ID
REFUSAL_INTERVAL = Seconds(10.0)  # of each reason, over all sources, as an address is easily made up
REFUSAL_BURST = 3


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a Map-Request came: `source` is where it came from and `packet` the IP packet of it inside an ECM.

    `authentication` is what LISP-SEC added in that ECM.
    """

    datagram: Datagram
    source: Endpoint
    packet: bytes | None = None
    authentication: RequestAuthentication | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    """One record of a Map-Request and where its answer goes."""

    asked: EidPrefix
    nonce: Nonce
    itr: Endpoint
    arrival: Arrival
    protection: RequestProtection | None
    wish: Wish | None = None


class MapResolver:
    """The Map-Request side of a Map-Server and Map-Resolver."""

    def __init__(
        self,
        system: MappingSystem,
        outbox: Outbox,
        lisp_sec: LispSec | None = None,
        publisher: Publisher | None = None,
    ) -> None:
        self._system = system
        self._outbox = outbox
        self._publisher = publisher or Publisher(PubSub(), system, outbox)
        self._opener = RequestOpener(lisp_sec or LispSec())
        self._refusals = RateLimiter(REFUSAL_INTERVAL, REFUSAL_BURST)
        self._per_question = RateLimiter(REPLY_INTERVAL, REPLY_BURST)
        self._per_destination = RateLimiter(DESTINATION_INTERVAL, DESTINATION_BURST)
        self._own: frozenset[Address] = frozenset()
        self._versions: set[int] = set()

    def know_addresses(self, addresses: frozenset[Address]) -> None:
        """These are our own addresses now; a family is ours as well once something came to us in it."""
        self._own = addresses
        self._versions = {address.version for address in addresses}

    def handle_request(self, request: MapRequest, arrival: Arrival, now: Seconds) -> None:
        """A Map-Request came."""
        self._versions.add(arrival.datagram.destination.address.version)
        if request.smr or request.dont_reply:
            return self._outbox.drop(ControlReason.NOT_FOR_ROLE)
        if request.probe:
            return self._outbox.drop(ControlReason.PROBE_VIA_SYSTEM)
        if arrival.source.port in (0, DATA_PORT):
            return self._outbox.drop(ControlReason.WRONG_PORT)
        itrs = self._itrs(request.itr_rlocs, arrival.datagram)
        if not itrs:
            ends = request.itr_rlocs == (None,)
            if not ends or not self._publisher.handle_end(request, arrival.datagram, arrival.source.port, now):
                self._outbox.drop(ControlReason.NO_ITR_RLOC)
            return None
        if not request.records:
            return self._outbox.drop(ControlReason.MALFORMED)
        try:
            protection = self._opener.open(arrival.authentication, request.nonce)
        except UnwrapError as error:
            return self._refuse(error.reason, arrival, now)
        forwarded: set[Address] = set()
        if len(request.records) > MAX_RECORDS:
            self._outbox.drop(ControlReason.RATE_LIMITED)
        for record in request.records[:MAX_RECORDS]:
            try:
                asked = eid_prefix(record.eid, record.mask_len)
            except WireError:
                self._outbox.drop(ControlReason.MALFORMED)
                continue
            to = Endpoint(itrs[0], arrival.source.port)
            wish = self._publisher.wish(request, record, asked, itrs, arrival.datagram, arrival.source.port)
            self._answer(_Question(asked, request.nonce, to, arrival, protection, wish), forwarded, now)
        return None

    def _answer(self, question: _Question, forwarded: set[Address], now: Seconds) -> None:
        if not self._per_question.allow((question.itr.address, question.asked), now):
            return self._outbox.drop(ControlReason.RATE_LIMITED)
        answer: Answer = self._system.answer(question.asked, lambda mappings: _fits(mappings, question), now)
        match answer:
            case Reply(mappings):
                if question.wish and self._per_destination.ready_at(question.itr.address, now) > now:
                    return self._outbox.drop(ControlReason.RATE_LIMITED)
                if question.wish:
                    mappings = self._publisher.subscribe(question.wish, mappings, now)
                if mappings:
                    return self._reply(mappings, question, now)
                self._per_destination.allow(question.itr.address, now)
                return None
            case Forward(registration):
                return self._forward(registration, question, forwarded, now)
            case Silence():
                return self._outbox.drop(ControlReason.RELEARNING)

    def _reply(
        self, mappings: tuple[Mapping, ...], question: _Question, now: Seconds, *, cant_sign: bool = False
    ) -> None:
        itr, best = question.itr, mappings[0]
        if not self._per_destination.allow(itr.address, now):
            return self._outbox.drop(ControlReason.RATE_LIMITED)
        reply = _map_reply(mappings, question, cant_sign=cant_sign)
        self._outbox.put(_send(reply, itr, question.arrival.datagram))
        self._outbox.event(
            "map-reply-sent",
            "debug",
            to=str(itr),
            asked=str(question.asked),
            eid_prefix=str(best.prefix),
            locators=",".join(str(locator.address) for locator in best.locators),
            action=best.action.name.lower().replace("_", "-"),
            ttl=best.ttl,
        )
        return None

    def _forward(self, registration: Registration, question: _Question, forwarded: set[Address], now: Seconds) -> None:
        arrival, protection = question.arrival, question.protection
        entry, authentication = registration.latest, None
        mapping = registration.mapping
        if protection is not None:
            able = signers(registration)
            if not able:
                return self._reply((unprotected(mapping.prefix),), question, now, cant_sign=True)
            entry, mapping = able[0], able[0].mapping
            authentication = protection.forward(registration, entry)
        etr = self._choose_etr(mapping, entry.source.address, arrival.datagram)
        if etr is None:
            return self._outbox.drop(ControlReason.LOCATOR_REFUSED)
        if etr in forwarded:  # the whole Map-Request went there already, for another of its records
            return None
        if len(forwarded) == MAX_FORWARDS:
            return self._outbox.drop(ControlReason.RATE_LIMITED)
        forwarded.add(etr)
        if not self._per_destination.allow(etr, now):
            return self._outbox.drop(ControlReason.RATE_LIMITED)
        if arrival.packet is not None:
            message = EncapsulatedControl(arrival.packet, to_etr=True, authentication=authentication)
        else:
            datagram = arrival.datagram
            message = EncapsulatedControl.wrap(datagram.source, datagram.destination, datagram.payload, to_etr=True)
        self._outbox.put(_send(message.encode(), Endpoint(etr, CONTROL_PORT), arrival.datagram))
        fields = {"to": str(etr), "asked": str(question.asked), "itr": str(arrival.source)}
        self._outbox.event("map-request-forwarded", "debug", **fields)
        return None

    def _refuse(self, reason: ControlReason, arrival: Arrival, now: Seconds) -> None:
        """Section 6.5 of RFC 9303 asks for a word in the log."""
        self._outbox.drop(reason)
        if self._refusals.allow(reason, now):
            fields = {"from": str(arrival.datagram.source), "reason": reason.value}
            self._outbox.event("map-request-refused", "warning", **fields)

    def _itrs(self, rlocs: tuple[WireAddress, ...], datagram: Datagram) -> tuple[Address, ...]:
        """The ITR-RLOCs, the best-proven path first: the sender itself, then its family, then another of ours."""
        addresses = [rloc for rloc in rlocs if isinstance(rloc, Address)]
        usable = [rloc for rloc in addresses if rloc.version in self._versions and _addressable(rloc, datagram)]
        version = datagram.source.address.version
        usable.sort(key=lambda rloc: (rloc != datagram.source.address, rloc.version != version))
        return tuple(usable)

    def _choose_etr(self, mapping: Mapping, registerer: Address, datagram: Datagram) -> Address | None:
        """The address that last registered where it is a usable locator, else the best locator, else that address.

        Never one of our own, or we would forward to ourselves.
        """
        own = self._own | {datagram.destination.address}
        usable = [
            locator
            for locator in mapping.locators
            if locator.usable and locator.etr.version in self._versions and locator.etr not in own
        ]
        usable.sort(key=lambda locator: (locator.etr != registerer, locator.priority))
        if usable:
            return usable[0].etr
        return registerer if registerer not in own else None


def _addressable(rloc: Address, datagram: Datagram) -> bool:
    """Whether a Map-Reply may go there; loopback only to who is on this host."""
    return not refused(rloc) or (rloc.is_loopback and datagram.source.address.is_loopback)


def _map_reply(mappings: tuple[Mapping, ...], question: _Question, *, cant_sign: bool = False) -> bytes:
    reply = MapReply(nonce=question.nonce, records=tuple(record_from_mapping(mapping) for mapping in mappings))
    if question.protection is not None:
        reply = question.protection.reply(reply, mappings[0].prefix, cant_sign=cant_sign)
    return reply.encode()


def _fits(mappings: tuple[Mapping, ...], question: _Question) -> bool:
    room = PAYLOAD_MAX[question.itr.address.version] - (NOTIFY_ROOM if question.wish else 0)
    return len(_map_reply(mappings, question)) <= room


def _send(payload: bytes, destination: Endpoint, datagram: Datagram) -> Send:
    """From the address that was asked, where the family allows: what comes from another may look forged."""
    asked = datagram.destination.address
    return Send(payload, destination, asked if asked.version == destination.address.version else None)
