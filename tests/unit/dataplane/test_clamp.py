"""A lowered MSS: the C against its twin, and scapy about the checksum."""

from __future__ import annotations

import ctypes as c
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.packet import Packet, Raw

from . import twin_clamp as twin
from .frames import Fields, Frame, fields
from .native import CPacket
from .twin_segment import TCP as PROTOCOL
from .twin_segment import complete, put


@pytest.fixture(scope="module")
def lib(native: c.CDLL) -> c.CDLL:
    native.lf_clamp_mss.restype = c.c_bool
    native.lf_clamp_mss.argtypes = [c.POINTER(CPacket), c.c_size_t]
    return native


def clamp(lib: c.CDLL, data: bytes, mtu: int) -> bytes:
    frame = Frame(data)
    changed = lib.lf_clamp_mss(frame.packet(lib), mtu)
    assert changed == (frame.bytes != data)
    return frame.bytes


OPTION = st.one_of(
    st.just(b"\1"),
    st.integers(0, 65535).map(lambda value: b"\2\4" + value.to_bytes(2, "big")),
    st.binary(max_size=6).map(lambda value: bytes([8, 2 + len(value)]) + value),
    st.binary(min_size=1, max_size=3),  # nonsense
)


def test_any_packet(lib: c.CDLL) -> None:
    @settings(max_examples=200)
    @given(fields(PROTOCOL, longest=40), st.lists(OPTION, max_size=8), st.integers(0, 70_000), st.integers(0, 15))
    def check(packet: Fields, options: list[bytes], mtu: int, flags: int) -> None:
        assume(packet.routed is None)  # the twin does not know where that goes
        field = b"".join(options)[:40]
        field += bytes(-len(field) % 4)
        header = packet.transport[:12] + bytes([0x50 + len(field) * 4, flags]) + packet.transport[14:20]
        packet.transport = header + field
        data = packet.whole()
        assert clamp(lib, data, mtu) == twin.clamp(data, packet.start, mtu)

    check()


V4, V6 = IP(src="10.9.0.1", dst="10.9.0.2"), IPv6(src="fd09::1", dst="fd09::2")


@pytest.mark.parametrize("network", [V4, V6, V6 / IPv6ExtHdrDestOpt()], ids=["ipv4", "ipv6", "extension"])
@pytest.mark.parametrize("before", [0, 1, 2, 3])
@pytest.mark.parametrize("flags", ["S", "SA"])
def test_as_scapy_reads_it(lib: c.CDLL, network: Packet, before: int, flags: str) -> None:
    options = [("NOP", None)] * before + [("MSS", 8960), ("SAckOK", b""), ("WScale", 7)]
    sent = network / TCP(flags=flags, options=options) / Raw(b"early")
    got = type(network)(clamp(lib, bytes(sent), 1400))
    mss = 1360 if network.version == 4 else 1340
    assert dict(got[TCP].options)["MSS"] == mss
    again = got.copy()
    del again[TCP].chksum
    assert bytes(again) == bytes(got)


def syn(**other: Any) -> bytes:
    header: dict[str, Any] = {"flags": "S", "options": [("MSS", 1460)], **other}
    return bytes(IP(dst="10.9.0.2") / TCP(**header))


# The header's last two bytes are kind and length of an MSS option; the value would be payload.
OVERHANGING = bytes(IP(dst="10.9.0.2") / TCP(flags="S", dataofs=6) / Raw(b"\1\1\2\4\xff\xff"))
UNTOUCHED = {
    "no syn": (syn(flags="A"), 1400),
    "no option": (syn(options=[]), 1400),
    "small enough": (syn(options=[("MSS", 1360)]), 1400),
    "behind the end": (syn(options=[("EOL", None), ("MSS", 1460)]), 1400),
    "a wrong length": (complete(put(syn(), 41, 3, 1), PROTOCOL, 20), 1400),
    "a fragment": (bytes(IP(dst="10.9.0.2", flags="MF") / TCP(flags="S", options=[("MSS", 1460)])), 1400),
    "an mtu of nothing": (syn(), 40),
    "an option that ends in the payload": (OVERHANGING, 1400),
    "a header cut off": (complete(put(syn(), 32, 0xF0, 1), PROTOCOL, 20), 1400),
}


@pytest.mark.parametrize("name", UNTOUCHED)
def test_untouched(lib: c.CDLL, name: str) -> None:
    data, mtu = UNTOUCHED[name]
    assert clamp(lib, data, mtu) == data


def test_the_one_beside_those(lib: c.CDLL) -> None:
    assert clamp(lib, syn(), 1400) != syn()


def test_every_mss_option(lib: c.CDLL) -> None:
    got = IP(clamp(lib, syn(options=[("MSS", 1460), ("MSS", 9000)]), 1400))
    assert got[TCP].options == [("MSS", 1360), ("MSS", 1360)]
