"""Pings with iputils' ping and reads what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lispfast.lab.host import Host

REPLY = re.compile(r"icmp_seq=(\d+) .*time=([\d.]+) ms")


@dataclass(frozen=True, slots=True)
class PingResult:
    """Round-trip times in milliseconds by sequence number from 1; what is missing had no answer."""

    sent: int
    times: dict[int, float]

    @property
    def lost(self) -> int:
        """Pings without an answer."""
        return self.sent - len(self.times)

    @property
    def first(self) -> float | None:
        """The round-trip time of the very first packet, None if it was lost."""
        return self.times.get(1)


def ping(host: Host, destination: str, count: int, interval: float = 0.2, timeout: float = 3.0) -> PingResult:
    """Ping from a host's own choice of source; `interval` and the `timeout` of the last answer are seconds."""
    words = ("ping", "-n", "-c", str(count), "-i", f"{interval:g}", "-W", f"{timeout:g}", destination)
    return read_ping(host.run(*words, check=False, timeout=count * interval + timeout + 10), count)


def read_ping(output: str, sent: int) -> PingResult:
    """The result that ping's output tells."""
    times: dict[int, float] = {}
    for sequence, milliseconds in REPLY.findall(output):
        times.setdefault(int(sequence), float(milliseconds))  # a duplicate does not count
    return PingResult(sent, times)
