"""What decapsulation makes of each form, by example; test_twin.py has the rest."""

from __future__ import annotations

import ctypes as c
from collections.abc import Iterator

import pytest

from lispfast.model.addresses import Eid, parse_address
from lispfast.model.reasons import DataReason
from lispfast.model.units import InstanceId

from .bench import incoming
from .native import CPacket, CView, NativeTable

V4, V6 = bytes(incoming(4, b"hello")), bytes(incoming(6, b"hello"))
REASONS = list(DataReason)
LISP, VXLAN = False, True
I_P = b"\x0c\0\0"
VNI_7, NO_VNI = b"\0\0\7\0", bytes(4)
Result = tuple[bytes, int] | DataReason


class COuter(c.Structure):
    _fields_ = [("tos", c.c_uint8), ("ttl", c.c_uint8)]


class Decapsulation:
    """For one EID of each family, in instance-ID 0 and 7."""

    def __init__(self, native: c.CDLL) -> None:
        arguments = [CView, c.c_bool, c.c_void_p, c.c_size_t, COuter, c.POINTER(CPacket), c.POINTER(c.c_uint32)]
        native.lf_decap.argtypes = arguments
        self.native, self.table = native, NativeTable(native)
        eids = [Eid(parse_address(text), InstanceId(iid)) for text in ("10.9.0.1", "fd09::1") for iid in (0, 7)]
        assert self.table.commit(local=tuple(eids)) == 0

    def __call__(self, vxlan: bool, datagram: bytes, tos: int = 0, ttl: int = 64) -> Result:
        """The packet and its instance-ID, or the reason of the drop."""
        block, found, iid = c.create_string_buffer(datagram, len(datagram)), CPacket(), c.c_uint32()
        reason = self.native.lf_decap(self.table.pin(), vxlan, block, len(datagram), COuter(tos, ttl), found, iid)
        return (c.string_at(found.data, found.length), iid.value) if reason == len(REASONS) else REASONS[reason]


@pytest.fixture
def decapsulate(native: c.CDLL) -> Iterator[Decapsulation]:
    made = Decapsulation(native)
    yield made
    made.table.close()


@pytest.mark.parametrize(
    ("vxlan", "header", "packet", "iid"),
    [
        (LISP, bytes(8), V4, 0),
        (LISP, b"\x08\0\0\0" + VNI_7, V6, 7),
        (LISP, b"\x04\0\0\1" + NO_VNI, V4, 0),
        (LISP, b"\x04\0\0\2\xff\xff\xff\xff", V6, 0),  # without I these are locator-status bits
        (LISP, b"\x0c\0\0\1\0\0\7\xff", V4, 7),
        (LISP, b"\xf4ab\1" + NO_VNI, V4, 0),  # N, L, E and V are ignored
        (VXLAN, b"\x0c\0\0\1" + VNI_7, V4, 7),
        (VXLAN, b"\x0c\0\0\2" + NO_VNI, V6, 0),
        (VXLAN, b"\x04\0\0\2" + VNI_7, V6, 0),  # without I the VNI says nothing
        (VXLAN, b"\xce\xff\xff\2" + VNI_7, V6, 7),  # reserved bits are ignored
    ],
)
def test_each_form(decapsulate: Decapsulation, vxlan: bool, header: bytes, packet: bytes, iid: int) -> None:
    assert decapsulate(vxlan, header + packet) == (packet, iid)


def shims(count: int, words: int = 0) -> bytes:
    """So many shim headers, each with `words` of its own; the last says IPv4."""
    body = b"".join(bytes([0, words, 0, 0x80 if left else 1]) + bytes(words * 4) for left in range(count - 1, -1, -1))
    return I_P + b"\x80" + VNI_7 + body


@pytest.mark.parametrize("vxlan", [LISP, VXLAN])
@pytest.mark.parametrize(("count", "words"), [(1, 0), (1, 255), (2, 3), (8, 0)])
def test_shim_headers_are_walked_over(decapsulate: Decapsulation, vxlan: bool, count: int, words: int) -> None:
    assert decapsulate(vxlan, shims(count, words) + V4) == (V4, 7)


@pytest.mark.parametrize("vxlan", [LISP, VXLAN])
@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (I_P + b"\3" + VNI_7 + V4, DataReason.NEXT_PROTOCOL),  # Ethernet
        (I_P + b"\4" + VNI_7 + V4, DataReason.NEXT_PROTOCOL),  # NSH
        (I_P + b"\0" + VNI_7 + V4, DataReason.NEXT_PROTOCOL),
        (I_P + b"\x7e" + VNI_7 + V4, DataReason.NEXT_PROTOCOL),
        (I_P + b"\xfe" + VNI_7 + V4, DataReason.NEXT_PROTOCOL),  # an experiment: nobody says what it looks like
        (I_P + b"\1" + VNI_7 + V6, DataReason.INNER_VERSION),
        (I_P + b"\2" + VNI_7 + V4, DataReason.INNER_VERSION),
        (I_P + b"\1\0\0\x09\0" + V4, DataReason.INSTANCE_UNKNOWN),
        (shims(9) + V4, DataReason.NEXT_PROTOCOL),
        (shims(8) + V6, DataReason.INNER_VERSION),
        (I_P + b"\x80" + VNI_7 + b"\0\0\0\3" + V4, DataReason.NEXT_PROTOCOL),
        (I_P + b"\x80" + VNI_7 + b"\0\xff\0\1" + V4, DataReason.OUTER_TRUNCATED),
        (shims(4) + V4[:19], DataReason.OUTER_TRUNCATED),
        (shims(8)[:-2], DataReason.OUTER_TRUNCATED),
        (shims(8), DataReason.OUTER_TRUNCATED),
        ((I_P + b"\1" + VNI_7 + V4)[:27], DataReason.OUTER_TRUNCATED),
    ],
)
def test_what_is_no_packet_of_ours(
    decapsulate: Decapsulation, vxlan: bool, datagram: bytes, reason: DataReason
) -> None:
    assert decapsulate(vxlan, datagram) == reason


@pytest.mark.parametrize(
    ("vxlan", "flags", "reason"),
    [
        (LISP, 0x01, DataReason.HEADER_UNSUPPORTED),
        (LISP, 0x0E, DataReason.HEADER_UNSUPPORTED),
        (VXLAN, 0x1C, DataReason.HEADER_UNSUPPORTED),
        (VXLAN, 0x2C, DataReason.HEADER_UNSUPPORTED),
        (VXLAN, 0x08, DataReason.NEXT_PROTOCOL),  # VXLAN without GPE: Ethernet inside
        (VXLAN, 0x0D, DataReason.NEXT_PROTOCOL),  # an OAM packet
    ],
)
def test_flags_that_change_the_meaning(decapsulate: Decapsulation, vxlan: bool, flags: int, reason: DataReason) -> None:
    assert decapsulate(vxlan, bytes([flags, 0, 0, 1]) + VNI_7 + V4) == reason


@pytest.mark.parametrize("vxlan", [LISP, VXLAN])
def test_marks_and_ttl_in_every_form(decapsulate: Decapsulation, vxlan: bool) -> None:
    marked = bytes(incoming(4, b"hello", tos=2))
    expected = bytes(incoming(4, b"hello", tos=0xBB, ttl=9))
    assert decapsulate(vxlan, I_P + b"\1" + VNI_7 + marked, tos=0xBB, ttl=9) == (expected, 7)
    assert decapsulate(vxlan, I_P + b"\1" + VNI_7 + V4, tos=3) == DataReason.ECN_DROP
