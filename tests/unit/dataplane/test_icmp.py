"""Destination unreachable and packet too big as scapy reads them, and when none is sent."""

from __future__ import annotations

import ctypes as c

import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPerror
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6PacketTooBig, IPv6, IPv6ExtHdrFragment
from scapy.packet import Packet, Raw

from lispfast.model.forwarding import Native, Reject, RejectCode, Verdict
from lispfast.model.reasons import DataReason

from .bench import LOCAL, REMOTE, Bench, inner
from .frames import Frame
from .native import CPacket

VERDICTS = [
    (Native(), DataReason.NATIVE_UNAVAILABLE, 0, 0),
    (Reject(RejectCode.NO_ROUTE), DataReason.MAPPING_REJECT, 0, 0),
    (Reject(RejectCode.PROHIBITED), DataReason.MAPPING_REJECT, 13, 1),
]


@pytest.mark.parametrize(("verdict", "reason", "code", "_code6"), VERDICTS)
@pytest.mark.parametrize("size", [0, 11, 1400])
def test_ipv4(bench: Bench, verdict: Verdict, reason: DataReason, code: int, _code6: int, size: int) -> None:
    bench.map(verdict)
    sent = bench.send(inner(payload=b"\xa5" * size))
    got = bench.delivered()
    answer = IP(got)
    assert (answer.src, answer.dst) == (str(REMOTE[4]), str(LOCAL[4]))
    assert (answer[ICMP].type, answer[ICMP].code) == (3, code)
    assert got[28:] == sent[: 576 - 28]
    assert answer[IPerror].dst == str(REMOTE[4])
    assert_checksums(answer)
    bench.wait_drops(reason)


@pytest.mark.parametrize(("verdict", "reason", "_code", "code"), VERDICTS)
@pytest.mark.parametrize("size", [0, 11, 1400])
def test_ipv6(bench: Bench, verdict: Verdict, reason: DataReason, _code: int, code: int, size: int) -> None:
    bench.map(verdict)
    sent = bench.send(inner(6, b"\xa5" * size))
    got = bench.delivered()
    answer = IPv6(got)
    assert (answer.src, answer.dst) == (str(REMOTE[6]), str(LOCAL[6]))
    assert (answer[ICMPv6DestUnreach].type, answer[ICMPv6DestUnreach].code) == (1, code)
    assert got[48:] == sent[: 1280 - 48]
    assert_checksums(answer)
    bench.wait_drops(reason)


def assert_checksums(answer: Packet) -> None:
    """Every checksum is what scapy would have put there."""
    data = bytes(answer)
    twin = answer.copy()
    if twin.version == 4:
        del twin.chksum, twin[ICMP].chksum
    else:
        del twin.payload.cksum
    assert bytes(twin) == data


UNANSWERED = [
    IP(src="10.9.0.1", dst="10.9.0.2") / ICMP(type=3) / Raw(bytes(28)),
    IP(src="10.9.0.1", dst="10.9.0.2") / ICMP(type=11) / Raw(bytes(28)),
    IP(src="10.9.0.1", dst="10.9.0.2", frag=5) / Raw(bytes(40)),
    IPv6(src="fd09::1", dst="fd09::2") / ICMPv6DestUnreach() / Raw(bytes(48)),
    IPv6(src="fd09::1", dst="fd09::2") / IPv6ExtHdrFragment(offset=5, nh=17) / Raw(bytes(40)),
]
ANSWERED = [
    IP(src="10.9.0.1", dst="10.9.0.2") / ICMP(type=8),
    IP(src="10.9.0.1", dst="10.9.0.2", flags="MF") / UDP() / Raw(bytes(40)),
    IPv6(src="fd09::1", dst="fd09::2") / ICMPv6EchoRequest(),
    IPv6(src="fd09::1", dst="fd09::2") / IPv6ExtHdrFragment(m=1, nh=17) / UDP() / Raw(bytes(40)),
]


@pytest.mark.parametrize("packet", UNANSWERED)
def test_no_answer(bench: Bench, packet: Packet) -> None:
    bench.map(Reject())
    bench.send(packet)
    bench.wait_drops(DataReason.MAPPING_REJECT)
    bench.send(inner(payload=b"next"))
    assert b"next" in bench.delivered()  # the first thing that comes back is about the next packet


@pytest.mark.parametrize("packet", ANSWERED)
def test_answer(bench: Bench, packet: Packet) -> None:
    bench.map(Reject())
    sent = bench.send(packet)
    assert sent[:40] in bench.delivered()


def too_big(native: c.CDLL, packet: Packet, mtu: int) -> bytes:
    """The answer; empty where there is none."""
    native.lf_icmp_too_big.restype = c.c_size_t
    native.lf_icmp_too_big.argtypes = [c.c_char_p, c.POINTER(CPacket), c.c_size_t]
    frame, answer = Frame(bytes(packet)), c.create_string_buffer(1280)
    length = native.lf_icmp_too_big(answer, frame.packet(native), mtu)
    return answer.raw[:length]


@pytest.mark.parametrize("mtu", [68, 1244, 1400, 65535, 100_000])
@pytest.mark.parametrize("size", [0, 11, 1400, 9000])
def test_fragmentation_needed(native: c.CDLL, mtu: int, size: int) -> None:
    sent = IP(src="10.9.0.1", dst="10.9.0.2", flags="DF") / UDP() / Raw(b"\xa5" * size)
    got = too_big(native, sent, mtu)
    answer = IP(got)
    assert (answer.src, answer.dst) == ("10.9.0.2", "10.9.0.1")
    assert (answer[ICMP].type, answer[ICMP].code, answer[ICMP].nexthopmtu) == (3, 4, min(mtu, 65535))
    assert got[24:26] == b"\0\0"  # unused, before the MTU (RFC 1191 section 4)
    assert got[28:] == bytes(sent)[: 576 - 28]
    assert_checksums(answer)


@pytest.mark.parametrize("mtu", [1280, 1400, 65535, 100_000])
@pytest.mark.parametrize("size", [0, 11, 1400, 9000])
def test_packet_too_big(native: c.CDLL, mtu: int, size: int) -> None:
    sent = IPv6(src="fd09::1", dst="fd09::2") / UDP() / Raw(b"\xa5" * size)
    got = too_big(native, sent, mtu)
    answer = IPv6(got)
    assert (answer.src, answer.dst) == ("fd09::2", "fd09::1")
    assert (answer[ICMPv6PacketTooBig].code, answer[ICMPv6PacketTooBig].mtu) == (0, mtu)
    assert got[48:] == bytes(sent)[: 1280 - 48]
    assert_checksums(answer)


@pytest.mark.parametrize("packet", [*UNANSWERED, IPv6(src="fd09::1", dst="fd09::2") / ICMPv6PacketTooBig()])
def test_none_about_an_error(native: c.CDLL, packet: Packet) -> None:
    assert too_big(native, packet, 1280) == b""


@pytest.mark.parametrize("packet", ANSWERED)
def test_one_about_these(native: c.CDLL, packet: Packet) -> None:
    assert bytes(packet)[:40] in too_big(native, packet, 1280)


def test_answers_are_limited(bench: Bench) -> None:
    bench.map(Reject())
    for _ in range(400):
        bench.send(inner())
    bench.wait_drops(DataReason.MAPPING_REJECT, 400)
    bench.tun.setblocking(False)
    answers = 0
    while True:
        try:
            bench.tun.recv(2000)
        except BlockingIOError:
            break
        answers += 1
    assert 50 <= answers < 200  # a burst of 50, then 100 a second
