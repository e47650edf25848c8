"""Map-Server and Map-Resolver in one: the role of `operating-mode = MS` (RFC 9301 section 8).

A datagram of port 4342 finds its way by its message:

    message                                    goes to
    Map-Register                               register_intake, which fills the registrations; then publisher
    Map-Notify-Ack                             publisher
    Map-Request, plain or in an ECM            map_resolver, which reads them
    an ECM with anything else inside           dropped
    an ECM that a Map-Server meant for ETRs    dropped: else two Map-Servers could play it to and fro
    any other                                  dropped: section 8.3 wants no answer to it
"""

from __future__ import annotations

from collections.abc import Mapping

from lispfast.control import server_view
from lispfast.control.effects import Datagram, Effect, Event, Timeout
from lispfast.control.intake import Intake
from lispfast.control.machine import earliest
from lispfast.control.map_resolver import Arrival, MapResolver
from lispfast.control.mapping_system import MappingSystem
from lispfast.control.outbox import Outbox
from lispfast.control.publisher import Publisher
from lispfast.control.register_intake import RegisterIntake
from lispfast.control.registrations import Change, Registrations
from lispfast.control.replay import ReplayGuard
from lispfast.control.role import NonceSource
from lispfast.control.sites import SiteTable
from lispfast.model.addresses import CONTROL_PORT
from lispfast.model.forwarding import Punt, Traffic
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Settings
from lispfast.model.underlay import Underlay
from lispfast.model.units import Seconds
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_notify import MapNotifyAck
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_request import MapRequest

# --- Ours -------------------------------------------------------------------------------------------------------------

EXPIRY_SLACK = Seconds(1.0)  # of three minutes: nobody misses it, and registrations of one second go together


class MapServer:
    """The whole role; `saved` are the numbers that an earlier run asked to persist.

    The nonces of a Map-Server are all copied from others, so it never draws one.
    """

    def __init__(self, settings: Settings, nonces: NonceSource, saved: Mapping[str, int]) -> None:
        self.settings = settings
        self._outbox = Outbox()
        self.sites = SiteTable(settings.sites)
        self.registrations = Registrations()
        self._system = MappingSystem(self.sites, self.registrations, settings.static_registrations)
        self.publisher = Publisher(settings.pubsub, self._system, self._outbox)
        self._resolver = MapResolver(self._system, self._outbox, settings.lisp_sec, self.publisher)
        self._intake = Intake(self._outbox)
        self._guard, versions = ReplayGuard(saved), settings.header_hints.map_versioning
        self._registers = RegisterIntake(self.sites, self.registrations, self._guard, self._outbox, versions=versions)

    def start(self, now: Seconds) -> None:
        """A Map-Server waits to be asked. What was registered before a restart is registered anew within a minute."""
        if self._guard.remembers:
            self._system.forgot(now)

    def stop(self, now: Seconds) -> None:
        """Nothing to take back: the registrations of a Map-Server are gone when it is."""

    def handle_datagram(self, datagram: Datagram, now: Seconds) -> None:
        """A datagram came to the control port; what is wrong with it is counted."""
        self._expire(now)
        message = self._intake.read(datagram, now)
        match message:
            case None:
                return None
            case MapRegister():
                self._registers.handle_register(message, datagram, now)
                return self.publisher.handle_changes(self.registrations.take_changes(), now)
            case MapNotifyAck():
                return self.publisher.handle_acknowledgement(message, datagram, now)
            case MapRequest():
                return self._resolver.handle_request(message, Arrival(datagram, datagram.source), now)
            case EncapsulatedControl():
                return self._handle_encapsulated(message, datagram, now)
            case _:
                return self._outbox.drop(ControlReason.NOT_FOR_ROLE)

    def handle_punt(self, punt: Punt, now: Seconds) -> None:
        """Nothing to resolve: a Map-Server has no data plane."""

    def handle_underlay(self, underlay: Underlay, now: Seconds) -> None:
        """Our own addresses, which tell the families we can send in."""
        attachments = [i.attachment(version) for i in underlay.interfaces for version in (4, 6)]
        self._resolver.know_addresses(frozenset(a.address for a in attachments if a is not None))

    def handle_traffic(self, traffic: Traffic, now: Seconds) -> None:
        """No data plane, no traffic."""

    def handle_timeout(self, now: Seconds) -> None:
        """A registration may have timed out, or a Map-Notify has to be sent."""
        self._expire(now)
        self.publisher.handle_timeout(now)

    def poll_timeout(self) -> Timeout | None:
        """When the next registration times out or the next Map-Notify is to be sent."""
        at = self.registrations.next_expiry()
        expiry = None if at is None else Timeout(at, EXPIRY_SLACK, "a registration times out")
        return earliest((expiry, self.publisher.next_timeout()))

    def take_effects(self) -> list[Effect]:
        """What is to be done, in order; taking empties the list."""
        return self._outbox.take_effects()

    def take_events(self) -> list[Event]:
        """What happened; taking empties the list."""
        return self._outbox.take_events()

    def drops(self) -> dict[ControlReason, int]:
        """Ignored datagrams, and parts of them, by reason."""
        return self._outbox.drops()

    def view(self, noun: str, now: Seconds) -> dict[str, object]:
        """`status`, `sites` or `subscriptions` as server_view has them; KeyError for another noun."""
        return server_view.NOUNS[noun](self, now)

    def _handle_encapsulated(self, message: EncapsulatedControl, datagram: Datagram, now: Seconds) -> None:
        if message.to_etr or message.ddt:
            return self._outbox.drop(ControlReason.NOT_FOR_ROLE)
        opened = self._intake.open(message, datagram, now)
        if opened is None:
            return None
        inner, request = opened
        if not isinstance(request, MapRequest):
            return self._outbox.drop(ControlReason.NOT_FOR_ROLE)
        if inner.destination.port != CONTROL_PORT:
            return self._outbox.drop(ControlReason.ECM_INNER)
        arrival = Arrival(datagram, inner.source, message.packet, message.authentication)
        return self._resolver.handle_request(request, arrival, now)

    def _expire(self, now: Seconds) -> None:
        for prefix, change in self.registrations.expire(now):
            if change is Change.GONE:
                self._outbox.event("registration-expired", eid_prefix=str(prefix))
        self.publisher.handle_changes(self.registrations.take_changes(), now)
