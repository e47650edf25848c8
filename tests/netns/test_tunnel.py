"""EID to EID between real daemons, driven by programs that we did not write."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_address
from typing import IO

import pytest

from lispfast.lab import Host, Lab, Node, until
from lispfast.lab.capture import Capture
from lispfast.lab.packets import DATA_PORT, Datagram, read_udp
from lispfast.lab.ping import ping

from .internet import BOUND_S, LAPTOP_EIDS, PHONE_EIDS, Internet, join, leave

UNDERLAYS = pytest.mark.parametrize("versions", [(4,), (6,), (4, 6)], ids=["v4", "v6", "dual"])
EIDS = pytest.mark.parametrize("eid", LAPTOP_EIDS, ids=["v4", "v6"])


class Tunnel:
    """An internet with the three daemons running and registered."""

    def __init__(self, lab: Lab, versions: Sequence[int] = (4, 6), **fields: object) -> None:
        self.net = Internet(lab, versions)
        self.ms = self.net.start_map_server()
        fields.setdefault("rloc_versions", versions)
        self.laptop = self.net.start_laptop(**fields)
        self.phone = self.net.start_phone(**fields)

    def move(self, source: str, target: str) -> None:
        """The phone leaves one network for the other; ends when a Map-Server has confirmed it."""
        ends = {"wlan0": (self.net.wlan0, self.net.wifi), "wwan0": (self.net.wwan0, self.net.lte)}
        begun = self.phone.log.read()[-1].at + 1
        leave(ends[source][0])
        join(*ends[target])
        self.phone.wait_event("source-locator-changed", BOUND_S, since=begun, interface=target)
        self.phone.wait_event("map-notify-received", BOUND_S, since=begun)


@pytest.fixture
def tunnel(lab: Lab) -> Tunnel:
    return Tunnel(lab)


def wire_of(capture: Capture) -> list[bytes]:
    """The packets on the access network's side."""
    return [frame.packet for frame in capture.frames() if frame.interface == "ap0"]


def data_on(wire: list[bytes]) -> list[Datagram]:
    """The LISP data packets among them."""
    return [datagram for packet in wire if (datagram := read_udp(packet)) and datagram.destination_port == DATA_PORT]


@UNDERLAYS
def test_the_first_packets_arrive_and_only_lisp_is_on_the_wire(lab: Lab, versions: Sequence[int]) -> None:
    tunnel = Tunnel(lab, versions)
    capture = Capture(tunnel.net.router, "ip or ip6")
    for eid in LAPTOP_EIDS:
        assert ping(tunnel.net.phone, eid, count=5, interval=0.01).lost == 0
    # tcpdump writes what it has some time after the wire had it.
    until(lambda: len(data_on(wire_of(capture))) >= 2 * 5 * 2, BOUND_S, "every packet in the capture")
    capture.stop()
    wire = wire_of(capture)
    eids = [ip_address(eid).packed for eid in (*LAPTOP_EIDS, *PHONE_EIDS)]
    bare = [packet for packet in wire if packet[12:16] in eids or packet[8:24] in eids]
    assert bare == []
    data = data_on(wire)
    assert len(data) == 2 * 5 * 2, "each request and reply of both families once, in LISP"
    assert {datagram.source.version for datagram in data} == {versions[0]}, "the family that both ends prefer"


@pytest.mark.parametrize("proxy_reply", [False, True], ids=["etr-answers", "proxy-reply"])
@pytest.mark.parametrize("key_type", [1, 2], ids=["sha1", "sha256"])
def test_both_ways_to_be_answered_for_and_both_keys(lab: Lab, proxy_reply: bool, key_type: int) -> None:
    net = Internet(lab)
    conf = net.map_server_conf("debug = 1\n").replace("key-type   = 2", f"key-type   = {key_type}")
    ms = Node(net.ms, conf)
    ms.start()
    ms.wait_ready()
    for start in (net.start_laptop, net.start_phone):
        start(proxy_reply=proxy_reply, key_type=key_type)
    assert ping(net.phone, LAPTOP_EIDS[0], count=2, interval=0.01).lost == 0
    asked = f"{LAPTOP_EIDS[0]}/32"  # the laptop's RLOC is asked for as well, and is no EID
    event, other = "map-reply-sent", "map-request-forwarded"
    if not proxy_reply:
        event, other = other, event
    # The Map-Server writes its line after it has sent, so the ping may be over first.
    until(lambda: ms.log.find(event, asked=asked) is not None, BOUND_S, f"{event} in the log")
    assert ms.log.find(other, asked=asked) is None


@EIDS
def test_curl(tunnel: Tunnel, eid: str) -> None:
    server = tunnel.net.laptop.spawn(
        sys.executable, "-m", "lispfast.lab.fileserver", "--bytes", str(8 << 20), pipe=True
    )
    words = dict(word.split("=") for word in server.stdout.readline().decode().split())
    url = f"http://{f'[{eid}]' if ':' in eid else eid}:{words['port']}/"
    path = tunnel.net.phone.directory / "file"
    tunnel.net.phone.run("curl", "--silent", "--fail", "--max-time", "15", "--output", str(path), url)
    assert tunnel.net.phone.run("sha256sum", str(path)).split()[0] == words["sha256"]


