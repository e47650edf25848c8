"""Captures on a router with tcpdump, on all of its interfaces at once and on the clock of the daemons' logs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lispfast.lab import pcap
from lispfast.lab.conditions import until
from lispfast.lab.host import Host

# Ours.
SNAP_BYTES = 256  # headers of every layer, and a control message of a few records
READY_SECONDS = 5.0
END_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A captured packet: wall clock in nanoseconds, interface, direction, and its bytes from the IP header on."""

    at: int
    interface: str
    outgoing: bool
    packet: bytes


class Capture:
    """A running capture; `expression` is tcpdump's filter, `inbound` and `outbound` among its words.

    `snap` is how many bytes of a packet are kept; the ring has a slot of that size for each.
    """

    def __init__(self, host: Host, expression: str, name: str = "capture", snap: int = SNAP_BYTES) -> None:
        self._host = host
        self.path = host.directory / f"{name}.pcap"
        self._process = host.spawn(
            *("tcpdump", "-i", "any", "-n", "-s", str(snap), "-B", "8192", "-U", "--immediate-mode"),
            *("--time-stamp-precision=nano", "-Z", "root", "-w", str(self.path), expression),
            log=f"{name}.log",
        )
        # It writes the file's header first and "listening" once its socket is bound.
        until(self._listening, READY_SECONDS, f"tcpdump on {host.name}")

    def _listening(self) -> bool:
        self._process.check_alive()
        return "listening on" in self._process.tail()

    def stop(self) -> None:
        """End the capture; everything seen so far is in the file."""
        self._process.signal(signal.SIGINT)
        self._process.wait(END_SECONDS)

    def frames(self) -> Iterator[Frame]:
        """What was captured, in the order of time."""
        names = {row["ifindex"]: row["ifname"] for row in self._host.json("ip", "-j", "link")}
        yield from read_frames(self.path, names)


def read_frames(path: Path, names: dict[int, str]) -> Iterator[Frame]:
    """The frames of a cooked capture file (LINUX_SLL2); `names` are the interfaces by index."""
    for record in pcap.read(path):
        if record.link_type != pcap.LINKTYPE_LINUX_SLL2 or len(record.data) < pcap.SLL2_HEADER:
            continue
        index = int.from_bytes(record.data[4:8], "big")
        outgoing = record.data[10] == pcap.SLL_OUTGOING
        yield Frame(record.at, names.get(index, f"if{index}"), outgoing, record.data[pcap.SLL2_HEADER :])
