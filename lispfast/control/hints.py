"""What LISP headers say of mappings, and what ours say: echo-nonce, Map-Versions, status bits, each where configured.

The public profile has none of it (RFC 9300 section 4.1): nothing is sent, and what comes is not looked at. Whatever a
header says is a reason to ask somebody, never a fact about a mapping.
"""

from __future__ import annotations

from lispfast.control.echo_nonce import EchoNonce
from lispfast.control.effects import Timeout
from lispfast.control.header_fields import PLAIN, HeaderFields
from lispfast.control.machine import earliest
from lispfast.control.map_cache import MapCache
from lispfast.control.mobility import Position
from lispfast.control.outbox import Outbox
from lispfast.control.prober import Prober
from lispfast.control.resolver import Resolver
from lispfast.control.role import NonceSource
from lispfast.control.status_bits import StatusBits
from lispfast.control.versions import Versions
from lispfast.model.addresses import Address
from lispfast.model.forwarding import HeaderHint, Traffic
from lispfast.model.mapping import Mapping
from lispfast.model.settings import Settings
from lispfast.model.units import Seconds


class HeaderHints:
    """The three machines of a node, None where not configured."""

    def __init__(
        self,
        settings: Settings,
        cache: MapCache,
        asked: tuple[Prober, Resolver],
        nonces: NonceSource,
        outbox: Outbox,
    ) -> None:
        used = settings.header_hints
        self._prober, self._resolver = asked
        self.echo_nonce = EchoNonce(cache, nonces, outbox) if used.echo_nonce else None
        self.versions = Versions(cache, nonces, outbox) if used.map_versioning else None
        self.status_bits = StatusBits(cache) if used.status_bits else None

    @property
    def down(self) -> frozenset[Address]:
        """The RLOCs that echo-nonce finds down."""
        return self.echo_nonce.down if self.echo_nonce is not None else frozenset()

    def fields(self, mapping: Mapping, rloc: Address) -> HeaderFields:
        """What packets that match a mapping say when they go to that RLOC (`header_fields.FieldSource`)."""
        if self.echo_nonce is None and self.versions is None and self.status_bits is None:
            return PLAIN
        nonce = self.echo_nonce.nonce(rloc) if self.echo_nonce is not None else None
        return HeaderFields(
            nonce[0] if nonce else None,
            nonce[1] if nonce else False,
            self.versions.carried(mapping) if self.versions is not None and nonce is None else None,
            self.status_bits.carried(mapping) if self.status_bits is not None else None,
        )

    def take_touched(self) -> tuple[list[Address], bool]:
        """RLOCs whose packets say something else from now on, and whether those of all do."""
        every = self.status_bits is not None and self.status_bits.touched
        if self.status_bits is not None:
            self.status_bits.touched = False
        return self.echo_nonce.take_touched() if self.echo_nonce is not None else [], every

    def handle_hint(self, hint: HeaderHint, now: Seconds) -> None:
        """A header said what the one before it did not."""
        if self.echo_nonce is not None:
            self.echo_nonce.handle_hint(hint, now)
        if self.versions is not None and hint.nonce is None:
            self.versions.handle_hint(hint, now)
            for prefix in self.versions.take_outdated():
                self._resolver.refresh(prefix, now)
            self.versions.handle_timeout(now)
        if self.status_bits is not None:
            for rloc in self.status_bits.suspects(hint):
                self._prober.handle_hint(rloc, now)

    def handle_reply(self, mappings: tuple[Mapping, ...], echoes: bool) -> None:
        """A Map-Reply that is in the cache by now; `echoes` is its E-bit."""
        if self.echo_nonce is not None:
            rlocs = tuple(one.address for mapping in mappings for one in mapping.locators if not one.path)
            self.echo_nonce.handle_reply(rlocs, echoes)

    def handle_cache(self, now: Seconds) -> None:
        """The map-cache changed."""
        if self.echo_nonce is not None:
            self.echo_nonce.handle_cache(now)

    def handle_position(self, position: Position, rerouted: bool, now: Seconds) -> None:
        """We stand elsewhere now, or our mappings are others; `rerouted` says that packets take another path."""
        if self.versions is not None:
            self.versions.handle_position(position)
        if self.status_bits is not None:
            self.status_bits.handle_position(position, now)
        if self.echo_nonce is not None and rerouted:
            self.echo_nonce.handle_move(now)

    def handle_traffic(self, traffic: Traffic, now: Seconds) -> None:
        """How the data plane was used."""
        if self.echo_nonce is not None:
            self.echo_nonce.handle_traffic(traffic, now)
        if self.versions is not None:
            self.versions.handle_traffic(traffic, now)

    def handle_timeout(self, now: Seconds) -> None:
        """Let each machine do what is due."""
        for machine in (self.echo_nonce, self.versions, self.status_bits):
            if machine is not None:
                machine.handle_timeout(now)

    def next_timeout(self) -> Timeout | None:
        """The first deadline of the three."""
        machines = (self.echo_nonce, self.versions, self.status_bits)
        return earliest(machine.next_timeout() for machine in machines if machine is not None)
