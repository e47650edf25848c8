"""The move as a list of moments on one clock: the demo's own steps, the daemons' events, the router's capture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lispfast.lab.capture import Frame
from lispfast.lab.demo.internet import Move
from lispfast.lab.events import LoggedEvent
from lispfast.lab.packets import CONTROL_PORT, message_name, read_udp

SHOWN_EVENTS = frozenset(
    {
        "underlay-changed",
        "source-locator-changed",
        "map-register-sent",
        "map-notify-received",
        "smr-sent",
        "smr-received",
        "map-request-sent",
        "map-reply-received",
        "mapping-installed",
        "registration-lost",
        "map-register-accepted",
        "map-notify-sent",
        "map-request-forwarded",
        "map-reply-sent",
    }
)

# Ours.
AFTER_NS = 30_000_000  # what follows the first packet by the new way for so long still belongs to the move
MOMENTS = 60  # of a timeline that somebody is to read


@dataclass(frozen=True, slots=True)
class Moment:
    """At `at` (wall clock, nanoseconds) `where` saw or did `what`."""

    at: int
    where: str
    what: str


def from_move(move: Move) -> list[Moment]:
    """What the demo did to the phone's links."""
    return [Moment(step.at, "phone", step.what) for step in move.steps]


def from_events(events: Iterable[LoggedEvent]) -> list[Moment]:
    """What the daemons say of themselves; nonces are left out, nobody reads them here."""
    moments = []
    for event in events:
        if event.name in SHOWN_EVENTS:
            detail = " ".join(f"{key}={value}" for key, value in event.fields.items() if key != "nonce")
            moments.append(Moment(event.at, f"{event.node} daemon", f"{event.name} {detail}".rstrip()))
    return moments


def from_capture(frames: Iterable[Frame], names: Mapping[str, str]) -> list[Moment]:
    """The control messages that came to the router; `names` are the hosts by address."""
    moments = []
    for frame in frames:
        datagram = read_udp(frame.packet)
        if datagram is None or frame.outgoing or CONTROL_PORT not in (datagram.source_port, datagram.destination_port):
            continue
        ends = [names.get(str(address), str(address)) for address in (datagram.source, datagram.destination)]
        what = f"{message_name(datagram.payload)}, {ends[0]} to {ends[1]}, at {frame.interface}"
        moments.append(Moment(frame.at, "router capture", what))
    return moments


def merge(start: int, end: int, *sources: Iterable[Moment]) -> list[Moment]:
    """The moments from `start` to shortly after `end`, in order of time and not too many."""
    every = [moment for source in sources for moment in source if start <= moment.at <= end + AFTER_NS]
    return sorted(every, key=lambda moment: moment.at)[:MOMENTS]


def render(moments: Iterable[Moment], zero: int) -> list[str]:
    """A line for each moment, in milliseconds since `zero`."""
    return [f"{(moment.at - zero) / 1e6:+10.3f} ms  {moment.where:<15} {moment.what}" for moment in moments]
