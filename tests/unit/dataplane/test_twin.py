"""What C says of a packet, byte for byte what the slow twin says."""

from __future__ import annotations

import ctypes as c
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from lispfast.model.addresses import Eid, parse_address
from lispfast.model.reasons import DataReason
from lispfast.model.units import InstanceId

from . import twin
from .native import CPacket, CView, NativeTable

OURS = {Eid(parse_address(text)) for text in ("10.9.0.1", "fd09::1", "10.9.0.4")}
OURS |= {Eid(parse_address(text), InstanceId(7)) for text in ("10.9.0.1", "fd09::7")}
REASONS = list(DataReason)
ODD = {
    4: ["10.9.0.4", "224.0.0.1", "0.0.0.0", "169.254.0.1", "127.0.0.1"],
    6: ["fd09::7", "ff02::1", "::", "fe80::1", "::2"],
}
OURS_THEIRS = {4: ("10.9.0.1", "10.9.0.2"), 6: ("fd09::1", "fd09::2")}


@st.composite
def packets(draw: st.DrawFn, outbound: bool) -> bytes:
    """Mostly sound packets the right way, some between odd addresses, with bytes changed, cut or added."""
    tos, ttl = draw(st.integers(0, 255)), draw(st.sampled_from([64, 255, 1, 0]))
    version = draw(st.sampled_from([4, 6]))
    ends = list(OURS_THEIRS[version] if outbound else reversed(OURS_THEIRS[version]))
    for end in range(2):
        if draw(st.integers(0, 3)) == 3:
            ends[end] = draw(st.sampled_from([*OURS_THEIRS[version], *ODD[version]]))
    body = UDP(sport=1, dport=2) / Raw(draw(st.binary(max_size=20)))
    head: Packet = IP(tos=tos, ttl=ttl) if version == 4 else IPv6(tc=tos, hlim=ttl)
    head.src, head.dst = ends
    data = bytearray(bytes(head / body))
    if draw(st.integers(0, 3)) == 3:
        data[draw(st.integers(0, 27))] = draw(st.integers(0, 255))
    data += draw(st.sampled_from([b"", b"", b"trailer"]))
    return bytes(data[: draw(st.sampled_from([None, None, None, None, None, 0, 1, 19, 20, 39, 41]))])


headers = st.one_of(
    st.just(bytes(8)),
    st.just(b"\xf0abc1234"),
    st.sampled_from([b"\x08\0\0\0\0\0\x07\0", b"\x08\0\0\0\0\0\x09\xff"]),
    st.binary(min_size=8, max_size=8),
)


class COuter(c.Structure):
    _fields_ = [("tos", c.c_uint8), ("ttl", c.c_uint8)]


def table_of_ours(native: c.CDLL) -> NativeTable:
    table = NativeTable(native)
    assert table.commit(local=tuple(OURS)) == 0
    return table


def test_decapsulation(native: c.CDLL) -> None:
    table, seen = table_of_ours(native), Counter[str]()
    native.lf_decap.argtypes = [CView, c.c_char_p, c.c_size_t, COuter, c.POINTER(CPacket)]

    @settings(max_examples=800, deadline=None)
    @given(header=headers, packet=packets(outbound=False), tos=st.integers(0, 255), ttl=st.integers(1, 255))
    def check(header: bytes, packet: bytes, tos: int, ttl: int) -> None:
        datagram = c.create_string_buffer(header + packet, len(header + packet))
        found = CPacket()
        reason = native.lf_decap(
            table.pin(), c.cast(datagram, c.c_char_p), len(datagram), COuter(tos, ttl), c.byref(found)
        )
        expected = twin.decapsulate(header + packet, tos, ttl, OURS)
        got = c.string_at(found.data, found.length) if reason == len(REASONS) else REASONS[reason]
        assert got == expected
        seen[expected.value if isinstance(expected, DataReason) else "delivered"] += 1

    check()
    assert set(seen) >= {"delivered", "own-source", "not-our-eid", "not-unicast", "instance-unknown", "ecn-drop"}


def test_the_check_of_what_leaves(native: c.CDLL) -> None:
    table, seen = table_of_ours(native), Counter[str]()
    native.lf_encap_check.argtypes = [CView, c.c_char_p, c.c_size_t, c.POINTER(CPacket), c.POINTER(c.c_uint32)]

    @settings(max_examples=800, deadline=None)
    @given(packet=packets(outbound=True))
    def check(packet: bytes) -> None:
        found, iid = CPacket(), c.c_uint32()
        reason = native.lf_encap_check(table.pin(), packet, len(packet), c.byref(found), c.byref(iid))
        expected = twin.check_outbound(packet, OURS)
        got = (found.length, iid.value) if reason == len(REASONS) else REASONS[reason]
        assert got == expected
        seen[expected.value if isinstance(expected, DataReason) else "leaves"] += 1

    check()
    assert set(seen) == {"leaves", "inner-malformed", "not-unicast", "inner-source"}
