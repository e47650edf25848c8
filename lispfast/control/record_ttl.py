"""How long a record holds by its TTL of 32 bits (RFC 9301 section 5.4), 0 left out: that withdraws its mapping.

TTL                          seconds
all bits set                 LONGEST: the receiver decides
the first bit set            what the others say: lispers.net means seconds by it, and nobody four thousand years
any other                    minutes, LONGEST at most: VPP writes seconds into this field
"""

from __future__ import annotations

from lispfast.model.units import Minutes, Seconds

# --- From the RFC -----------------------------------------------------------------------------------------------------

LOCAL_DECISION = 0xFFFFFFFF  # RFC 9301 section 5.4

# --- Ours -------------------------------------------------------------------------------------------------------------

IN_SECONDS = 1 << 31
LONGEST = Seconds(24 * 60 * 60)


def lifetime(ttl: Minutes) -> Seconds:
    """Of a mapping in the map-cache, or with the T-bit of a registration."""
    if ttl & IN_SECONDS and ttl != LOCAL_DECISION:
        return Seconds(min(max(ttl - IN_SECONDS, 1), LONGEST))
    return Seconds(min(ttl * 60, LONGEST))
