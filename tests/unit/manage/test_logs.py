from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.manage import logs


def test_a_line_has_time_level_event_then_the_fields() -> None:
    line = logs.logfmt_line("map-register-sent", {"eid_prefix": "172.16.1.1/32", "nonce": 7}, "info", 1_700_000_000.25)
    assert line == (
        "ts=2023-11-14T22:13:20.250000Z level=info event=map-register-sent eid-prefix=172.16.1.1/32 nonce=7"
    )


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_a_value_is_one_word_and_reads_back(text: str) -> None:
    word = logs.logfmt_value(text)
    assert "\n" not in word
    assert (json.loads(word) if word.startswith('"') else word) == text


def test_debug_events_show_only_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for debug, expected in ((0, ["event=b"]), (1, ["event=a", "event=b"])):
        logs.configure(debug)
        logs.emit("a", {}, "debug", 0)
        logs.emit("b", {}, "warning", 0)
        assert [line.split()[2] for line in capsys.readouterr().err.splitlines()] == expected