@EIDS
def test_iperf3(tunnel: Tunnel, eid: str) -> None:
    tunnel.net.laptop.spawn("iperf3", "--server", "--forceflush", log="iperf3.log")
    listening = tunnel.net.laptop.directory / "iperf3.log"
    until(lambda: "listening" in listening.read_text(), BOUND_S, "iperf3 listens")
    for extra in ((), ("--udp", "--bitrate", "20M"), ("--reverse",)):
        answer = tunnel.net.phone.json("iperf3", "--client", eid, "--time", "1", "--json", *extra)
        assert answer["end"]["sum_received" if not extra or extra[0] != "--udp" else "sum"]["bytes"] > 1_000_000


def test_ssh_survives_moves_in_both_directions(tunnel: Tunnel) -> None:
    net = tunnel.net
    flags = [net.laptop.directory / name for name in ("first", "second")]
    # The shell is a grandchild that nobody ends: it goes when the lab's directory does.
    waits = "".join(
        f"until [ -e {flag} ]; do [ -d {flag.parent} ] || exit; sleep 0.05; done; echo {flag.name}; " for flag in flags
    )
    session = ssh_session(net.laptop, net.phone, LAPTOP_EIDS[0], f"echo begun; {waits}")
    assert session.readline() == b"begun\n"
    assert ping(net.laptop, PHONE_EIDS[1], count=2, interval=0.01).lost == 0
    for flag, source, target in zip(flags, ("wlan0", "wwan0"), ("wwan0", "wlan0"), strict=True):
        tunnel.move(source, target)
        flag.touch()
        assert session.readline() == flag.name.encode() + b"\n"
        network = {"wlan0": net.wifi, "wwan0": net.lte}[target]
        there = {network.address(10, version) for version in (4, 6)}
        # A second at most: RFC 9301 section 5.3 allows one Map-Request a second for an EID-prefix.
        until(partial(knows, tunnel.laptop, there), BOUND_S, f"the laptop to hear that the phone is at {there}")
        assert ping(net.laptop, PHONE_EIDS[1], count=2, interval=0.01).lost == 0
    drops = json.loads(tunnel.phone.ctl("status", "--json"))["data_plane"]["drops"]
    assert "inner-source" not in drops, "nothing of the daemon's own went into its tunnel"


def test_an_address_outside_lisp_is_unreachable_at_once(tunnel: Tunnel) -> None:
    for address in ("8.8.8.8", "2001:4860:4860::8888"):
        url = f"http://{f'[{address}]' if ':' in address else address}/"
        words = tunnel.net.phone.run(
            "curl", "--silent", "--max-time", "10", "--write-out", "%{time_total}", url, check=False
        )
        assert float(words.split()[-1]) < 5, "an ICMP unreachable ended it, not a timeout"
    drops = json.loads(tunnel.phone.ctl("status", "--json"))["data_plane"]["drops"]
    assert drops["mapping-reject"] >= 2


def test_nonsense_on_both_ports_is_counted_and_changes_nothing(tunnel: Tunnel) -> None:
    phone, address = tunnel.phone, tunnel.net.wifi.address(10, 4)
    before = {noun: json.loads(phone.ctl(noun, "--json")) for noun in ("database", "map-cache")}
    send = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for port in (4341, 4342):\n"
        f" for payload in (b'', b'x', b'\\x20' + bytes(11), b'\\x48' + bytes(50), b'\\xf0' * 90, bytes(1400)):\n"
        f"  s.sendto(payload, ('{address}', port))\n"
    )
    tunnel.net.router.run(sys.executable, "-c", send)

    def counted() -> bool:
        status = json.loads(phone.ctl("status", "--json"))
        return sum(status["drops"].values()) >= 6 and sum(status["data_plane"]["drops"].values()) >= 6

    until(counted, BOUND_S, "each datagram counted under a reason")
    assert {noun: json.loads(phone.ctl(noun, "--json")) for noun in before} == before
    assert ping(tunnel.net.phone, LAPTOP_EIDS[0], count=2, interval=0.01).lost == 0


def knows(node: Node, rlocs: set[str]) -> bool:
    """Whether a node has the phone's EIDs of both families at exactly these locators."""
    entries = json.loads(node.ctl("map-cache", "--json"))["entries"]
    found = {entry["eid_prefix"].partition("/")[0]: {loc["address"] for loc in entry["locators"]} for entry in entries}
    return all(found.get(eid) == rlocs for eid in PHONE_EIDS)


def ssh_session(server: Host, client: Host, address: str, command: str) -> IO[bytes]:
    """The output of a command that the client runs on the server by ssh, with keys of this test alone."""
    key, host_key = client.directory / "id", server.directory / "host_key"
    client.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    server.run("dropbearkey", "-t", "ed25519", "-f", str(host_key))
    home = pwd.getpwuid(os.geteuid()).pw_dir
    script = (
        f"mount -t tmpfs -o mode=700 tmpfs {home} && mkdir -m 700 {home}/.ssh && "
        f"cp {key}.pub {home}/.ssh/authorized_keys && "
        f"exec dropbear -F -E -s -r {host_key} -p [{address}]:2222 -P {server.directory}/dropbear.pid"
    )
    if ":" not in address:
        script = script.replace(f"[{address}]", address)
    server.spawn("unshare", "--mount", "sh", "-c", script, log="dropbear.log")
    log = server.directory / "dropbear.log"
    until(lambda: "Not backgrounding" in log.read_text(), BOUND_S, "dropbear listens")
    words = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=10")
    session = client.spawn("ssh", "-i", str(key), *words, "-p", "2222", f"root@{address}", command, pipe=True)
    return session.stdout
