from __future__ import annotations

import pytest

from lab import samples
from lispfast.lab.capture import Frame
from lispfast.lab.conditions import LabError
from lispfast.lab.demo.handover import measure, probe_ways
from lispfast.lab.probe import Probe

MS = 1_000_000
LEFT, USABLE = 100 * MS, 110 * MS


def way(numbers: range, interface: str) -> dict[int, tuple[str, int]]:
    return {number: (interface, number) for number in numbers}


def received(*entries: tuple[int, int]) -> list[Probe]:
    return [Probe(number, at * MS, at * MS) for number, at in entries]


OLD_WAY = received((97, 97), (98, 98), (99, 101))  # the last was under way when the link went down
WAYS = way(range(97, 105), "ap0") | way(range(125, 130), "bs0")


def test_the_gap_starts_when_the_new_way_is_usable() -> None:
    probes = OLD_WAY + received((125, 126), (126, 127))
    result = measure(probes, WAYS, "bs0", 30, LEFT, USABLE)
    assert result.gap_ms == 16.0
    assert (result.last_old, result.first_new, result.first_new_sequence) == (101 * MS, 126 * MS, 125)
    assert result.lost == 30 - 5
    assert result.lost_in_move == 25
    assert result.unseen == 0


def test_the_gap_starts_with_the_last_probe_by_the_old_way_if_that_is_later() -> None:
    late = received((100, 115))
    result = measure(OLD_WAY + late + received((125, 126)), WAYS, "bs0", 30, LEFT, USABLE)
    assert result.gap_ms == 11.0


def test_probes_out_of_order_and_twice_are_counted_once() -> None:
    probes = received((126, 127), (125, 126), (126, 128), (98, 98))
    result = measure(probes, WAYS, "bs0", 10, LEFT, USABLE)
    assert result.first_new_sequence == 125
    assert result.lost == 7


def test_a_probe_that_the_capture_missed_is_placed_by_its_time() -> None:
    ways = way(range(97, 99), "ap0")
    result = measure(received((97, 97), (98, 99), (99, 99), (140, 140)), ways, "bs0", 4, LEFT, USABLE)
    assert result.first_new_sequence == 140
    assert result.last_old == 99 * MS
    assert result.unseen == 2


def test_a_probe_that_the_capture_missed_before_the_new_way_was_usable_came_by_the_old() -> None:
    probes = OLD_WAY + received((100, 104), (125, 126))  # told to go down at 100, the link still delivered
    result = measure(probes, {125: ("bs0", 126)}, "bs0", 30, LEFT, USABLE)
    assert (result.last_old, result.first_new_sequence, result.gap_ms) == (104 * MS, 125, 16.0)


@pytest.mark.parametrize("probes", [[], OLD_WAY, received((125, 126))])
def test_without_a_probe_each_way_there_is_no_figure(probes: list[Probe]) -> None:
    with pytest.raises(LabError, match="the old way and"):
        measure(probes, WAYS, "bs0", 30, LEFT, USABLE)


def test_the_way_is_the_interface_that_the_probe_left_by() -> None:
    one, other = samples.tunnelled(samples.probe(1)), samples.tunnelled(samples.probe(2, "fd10::2:1", "fd10::1:1"))
    noise = samples.tunnelled(samples.udp("172.16.2.1", "172.16.1.1", 7007, 7007, bytes(24)))
    frames = [
        Frame(10, "lan0", False, one),
        Frame(11, "ap0", True, one),
        Frame(12, "bs0", False, one),  # comes back the other way: nothing that was delivered
        Frame(13, "bs0", True, other),
        Frame(14, "bs0", True, noise),
        Frame(15, "bs0", True, samples.probe(3)),  # not in a tunnel
    ]
    assert probe_ways(frames, "ap0", "bs0") == {1: ("ap0", 11), 2: ("bs0", 13)}
