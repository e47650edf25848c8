"""Two proxy-ETRs with real daemons: the better one dies, packets go to the other, and come back when it is back.

A proxy-ETR is the first hop out of LISP; here it answers probes, which is all that is asked of it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest

from lispfast.lab import Lab, Node, until
from lispfast.lab.capture import Capture
from lispfast.lab.packets import CONTROL_PORT, DATA_PORT, read_udp
from lispfast.lab.ping import ping

from .internet import BOUND_S, Internet, Network, join
from .rtr import Rtr

NETWORKS = {"petr1": Network(15, (4,)), "petr2": Network(16, (4,))}
HERE = "192.0.11.10"  # the phone's RLOC
OUTSIDE = "198.51.100.1"  # no EID of anybody
CONF = """rloc-probing {
    rloc-probe-interval         = 1
    rloc-probe-retries          = 1
    rloc-probe-retries-interval = 1
}
proxy-etr {
    address  = 192.0.15.10
    priority = 1
}
proxy-etr {
    address  = 192.0.16.10
    priority = 2
}
"""


class Proxies:
    """The internet with two proxy-ETRs, and its daemons."""

    def __init__(self, lab: Lab) -> None:
        self.net = Internet(lab, (4,))
        self._captures = itertools.count()
        self.petrs = [self._petr(lab, name, network) for name, network in NETWORKS.items()]

    def _petr(self, lab: Lab, name: str, network: Network) -> Rtr:
        host = lab.host(name)
        ours, theirs = lab.link(self.net.router, f"to-{name}", host, "eth0")
        ours.up()
        ours.add_address(*network.with_length(1))
        join(theirs, network)
        return Rtr(host, network.address(10, 4), network.address(1, 4))

    def start(self, *answering: Rtr) -> Node:
        for petr in answering:
            petr.start()
        self.net.start_map_server()
        return self.net.start_phone(rloc_versions=(4,), extra=CONF)

    def used(self) -> str:
        """The outer destination of a packet that leaves LISP."""
        wanted = f"inbound and src host {HERE} and udp dst port {DATA_PORT}"
        capture = Capture(self.net.router, wanted, f"used-{next(self._captures)}")
        ping(self.net.phone, OUTSIDE, 1, timeout=0.2)
        until(lambda: any(True for _ in capture.frames()), BOUND_S, "a packet that leaves LISP")
        capture.stop()
        (to,) = {str(datagram.destination) for frame in capture.frames() if (datagram := read_udp(frame.packet))}
        return to


@pytest.fixture
def proxies(lab: Lab) -> Iterator[Proxies]:
    made = Proxies(lab)
    try:
        yield made
    finally:
        for petr in made.petrs:
            petr.stop()


def states(node: Node) -> list[str]:
    return [proxy["state"] for proxy in json.loads(node.ctl("status", "--json"))["proxy_etrs"]]


def test_packets_leave_by_the_second_proxy_while_the_first_is_dead(proxies: Proxies) -> None:
    first, second = proxies.petrs
    phone = proxies.start(first, second)

    def stands(*wanted: str) -> bool:
        ping(proxies.net.phone, OUTSIDE, 1, timeout=0.2)  # who is not used is not probed
        return states(phone) == [*wanted]

    def answers() -> bool:
        ping(proxies.net.phone, OUTSIDE, 1, timeout=0.2)
        shown = json.loads(phone.ctl("status", "--json"))["proxy_etrs"]
        return all(proxy["rtt_ms"] is not None for proxy in shown)

    until(answers, BOUND_S, "both have answered")
    assert proxies.used() == first.address
    first.stop()
    until(lambda: stands("down", "up"), BOUND_S, "the first is down")
    assert proxies.used() == second.address
    first.start()
    until(lambda: stands("up", "up"), BOUND_S, "the first is back")
    assert proxies.used() == first.address


def test_a_proxy_that_answers_no_probes_is_used_all_the_same(proxies: Proxies) -> None:
    first, second = proxies.petrs
    phone = proxies.start(second)
    capture = Capture(
        proxies.net.router, f"inbound and dst host {first.address} and udp dst port {CONTROL_PORT}", "probes"
    )

    def probed() -> bool:
        ping(proxies.net.phone, OUTSIDE, 1, timeout=0.2)
        return sum(1 for _ in capture.frames()) >= 6

    until(probed, BOUND_S, "three rounds of two probes")
    capture.stop()
    assert states(phone) == ["up", "up"]
    assert proxies.used() == first.address
