from __future__ import annotations

from pathlib import Path

import pytest

from lispfast.lab.events import EventLog, parse_line, wall_clock
from lispfast.manage.logs import logfmt_line

LINE = 'ts=2026-11-22T18:19:31.123456Z level=info event=map-register-sent to=192.0.2.1 text="a \\"b\\" c"'


def test_a_line_is_read() -> None:
    event = parse_line(LINE, "phone")
    assert event is not None
    assert (event.node, event.name, event.level) == ("phone", "map-register-sent", "info")
    assert event.fields == {"to": "192.0.2.1", "text": 'a "b" c'}
    assert event.at == 1795371571_123456_000


def test_what_the_daemon_writes_is_read_back_exactly() -> None:
    fields = {"eid-prefix": "[7]172.16.1.1/32", "text": 'it says "no"', "nonce": "0x1"}
    event = parse_line(logfmt_line("smr-sent", fields, "warning", 1795371571.999999), "laptop")
    assert event is not None
    assert (event.at, event.level, event.fields) == (1795371571_999999_000, "warning", fields)


@pytest.mark.parametrize(
    "line",
    ["", "Traceback (most recent call last):", "ts=now event=x", "event=x", LINE.replace("Z", ""), 'ts=2026 event="x'],
)
def test_other_lines_are_no_events(line: str) -> None:
    assert parse_line(line, "phone") is None


def test_wall_clock_keeps_every_microsecond() -> None:
    assert wall_clock("2026-11-22T18:19:31.000001Z") - wall_clock("2026-11-22T18:19:30.999999Z") == 2000


def test_a_log_is_followed_and_an_unfinished_line_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = EventLog(path, "phone")
    assert log.read() == []
    path.write_text(LINE + "\nnoise\n" + LINE[:50])
    assert len(log.read()) == 1
    with path.open("a") as out:
        out.write(LINE[50:] + "\n")
    assert len(log.read()) == 2
    assert len(log.read()) == 2


def test_find_looks_at_name_time_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "log"
    stamps = ["2026-11-22T18:00:00.000000Z", "2026-11-22T18:00:01.000000Z"]
    path.write_text("".join(f"ts={stamp} level=info event=ready eid-prefix=p{n}\n" for n, stamp in enumerate(stamps)))
    log = EventLog(path, "phone")
    first, second = log.read()
    assert log.find("ready") == first
    assert log.find("ready", since=first.at + 1) == second
    assert log.find("ready", eid_prefix="p1") == second
    assert log.find("ready", since=second.at + 1) is None
    assert log.find("other") is None
