"""Whose subscriptions a Map-Server accepts, and how it refuses the others (RFC 9437 sections 1.1 and 5).

what the settings say            who may subscribe
nothing                          whoever proves to have the key that Map-Notifies are signed with
EID-prefixes for some xTR-IDs    of these whoever proves it, to what lies in one of its EID-prefixes; nobody else
"""

from __future__ import annotations

from collections.abc import Iterable

from lispfast.model.addresses import EidPrefix
from lispfast.model.mapping import Action, Mapping
from lispfast.model.settings import Admitted
from lispfast.model.units import Minutes
from lispfast.wire.identity import XTR_ID_LENGTH, XtrIdentity

# --- Ours -------------------------------------------------------------------------------------------------------------

# The RFC gives a refusal no TTL, and it is no mapping: whoever caches it all the same is to drop it at once.
REFUSAL_TTL = Minutes(0)


class Admission:
    """Who may subscribe to what."""

    def __init__(self, admitted: Iterable[Admitted]) -> None:
        self._prefixes: dict[int, list[EidPrefix | None]] = {}
        for one in admitted:
            assert len(one.xtr_id) == XTR_ID_LENGTH, "as the configuration has it"
            self._prefixes.setdefault(int.from_bytes(one.xtr_id, "big"), []).append(one.prefix)

    def admits(self, identity: XtrIdentity, prefix: EidPrefix) -> bool:
        """Whether this xTR may be told of every change in this EID-prefix."""
        if not self._prefixes:
            return True
        allowed = self._prefixes.get(identity.xtr_id, ())
        return any(one is None or one.covers(prefix) for one in allowed)


def refusal(prefix: EidPrefix, action: Action) -> Mapping:
    """The Negative Map-Reply's record that refuses a subscription: ACT 4 by policy, 5 for want of authentication."""
    return Mapping(prefix, (), REFUSAL_TTL, action)
