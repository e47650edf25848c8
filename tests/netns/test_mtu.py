"""Packets of every length, and paths whose MTU is small, changes, or is less in the middle than at the ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event

import pytest

from lispfast.lab import Lab, until
from lispfast.lab.capture import Capture

from .tunnelworld import BOUND_S, Pair, Side, connect, drain, pour, transfer

OVERHEAD = {4: 36, 6: 56}  # outer IP, UDP and LISP headers
UDP_OVER = {4: 28, 6: 48}  # inner IP and UDP headers
IP_PMTUDISC_DONT, IP_PMTUDISC_DO = 0, 2
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER = 10, 23
LEAST = 1280
UNDERLAYS = pytest.mark.parametrize("version", [4, 6], ids=["over-v4", "over-v6"])


def may_fragment(sock: socket.socket, family: int, allowed: bool) -> None:
    """Clear DF and let the sender's kernel fragment, or set it and refuse."""
    how = IP_PMTUDISC_DONT if allowed else IP_PMTUDISC_DO
    if family == 4:
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, how)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, how)


def echoes(pair: Pair, family: int, sizes: Iterable[int], fragments: bool) -> list[int]:
    """Send a datagram of each size, have it echoed and compare it; the sizes that the sender's kernel refused."""
    refused = []
    with pair.left.udp(family) as near, pair.right.udp(family) as far:
        for sock in (near, far):
            may_fragment(sock, family, fragments)
        near.connect(far.getsockname())
        for size in sizes:
            payload = os.urandom(size)
            try:
                near.send(payload)
            except OSError:
                refused.append(size)
                continue
            came, whence = far.recvfrom(65535)
            assert came == payload, f"{size} bytes there"
            far.sendto(came, whence)
            assert near.recv(65535) == payload, f"{size} bytes back"
    return refused


@UNDERLAYS
@pytest.mark.parametrize("family", [4, 6], ids=["v4", "v6"])
def test_udp_of_every_length(lab: Lab, version: int, family: int) -> None:
    pair = Pair(lab, version).start()
    device = int(pair.left.host.json("ip", "-j", "link", "show", "lmn0")[0]["mtu"])
    assert device == 1500 - OVERHEAD[6]
    most = device - UDP_OVER[family]
    assert echoes(pair, family, range(most + 1), fragments=False) == []
    beyond = [*range(most + 1, most + 40), 2048, 3000, 4096, 8192, 9000]
    assert echoes(pair, family, beyond, fragments=False) == beyond, "DF set: the kernel knows lmn0's MTU"
    assert echoes(pair, family, beyond, fragments=True) == []
    assert (pair.left.plane()["drops"], pair.right.plane()["drops"]) == ({}, {})


@UNDERLAYS
def test_udp_up_to_9000_on_a_wide_underlay_and_beyond_it(lab: Lab, version: int) -> None:
    pair = Pair(lab, version, mtu=9000).start()
    sizes = [*range(0, 9000, 97), *range(8900, 9001), 12000, 65000]
    for family in (4, 6):
        most = 9000 - OVERHEAD[6] - UDP_OVER[family]
        assert echoes(pair, family, sizes, fragments=False) == [size for size in sizes if size > most]
        assert echoes(pair, family, sizes, fragments=True) == []
    assert (pair.left.plane()["drops"], pair.right.plane()["drops"]) == ({}, {})


@UNDERLAYS
def test_the_underlay_steps_from_9000_to_1280_and_back_under_load(lab: Lab, version: int) -> None:
    pair = Pair(lab, version, mtu=9000).start()
    enough = Event()
    ways = [(pair.left, pair.right, 4), (pair.left, pair.right, 6), (pair.right, pair.left, 4)]
    with ThreadPoolExecutor(len(ways)) as threads:
        flows = [threads.submit(transfer, *way, 1 << 40, enough=enough) for way in ways]
        try:
            for mtu in (1280, 9000, 1280, 9000):
                came = pair.right.plane()["bytes_in"]
                pair.set_mtu(mtu)
                until(partial(goes_on, pair, came, flows), BOUND_S, f"the load goes on with an MTU of {mtu}")
        finally:
            enough.set()
        for flow in flows:
            flow.result()
    for side in (pair.left, pair.right):
        assert side.plane()["drops"].keys() <= {"too-big", "send-failed"}


