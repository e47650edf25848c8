"""The nonce of Map-Registers: it rises with every send and over restarts (RFC 9301 section 5.6)."""

from __future__ import annotations

from lispfast.control.outbox import Outbox
from lispfast.model.units import Nonce

KEY = "register-nonce"
"""The name under which the highest nonce that may have been used is kept."""

BLOCK = 1000
"""Ours: nonces taken out of the store at once. A disk sync for each Map-Register would delay it by milliseconds in a
move; a restart skips at most this many of 2**64."""


class RegisterNonce:
    """Gives rising nonces from `first` on; the store always holds one that is not below any given."""

    def __init__(self, first: int, outbox: Outbox) -> None:
        self._next = first
        self._kept: int | None = None
        self._outbox = outbox

    def take(self) -> Nonce:
        """The next nonce; a Persist goes ahead of its use where the block is used up."""
        nonce = self._next
        if self._kept is None or nonce > self._kept:
            self._kept = nonce + BLOCK - 1
            self._outbox.persist(KEY, self._kept)
        self._next += 1
        return Nonce(nonce)
