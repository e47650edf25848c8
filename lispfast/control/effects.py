"""What the core asks the runtime to do, and what it tells about itself. Effects are carried out in order."""

from __future__ import annotations

from dataclasses import dataclass, field

from lispfast.model.addresses import CONTROL_PORT, Address, Endpoint
from lispfast.model.forwarding import Transaction
from lispfast.model.units import Seconds


@dataclass(frozen=True, slots=True)
class Send:
    """Send one control datagram; `source` None and `ifindex` 0 leave the choice to the kernel."""

    payload: bytes
    destination: Endpoint
    source: Address | None = None
    ifindex: int = 0
    source_port: int = CONTROL_PORT


@dataclass(frozen=True, slots=True)
class Commit:
    """Apply a transaction to the data plane."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class Persist:
    """Keep a number under a key across restarts; what follows must wait until it is on disk.

    A value of 0 means that the key is forgotten and need not be kept: a later run finds no number under it.
    """

    key: str
    value: int


Effect = Send | Commit | Persist


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, for the log, the timeline and `lispctl`; `fields` are a fixed vocabulary of words."""

    name: str
    fields: dict[str, str | int] = field(default_factory=dict)
    level: str = "info"  # debug, info or warning


@dataclass(frozen=True, slots=True)
class Timeout:
    """The next deadline of the core: when, how much later is still fine, and why it waits."""

    at: Seconds
    slack: Seconds
    why: str


@dataclass(frozen=True, slots=True)
class Datagram:
    """A control datagram as received: `destination` is the local address it came to, `ifindex` where it came in."""

    payload: bytes
    source: Endpoint
    destination: Endpoint
    ifindex: int = 0