def goes_on(pair: Pair, came: int, flows: list[Future[None]]) -> bool:
    """Whether some MB more have come, and no flow has ended."""
    assert not any(flow.done() for flow in flows)
    return bool(pair.right.plane()["bytes_in"] > came + (16 << 20))


@UNDERLAYS
def test_a_router_on_the_way_has_less(lab: Lab, version: int) -> None:
    """Both ends have 1500, the link between two routers 1400: only ICMP tells."""
    pair = Pair(lab, version, middle=1400).start()
    with pair.right.listen(4) as server, connect(pair.left, 4, server.getsockname()) as near:
        far, _peer = server.accept()
        far.settimeout(BOUND_S)
        with far, ThreadPoolExecutor(1) as threads:
            sent = threads.submit(pour, near, 4 << 20)
            assert drain(far) == sent.result()
    (event,) = pair.left.events("path-mtu-learnt")
    assert (event["locator"], event["mtu"], event["before"]) == (pair.right.rloc, "1400", "1500")
    mtus = {loc["mtu"] for entry in pair.left.ask("map-cache")["entries"] for loc in entry["locators"]}
    assert mtus == {1400}
    assert pair.right.events("path-mtu-learnt") == [], "nothing large went back yet"
    assert " 1400 " in pair.left.daemon.ctl("map-cache")
    transfer(pair.left, pair.right, 6, 4 << 20)
    room = 1400 - OVERHEAD[version]
    for family in (4, 6):
        for source, sink in ((pair.left, pair.right), (pair.right, pair.left)):
            told = told_mtu(source, sink, family, room - UDP_OVER[family] + 1)
            assert told == room, "the sender's kernel heard from us what fits"
        assert [event["mtu"] for event in pair.right.events("path-mtu-learnt")] == ["1400"]
        assert echoes(pair, family, [room - UDP_OVER[family]], fragments=False) == []
        assert echoes(pair, family, [1400, 3000, 9000], fragments=True) == []


def told_mtu(source: Side, sink: Side, family: int, size: int) -> int:
    """The path MTU that the kernel of `source` knows after it sent a datagram of `size` bytes with DF."""
    ip_mtu = (socket.IPPROTO_IP, 14) if family == 4 else (socket.IPPROTO_IPV6, 24)
    with source.udp(family) as sock:
        may_fragment(sock, family, allowed=False)
        sock.connect((sink.eids[family], 9))

        def known() -> int:
            try:
                sock.send(bytes(size))
            except OSError:  # EMSGSIZE, or port unreachable from the last one
                pass
            mtu = sock.getsockopt(*ip_mtu)
            return mtu if mtu < 1500 - OVERHEAD[6] else 0

        return until(known, BOUND_S, "the sender hears of it")


@UNDERLAYS
def test_inner_packets_of_1280_pass_where_the_underlay_has_no_more(lab: Lab, version: int) -> None:
    pair = Pair(lab, version, mtu=LEAST).start()
    assert pair.left.host.json("ip", "-j", "link", "show", "lmn0")[0]["mtu"] == LEAST
    fragments = "ip[6:2] & 0x3fff != 0" if version == 4 else "ip6[6] == 44"
    capture = Capture(pair.router, f"inbound and ({fragments})")
    room = LEAST - OVERHEAD[version]
    fits = {family: room - UDP_OVER[family] for family in (4, 6)}
    for family in (4, 6):
        assert echoes(pair, family, [0, 1, 500, fits[family]], fragments=False) == []
    until(lambda: pair.left.plane()["packets_in"] >= 8, BOUND_S, "the echoes")
    for family in (4, 6):
        sizes = range(fits[family] + 1, LEAST - UDP_OVER[family] + 1)
        assert echoes(pair, family, sizes, fragments=False) == []
        assert echoes(pair, family, [1400, 4000, 9000], fragments=True) == []
        transfer(pair.left, pair.right, family, 4 << 20)
    capture.stop()
    fields = ("-T", "fields", "-e", "udp.dstport", "-e", "ip.len" if version == 4 else "ipv6.plen")
    seen = pair.router.run("tshark", "-r", str(capture.path), *fields).splitlines()
    assert len(seen) > 4 * 2 * 36, "the outer packets are fragments"
    assert (pair.left.plane()["drops"], pair.right.plane()["drops"]) == ({}, {})
