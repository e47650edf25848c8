"""The demo's steps, in their order."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lispfast.lab import lispconf
from lispfast.lab.capture import Capture, Frame
from lispfast.lab.conditions import LabError, until
from lispfast.lab.demo.figures import Figures
from lispfast.lab.demo.handover import Handover, came_by, measure, probe_ways
from lispfast.lab.demo.internet import (
    EID_PREFIXES,
    LAN,
    LAPTOP_EIDS,
    LTE,
    PHONE_EIDS,
    SERVERS,
    WIFI,
    Internet,
    Move,
    host_prefix,
)
from lispfast.lab.demo.timeline import Moment, from_capture, from_events, from_move, merge
from lispfast.lab.download import Download, Sample, longest_stall
from lispfast.lab.events import LoggedEvent
from lispfast.lab.network import Lab
from lispfast.lab.node import Node
from lispfast.lab.packets import probe_filter
from lispfast.lab.ping import PingResult, ping
from lispfast.lab.probe import PORT as PROBE_PORT
from lispfast.lab.probe import read_probes
from lispfast.lab.process import Process

SERVER_PORT = 8080
KEY = "a key that only the demo uses"

# Ours: bounds of waits, in seconds, on a machine that is busy; and what the measurement looks at.
READY_SECONDS = 10.0
FILE_SECONDS = 40.0
DOWNLOAD_SECONDS = 45.0
QUIET_SECONDS = 2.0
PINGS = 5
LEAST_SECONDS = 8.0  # a download that is over sooner shows no throughput before and after the move
STALL_WINDOW_NS = (200_000_000, 5_000_000_000)  # before and after the move


@dataclass(frozen=True, slots=True)
class Recording:
    """What the picture and the timeline are made from; `facts` are figures with their names, ready to read."""

    samples: Sequence[Sample]
    probes: Sequence[tuple[int, float, bool]]  # when received, one-way delay in milliseconds, by the new way
    handover: Handover
    moments: Sequence[Moment]
    bytes: int
    facts: Sequence[tuple[str, str]]


class Demo:
    """One run in a lab; `say` shows a line of progress, `command` starts the daemon."""

    def __init__(self, lab: Lab, size: int, say: Callable[[str], None], command: Sequence[str]) -> None:
        self.figures = Figures()
        self.recording: Recording | None = None
        self._lab, self._size, self._say, self._command = lab, size, say, command
        self._net = Internet(lab)

    def run(self, keep_capture: Path) -> None:
        """Take every step; LabError where one fails. The capture is copied to `keep_capture`."""
        say = self._say
        say("network: phone, laptop, Map-Server and router; Wi-Fi 800 Mbit/s, LTE 300 Mbit/s")
        server, digest = self._serve()
        say(f"file: {self._size >> 20} MiB of random bytes, SHA-256 {digest[:16]}...")
        self._start_nodes()
        self._ping()
        capture = Capture(self._net.router, probe_filter(PROBE_PORT))
        receiver = self._python("phone", "probe", "receive", PHONE_EIDS[0], str(self._probe_file))
        until(lambda: "ready" in receiver.tail(), READY_SECONDS, "the probe's receiver")
        sender = self._python("laptop", "probe", "send", LAPTOP_EIDS[0], PHONE_EIDS[0])
        until(lambda: read_probes(self._probe_file), READY_SECONDS, "the first probe")
        samples, move = self._download(digest)
        sent = self._end_probe(sender, receiver)
        capture.stop()
        frames = list(capture.frames())
        keep_capture.write_bytes(capture.path.read_bytes())
        server.stop()
        self._judge_move(samples, move, frames, sent)
        self._leave()

    @property
    def _probe_file(self) -> Path:
        return self._net.phone.directory / "probes"

    def _python(self, host: str, module: str, *words: str) -> Process:
        argv = (sys.executable, "-m", f"lispfast.lab.{module}", *words)
        return self._lab.hosts[host].spawn(*argv, log=f"{module}.log")

    def _serve(self) -> tuple[Process, str]:
        server = self._python("laptop", "fileserver", "--bytes", str(self._size), "--port", str(SERVER_PORT))

        def line() -> str:
            server.check_alive()
            return server.tail()

        words = dict(word.split("=", 1) for word in until(line, FILE_SECONDS, "the file server").split())
        return server, words["sha256"]

    def _start_nodes(self) -> None:
        server = SERVERS.rloc
        phone = lispconf.MobileNode([host_prefix(e) for e in PHONE_EIDS], ["wlan0", "wwan0"], server, KEY)
        laptop = lispconf.MobileNode([host_prefix(e) for e in LAPTOP_EIDS], ["eth0"], server, KEY)
        sites = lispconf.MapServer(EID_PREFIXES, KEY)
        self._ms = Node(self._net.ms, sites.render(), self._command)
        self._phone = Node(self._net.phone, phone.render(), self._command)
        self._laptop = Node(self._net.laptop, laptop.render(), self._command)
        self._ms.start()
        self._ms.wait_ready(READY_SECONDS)
        self._phone.start()
        self.figures.registered_ms = (registered(self._phone, PHONE_EIDS) - self._phone.started) / 1e6
        self._say(f"phone: registered {self.figures.registered_ms:.0f} ms after its exec")
        self._laptop.start()
        registered(self._laptop, LAPTOP_EIDS)
        for node in (self._phone, self._laptop):
            node.wait_ready(READY_SECONDS)
        self._say("laptop: registered")

    def _ping(self) -> None:
        results = [ping(self._net.phone, eid, PINGS) for eid in LAPTOP_EIDS]
        figures = self.figures
        figures.ping_v4_ok, figures.ping_v6_ok = (bool(result.times) for result in results)
        figures.first_ping_ms = results[0].first
        figures.first_packets_lost = sum(result.lost for result in results)
        for family, result in zip(("IPv4", "IPv6"), results, strict=True):
            self._say(f"ping over {family}: {describe(result)}")

    def _download(self, digest: str) -> tuple[Sequence[Sample], Move]:
        figures = self.figures
        download = Download(self._net.phone, f"http://{LAPTOP_EIDS[0]}:{SERVER_PORT}/", DOWNLOAD_SECONDS)
        self._say("download: started over Wi-Fi, with a probe each millisecond beside it")

        def third() -> bool:
            return download.received >= self._size // 3 or not download.running

        until(third, DOWNLOAD_SECONDS, "a third of the download")
        move = self._net.move()
        self._say(f"move: left Wi-Fi at {download.received >> 20} MiB; LTE is up")
        if self._net.phone_tentative():
            figures.failures.append("an address of wwan0 is tentative: the time it was usable is not known")
        figures.sha256_ok = download.finish(DOWNLOAD_SECONDS) == digest
        samples = download.samples
        figures.bytes = download.received
        seconds = (samples[-1].at - samples[0].at) / 1e9
        figures.gbps = figures.bytes * 8e-9 / seconds
        if seconds < LEAST_SECONDS:
            figures.failures.append(f"the download took {seconds:.1f} s; at least {LEAST_SECONDS:g} s are needed")
        verdict = "the SHA-256 matches" if figures.sha256_ok else "the SHA-256 DIFFERS"
        self._say(f"download: {figures.bytes >> 20} MiB in {seconds:.1f} s over one TCP connection; {verdict}")
        return samples, move

    def _end_probe(self, sender: Process, receiver: Process) -> int:
        sender.stop()
        words = dict(word.split("=", 1) for word in sender.tail().split())
        sent = int(words["sent"])

        def quiet() -> bool:
            probes = read_probes(self._probe_file)
            return bool(probes) and time.time_ns() - probes[-1].received > 300_000_000

        until(quiet, QUIET_SECONDS, "the probe's last packet", poll=0.05)
        receiver.stop()
        return sent

    def _judge_move(self, samples: Sequence[Sample], move: Move, frames: Sequence[Frame], sent: int) -> None:
        figures = self.figures
        before, after = STALL_WINDOW_NS
        figures.tcp_stall_ms = longest_stall(samples, move.left - before, move.left + after)
        probes = read_probes(self._probe_file)
        ways = probe_ways(frames, WIFI.router_end, LTE.router_end)
        handover = measure(probes, ways, LTE.router_end, sent, move.left, move.usable)
        figures.gap_ms, figures.lost, figures.lost_in_move = handover.gap_ms, handover.lost, handover.lost_in_move
        self._say(f"probe: {sent} sent, {handover.lost} lost, {handover.lost_in_move} of them in the move")
        events = [event for node in (self._phone, self._laptop, self._ms) for event in node.log.read()]
        self.recording = Recording(
            samples=samples,
            probes=[
                (p.received, (p.received - p.sent) / 1e6, came_by(p, ways, LTE.router_end, move.usable)) for p in probes
            ],
            handover=handover,
            moments=self._moments(move, events, frames, handover),
            bytes=figures.bytes,
            facts=figures.facts(),
        )

    def _moments(
        self, move: Move, events: Sequence[LoggedEvent], frames: Sequence[Frame], handover: Handover
    ) -> list[Moment]:
        names = {address.partition("/")[0]: "phone" for access in (WIFI, LTE) for address in access.addresses}
        for host, access in (("laptop", LAN), ("ms", SERVERS)):
            names |= {address.partition("/")[0]: host for address in access.addresses}
        marks = [
            Moment(move.left, "phone", "link event: wlan0 is told to go down"),
            Moment(handover.last_old, "phone", "last probe by Wi-Fi"),
            Moment(handover.first_new, "phone", f"first probe by LTE, number {handover.first_new_sequence}"),
        ]
        start = min(move.left, handover.last_old)
        return merge(
            start, handover.first_new, marks, from_move(move), from_events(events), from_capture(frames, names)
        )

    def _leave(self) -> None:
        for node in (self._phone, self._laptop, self._ms):
            status = node.stop()
            if status != 0:
                self.figures.failures.append(f"{node.host.name}: the daemon ended with status {status}")
        net = self._net
        differences = [
            *differing("phone", net.phone_on_lte, net.phone.routing()),
            *differing("laptop", net.laptop_before, net.laptop.routing()),
        ]
        self.figures.routes_restored = not differences
        for difference in differences:
            self._say(f"routes: {difference}")
        self._say("daemons ended; routes and rules are " + ("as without them" if not differences else "NOT restored"))


def registered(node: Node, eids: Sequence[str]) -> int:
    """Wait until every EID-prefix of a node is registered; when the last Map-Notify came, on the wall clock."""
    wanted = {host_prefix(eid) for eid in eids}

    def when() -> int:
        node.process.check_alive()
        return confirmed_at(node.log.read(), wanted, node.started)

    try:
        return until(when, READY_SECONDS, f"{node.host.name}: a Map-Notify for {' and '.join(sorted(wanted))}")
    except LabError as error:
        raise LabError(f"{error}\n{node.process.tail()}") from error


def confirmed_at(events: Sequence[LoggedEvent], wanted: set[str], since: int) -> int:
    """When every wanted EID-prefix had been sent and each such message answered by a Map-Notify; 0 for not yet.

    A Map-Register names its EID-prefixes and a Map-Notify is told once for each that it confirms, so there must be as
    many Map-Notifies as different sets of EID-prefixes.
    """
    sent: set[str] = set()
    notified = 0
    for event in events:
        if event.at < since:
            continue
        if event.name == "map-register-sent":
            sent.add(event.fields.get("eid-prefix", ""))
        elif event.name == "map-notify-received":
            notified += 1
            if notified >= len(sent) and wanted <= {prefix for part in sent for prefix in part.split(",")}:
                return event.at
    return 0


def describe(result: PingResult) -> str:
    """A ping's result in words."""
    if result.first is None:
        return f"{result.lost} of {result.sent} lost, the first one among them"
    rest = sorted(result.times.values())
    return f"first {result.first:.1f} ms, median {rest[len(rest) // 2]:.1f} ms, {result.lost} of {result.sent} lost"


def differing(host: str, before: dict[str, list[object]], after: dict[str, list[object]]) -> list[str]:
    """What differs between two of a host's routings, a line each."""
    lines = []
    for what, rows in before.items():
        lines += [f"{host}: {what}: missing {row}" for row in rows if row not in after[what]]
        lines += [f"{host}: {what}: left over {row}" for row in after[what] if row not in rows]
    return lines
