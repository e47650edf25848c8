"""An explicit locator path with real daemons: registered, resolved, followed hop by hop; a dead hop is left out.

phone --- router --- laptop, whose EID is reached by way of rtr1 and then rtr2, each on a link of the router.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator

import pytest

from lispfast.lab import Lab, Node, pcap, until
from lispfast.lab.capture import Capture
from lispfast.lab.packets import DATA_PORT
from lispfast.lab.ping import ping

from .internet import BOUND_S, LAPTOP_EIDS, PHONE_EIDS, Internet, Network, join
from .rtr import Rtr
from .sites import Stream

RTR1, RTR2 = Network(15, (4,)), Network(16, (4,))
PROBING = """rloc-probing {
    rloc-probe-interval         = 1
    rloc-probe-retries          = 1
    rloc-probe-retries-interval = 1
}
"""
PATH = """explicit-locator-path {
    elp-name = by-two
    elp-node { address = 192.0.15.10  probe = true }
    elp-node { address = 192.0.16.10  probe = true }
    elp-node { address = 192.0.13.10 }
}
database-mapping {
    eid-prefix = EID/32
    rloc-address { address = by-two }
}
"""
HERE, THERE = "192.0.11.10", "192.0.13.10"  # the RLOCs of phone and laptop


class Path:
    """The internet with two re-encapsulating routers, and its daemons."""

    def __init__(self, lab: Lab) -> None:
        self.net = Internet(lab, (4,))
        self.rtrs = [self._rtr(lab, "rtr1", RTR1, RTR2.address(10, 4)), self._rtr(lab, "rtr2", RTR2, THERE)]

    def start(self) -> None:
        for rtr in self.rtrs:
            rtr.start()
        self.net.start_map_server()
        extra = PATH.replace("EID", LAPTOP_EIDS[0])
        self.laptop = self._start("laptop", LAPTOP_EIDS[1:], ("eth0",), extra)
        self.phone = self._start("phone", PHONE_EIDS, ("wlan0",), PROBING)

    def _rtr(self, lab: Lab, name: str, network: Network, behind: str) -> Rtr:
        host = lab.host(name)
        ours, theirs = lab.link(self.net.router, f"to-{name}", host, "eth0")
        ours.up()
        ours.add_address(*network.with_length(1))
        join(theirs, network)
        return Rtr(host, network.address(10, 4), behind)

    def _start(self, name: str, eids: tuple[str, ...], interfaces: tuple[str, ...], extra: str) -> Node:
        host = {"phone": self.net.phone, "laptop": self.net.laptop}[name]
        conf = self.net.mobile_conf(eids, interfaces, rloc_versions=(4,), extra=extra)
        node = Node(host, conf)
        node.start()
        node.wait_ready()
        node.wait_event("map-notify-received", BOUND_S)
        return node

    def next_hop(self) -> str | None:
        """Where the phone sends packets for the laptop's EID."""
        entries = json.loads(self.phone.ctl("map-cache", "--json"))["entries"]
        ways = [entry["locators"] for entry in entries if entry["eid_prefix"] == f"{LAPTOP_EIDS[0]}/32"]
        return ways[0][0]["next_hop"] if ways and ways[0] else None

    def capture(self) -> Capture:
        return Capture(self.net.router, f"inbound and udp port {DATA_PORT}", snap=2000)

    def hops(self, capture: Capture, *words: str) -> dict[str, list[tuple[str, str, int]]]:
        """What tshark says of the outer source, destination and TTL of each inner packet, in the order of time.

        By the inner packet's ID, so that one packet is followed from router to router.
        """
        fields = [word for name in ("ip.id", "ip.src", "ip.dst", "ip.ttl") for word in ("-e", name)]
        said = self.net.router.run("tshark", "-r", str(capture.path), *words, "-T", "fields", *fields)
        found = defaultdict(list)
        for line in said.splitlines():
            ids, sources, destinations, ttls = (cell.split(",") for cell in line.split("\t"))
            found[ids[1]].append((sources[0], destinations[0], int(ttls[0])))
        return found


def end(capture: Capture, packets: int) -> None:
    """End a capture when it has this many packets: it is written some time after the wire had them."""
    until(lambda: sum(1 for _ in pcap.read(capture.path)) >= packets, BOUND_S, "the capture of what passed")
    capture.stop()


@pytest.fixture
def path(lab: Lab) -> Iterator[Path]:
    made = Path(lab)
    try:
        made.start()
        yield made
    finally:
        for rtr in made.rtrs:
            rtr.stop()


def test_packets_pass_every_hop_of_a_registered_path_in_its_order(path: Path) -> None:
    capture = path.capture()
    assert ping(path.net.phone, LAPTOP_EIDS[0], 5).lost == 0
    end(capture, 5 * (3 + 1))
    rtr1, rtr2 = (rtr.address for rtr in path.rtrs)
    requests = path.hops(capture, "-Y", "icmp.type == 8")
    assert len(requests) == 5
    for hops in requests.values():
        assert [hop[:2] for hop in hops] == [(HERE, rtr1), (rtr1, rtr2), (rtr2, THERE)]
        ttls = [ttl for *_, ttl in hops]
        assert ttls == sorted(set(ttls), reverse=True), "a loop would end"
    answers = path.hops(capture, "-Y", "icmp.type == 0")
    assert {hop[:2] for hops in answers.values() for hop in hops} == {(THERE, HERE)}, "the phone has no path"


def test_a_connection_runs_through_the_path(path: Path) -> None:
    capture = path.capture()
    stream = Stream(path.net.phone, path.net.laptop, LAPTOP_EIDS[0])
    assert stream.peer[0] == PHONE_EIDS[0]
    stream.exchange(1_000_000)
    stream.close()
    capture.stop()
    outer = {hop[:2] for hops in path.hops(capture, "-Y", "tcp").values() for hop in hops}
    rtr1, rtr2 = (rtr.address for rtr in path.rtrs)
    assert outer == {(HERE, rtr1), (rtr1, rtr2), (rtr2, THERE), (THERE, HERE)}


def test_a_hop_that_no_longer_answers_probes_is_left_out_until_it_is_back(path: Path) -> None:
    rtr1, rtr2 = path.rtrs
    assert ping(path.net.phone, LAPTOP_EIDS[0], 2).lost == 0
    assert path.next_hop() == rtr1.address
    rtr1.stop()

    def left_out() -> bool:
        ping(path.net.phone, LAPTOP_EIDS[0], 1, timeout=0.2)  # who is not used is not probed
        return path.next_hop() == rtr2.address

    until(left_out, BOUND_S, "rtr1 is left out")
    capture = path.capture()
    assert ping(path.net.phone, LAPTOP_EIDS[0], 3).lost == 0
    end(capture, 3 * (2 + 1))
    for hops in path.hops(capture, "-Y", "icmp.type == 8").values():
        assert [hop[:2] for hop in hops] == [(HERE, rtr2.address), (rtr2.address, THERE)]
    rtr1.start()
    until(lambda: not left_out(), BOUND_S, "rtr1 is back")
    assert ping(path.net.phone, LAPTOP_EIDS[0], 3).lost == 0
