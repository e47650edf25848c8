"""Units as types: what crosses a boundary says what it counts."""

from __future__ import annotations

from typing import NewType

Seconds = NewType("Seconds", float)
"""A duration, or a point on the caller's monotonic clock."""

Minutes = NewType("Minutes", int)
"""A record TTL as it stands on the wire (RFC 9301 section 5.4), 0 to 2**32 - 1."""

WireMtu = NewType("WireMtu", int)
"""Bytes of the largest whole IP packet that a physical interface or path carries."""

TunnelMtu = NewType("TunnelMtu", int)
"""Bytes of the largest inner IP packet: what lmn0 is set to."""

InstanceId = NewType("InstanceId", int)
"""The 24-bit instance-ID (RFC 9300 section 8)."""

Nonce = NewType("Nonce", int)
"""The 64-bit nonce of a control message (RFC 9301 section 5.2)."""
