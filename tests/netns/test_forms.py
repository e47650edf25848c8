"""What tshark reads from our packets is what went in, in each of the three forms."""

from __future__ import annotations

import json
import os
import socket
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest

from lispfast.lab import Lab, pcap, until
from lispfast.lab.capture import Capture

from .tunnelworld import (
    BOUND_S,
    ETHTOOL_SGSO,
    ETHTOOL_STSO,
    ETHTOOL_STXCSUM,
    Pair,
    burst,
    connect,
    device_offload,
    drain,
    pour,
    transfer,
)

ETH_P_ALL = 3
WHOLE = 2000  # every packet of a link of 1500; more would leave room for a few in the ring
FORMS = {"LISP": (4341, "lisp-data.flags", "0x00"), "LISP-GPE": (4341, "lisp-data.flags", "0x04")}
FORMS["VXLAN-GPE"] = (4790, "vxlan.next_proto", "")
NEXT = {4: "1", 6: "2"}  # of the GPE forms
GOOD, ABSENT = "1", {4: "3", 6: "4"}  # tshark's status of a checksum; over IPv6 it thinks none illegal
CHECK = ("ip", "tcp", "udp")
UNDERLAYS = pytest.mark.parametrize("version", [4, 6], ids=["over-v4", "over-v6"])


class Wire:
    """A capture of what the left node sends, whole and segmented, as a wire would carry it."""

    def __init__(self, pair: Pair) -> None:
        self._left, self._router = pair.left, pair.router
        for command in (ETHTOOL_SGSO, ETHTOOL_STXCSUM):
            device_offload(pair.left.host, "eth0", command, on=False)
        ports = "udp dst port 4341 or udp dst port 4790"
        self._capture = Capture(pair.router, f"inbound and src host {pair.left.rloc} and ({ports})", snap=WHOLE)
        self._words = [word for name in CHECK for word in ("-o", f"{name}.check_checksum:TRUE")]

    def stop(self) -> None:
        """End it when everything that has left is in it."""
        sent = int(self._left.plane()["packets_out"])
        until(lambda: sum(1 for _ in pcap.read(self._capture.path)) >= sent, BOUND_S, "the capture of what left")
        self._capture.stop()

    def fields(self, *names: str) -> list[list[list[str]]]:
        """These fields of each packet, of each layer that has them, outermost first."""
        asked = [word for name in names for word in ("-e", name)]
        said = self._router.run("tshark", "-r", str(self._capture.path), *self._words, "-T", "fields", *asked)
        return [[cell.split(",") if cell else [] for cell in line.split("\t")] for line in said.splitlines()]

    def inner(self) -> list[bytes]:
        """The inner packet of each, from where tshark says that it begins."""
        said = self._router.run("tshark", "-r", str(self._capture.path), "-T", "json", "-x")
        return [inner_bytes(packet) for packet in json.loads(said, object_pairs_hook=Layers)]


