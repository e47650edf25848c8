"""xTR-ID and Site-ID, which stand at the end of a message when its I-bit says so (RFC 9301 section 5.6)."""

from __future__ import annotations

from dataclasses import dataclass

from lispfast.wire.bits import unsigned
from lispfast.wire.cursor import Cursor

# From RFC 9301 section 5.6, in bytes.
XTR_ID_LENGTH = 16
SITE_ID_LENGTH = 8


@dataclass(frozen=True, slots=True)
class XtrIdentity:
    """Who an xTR is: 128 and 64 bits. `site_id` is None where a message ends behind the xTR-ID (lispers.net)."""

    xtr_id: int
    site_id: int | None = 0

    def encode(self, site_optional: bool = False) -> bytes:
        """24 bytes; without a Site-ID 16 where it is optional, and ValueError elsewhere."""
        xtr_id = unsigned(self.xtr_id, XTR_ID_LENGTH, "xTR-ID")
        if self.site_id is None:
            if not site_optional:
                raise ValueError("an xTR-ID without a Site-ID")
            return xtr_id
        return xtr_id + unsigned(self.site_id, SITE_ID_LENGTH, "Site-ID")

    @classmethod
    def read(cls, cursor: Cursor, site_optional: bool = False) -> XtrIdentity:
        """Read one at the cursor; with `site_optional` the bytes may end behind the xTR-ID."""
        xtr_id = cursor.unsigned(XTR_ID_LENGTH, "xTR-ID")
        if site_optional and not cursor.remaining:
            return cls(xtr_id, None)
        return cls(xtr_id, cursor.unsigned(SITE_ID_LENGTH, "Site-ID"))
