"""What is measured of a lane, each with programs that every competitor gets the same way."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench.throughput.search import Trial, search
from bench.throughput.world import Lane
from lispfast.lab import LabError, Node
from lispfast.lab.ping import ping

PAYLOAD = 64
PORT = 9064
WORKER = "lispfast-"  # what the threads of the data plane are called

# Ours.
PINGS = 1000
PING_GAP = 0.01
PING_LOST_MAX = 10
GRACE = 15.0  # for a program to start and end on a machine that it keeps busy
DRAIN_SECONDS = 0.2  # until what is still on its way has come
TICKS = os.sysconf("SC_CLK_TCK")


def busy_seconds(text: str | None = None) -> float:
    """Processor time that the whole machine has spent working, from /proc/stat: not idle, not waiting, not stolen."""
    first = (text or Path("/proc/stat").read_text()).split("\n", 1)[0].split()
    user, nice, system, _idle, _wait, irq, softirq = (int(word) for word in first[1:8])
    return (user + nice + system + irq + softirq) / TICKS


def tcp(lane: Lane, streams: int, seconds: float) -> dict[str, float]:
    """Gbit/s at the receiver, and with one stream the whole machine's processor time for each 10^9 bytes carried."""
    before = busy_seconds()
    words = ("iperf3", "--client", lane.address, "--time", f"{seconds:g}", "--parallel", str(streams), "--json")
    answer = _iperf(lane, lane.left.run(*words, check=False, timeout=seconds + GRACE))
    spent = busy_seconds() - before
    received = answer["end"]["sum_received"]
    found = {f"tcp{streams}_gbps": received["bits_per_second"] / 1e9}
    if received["bytes"] and streams == 1:
        found["cpu_s_per_gb"] = spent / (received["bytes"] / 1e9)
    if "retransmits" in answer["end"].get("sum_sent", {}):
        found[f"tcp{streams}_retransmits"] = answer["end"]["sum_sent"]["retransmits"]
    return found


def _iperf(lane: Lane, output: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(output)
    except ValueError as error:
        raise LabError(f"{lane.name}: iperf3 said no JSON: {output[:200]!r}") from error
    if "error" in answer:
        raise LabError(f"{lane.name}: iperf3: {answer['error']}")
    return answer


class Udp:
    """The loads of 64-byte datagrams; it remembers what a lane could carry, so that the next search is short."""

    def __init__(self, program: Path) -> None:
        self._program = str(program)
        self._known: dict[str, float] = {}

    def load(self, lane: Lane, rate: float, seconds: float) -> Trial:
        """Offer `rate` datagrams a second, 0 for as many as go, and count those that arrive."""
        receiver = lane.right.spawn(self._program, "receive", lane.address, str(PORT), pipe=True, log="udpload.log")
        try:
            if receiver.stdout.readline() != b"ready\n":
                raise LabError(f"{lane.name}: the receiver of datagrams did not start\n{receiver.tail()}")
            words = (self._program, "send", lane.address, str(PORT), str(PAYLOAD), f"{seconds:g}", f"{rate:.0f}")
            said = _numbers(lane.left.run(*words, timeout=seconds + GRACE))
            time.sleep(DRAIN_SECONDS)
            receiver.signal(signal.SIGTERM)
            receiver.wait(GRACE)
            counted = _numbers(receiver.stdout.read().decode())
        finally:
            receiver.stop()
        return Trial(int(said["sent"] + said["failed"]), int(counted["received"]), said["seconds"])

    def flood(self, lane: Lane, seconds: float) -> dict[str, float]:
        """Datagrams that arrive when the sender does not hold back."""
        trial = self.load(lane, 0, seconds)
        return {"udp64_flood_mpps": trial.received_rate / 1e6, "udp64_flood_offered_mpps": trial.offered_rate / 1e6}

    def highest(self, lane: Lane, seconds: float) -> dict[str, float]:
        """The most that arrives of a load of which hardly any is lost; nothing where each load lost more."""
        guess = self._known.pop(lane.name, None)
        trial = search(lambda rate, length: self.load(lane, rate, length), guess, seconds)
        if trial is None:
            raise LabError(f"{lane.name}: no rate of 64-byte datagrams with under 1 % loss")
        self._known[lane.name] = trial.offered_rate
        return {"udp64_mpps": trial.received_rate / 1e6, "udp64_loss": trial.loss}


def _numbers(output: str) -> dict[str, float]:
    return {name: float(value) for name, _equals, value in (word.partition("=") for word in output.split())}


def rtt(lane: Lane, count: int = PINGS) -> dict[str, float]:
    """The median round-trip time of pings 10 ms apart, in milliseconds."""
    result = ping(lane.left, lane.address, count, PING_GAP, timeout=1.0)
    if result.lost > PING_LOST_MAX:
        raise LabError(f"{lane.name}: {result.lost} of {count} pings had no answer")
    return {"rtt_ms": median(result.times.values()), "rtt_lost": float(result.lost)}


def switches(node: Node) -> int:
    """Context switches so far, of either kind, of the threads of a node's data plane."""
    total = threads = 0
    for task in Path(f"/proc/{node.process.pid}/task").iterdir():
        if (task / "comm").read_text().startswith(WORKER):
            threads += 1
            lines = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
            total += int(lines["voluntary_ctxt_switches"]) + int(lines["nonvoluntary_ctxt_switches"])
    if not threads:
        raise LabError(f"{node.host.name}: no thread of the data plane is called {WORKER}...")
    return total


def idle(node: Node, seconds: float) -> dict[str, float]:
    """How the context switches of an idle data plane go on over some seconds."""
    before = switches(node)
    time.sleep(seconds)
    return {"seconds": seconds, "switches_before": before, "switches_after": switches(node)}


def measures(udp: Udp, seconds: float, pings: int) -> dict[str, Callable[[Lane], dict[str, float]]]:
    """What a round does with each lane, by name and in order."""
    return {
        "tcp1": lambda lane: tcp(lane, 1, seconds),
        "tcp4": lambda lane: tcp(lane, 4, seconds),
        "flood": lambda lane: udp.flood(lane, seconds),
        "udp64": lambda lane: udp.highest(lane, seconds),
        "rtt": lambda lane: rtt(lane, pings),
    }
