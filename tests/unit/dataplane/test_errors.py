"""What the network and the host say of datagrams that left: error queues, links and devices that go."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6

from lispfast.dataplane import open_tun_dataplane
from lispfast.model.forwarding import Encapsulate, PathMtu, SourceRloc, Transaction, Unreachable
from lispfast.model.reasons import DataReason
from lispfast.model.settings import Forwarding
from lispfast.model.units import WireMtu

from .bench import FAR, NEAR, SLOT, Bench, address, free_port, inner, wait_until
from .namespace import apart
from .vnet import pattern

TUNSETIFF, IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 1, 0x1000, 0x4000


@pytest.fixture(params=[1, 16])
def ports(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(forwarding=Forwarding(source_ports=request.param))
    yield bench
    bench.close()


def switches() -> int:
    """How often the worker of this process has gone to sleep."""
    for task in Path("/proc/self/task").iterdir():
        if (task / "comm").read_text() == "lispfast-0\n":
            return int((task / "status").read_text().split("voluntary_ctxt_switches:")[1].split()[0])
    raise AssertionError("no worker")


def assert_idle(bench: Bench) -> None:
    """The worker neither spins nor wakes: its processor time and its switches stay as they are."""

    def quiet() -> bool:
        before = switches(), os.times()[:2]
        assert not select.select([bench.tun], [], [], 0.05)[0]
        spent = sum(os.times()[:2]) - sum(before[1])
        return switches() == before[0] and spent < 0.04

    wait_until(quiet)


@pytest.mark.parametrize("version", [4, 6])
def test_a_peer_that_refuses_costs_others_nothing(ports: Bench, version: int) -> None:
    dead = ports.locator(version, port=free_port())
    ports.map(Encapsulate((dead,)), "10.9.1.0/24")
    ports.map(Encapsulate((ports.locator(version),)), "10.9.0.0/24")
    for number in range(100):
        ports.send(inner(4, pattern(50, number), dst="10.9.1.1"))
        sent = ports.send(inner(4, pattern(50, number)))
        assert ports.outer(version).payload[8:] == sent
    assert ports.drops() == {}
    assert_idle(ports)


def quote(bench: Bench, version: int, port: int) -> IP | IPv6:
    """The beginning of a datagram from a source port of the engine to the far end."""
    far = bench.far[version].getsockname()[1]
    return (IP if version == 4 else IPv6)(src=NEAR[version], dst=FAR[version]) / UDP(sport=port, dport=far) / bytes(64)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize(("version", "told", "punted"), [(4, 1300, 1300), (6, 1300, 1300), (6, 0xFFFFFFFF, 65535)])
def test_a_router_that_takes_less(ports: Bench, version: int, told: int, punted: int) -> None:
    ports.map(Encapsulate((ports.locator(version),)))
    ports.send(inner())
    _, name = ports.far[version].recvfrom(2000)
    quoted = quote(ports, version, name[1])
    if version == 4:
        message = bytes(IP(src=FAR[4], dst=NEAR[4]) / ICMP(type=3, code=4, nexthopmtu=told) / quoted)[20:]
        family, protocol = socket.AF_INET, socket.IPPROTO_ICMP
    else:
        message = bytes(IPv6(src="::1", dst="::1") / ICMPv6PacketTooBig(mtu=told) / quoted)[40:]
        family, protocol = socket.AF_INET6, socket.IPPROTO_ICMPV6
    with socket.socket(family, socket.SOCK_RAW, protocol) as router:
        router.sendto(message, (NEAR[version], 0))
    assert ports.punts() == [PathMtu(address(FAR[version]), WireMtu(punted))]
    with socket.socket(family, socket.SOCK_RAW, protocol) as router:
        router.sendto(message, (NEAR[version], 0))  # within a second: once is enough
    sent = ports.send(inner())
    assert ports.outer(version).payload[8:] == sent
    assert_idle(ports)
    assert ports.engine.take_punts() == []


def tell(bench: Bench, version: int, kind: int, code: int) -> None:
    """A router's ICMP message about the datagram that comes next at the far end."""
    bench.send(inner())
    _, name = bench.far[version].recvfrom(2000)
    quoted = quote(bench, version, name[1])
    if version == 4:
        message = bytes(IP(src=FAR[4], dst=NEAR[4]) / ICMP(type=kind, code=code) / quoted)[20:]
        family, protocol = socket.AF_INET, socket.IPPROTO_ICMP
    else:
        message = bytes(IPv6(src="::1", dst="::1") / ICMPv6DestUnreach(type=kind, code=code) / quoted)[40:]
        family, protocol = socket.AF_INET6, socket.IPPROTO_ICMPV6
    with socket.socket(family, socket.SOCK_RAW, protocol) as router:
        router.sendto(message, (NEAR[version], 0))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize(
    ("version", "kind", "code"),
    [*((4, 3, code) for code in (0, 1, 3, 9, 10, 13)), *((6, 1, code) for code in (0, 1, 3, 4))],
)
def test_a_router_that_knows_no_way(ports: Bench, version: int, kind: int, code: int) -> None:
    ports.map(Encapsulate((ports.locator(version),)))
    tell(ports, version, kind, code)
    assert ports.punts() == [Unreachable(address(FAR[version]))]
    tell(ports, version, kind, code)  # within a second: once is enough
    sent = ports.send(inner())
    assert ports.outer(version).payload[8:] == sent
    assert_idle(ports)
    assert ports.engine.take_punts() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize(("version", "kind", "code"), [(4, 11, 0), (4, 12, 0), (6, 3, 0)])