class Layers(dict[str, Any]):
    """A JSON object whose keys may come twice: `all` has them."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.all = pairs


def inner_bytes(packet: Any) -> bytes:
    layers = packet["_source"]["layers"].all
    frame = next(value[0] for name, value in layers if name == "frame_raw")
    begins = [value[1] for name, value in layers if name in ("ip_raw", "ipv6_raw")]
    assert len(begins) == 2, "an outer and an inner header"
    return bytes.fromhex(frame)[begins[1] :]


@UNDERLAYS
@pytest.mark.parametrize("form", FORMS)
def test_the_inner_packet_is_what_went_in(lab: Lab, form: str, version: int) -> None:
    pair = Pair(lab, version).start(form=form)
    for command in (ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_STXCSUM):
        device_offload(pair.left.host, "lmn0", command, on=False)  # so that what goes in has its checksum
    sniffer = pair.left.host.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)))
    sniffer.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
    sniffer.bind(("lmn0", ETH_P_ALL))
    wire = Wire(pair)
    for family in (4, 6):
        assert len(burst(pair.left, pair.right, family, [*range(4, 60), *[1200] * 20, 4])) == 77
        transfer(pair.left, pair.right, family, 100_000)
    wire.stop()
    inner = wire.inner()
    went_in: list[bytes] = []
    with sniffer:
        sniffer.settimeout(BOUND_S)
        while len(went_in) < len(inner):  # a connection's last acknowledgment may be after both
            packet, (_name, _protocol, kind, *_rest) = sniffer.recvfrom(65535)
            if kind == socket.PACKET_OUTGOING:
                went_in.append(packet)
    assert sorted(inner) == sorted(went_in)
    port, field, value = FORMS[form]
    fields = wire.fields("udp.dstport", field, "ip.dst", "ipv6.dst", "vxlan.vni")
    for ports, marks, fours, sixes, vni in fields:
        assert ports[0] == str(port)
        inside = 4 if len(fours) == (2 if version == 4 else 1) else 6
        assert marks == [value or NEXT[inside]]
        assert len(fours) + len(sixes) == 2
        assert vni == (["0"] if form == "VXLAN-GPE" else [])


@UNDERLAYS
@pytest.mark.parametrize("form", FORMS)
def test_what_we_segment_is_sound(lab: Lab, form: str, version: int) -> None:
    """Big frames of TCP and UDP are cut by us: every checksum is good, and the stream is whole."""
    pair = Pair(lab, version).start(form=form)
    wire = Wire(pair)
    with pair.right.listen(4) as server, connect(pair.left, 4, server.getsockname()) as near:
        far, _peer = server.accept()
        sent = pour(near, 300_000)
        with far:
            assert drain(far) == sent
    with pair.left.udp(6) as near, pair.right.udp(6) as far:
        near.setsockopt(socket.IPPROTO_UDP, 103, 700)  # UDP_SEGMENT: to lmn0 in one frame
        near.sendto(os.urandom(20_000), far.getsockname())
        assert [len(far.recv(2000)) for _ in range(29)] == [*[700] * 28, 400]
    wire.stop()
    fields = wire.fields("udp.checksum.status", "tcp.checksum.status", "ip.checksum.status", "tcp.len", "udp.length")
    with_data = [int(length[0]) for *_rest, length, _udp in fields if length and int(length[0])]
    assert sum(with_data) >= 300_000
    assert len(with_data) > 200, "cut to the path's MTU"
    for udp, tcp, ip, _length, lengths in fields:
        assert udp[0] in (GOOD, ABSENT[version])
        assert [*udp[1:], *tcp, *ip] == [GOOD] * len([*udp[1:], *tcp, *ip])
        assert len(tcp) + len(lengths) == 2
    assert len([1 for *_rest, lengths in fields if lengths[1:] == ["708"]]) == 28
    if form == "LISP-GPE":
        assert {udp[0] for udp, *_rest in fields} == {GOOD}, "RFC 9305 section 4.3"


@dataclass(frozen=True)
class Outside:
    """What the outer UDP header is to be: whether it has a checksum alone and in a run, and the source ports."""

    alone: bool
    run: bool
    ports: int


OUTSIDES = {
    "udp-checksum = auto\n": Outside(False, True, 16),
    "udp-checksum = on\n": Outside(True, True, 16),
    "udp-checksum = zero\n": Outside(False, False, 16),
    "source-ports = 1\n": Outside(False, True, 1),
    "source-ports = 4\nudp-checksum = on\n": Outside(True, True, 4),
}


@UNDERLAYS
@pytest.mark.parametrize("lines", OUTSIDES)
def test_the_outer_checksum_and_the_source_port(lab: Lab, lines: str, version: int) -> None:
    expected = OUTSIDES[lines]
    pair = Pair(lab, version).start(lines)
    wire = Wire(pair)
    with pair.right.udp(4) as far:
        for _ in range(48):
            with pair.left.udp(4) as near:
                for _ in range(3):
                    near.sendto(b"alone", far.getsockname())
                    assert far.recv(100) == b"alone"
        with pair.left.udp(4) as near:
            near.setsockopt(socket.IPPROTO_UDP, 103, 700)
            near.sendto(bytes(7000), far.getsockname())
            for _ in range(10):
                far.recv(1000)
    until(lambda: pair.left.plane()["packets_out"] == 48 * 3 + 10, BOUND_S, "everything is on its way")
    wire.stop()
    ports: dict[str, set[str]] = defaultdict(set)
    status: dict[str, set[str]] = defaultdict(set)
    for sources, lengths, checksums in wire.fields("udp.srcport", "udp.length", "udp.checksum.status"):
        ports[sources[1]].add(sources[0])
        status[lengths[1]].add(checksums[0])
    said = {True: {GOOD}, False: {ABSENT[version]}}
    assert status == {"13": said[expected.alone], "708": said[expected.run]}
    assert all(len(outer) == 1 for outer in ports.values()), "a flow keeps its port"
    seen = set().union(*ports.values())
    if expected.ports == 1:
        assert seen == {"4341"}
    else:
        assert min(expected.ports, 6) <= len(seen) <= expected.ports, "flows are told apart"
        assert "4341" not in seen
