"""docs/rfc.md is true to the tree: what it names is there, and it leaves no section of an RFC out."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/rfc.md"
STATES = ("yes", "partly", "no", "not our role", "no requirement")

# The tables of contents, as the RFCs have them, without the parts of the references and without appendices; that of
# RFC 9437 is the last draft's.
SECTIONS = {
    "RFC 9300": "1 1.1 2 3 4 4.1 4.2 5 5.1 5.2 5.3 6 7 7.1 7.2 8 9 10 10.1 11 12 13 13.1 13.2 14 15 16 17 18 19 19.1"
    " 20",
    "RFC 9301": "1 1.1 2 3 4 5 5.1 5.2 5.3 5.4 5.5 5.6 5.7 5.8 6 6.1 7 7.1 8 8.1 8.2 8.3 8.4 8.4.1 9 10 11 12 12.1 12.2"
    " 12.3 12.4 12.5 12.6 13",
    "RFC 9302": "1 2 3 4 5 6 6.1 7 7.1 7.2 8 9 10 11",
    "RFC 9303": "1 2 3 4 5 6 6.1 6.2 6.3 6.4 6.5 6.5.1 6.6 6.7 6.7.1 6.7.2 6.8 6.9 6.9.1 7 7.1 7.2 7.3 7.4 7.5 7.6 7.7"
    " 7.8 8 8.1 8.2 8.3 8.4 8.5 9",
    "RFC 9304": "1 2 3 4 5 6 7",
    "RFC 9305": "1 2 3 4 4.1 4.2 4.3 4.3.1 4.4 5 5.1 6 7 8",
    "RFC 9306": "1 2 3 4 5 6 7",
    "RFC 8060": "1 2 2.1 2.2 3 4 4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 4.9 4.10 5 5.1 5.2 5.3 5.4 5.5 5.6 6 7 8",
    "RFC 9437": "1 1.1 2 3 4 5 6 7 7.1 7.2 8",
    "RFC 6040": "1 1.1 2 3 3.1 3.2 4 4.1 4.2 4.3 4.4 5 5.1 5.2 5.3 6 6.1 6.2 6.3 7 8 9 10 11",
    "RFC 6832": "1 2 3 4 4.1 4.2 4.3 4.4 5 5.1 5.2 5.3 5.4 5.5 6 6.1 7 7.1 7.2 7.3 7.4 8 8.1 9 10 11",
}


@dataclass(frozen=True)
class Row:
    """One line of a table; `state` is without its reason."""

    rfc: str
    sections: tuple[str, ...]
    asked: str
    state: str
    reason: str
    files: tuple[str, ...]
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.rfc} section {', '.join(self.sections)}: {self.asked}"


@cache
def rows() -> tuple[Row, ...]:
    found, rfc = [], ""
    for line in PAGE.read_text().splitlines():
        if heading := re.match(r"## (RFC \d+)", line):
            rfc = heading[1]
        elif line.startswith("| ") and not line.startswith("| §"):
            sections, asked, state, files, tests = (cell.strip() for cell in line.strip("|").split("|"))
            name, _, reason = state.partition(":")
            named = (re.findall(r"`([^`]+)`", cell) for cell in (files, tests))
            found.append(Row(rfc, tuple(sections.split(", ")), asked, name, reason.strip(), *map(tuple, named)))
    return tuple(found)


@cache
def functions(path: Path) -> frozenset[str]:
    """What pytest collects of a file: its functions and classes of tests, by name."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(name for name in names if name.lower().startswith("test"))


@pytest.mark.parametrize("rfc", SECTIONS)
def test_no_section_is_missing_and_none_is_made_up(rfc):
    named = {section for row in rows() if row.rfc == rfc for section in row.sections}
    assert named == set(SECTIONS[rfc].split())


def test_every_table_is_of_an_rfc_that_is_looked_at():
    assert {row.rfc for row in rows()} == set(SECTIONS)


def test_a_state_is_one_of_five_and_what_is_not_done_has_a_reason():
    assert [str(row) for row in rows() if row.state not in STATES] == []
    assert [str(row) for row in rows() if row.state in ("partly", "no") and not row.reason] == []
    assert [str(row) for row in rows() if row.state == "no requirement" and (row.files or row.tests)] == []


def test_what_is_done_names_a_file_and_a_test():
    assert [str(row) for row in rows() if row.state in ("yes", "partly") and not (row.files and row.tests)] == []
    assert [str(row) for row in rows() if "MUST" in row.asked and row.state != "not our role" and not row.tests] == []


def test_every_file_is_there():
    named = {name for row in rows() for name in row.files}
    assert sorted(name for name in named if not (ROOT / "lispfast" / name).is_file()) == []


def test_every_test_is_collected():
    missing = []
    for name in sorted({name for row in rows() for name in row.tests}):
        path, _, function = name.partition("::")
        file = ROOT / "tests" / path
        if not file.is_file() or not file.name.startswith("test_") or function not in functions(file):
            missing.append(name)
    assert missing == []


def test_there_is_much_to_look_at():
    """So that a page that is not read as a table at all does not pass."""
    assert len(rows()) > 150
    assert sum(row.state == "yes" for row in rows()) > 100
    assert sum("MUST" in row.asked for row in rows()) > 30
