"""The kernel cuts up what was merged: in through one TUN with virtio-net headers, forwarded, out of one without."""

from __future__ import annotations

import ctypes as c
import os
import select
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lispfast.lab.namespace import Namespace
from lispfast.runtime.tun import open_tun

from . import twin_coalesce as twin
from .streams import Flow
from .test_coalesce import Coalescer
from .twin_segment import TCP, UDP, put, with_lengths

pytestmark = pytest.mark.netns

PATIENCE = 5.0
SIZES = {"one size": [1000] * 40, "a short end": [1000] * 9 + [1], "large": [60_000], "small": [64] * 140}
FLOWS = {
    "tcp4": lambda: Flow(4, TCP, 1000),
    "tcp6": lambda: Flow(6, TCP, 1000),
    "udp4": lambda: Flow(4, UDP, 1000),
    "udp6": lambda: Flow(6, UDP, 1000),
    "tcp4 without df": lambda: Flow(4, TCP, 1000, dont_fragment=False),
    "udp4 without df": lambda: Flow(4, UDP, 1000, dont_fragment=False),
}


class Router:
    """A namespace that forwards from in0 to out0."""

    def __init__(self) -> None:
        self.namespace = Namespace("cut")
        self.inside, self.outside = self.namespace.call(self._make)

    def _make(self) -> tuple[int, int]:
        for scope in ("all", "default"):
            Path(f"/proc/sys/net/ipv6/conf/{scope}/forwarding").write_text("1")
            Path(f"/proc/sys/net/ipv4/conf/{scope}/rp_filter").write_text("0")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        opened = open_tun("in0", vnet_header=True)[0], open_tun("out0")[0]
        commands = ["link set in0 mtu 65000 up", "link set out0 mtu 65000 up"]
        commands += ["route add 10.9.0.1 dev out0", "-6 route add fd09::1 dev out0"]
        commands += ["route add 10.9.0.2 dev in0", "-6 route add fd09::2 dev in0"]
        for words in commands:
            subprocess.run(["ip", *words.split()], check=True, timeout=10)
        return opened

    def packets(self, count: int) -> list[bytes]:
        """So many packets from our flows' sender, as they come out."""
        found: list[bytes] = []
        while len(found) < count:
            assert select.select([self.outside], [], [], PATIENCE)[0], f"{len(found)} of {count} packets came out"
            packet = os.read(self.outside, 70000)
            if packet[12:16] == bytes([10, 9, 0, 2]) or packet[8:10] == b"\xfd\x09":
                found.append(packet)
        return found

    def close(self) -> None:
        os.close(self.inside)
        os.close(self.outside)
        self.namespace.close()


@pytest.fixture(scope="module")
def router() -> Iterator[Router]:
    made = Router()
    yield made
    made.close()


def forwarded(packet: bytes) -> bytes:
    """After one more router."""
    at = 8 if packet[0] >> 4 == 4 else 7
    return with_lengths(put(packet, at, packet[at] - 1, 1))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("kind", FLOWS)
def test_out_come_the_packets_that_went_in(native: c.CDLL, router: Router, kind: str, sizes: str) -> None:
    make: Callable[[], Flow] = FLOWS[kind]
    flow, coalescer = make(), Coalescer(native)
    packets = [flow.next(size) for size in SIZES[sizes]]
    packets += [flow.next(500), flow.next(500, "push"), flow.next(500)]
    coalescer.add_all(packets)
    taken = coalescer.take()
    assert len(taken) < len(packets)
    for vnet, packet, *_ in taken:
        assert os.write(router.inside, vnet + packet) == len(vnet + packet)
    out = router.packets(len(packets))
    assert [twin.meaning(packet) for packet in out] == [twin.meaning(forwarded(packet)) for packet in packets]
