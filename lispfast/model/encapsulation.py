"""The forms in which a packet travels between RLOCs: what stands between the outer UDP header and the inner packet."""

from __future__ import annotations

from enum import StrEnum


class Encapsulation(StrEnum):
    """How a locator is sent to; the value is its word in lispd.conf."""

    LISP = "LISP"  # RFC 9300 section 5.3, UDP port 4341
    LISP_GPE = "LISP-GPE"  # RFC 9305, the same port, P-bit: only to a locator known to take it
    VXLAN_GPE = "VXLAN-GPE"  # as Open Overlay Router sends it, UDP port 4790

    @property
    def port(self) -> int:
        """The UDP destination port."""
        return 4790 if self is Encapsulation.VXLAN_GPE else 4341
