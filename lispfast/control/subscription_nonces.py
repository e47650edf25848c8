"""The nonces of subscriptions, which both sides count up from one number (RFC 9437 sections 5 and 6).

    number    what it is                                              what is held against it
    sent      the nonce of the last question that subscribed
    heard     the nonce of the last Map-Notify that was taken         the next one must exceed it

A question takes one more than the highest of all, over the EID-prefixes known that cover what it asks for: only the
answer tells which of them it is about. Where none is known it takes a new one: high bits that exceed those of every
earlier run and every question that was not answered, and 32 random bits, as nothing else proves a Map-Reply to it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from lispfast.control.prefix_map import PrefixMap
from lispfast.control.role import NonceSource
from lispfast.model.addresses import EidPrefix
from lispfast.model.units import Nonce

# --- Ours -------------------------------------------------------------------------------------------------------------

RANDOM_BITS = 32
MAX_PREFIXES = 8192  # of which nonces are known, the subscribed ones and as many others
NONCE_LIMIT = 2**64 - 2**32  # nobody counts as far; above it there is no room left to count


@dataclass(slots=True)
class _Nonces:
    sent: int = 0
    heard: int = 0


class SubscriptionNonces:
    """Nonces by EID-prefix; `first` exceeds what an earlier run gave (see register_nonce)."""

    def __init__(self, first: int, nonces: NonceSource) -> None:
        self._high = first >> RANDOM_BITS
        self._nonces = nonces
        self._known: PrefixMap[_Nonces] = PrefixMap()
        self._order: OrderedDict[EidPrefix, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def next(self, asked: EidPrefix, *, anew: bool = False) -> Nonce:
        """The nonce of a question; `anew` where the last one was not answered."""
        covering = () if anew else (asked, *self._known.covers(asked))
        known = [nonces for prefix in covering if (nonces := self._known.get(prefix)) is not None]
        last = max((max(nonces.sent, nonces.heard) for nonces in known), default=NONCE_LIMIT)
        if last + 1 < NONCE_LIMIT:
            for nonces in known:  # all of them, or a wider question might take the same nonce
                nonces.sent = last + 1
            return Nonce(last + 1)
        self._high += 1
        nonce = self._high << RANDOM_BITS | self._nonces() & ((1 << RANDOM_BITS) - 1)
        self._entry(asked).sent = nonce
        return Nonce(nonce)

    def heard(self, prefix: EidPrefix) -> int:
        """The nonce of the last Map-Notify taken for exactly this EID-prefix, 0 for none."""
        known = self._known.get(prefix)
        return known.heard if known else 0

    def hear(self, prefix: EidPrefix, nonce: int) -> None:
        """A Map-Notify was taken."""
        self._entry(prefix).heard = nonce

    def _entry(self, prefix: EidPrefix) -> _Nonces:
        known = self._known.get(prefix)
        if known is None:
            known = _Nonces()
            self._known.put(prefix, known)
        self._order[prefix] = None
        self._order.move_to_end(prefix)
        if len(self._order) > MAX_PREFIXES:
            self._known.remove(self._order.popitem(last=False)[0])
        return known
