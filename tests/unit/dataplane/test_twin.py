"""What C says of a packet, byte for byte what the slow twin says."""

from __future__ import annotations

import ctypes as c
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from lispfast.model.reasons import DataReason

from . import twin
from .bench import locals_of
from .native import CPacket, CView, NativeTable

OURS = set(locals_of("10.9.0.1", "fd09::1", "10.9.0.4/30"))
OURS |= set(locals_of("10.9.0.1", "fd09::6/127", "10.8.0.0/15", iid=7))
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


instances = st.sampled_from([bytes(4), bytes(4), b"\0\0\x07\0", b"\0\0\x09\xff"])


@st.composite
def gpe_headers(draw: st.DrawFn, flags: int, version: int) -> bytes:
    """A header whose P-bit says what follows, mostly truthfully; sometimes shim headers do first."""
    following = draw(st.sampled_from([1 if version == 4 else 2] * 15 + [1, 2, 3, 0, 0x7F, 0xFE]))
    count = draw(st.sampled_from([0, 0, 0, 0, 1, 2, 8, 9]))
    types = [draw(st.sampled_from([0x80, 0x81, 0xFD])) for _ in range(count)] + [following]
    shims = b""
    for after in types[1:]:
        fields = draw(st.sampled_from([b"", b"", b"abcd", bytes(12)]))
        shims += bytes([9, len(fields) // 4 + draw(st.sampled_from([0] * 20 + [1, 200])), 0, after]) + fields
    return bytes([flags, 0, 0, types[0]]) + draw(instances) + shims


@st.composite
def headers(draw: st.DrawFn, packet: bytes) -> tuple[bool, bytes]:
    """Whether it came as VXLAN-GPE, and what stands before the packet."""
    version = packet[0] >> 4 if packet else 4
    if draw(st.integers(0, 9)) == 0:
        return draw(st.booleans()), draw(st.binary(min_size=8, max_size=8))
    form = draw(st.sampled_from(["lisp", "gpe", "vxlan"]))
    if form == "lisp":
        flags, hints = draw(st.sampled_from([(0, bytes(3)), (8, bytes(3)), (0xF0, b"abc")]))
        return False, bytes([flags]) + hints + draw(instances)
    odd = [0x08, 0x0D, 0x2C] if form == "vxlan" else [0x04, 0xF4, 0x0D]
    flags = draw(st.sampled_from([0x0C, 0x0C, 0x0C, 0x0C, *odd]))
    return form == "vxlan", draw(gpe_headers(flags, version))


datagrams = packets(outbound=False).flatmap(lambda packet: st.tuples(headers(packet), st.just(packet)))


class COuter(c.Structure):
    _fields_ = [("tos", c.c_uint8), ("ttl", c.c_uint8)]


def table_of_ours(native: c.CDLL) -> NativeTable:
    table = NativeTable(native)
    assert table.commit(local=tuple(OURS)) == 0
    return table


def test_decapsulation(native: c.CDLL) -> None:
    table, seen = table_of_ours(native), Counter[str]()
    arguments = [CView, c.c_bool, c.c_char_p, c.c_size_t, COuter, c.POINTER(CPacket), c.POINTER(c.c_uint32)]
    native.lf_decap.argtypes = arguments

    # Always the same examples: what they are to reach is asserted below.
    @settings(max_examples=1200, deadline=None, derandomize=True)
    @given(datagram=datagrams, tos=st.integers(0, 255), ttl=st.integers(1, 255))
    def check(datagram: tuple[tuple[bool, bytes], bytes], tos: int, ttl: int) -> None:
        (vxlan, header), packet = datagram
        block = c.create_string_buffer(header + packet, len(header + packet))
        found, iid = CPacket(), c.c_uint32()
        reason = native.lf_decap(
            table.pin(), vxlan, c.cast(block, c.c_char_p), len(block), COuter(tos, ttl), found, iid
        )
        expected = twin.decapsulate(header + packet, tos, ttl, OURS, vxlan)
        got = c.string_at(found.data, found.length) if reason == len(REASONS) else REASONS[reason]
        assert got == expected
        form = "vxlan" if vxlan else "gpe" if header[0] & 4 else "lisp"
        if isinstance(expected, DataReason):
            seen[expected.value] += 1
        else:
            assert iid.value == twin.instance_of(header)
            seen[form if len(header) == 8 else "shim"] += 1

    check()
    assert set(seen) >= {"lisp", "gpe", "vxlan", "shim", "next-protocol", "header-unsupported", "inner-version"}
    assert set(seen) >= {"own-source", "not-our-eid", "not-unicast", "instance-unknown", "ecn-drop", "outer-truncated"}


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
