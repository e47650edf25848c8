"""Chance for timers: who starts together must not stay together."""

from __future__ import annotations

from lispfast.control.role import NonceSource
from lispfast.model.units import Seconds

BITS = 16  # of a nonce: 65536 places in the shortest of intervals are enough


def longer(wait: Seconds, share: float, nonces: NonceSource) -> Seconds:
    """The wait, or up to that share of it more: for what must not come sooner."""
    return Seconds(wait * (1 + share * _draw(nonces)))


def around(wait: Seconds, share: float, nonces: NonceSource) -> Seconds:
    """The wait with up to that share of it more or less."""
    return Seconds(wait * (1 + share * (2 * _draw(nonces) - 1)))


def _draw(nonces: NonceSource) -> float:
    """0 to 1."""
    return (nonces() & ((1 << BITS) - 1)) / ((1 << BITS) - 1)
