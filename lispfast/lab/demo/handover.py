"""What the probes and the router's capture tell about the move: pure computing.

The way of a probe is the router's interface that it left by, as the capture has it by sequence number. A probe that the
capture missed came the old way if the phone received it before the link went down, else the new way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lispfast.lab.capture import Frame
from lispfast.lab.conditions import LabError
from lispfast.lab.packets import inner_udp, read_udp
from lispfast.lab.probe import PORT, Probe, sequence_of


@dataclass(frozen=True, slots=True)
class Handover:
    """The figures of a move. Times are wall clock in nanoseconds; `unseen` are received probes not in the capture."""

    left: int
    usable: int
    last_old: int
    first_new: int
    first_new_sequence: int
    sent: int
    lost: int
    lost_in_move: int
    unseen: int

    @property
    def gap_ms(self) -> float:
        """From the later of the last probe by the old way and the new way being usable, to the first by the new way."""
        return (self.first_new - max(self.last_old, self.usable)) / 1e6


def probe_ways(frames: Iterable[Frame], old: str, new: str) -> dict[int, tuple[str, int]]:
    """By sequence number: the interface of these two that the probe left the router by last, and when."""
    ways: dict[int, tuple[str, int]] = {}
    for frame in frames:
        outer = read_udp(frame.packet)
        inner = inner_udp(outer) if outer and frame.outgoing and frame.interface in (old, new) else None
        sequence = sequence_of(inner.payload) if inner and inner.destination_port == PORT else None
        if sequence is not None:
            ways[sequence] = (frame.interface, frame.at)
    return ways


def came_by(probe: Probe, ways: Mapping[int, tuple[str, int]], new: str, usable: int) -> bool:
    """Whether a probe came by the new way.

    One that the capture missed did if it came once that was usable: before, nothing can have.
    """
    return ways[probe.sequence][0] == new if probe.sequence in ways else probe.received >= usable


def measure(
    probes: Iterable[Probe], ways: Mapping[int, tuple[str, int]], new: str, sent: int, left: int, usable: int
) -> Handover:
    """The figures from what the phone received, of `sent` probes; LabError if none came one of the two ways."""
    arrived: dict[int, Probe] = {}
    for probe in probes:
        arrived.setdefault(probe.sequence, probe)
    by_new = [probe for probe in arrived.values() if came_by(probe, ways, new, usable)]
    new_numbers = {p.sequence for p in by_new}
    by_old = [p for p in arrived.values() if p.sequence not in new_numbers]
    if not by_new or not by_old:
        raise LabError(f"of {len(arrived)} probes {len(by_old)} came the old way and {len(by_new)} the new")
    first = min(by_new, key=lambda probe: probe.received)
    last_old = max(by_old, key=lambda probe: probe.received)
    return Handover(
        left=left,
        usable=usable,
        last_old=last_old.received,
        first_new=first.received,
        first_new_sequence=first.sequence,
        sent=sent,
        lost=sent - len(arrived),
        lost_in_move=sum(1 for number in range(last_old.sequence + 1, first.sequence) if number not in arrived),
        unseen=sum(1 for number in arrived if number not in ways),
    )
