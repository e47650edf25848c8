from __future__ import annotations

from pathlib import Path

import pytest

from lispfast.model.errors import HostError
from lispfast.runtime.state import NumberStore, make_directory, replace_file


def store(path: Path) -> tuple[NumberStore, list[str]]:
    warnings: list[str] = []
    return NumberStore(path, warnings.append), warnings


def test_a_number_outlives_the_store(tmp_path: Path) -> None:
    numbers, _ = store(tmp_path / "numbers")
    assert numbers.get("nonce") is None
    numbers.put("nonce", 2**64 - 1)
    numbers.put("other", 7)
    again, warnings = store(tmp_path / "numbers")
    assert (again.get("nonce"), again.get("other"), warnings) == (2**64 - 1, 7, [])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": "b"}', '{"a": 1.5}', '{"a": true}', "\x00\xff"])
def test_a_spoilt_file_is_a_warning_and_empty(tmp_path: Path, text: str) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(text.encode("latin-1"))
    numbers, warnings = store(path)
    assert numbers.get("a") is None
    assert len(warnings) == 1
    assert str(path) in warnings[0]
    numbers.put("a", 1)
    assert store(path)[0].get("a") == 1


def test_what_is_forgotten_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    numbers, _ = store(path)
    numbers.put("kept", 7)
    bounded = path.read_text()
    for n in range(100):
        numbers.put(f"passing {n}", 1)
        numbers.put(f"passing {n}", 0)
    assert path.read_text() == bounded
    assert (numbers.get("passing 1"), numbers.all()) == (None, {"kept": 7})
    numbers.put("never there", 0)
    assert store(path)[0].all() == {"kept": 7}


def test_a_forgotten_number_in_an_old_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_text('{"forgotten": 0, "kept": 7}')
    numbers, warnings = store(path)
    assert (numbers.get("forgotten"), numbers.all(), warnings) == (None, {"kept": 7}, [])
    numbers.put("kept", 8)
    assert "forgotten" not in path.read_text()


def test_a_write_that_fails_keeps_the_old_value(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir()
    numbers, _ = store(directory / "numbers")
    numbers.put("a", 1)
    (directory / "numbers").unlink()
    directory.rmdir()
    with pytest.raises(HostError, match="name another state-dir"):
        numbers.put("a", 2)
    assert numbers.get("a") == 1


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, "long old text")
    replace_file(path, "new")
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_directory_is_its_owners_alone(tmp_path: Path) -> None:
    made = make_directory(tmp_path / "a" / "b")
    assert made.stat().st_mode & 0o777 == 0o700
    make_directory(made)
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="state-dir"):
        make_directory(tmp_path / "file")
