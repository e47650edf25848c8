from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cells import make

from bench.lookup.api import load_objects, load_tuples, numbers
from bench.lookup.build import REQUIREMENTS, BuildError, requirement
from bench.lookup.passes import check, rate
from bench.lookup.process import ProcessError, read, run
from lispfast._fastpath import Table

MUCH = 1 << 40
WAIT = "import signal; signal.pause()"


def python(code: str, memory: int = MUCH, seconds: float = 60.0) -> dict[str, float | str]:
    return run([sys.executable, "-c", code], memory, seconds)


def test_figures_are_lines_with_a_name() -> None:
    assert read("EAL: x = 1\na=1.5e3\nb=AVX-512\n\nc\n") == {"a": 1500.0, "b": "AVX-512"}


def test_a_program_brings_its_figures() -> None:
    assert python("print('a=1')") == {"a": 1.0}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('a=1'); print('reason=no memory'); raise SystemExit(1)", "no memory"),
        ("import sys; print('why', file=sys.stderr); raise SystemExit(3)", "status 3: why"),
        ("import os; os.abort()", "ended by SIGABRT"),
    ],
)
def test_a_program_that_fails_has_none_but_a_reason(code: str, reason: str) -> None:
    with pytest.raises(ProcessError) as caught:
        python(code)
    assert str(caught.value).startswith(reason)


def test_a_program_is_bounded_in_memory_and_time() -> None:
    with pytest.raises(ProcessError, match=r"more than 0\.1 GiB"):
        python(f"x = bytearray(b'x') * (1 << 28); {WAIT}", memory=100 << 20)
    with pytest.raises(ProcessError, match="more than 0 s"):
        python(WAIT, seconds=0.01)


def test_a_wrong_answer_ends_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    check([1, 2], [1, 2])
    for answers in ([1, 3], [1]):
        with pytest.raises(SystemExit):
            check(answers, [1, 2])
    assert "reason=wrong answer for key 1: 3 for 2" in capsys.readouterr().out


def test_a_rate_is_that_of_the_answers() -> None:
    assert rate(lambda: [0] * 100_000, 0.0) > 1


def test_rivals_are_pinned() -> None:
    text = REQUIREMENTS.read_text()
    assert requirement(text, "pytricia").startswith("pytricia==")
    assert requirement(text, "pyradix").startswith("py-radix==")
    with pytest.raises(BuildError):
        requirement(text, "other")


@pytest.mark.parametrize("family", [4, 6])
def test_our_table_answers_a_cell_through_python(family: int, tmp_path: Path) -> None:
    cell = make(tmp_path / "cell", family, 1500, "mixed")
    keys, expected = cell.hits(400)
    for load in (load_tuples, load_objects):
        table = Table(2)
        assert load(table, cell) > 0
        assert numbers(table, cell, table.lookup_many(b"".join(keys), family)) == expected
