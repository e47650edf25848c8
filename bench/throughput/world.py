"""The hosts that are measured: for each competitor and family two hosts of their own, joined by a cable of their own.

    left  eth0 ------ eth0  right        veth: the addresses of eth0 themselves
          vxlan0 .... vxlan0             vxlan: the kernel's, over eth0, as `ip link` makes it
          lmn0 ...... lmn0               lispfast: two daemons that know each other from static-map-cache

All of them stand at the same time, so that rounds can go from one to the next; who is not measured is idle.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lispfast.lab import Host, Lab, LabError, Node, Process, until
from lispfast.lab.ping import ping

# Documentation addresses below (RFC 5737, RFC 3849); inside a tunnel the family is that of the underlay.
UNDERLAY = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
OVERLAY = {4: ("198.51.100.1", "198.51.100.2"), 6: ("2001:db8:1::1", "2001:db8:1::2")}
EIDS = {4: ("172.16.0.1", "172.16.0.2"), 6: ("fd10::1", "fd10::2")}
SUBNET = {4: 24, 6: 64}
HOST = {4: 32, 6: 128}

# Ours.
READY_SECONDS = 20.0  # eight daemons start on two cores
PATH_PINGS = 10
PING_SECONDS = 0.5
SIDES = ("left", "right")


@dataclass(slots=True)
class Lane:
    """A competitor's two hosts: traffic goes from `left` to `address` at `right` through `device`."""

    competitor: str
    family: int
    left: Host
    right: Host
    device: str = "eth0"
    source: str = ""
    address: str = ""
    nodes: list[Node] = field(default_factory=list)
    servers: list[Process] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What to call it in a line of progress."""
        return f"{self.competitor} over IPv{self.family}"

    def check(self) -> None:
        """LabError unless packets get to the other side, and by the device that they should use."""
        (route,) = self.left.json("ip", "-j", "route", "get", self.address)
        if (route["dev"], route["prefsrc"]) != (self.device, self.source):
            raise LabError(f"{self.name}: {self.address} is reached by {route['dev']} from {route['prefsrc']}")
        devices = dict.fromkeys((self.device, "eth0"))
        before = {device: sent(self.left, device) for device in devices}
        result = ping(self.left, self.address, count=PATH_PINGS, interval=0.05)
        if result.lost > 1:  # the first one may find the neighbour unknown
            raise LabError(f"{self.name}: {result.lost} of {result.sent} pings had no answer{self.words()}")
        for device in devices:
            if sent(self.left, device) - before[device] < PATH_PINGS - 1:
                raise LabError(f"{self.name}: what was sent did not pass {device}")

    def mtu(self) -> int:
        """The MTU of its device."""
        (link,) = self.left.json("ip", "-j", "link", "show", "dev", self.device)
        return int(link["mtu"])

    def features(self) -> dict[str, Any]:
        """What its data plane could use, as `lispctl status` has it; empty where there is no daemon."""
        if not self.nodes:
            return {}
        plane = json.loads(self.nodes[0].ctl("status", "--json"))["data_plane"]
        return {"backend": plane["backend"], "workers": plane["workers"], **plane["features"]}

    def words(self) -> str:
        """The ends of its daemons' logs, for an error."""
        return "".join(f"\n{node.process.tail()}" for node in self.nodes)


def build(lab: Lab, competitor: str, family: int) -> Lane:
    """Make a path that works: hosts, link, tunnel, and an iperf3 that waits at the right."""
    left, right = (lab.host(f"{competitor}{family}-{side}") for side in SIDES)
    ends = lab.link(left, "eth0", right, "eth0")
    for end, address in zip(ends, UNDERLAY[family], strict=True):
        end.up()
        end.add_address(f"{address}/{SUBNET[family]}")
    for end in ends:
        until(end.running, READY_SECONDS, f"{end.host.name} {end.name} runs")
    lane = Lane(competitor, family, left, right)
    BUILDERS[competitor](lane)
    server = right.spawn("iperf3", "--server", "--forceflush", log="iperf3.log")
    until(lambda: "listening" in server.tail(), READY_SECONDS, f"iperf3 on {right.name} listens")
    lane.servers.append(server)
    return lane


def _bare(lane: Lane) -> None:
    lane.source, lane.address = UNDERLAY[lane.family]


def _vxlan(lane: Lane) -> None:
    lane.device = "vxlan0"
    lane.source, lane.address = OVERLAY[lane.family]
    outer, inner = UNDERLAY[lane.family], OVERLAY[lane.family]
    for host, here, there, own in zip((lane.left, lane.right), outer, outer[::-1], inner, strict=True):
        host.run(
            *("ip", "link", "add", "vxlan0", "type", "vxlan", "id", "1", "dstport", "4789", "dev", "eth0"),
            *("local", here, "remote", there),
        )
        host.interface("vxlan0").up()
        host.interface("vxlan0").add_address(f"{own}/{SUBNET[lane.family]}")


def _lispfast(lane: Lane, extra: str = "") -> None:
    lane.device = "lmn0"
    lane.source, lane.address = EIDS[lane.family]
    outer, inner = UNDERLAY[lane.family], EIDS[lane.family]
    hosts = (lane.left, lane.right)
    for host, own, other, there in zip(hosts, inner, inner[::-1], outer[::-1], strict=True):
        lane.nodes.append(Node(host, node_config(lane.family, own, other, there) + extra))
    for node in lane.nodes:
        node.start()
    for node in lane.nodes:
        node.wait_ready(READY_SECONDS)

    def answered() -> bool:
        return ping(lane.left, lane.address, 1, timeout=PING_SECONDS).lost == 0

    try:
        until(answered, READY_SECONDS, f"{lane.name}: an answer to a ping")
    except LabError as error:
        raise LabError(f"{error}{lane.words()}") from error


def _lispfast_plain(lane: Lane) -> None:
    _lispfast(lane, "offload = off\n")


BUILDERS: dict[str, Callable[[Lane], None]] = {
    "veth": _bare,
    "vxlan": _vxlan,
    "lispfast_plain": _lispfast_plain,
    "lispfast": _lispfast,
}


def node_config(family: int, own: str, other: str, there: str) -> str:
    """The lispd.conf of a node that knows its one peer.

    A mobile node must name a Map-Server. The peer stands in for it and never answers: the node asks again, ever more
    rarely, and forwards all the same.
    """
    return f"""operating-mode = MN
map-resolver = {{ {there} }}
map-server {{
    address  = {there}
    key-type = 2
    key      = "nobody checks it"
}}
database-mapping {{
    eid-prefix = {own}/{HOST[family]}
    rloc-iface {{
        interface  = eth0
        ip_version = {family}
        priority   = 1
        weight     = 100
    }}
}}
static-map-cache {{
    eid-prefix = {other}/{HOST[family]}
    rloc-address {{
        address  = {there}
        priority = 1
        weight   = 100
    }}
}}
rloc-probing {{
    rloc-probe-interval = 0
}}
"""


def sent(host: Host, device: str) -> int:
    """Packets that a device has sent so far."""
    (link,) = host.json("ip", "-j", "-s", "link", "show", "dev", device)
    return int(link["stats64"]["tx"]["packets"])


def keep_logs(lab: Lab, directory: Path) -> None:
    """Copy every log of the lab to a directory: it goes away with the lab."""
    for log in lab.directory.glob("*/lispd.log"):
        (directory / f"{log.parent.name}.log").write_bytes(log.read_bytes())
