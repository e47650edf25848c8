"""How long a control message may be that nobody has cut to the path (RFC 9301 section 5)."""

from __future__ import annotations

from lispfast.wire.packet import IPV4_HEADER, IPV6_HEADER, UDP_HEADER

# From the RFC: bytes of the whole IP packet where the path MTU is unknown.
PACKET_MAX = {4: 576, 6: 1280}

PAYLOAD_MAX = {4: PACKET_MAX[4] - IPV4_HEADER - UDP_HEADER, 6: PACKET_MAX[6] - IPV6_HEADER - UDP_HEADER}
"""Bytes of the UDP payload, by the IP version of the destination RLOC."""
