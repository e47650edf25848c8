"""Reads the datagrams of the control port: a message, or a count and now and then a line in the log.

RFC 9301 section 5.1: a message with an address family that is not recognised must be dropped and the event logged. A
datagram costs its sender nothing, so the lines are few whatever comes; the counters tell the whole of it.
"""

from __future__ import annotations

from lispfast.control.effects import Datagram
from lispfast.control.outbox import Outbox
from lispfast.control.ratelimit import RateLimiter
from lispfast.model.addresses import CONTROL_PORT
from lispfast.model.errors import WireError
from lispfast.model.reasons import ControlReason
from lispfast.model.units import Seconds
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.message import Message, UnknownType, decode
from lispfast.wire.packet import InnerDatagram

# --- Ours -------------------------------------------------------------------------------------------------------------

LOG_INTERVAL = Seconds(10)  # over all senders, as a source address is easily made up
LOG_BURST = 5
# Of a payload: 255 records with three IPv4 locators each fit. To read the 64 KiB that UDP allows costs up to 100 ms,
# before any authentication could have told who sent it.
MESSAGE_MAX = 16_384


class Intake:
    """The reading end of one role."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._log = RateLimiter(LOG_INTERVAL, LOG_BURST)

    def read(self, datagram: Datagram, now: Seconds) -> Message | None:
        """The message, None where the datagram is none: then it is counted."""
        if CONTROL_PORT not in (datagram.source.port, datagram.destination.port):
            self._outbox.drop(ControlReason.WRONG_PORT)
            return None
        if len(datagram.payload) > MESSAGE_MAX:
            self._outbox.drop(ControlReason.TOO_LONG)
            return None
        try:
            return decode(datagram.payload)
        except UnknownType as error:
            self._refuse(ControlReason.UNKNOWN_TYPE, error, datagram, now)
        except WireError as error:
            self._refuse(ControlReason.MALFORMED, error, datagram, now)
        return None

    def open(
        self, message: EncapsulatedControl, datagram: Datagram, now: Seconds
    ) -> tuple[InnerDatagram, Message] | None:
        """What an Encapsulated Control Message carries, None where that is no message: then it is counted."""
        try:
            inner = message.inner()
            return inner, decode(inner.payload)
        except WireError as error:
            self._refuse(ControlReason.ECM_INNER, error, datagram, now)
        return None

    def _refuse(self, reason: ControlReason, error: WireError, datagram: Datagram, now: Seconds) -> None:
        self._outbox.drop(reason)
        if self._log.allow(None, now):
            fields = {"from": str(datagram.source), "reason": reason.value, "error": str(error)}
            self._outbox.event("datagram-refused", "warning", **fields)
