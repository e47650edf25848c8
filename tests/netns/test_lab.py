from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from lispfast.lab import Host, Lab, LabError, Node, until
from lispfast.lab.capture import Capture
from lispfast.lab.demo.internet import LAPTOP_EIDS, LTE, SERVERS, WIFI, Internet
from lispfast.lab.download import Download
from lispfast.lab.network import PREFIX, sweep
from lispfast.lab.packets import read_udp
from lispfast.lab.ping import ping
from lispfast.lab.probe import read_probes

ROUTER = ("192.0.2.1/24", "2001:db8::1/64")
HOST = ("192.0.2.2/24", "2001:db8::2/64")


@pytest.fixture
def pair(lab: Lab) -> tuple[Host, Host]:
    router, host = lab.host("router", forward=True), lab.host("host")
    ends = lab.link(router, "down0", host, "eth0")
    for end, addresses in zip(ends, (ROUTER, HOST), strict=True):
        end.up()
        end.add_address(*addresses)
    host.interface("eth0").add_default("192.0.2.1", "2001:db8::1")
    return router, host


def module(host: Host, name: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"lispfast.lab.{name}", *words)


@pytest.mark.parametrize("router", ["192.0.2.1", "2001:db8::1"])
def test_two_hosts_reach_each_other_at_once(pair: tuple[Host, Host], router: str) -> None:
    result = ping(pair[1], router, count=2, interval=0.01)
    assert result.lost == 0
    assert not pair[1].interface("eth0").tentative()


def test_the_hosts_namespace_is_not_ours(pair: tuple[Host, Host]) -> None:
    here = os.stat("/proc/self/ns/net").st_ino
    inodes = {here, pair[0].namespace.inode, pair[1].namespace.inode}
    assert len(inodes) == 3
    assert pair[0].sysctl("net.ipv4.ip_forward") == "1"
    assert pair[1].sysctl("net.ipv4.ip_forward") == "0"
    assert os.stat("/proc/self/ns/net").st_ino == here


def test_detection_of_duplicates_can_be_had(pair: tuple[Host, Host]) -> None:
    host = pair[1]
    host.sysctl("net.ipv6.conf.eth0.accept_dad", 1)
    host.run("ip", "addr", "add", "2001:db8::3/64", "dev", "eth0")
    assert host.interface("eth0").tentative()


def test_a_link_passes_packets_on_once_both_ends_run(pair: tuple[Host, Host]) -> None:
    near, far = pair[1].interface("eth0"), pair[0].interface("down0")
    until(far.running, 5, "the router's end")
    near.down()
    until(lambda: not far.running(), 5, "the router's end to notice")
    near.up()
    until(far.running, 5, "the router's end again")


def test_a_link_down_takes_the_routes_and_a_flush_the_addresses(pair: tuple[Host, Host]) -> None:
    eth0 = pair[1].interface("eth0")
    assert {route["dst"] for route in pair[1].json("ip", "-j", "route")} == {"default", "192.0.2.0/24"}
    eth0.down()
    eth0.flush_addresses()
    assert pair[1].json("ip", "-j", "route") == []
    assert all(not row.get("addr_info") for row in pair[1].json("ip", "-j", "addr", "show", "dev", "eth0"))
    eth0.up()
    eth0.add_address(*HOST)
    eth0.add_default("192.0.2.1")
    assert ping(pair[1], "192.0.2.1", count=1).lost == 0


def test_what_the_kernel_refuses_is_told(pair: tuple[Host, Host]) -> None:
    with pytest.raises(LabError, match=r"host: addr add eth0 .*exists"):
        pair[1].interface("eth0").add_address("192.0.2.2/24")
    with pytest.raises(LabError, match="no interface eth7"):
        pair[1].interface("eth7").up()
    with pytest.raises(LabError, match="ip route add nonsense: status"):
        pair[1].run("ip", "route", "add", "nonsense")
    with pytest.raises(LabError, match="no-such-command"):
        pair[1].run("no-such-command")


def test_routing_is_equal_to_itself_and_shows_a_change(pair: tuple[Host, Host]) -> None:
    before = pair[1].routing()
    assert pair[1].routing() == before
    pair[1].run("ip", "rule", "add", "from", "192.0.2.2", "lookup", "5", "priority", "1")
    changed = pair[1].routing()
    assert changed != before
    pair[1].run("ip", "rule", "del", "priority", "1")
    assert pair[1].routing() == before


def test_a_capture_sees_both_directions_and_ends_complete(pair: tuple[Host, Host]) -> None:
    router, host = pair
    capture = Capture(router, "icmp or icmp6")
    before = time.time_ns()
    ping(host, "192.0.2.1", count=3, interval=0.01)
    capture.stop()
    frames = [frame for frame in capture.frames() if frame.packet[0] >> 4 == 4]
    assert [(frame.interface, frame.outgoing) for frame in frames] == [("down0", False), ("down0", True)] * 3
    assert all(before < frame.at < time.time_ns() for frame in frames)
    assert read_udp(frames[0].packet) is None


