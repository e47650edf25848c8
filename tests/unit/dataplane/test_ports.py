"""Outer source ports: one for a flow, many for many, and nothing comes in by them."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lispfast.dataplane import DataPlane, open_tun_dataplane
from lispfast.model.errors import HostError
from lispfast.model.forwarding import Encapsulate
from lispfast.model.settings import Forwarding, UdpChecksum

from .bench import NEAR, QUIET, Bench, free_port, incoming, inner
from .namespace import apart
from .vnet import pattern, send_frame, tcp


@pytest.fixture
def framed() -> Iterator[Bench]:
    bench = Bench(framed=True)
    yield bench
    bench.close()


def port(bench: Bench, outer: int) -> int:
    """The source port of the next datagram."""
    return int(bench.far[outer].recvfrom(70000)[1][1])


@pytest.mark.parametrize("outer", [4, 6])
def test_a_flow_keeps_its_port_and_flows_are_spread(framed: Bench, outer: int) -> None:
    framed.map(Encapsulate((framed.locator(outer),)))
    ports = {}
    for flow in range(64):
        send_frame(framed, tcp(4, pattern(3000), sport=5000 + flow), 1000)  # a run, with a checksum
        send_frame(framed, tcp(4, pattern(10), sport=5000 + flow))  # alone, without
        (ports[flow],) = {port(framed, outer) for _ in range(4)}
    assert 8 <= len(set(ports.values())) <= 16
    assert framed.port not in ports.values()


@pytest.mark.parametrize("policy", list(UdpChecksum))
@pytest.mark.parametrize("outer", [4, 6])
def test_one_port_is_the_data_port(outer: int, policy: UdpChecksum) -> None:
    bench = Bench(forwarding=Forwarding(source_ports=1, udp_checksum=policy))
    bench.map(Encapsulate((bench.locator(outer),)))
    for flow in range(20):
        bench.send(inner(sport=5000 + flow))
        assert port(bench, outer) == bench.port
    bench.close()


@pytest.mark.parametrize("outer", [4, 6])
def test_source_ports_receive_nothing(framed: Bench, outer: int) -> None:
    framed.map(Encapsulate((framed.locator(outer),)))
    send_frame(framed, inner())
    name = (NEAR[outer], port(framed, outer))
    with socket.socket(framed.far[outer].family, socket.SOCK_DGRAM) as stranger:
        for number in range(100):
            stranger.sendto(QUIET + bytes(incoming(payload=pattern(1000, number))), name)
    sent = framed.inject(incoming(), outer)
    assert framed.delivered()[10:] == sent
    framed.wait_totals(packets_in=1)
    assert framed.drops() == {}


def other_engine(**options: Any) -> DataPlane:
    """One on a TUN that is nobody's."""
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return open_tun_dataplane([pair[0].detach()], **options)


def test_a_data_port_that_is_taken_is_named(framed: Bench) -> None:
    with pytest.raises(HostError, match=f"UDP port {framed.port} is in use: stop the other"):
        other_engine(port=framed.port).start()
    free = free_port()
    with pytest.raises(HostError, match=f"UDP port {free} or {framed.port} is in use"):
        other_engine(port=free, vxlan_port=framed.port).start()


def test_too_many_ports_for_the_limit_of_descriptors() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    engine = other_engine(port=free_port(), forwarding=Forwarding(source_ports=64))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 100, before[1]))
    try:
        with pytest.raises(HostError, match=r"Too many open files.*lower workers or source-ports"):
            engine.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    engine.start()
    engine.stop()


@pytest.mark.netns
def test_ports_differ_though_few_are_free() -> None:
    """The kernel thinks a port free that may be shared, so it would give one twice."""

    def body() -> None:
        Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40044")
        bench = Bench()
        found: set[tuple[int, str]] = set()
        for outer in (4, 6):
            text = Path(f"/proc/thread-self/net/udp{'6' * (outer == 6)}").read_text()
            found |= {(outer, line.split()[1].rsplit(":")[-1]) for line in text.splitlines()[1:]}
        # of each family 16, one for fragments, the far end's and the data port
        assert len(found) == 2 * (16 + 1 + 1 + 1)
        bench.close()

    apart(body, "ip link set lo up")
