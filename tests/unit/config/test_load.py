from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from lispfast.config import MAX_BYTES, load, parse
from lispfast.config.problems import Severity

from .samples import NODE
from .strategies import conf_like

EXAMPLE = Path(__file__).parents[3] / "lispd.conf.example"


def only_problem(path: Path | str) -> str:
    loaded = load(path)
    assert loaded.settings is None
    (problem,) = loaded.problems
    return str(problem)


def test_a_sound_file(tmp_path: Path) -> None:
    path = tmp_path / "lispd.conf"
    path.write_text("\ufeff# é\r\n" + NODE.replace("\n", "\r\n"))
    loaded = load(path)
    assert loaded.problems == ()
    assert loaded.settings == parse(NODE).settings


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "none.conf"
    assert only_problem(missing) == (
        f"{missing}: error: cannot be read: No such file or directory (-c names the configuration file)"
    )
    assert "Is a directory" in only_problem(tmp_path)
    assert "zero byte" in only_problem("a\0b")


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin1.conf"
    path.write_bytes("debug = 0\n# é ".encode() + b"\xe9\n")
    assert only_problem(path) == f"{path}:2:5: error: byte 0xe9 is not UTF-8 (save the file as UTF-8)"


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large.conf"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    assert "is larger than" in only_problem(path)


def test_the_environment_is_used_only_when_given() -> None:
    text = NODE.replace('"secret"', '"${SECRET:-none}"')
    found = parse(text, environment={"SECRET": "s"}).settings
    assert found is not None
    assert found.map_servers[0].key.secret == b"s"
    plain = parse(text)
    assert plain.settings is not None
    assert plain.settings.map_servers[0].key.secret == b"${SECRET:-none}"
    assert [problem.severity for problem in plain.problems] == [Severity.WARNING]


def test_the_example_is_sound() -> None:
    assert load(EXAMPLE).problems == ()


def test_what_the_example_has_in_comments_is_sound_too() -> None:
    text = EXAMPLE.read_text()
    first = text.index("# pubsub = on")
    tail = re.sub(r"^# (?=pubsub|lisp-sec|    |})", "", text[first:], flags=re.MULTILINE)
    loaded = parse(text[:first] + tail)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.settings is not None
    assert loaded.settings.pubsub.keys
    assert loaded.settings.lisp_sec.keys


@pytest.mark.parametrize("glue", ["", NODE])
@limits(deadline=None)
@given(text=st.text(max_size=200) | conf_like())
def test_any_text_gives_settings_or_errors_within_it(glue: str, text: str) -> None:
    whole = glue + text
    loaded = parse(whole)
    assert (loaded.settings is None) == bool(loaded.errors)
    lines = whole.split("\n")
    for problem in loaded.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert str(problem).isprintable()
