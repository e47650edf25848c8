"""What the LISP header says besides the instance-ID: nonce, Map-Versions, Locator-Status-Bits (RFC 9300 section 5.3).

None of it may be sent over the public Internet (section 4.1): there every header is PLAIN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lispfast.model.addresses import Address
from lispfast.model.mapping import Mapping
from lispfast.model.units import InstanceId

# --- From the RFC -----------------------------------------------------------------------------------------------------

NONCE_BIT = 0x80  # RFC 9300 section 5.3: the first byte
STATUS_BIT = 0x40
ECHO_BIT = 0x20
VERSION_BIT = 0x10
INSTANCE_BIT = 0x08
NONCE_MASK = 0xFFFFFF
STATUS_BITS = 32  # Locator-Status-Bits where there is no instance-ID ...
STATUS_BITS_INSTANCE = 8  # ... and behind one
VERSION_MASK = 0xFFF  # RFC 9302 section 3


@dataclass(frozen=True, slots=True)
class HeaderFields:
    """`nonce` is 24 bits, `echo` asks for it back; `versions` are source and destination, of 12 bits each.

    N and V are never both set: a nonce goes before versions. `status_bits` has bit i for the locator of ordinal i, up.
    """

    nonce: int | None = None
    echo: bool = False
    versions: tuple[int, int] | None = None
    status_bits: int | None = None


PLAIN = HeaderFields()

FieldSource = Callable[[Mapping, Address], HeaderFields]
"""The fields of packets that match a mapping of the map-cache and go to that RLOC."""


def plain_fields(_mapping: Mapping, _rloc: Address) -> HeaderFields:
    """Those of the public profile."""
    return PLAIN


def lisp_header(iid: InstanceId, fields: HeaderFields = PLAIN) -> bytes:
    """The 8 bytes of a LISP header; status bits beyond those that it has room for are left out."""
    flags, word = 0, 0
    if fields.nonce is not None:
        flags, word = NONCE_BIT | (ECHO_BIT if fields.echo else 0), fields.nonce & NONCE_MASK
    elif fields.versions is not None:
        source, destination = fields.versions
        flags, word = VERSION_BIT, (source & VERSION_MASK) << 12 | destination & VERSION_MASK
    bits = 0
    if fields.status_bits is not None:
        flags |= STATUS_BIT
        bits = fields.status_bits & ((1 << (STATUS_BITS_INSTANCE if iid else STATUS_BITS)) - 1)
    if iid:
        flags |= INSTANCE_BIT
        bits |= iid << 8
    return bytes((flags,)) + word.to_bytes(3, "big") + bits.to_bytes(4, "big")
