from __future__ import annotations

import json
from pathlib import Path

import pytest

from lispfast.manage.paths import NamespaceIdentity
from lispfast.runtime.journal import MAX_BYTES, Journal, JournalError, Move, read_journal, remove_journal

JOURNAL = Journal(
    NamespaceIdentity(4026531833, 3, "a-boot"),
    1,
    (5, 6),
    (Move("1 0.0.0.0/0 metric 100", 0, "1 0.0.0.0/0 metric 0", True),),
)


def test_it_reads_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    JOURNAL.write(path)
    assert read_journal(path) == JOURNAL
    assert [entry.name for entry in tmp_path.iterdir()] == ["journal"]


def test_none_is_none_and_removing_it_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    assert read_journal(path) is None
    remove_journal(path)
    JOURNAL.write(path)
    remove_journal(path)
    assert not path.exists()


def _text() -> dict[str, object]:
    return {
        "format": 1,
        "namespace": {"inode": 1, "cookie": 2, "boot_id": ""},
        "priority": 1,
        "tables": [5],
        "moves": [],
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '"word"',
        json.dumps({**_text(), "format": 2}),
        json.dumps({**_text(), "tables": ["five"]}),
        json.dumps({**_text(), "tables": 5}),
        json.dumps({**_text(), "moves": [{"identity": "x"}]}),
        json.dumps({**_text(), "namespace": {"inode": 1}}),
        json.dumps({k: v for k, v in _text().items() if k != "priority"}),
        " " * MAX_BYTES + json.dumps(_text()),
    ],
)
def test_what_is_no_journal(tmp_path: Path, text: str) -> None:
    path = tmp_path / "journal"
    path.write_text(text)
    with pytest.raises(JournalError, match="unreadable"):
        read_journal(path)


def test_the_good_text_of_that_test_is_one(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text(json.dumps(_text()))
    assert read_journal(path) == Journal(NamespaceIdentity(1, 2, ""), 1, (5,))