def test_other_errors_are_nobodys_hint(ports: Bench, version: int, kind: int, code: int) -> None:
    ports.map(Encapsulate((ports.locator(version),)))
    tell(ports, version, kind, code)
    assert_idle(ports)
    assert ports.engine.take_punts() == []


@pytest.mark.netns
@pytest.mark.parametrize("rloc", ["198.51.100.1", "2001:db8:9::1"])
def test_a_host_without_a_route_says_so_of_the_locator(rloc: str) -> None:
    def body() -> None:
        bench = Bench()
        far = address(rloc)
        sources = SourceRloc(SLOT[4], address("192.0.2.1")), SourceRloc(SLOT[6], address("2001:db8::1"))
        bench.commit(Transaction(sources=sources))
        bench.map(Encapsulate((bench.locator(far.version, address=far),)))
        bench.send(inner())
        assert bench.punts() == [Unreachable(far)]
        bench.wait_drops(DataReason.SEND_FAILED)
        bench.close()

    apart(body, "ip link set lo up", "ip address add 192.0.2.1/32 dev lo", "ip address add 2001:db8::1/128 dev lo")


@pytest.mark.netns
def test_a_link_that_goes_and_comes_back() -> None:
    def body() -> None:
        bench = Bench()
        bench.commit(Transaction(sources=(SourceRloc(SLOT[4], address("192.0.2.1"), socket.if_nametoindex("near")),)))
        locator = bench.locator(address=address("192.0.2.2"))
        bench.map(Encapsulate((locator,)))
        for command in ("set near down", "del near"):
            before = bench.engine.drops()[DataReason.SEND_FAILED]
            subprocess.run(["ip", "link", *command.split()], check=True)
            for _ in range(10):
                bench.send(inner())
            wait_until(lambda before=before: bench.engine.drops()[DataReason.SEND_FAILED] == before + 10)  # type: ignore[misc]
        bench.commit(Transaction(sources=(SourceRloc(SLOT[4], address(NEAR[4])),)))
        bench.map()
        sent = bench.send(inner())
        assert bench.outer().payload[8:] == sent
        assert bench.drops() == {"send-failed": 20}
        assert_idle(bench)
        bench.close()

    apart(
        body,
        "ip link set lo up",
        "ip link add near type veth peer name beyond",
        "ip link set beyond up",
        "ip address add 192.0.2.1/24 dev near",
        "ip link set near up",
    )


@pytest.mark.netns
def test_a_tun_that_goes() -> None:
    def body() -> None:
        tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"lmn7", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
        bench = Bench()
        bench.engine.stop()
        engine = open_tun_dataplane([tun], port=bench.port)
        engine.start()
        bench.engine = engine
        for command in ("link set lmn7 up", "link set lmn7 down", "link set lmn7 up"):
            subprocess.run(["ip", *command.split()], check=True)
            assert engine.describe()["tun"] == "open"
            assert_idle(bench)
        subprocess.run(["ip", "link", "del", "lmn7"], check=True)
        wait_until(lambda: engine.describe()["tun"] == "lost")
        assert_idle(bench)
        bench.close()
        os.close(tun)

    apart(body, "ip link set lo up", "sysctl -q -w net.ipv6.conf.default.disable_ipv6=1")
