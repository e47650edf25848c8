"""The header in front of a packet in three forms: as the twin writes it, as decapsulation and tshark read it."""

from __future__ import annotations

import ctypes as c
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw
from scapy.utils import wrpcap

from lispfast.control.policy import header
from lispfast.model.addresses import Eid, parse_address
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.reasons import DataReason
from lispfast.model.units import InstanceId

from . import twin
from .bench import incoming
from .native import CLocator, CPacket, CView, NativeTable

FORMS = list(Encapsulation)
IIDS = [InstanceId(0), InstanceId(7), InstanceId(0xABCDEF)]
PASS = len(DataReason)
INNER = ["ip.src", "ipv6.src", "udp.dstport", "data.data"]
LISP = ["lisp-data.flags", "lisp-data.iid", *INNER]
VXLAN = ["vxlan.ver", "vxlan.i_bit", "vxlan.p_bit", "vxlan.o_bit", "vxlan.next_proto", "vxlan.vni", *INNER]


def in_front(native: c.CDLL, form: Encapsulation, iid: InstanceId, version: int) -> bytes:
    """What C writes, for a locator as policy compiles it."""
    locator, written = CLocator(form=FORMS.index(form)), c.create_string_buffer(8)
    locator.header[:] = header(iid, form)
    native.lf_encap_header.restype = None
    native.lf_encap_header.argtypes = [c.c_void_p, c.POINTER(CLocator), c.c_uint8]
    native.lf_encap_header(written, locator, version)
    return written.raw


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("iid", IIDS)
@pytest.mark.parametrize("form", FORMS)
def test_as_the_twin_writes_it(native: c.CDLL, form: Encapsulation, iid: InstanceId, version: int) -> None:
    packet = bytes(incoming(version, b"hello"))
    assert in_front(native, form, iid, version) + packet == twin.encapsulate(form, iid, packet)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("iid", IIDS)
@pytest.mark.parametrize("form", FORMS)
def test_there_and_back(native: c.CDLL, form: Encapsulation, iid: InstanceId, version: int) -> None:
    packet, table = bytes(incoming(version, b"hello")), NativeTable(native)
    table.commit(local=tuple(Eid(parse_address(text), iid) for text in ("10.9.0.1", "fd09::1")))
    payload = in_front(native, form, iid, version) + packet
    block, found, told = c.create_string_buffer(payload, len(payload)), CPacket(), c.c_uint32()
    native.lf_decap.argtypes = [CView, c.c_bool, c.c_void_p, c.c_size_t, c.c_uint16, c.c_void_p, c.c_void_p]
    outer = int.from_bytes(bytes([0, 255]), "little")  # struct lf_outer by value: traffic class, TTL
    reason = native.lf_decap(
        table.pin(), form is Encapsulation.VXLAN_GPE, block, len(payload), outer, c.byref(found), c.byref(told)
    )
    assert (reason, c.string_at(found.data, found.length), told.value) == (PASS, packet, iid)
    table.close()


def tshark(packets: list[bytes], fields: list[str], folder: Path) -> list[list[str]]:
    """These fields of each packet, inner and outer values by comma; skips without tshark, which CI must have."""
    program = shutil.which("tshark")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("tshark is missing, and CI must have it")
        pytest.skip("tshark is not installed")
    capture = folder / "sent.pcap"
    wrpcap(str(capture), [IP(packet) for packet in packets], linktype=101)  # LINKTYPE_RAW
    command = [program, "-n", "-r", str(capture), "-T", "fields", *(word for name in fields for word in ("-e", name))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("form", FORMS)
def test_as_tshark_reads_it(native: c.CDLL, form: Encapsulation, tmp_path: Path) -> None:
    sent, expected = [], []
    for version in (4, 6):
        for iid in IIDS:
            inner = incoming(version, b"hello")
            payload = in_front(native, form, iid, version) + bytes(inner)
            outer = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=61000, dport=form.port) / Raw(payload)
            sent.append(bytes(outer))
            expected.append(_shown(form, iid, version, str(inner[IP if version == 4 else IPv6].src)))
    assert tshark(sent, VXLAN if form is Encapsulation.VXLAN_GPE else LISP, tmp_path) == expected


def _shown(form: Encapsulation, iid: InstanceId, version: int, source: str) -> list[str]:
    sources = [f"192.0.2.1,{source}", ""] if version == 4 else ["192.0.2.1", source]
    inner = [*sources, f"{form.port},2000", b"hello".hex()]
    if form is Encapsulation.VXLAN_GPE:
        return ["0", "1", "1", "0", "1" if version == 4 else "2", str(int(iid)), *inner]
    flags = (0x08 if iid else 0) | (0x04 if form is Encapsulation.LISP_GPE else 0)
    return [f"0x{flags:02x}", str(int(iid)) if iid else "", *inner]
