"""What every role of the protocol core looks like from outside: few verbs, facts in, effects out.

A role never reads a clock and never draws a random number: `now` is a point on the caller's monotonic clock in seconds,
nonces come from a source given at construction. The same inputs give the same effects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lispfast.control.effects import Datagram, Effect, Event, Timeout
from lispfast.model.forwarding import Punt, Traffic
from lispfast.model.reasons import ControlReason
from lispfast.model.underlay import Underlay
from lispfast.model.units import Nonce, Seconds

NonceSource = Callable[[], Nonce]
"""Gives a fresh unpredictable 64-bit nonce at every call (RFC 9301 section 5.2)."""


class Role(Protocol):
    """A composition of state machines that the runtime drives.

    After each `handle_*` the caller takes the effects, carries them out in order, takes the events, and arms one timer
    for `poll_timeout`.
    """

    def start(self, now: Seconds) -> None:
        """Begin: from here on effects come. The underlay is still empty until `handle_underlay` says otherwise."""

    def stop(self, now: Seconds) -> None:
        """Leave in good order: what peers should be told before the node goes."""

    def handle_datagram(self, datagram: Datagram, now: Seconds) -> None:
        """A datagram came to the control port. Never raises: what is wrong with it is counted."""

    def handle_punt(self, punt: Punt, now: Seconds) -> None:
        """The data plane met what it cannot decide: an EID without a mapping, a hint about a path or an interface."""

    def handle_underlay(self, underlay: Underlay, now: Seconds) -> None:
        """The networks that the host is attached to are now these."""

    def handle_traffic(self, traffic: Traffic, now: Seconds) -> None:
        """How the data plane was used since it was given last; given before `handle_underlay` and `handle_timeout`."""

    def handle_timeout(self, now: Seconds) -> None:
        """A deadline may have passed; safe to call at any time."""

    def poll_timeout(self) -> Timeout | None:
        """The next deadline, None when nothing waits."""

    def take_effects(self) -> list[Effect]:
        """What is to be done, in order; taking empties the list."""

    def take_events(self) -> list[Event]:
        """What happened; taking empties the list."""

    def view(self, noun: str, now: Seconds) -> dict[str, object]:
        """State as JSON-ready values: `status`, `map-cache`, `database` or `sites`; KeyError for other nouns."""

    def drops(self) -> dict[ControlReason, int]:
        """Ignored datagrams by reason, reasons without one included."""