def test_shaping_holds_a_transfer_back(pair: tuple[Host, Host]) -> None:
    router, host = pair
    router.interface("down0").shape("80mbit", "32k", "20ms")
    size = 4 << 20
    server = router.spawn(*module(router, "fileserver", "--bytes", str(size), "--port", "8080"))
    line = until(server.tail, 10, "the file server")
    download = Download(host, "http://192.0.2.1:8080/", timeout=20)
    digest = download.finish(20)
    assert f"sha256={digest}" in line
    seconds = (download.samples[-1].at - download.samples[0].at) / 1e9
    assert size * 8 / seconds < 110e6  # a bound that only an unshaped link breaks: it makes gigabits
    assert download.received == size


def test_a_probe_arrives_with_the_kernels_time(pair: tuple[Host, Host]) -> None:
    router, host = pair
    path = host.directory / "probes"
    receiver = host.spawn(*module(host, "probe", "receive", "192.0.2.2", str(path)), log="receive.log")
    until(lambda: "ready" in receiver.tail(), 10, "the receiver")
    sender = router.spawn(*module(router, "probe", "send", "192.0.2.1", "192.0.2.2"), log="send.log")
    until(lambda: len(read_probes(path)) > 20, 10, "twenty probes")
    assert sender.stop() == 0
    sent = int(sender.tail().split()[0].removeprefix("sent="))
    until(lambda: len(read_probes(path)) == sent, 10, "every probe")
    assert receiver.stop() == 0
    probes = read_probes(path)
    assert [probe.sequence for probe in probes] == list(range(sent))
    assert all(probe.sent < probe.received < time.time_ns() for probe in probes)


def test_the_demos_internet_moves_and_is_as_rehearsed(lab: Lab) -> None:
    net = Internet(lab)
    for destination in (SERVERS.rloc, SERVERS.addresses[1].partition("/")[0]):
        assert ping(net.phone, destination, count=1).lost == 0
    move = net.move()
    assert move.left < min(step.at for step in move.steps)
    assert move.usable == max(step.at for step in move.steps)
    assert not net.phone_tentative()
    assert net.phone.routing() == net.phone_on_lte
    assert {route["dev"] for route in net.phone.json("ip", "-j", "route")} == {"wwan0"}
    assert ping(net.phone, SERVERS.rloc, count=1).lost == 0
    assert WIFI.rloc != LTE.rloc
    assert LAPTOP_EIDS[0] not in str(net.laptop.routing())


def test_a_node_that_ends_is_told_with_its_words(lab: Lab) -> None:
    host = lab.host("node")
    dying = (sys.executable, "-c", "import sys; print('event=no-such', file=sys.stderr); sys.exit('what went wrong')")
    node = Node(host, "operating-mode = MN\n", dying)
    node.start()
    with pytest.raises(LabError, match=r"(?s)ended with status 1.*what went wrong"):
        node.wait_ready(10)
    assert str(host.directory) in node.config.read_text()


def test_closing_ends_every_process_and_removes_the_directory() -> None:
    with Lab() as lab:
        host = lab.host("host")
        process = host.spawn("sleep", "600")
        pid, directory = process.pid, lab.directory
        assert directory.is_dir()
        until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n", 10, "sleep")
    assert not Path(f"/proc/{pid}").exists()
    assert not directory.exists()


def has_ended(pid: str) -> bool:
    """Whether there is no such process, or what is left of it waits for an init that does not collect orphans."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


KILLED = """
import sys, time
from lispfast.lab import Lab
lab = Lab()
process = lab.host("host").spawn("sleep", "600")
print(lab.directory, process.pid, flush=True)
time.sleep(600)
"""


def test_nothing_is_left_of_a_lab_that_was_killed() -> None:
    victim = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    assert victim.stdout is not None
    directory, pid = victim.stdout.readline().split()
    # Only once setpriv has become sleep is the signal armed that the kernel is to send.
    until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n", 10, "sleep")
    assert Path(directory).name.startswith(f"{PREFIX}{victim.pid}-")
    assert Path(directory) not in sweep()  # it lives
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    victim.stdout.close()
    until(lambda: has_ended(pid), 10, "the end of its process")
    assert Path(directory) in sweep()
    assert not Path(directory).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_cleans_up(number: signal.Signals, tmp_path: Path) -> None:
    hanging = shlex.join([sys.executable, "-c", "import time; time.sleep(600)"])
    argv = [sys.executable, "-m", "lispfast.lab.demo", "--out", str(tmp_path), "--mib", "8", "--daemon", hanging]
    demo = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    assert "network" in demo.stdout.readline()
    demo.send_signal(number)
    out, err = demo.communicate(timeout=30)
    assert demo.returncode == 130, out + err
    assert "cleaned up" in err
    assert not list(Path(tempfile.gettempdir()).glob(f"{PREFIX}{demo.pid}-*"))


def test_a_link_that_cannot_be_made_is_told(lab: Lab) -> None:
    one, other = lab.host("one"), lab.host("other")
    lab.link(one, "eth0", other, "eth0")
    with pytest.raises(LabError, match="cannot link one eth0 with other eth1"):
        lab.link(one, "eth0", other, "eth1")
    with pytest.raises(LabError, match="a host one already"):
        lab.host("one")
