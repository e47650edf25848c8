from __future__ import annotations

from lab import samples
from lispfast.lab.capture import Frame
from lispfast.lab.demo.internet import Move, Step
from lispfast.lab.demo.timeline import AFTER_NS, MOMENTS, Moment, from_capture, from_events, from_move, merge, render
from lispfast.lab.events import LoggedEvent

NAMES = {"198.51.100.10": "phone", "203.0.113.130": "ms"}


def test_messages_that_came_to_the_router_are_named_with_their_ends() -> None:
    register = samples.udp("198.51.100.10", "203.0.113.130", 4342, 4342, bytes.fromhex("30000101"))
    frames = [
        Frame(5, "bs0", False, register),
        Frame(6, "srv0", True, register),  # the same on its way out
        Frame(7, "bs0", False, samples.tunnelled(samples.probe(1))),
        Frame(8, "bs0", False, b"\x45"),
    ]
    assert from_capture(frames, NAMES) == [Moment(5, "router capture", "Map-Register, phone to ms, at bs0")]


def test_events_of_the_move_are_shown_without_nonces() -> None:
    events = [
        LoggedEvent(3, "phone", "map-register-sent", "info", {"to": "203.0.113.130", "nonce": "0x1"}),
        LoggedEvent(4, "phone", "ready"),
    ]
    assert from_events(events) == [Moment(3, "phone daemon", "map-register-sent to=203.0.113.130")]


def test_moments_are_merged_in_time_and_bounded() -> None:
    early, late = Moment(9, "a", "early"), Moment(21 + AFTER_NS, "a", "late")
    move = from_move(Move(10, 20, [Step(20, "usable"), Step(12, "down")]))
    assert [moment.what for moment in merge(10, 20, [late, early], move)] == ["down", "usable"]
    assert len(merge(0, 10, [Moment(1, "a", "b")] * (MOMENTS + 1))) == MOMENTS


def test_lines_are_in_milliseconds_since_the_link_event() -> None:
    lines = render([Moment(9_000_000, "phone", "before"), Moment(12_345_678, "ms daemon", "after")], 10_000_000)
    assert [line.split(maxsplit=2) for line in lines] == [
        ["-1.000", "ms", "phone           before"],
        ["+2.346", "ms", "ms daemon       after"],
    ]
