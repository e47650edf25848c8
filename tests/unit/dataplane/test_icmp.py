"""Destination unreachable as scapy reads it, and when none is sent."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPerror
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoRequest, IPv6, IPv6ExtHdrFragment
from scapy.packet import Packet, Raw

from lispfast.model.forwarding import Native, Reject, RejectCode, Verdict
from lispfast.model.reasons import DataReason

from .bench import LOCAL, REMOTE, Bench, inner

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
        del twin[ICMPv6DestUnreach].cksum
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
