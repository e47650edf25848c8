"""docs/lispd.conf.md against the schema: each key that counts with its range and default, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lispfast.config import parse
from lispfast.config.rows import Kind, Option
from lispfast.config.schema import SCHEMA
from lispfast.model.settings import Mode

from .samples import MAP_SERVER, NODE

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "lispd.conf.md").read_text()
OUTSIDE, IGNORED = "Outside of sections", "Known and without effect"
HEADER = ["key", "holds", "default", "since", ""]
Rows = list[list[str]]


def tables() -> dict[str, Rows]:
    """The tables behind "Every key", by the section that their heading names; the whole file is ""."""
    found: dict[str, Rows] = {}
    for part in TEXT.partition("## Every key\n")[2].split("\n### ")[1:]:
        heading, _, body = part.partition("\n")
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines() if line[:1] == "|"]
        found["" if heading == OUTSIDE else heading.strip("`")] = [rows[0], *rows[2:]]
    return found


def reached() -> set[str]:
    """Every section that a supported row leads to."""
    sections, waiting = set[str](), [""]
    while waiting:
        section = waiting.pop()
        if section not in sections:
            sections.add(section)
            waiting += [row.inside for row in SCHEMA[section] if row.kind is Kind.SECTION and row.supported]
    return sections


def holds(row: Option) -> str:
    if row.kind is Kind.SECTION:
        return "sections" if row.many else "a section"
    numbers = f"{row.low} to {row.high}"
    words = {
        Kind.NUMBER: numbers,
        Kind.COUNT: f"auto, {numbers}",
        Kind.CHOICE: ", ".join(row.choices),
        Kind.HEX: f"{row.high} hexadecimal digits",
    }
    return ("list: " if row.many else "") + words.get(row.kind, row.kind.value)


def default(row: Option) -> str:
    if row.kind is Kind.SECTION:
        return ""
    if row.required:
        return "required"
    if isinstance(row.default, bool):
        return "on" if row.default else "off"
    return "none" if row.default is None else str(row.default) or '""'


TABLES = tables()
EXAMPLE = re.compile(r"^```conf (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = EXAMPLE.findall(TEXT)


def test_every_section_that_counts_has_a_table_and_no_other() -> None:
    assert set(TABLES) - {IGNORED} == reached()


@pytest.mark.parametrize("section", sorted(reached()))
def test_a_table_has_every_key_that_counts_with_its_range_default_and_release(section: str) -> None:
    header, *rows = TABLES[section]
    assert header == HEADER
    said = [row[:4] for row in rows]
    assert said == [[f"`{o.name}`", holds(o), default(o), o.first] for o in SCHEMA[section] if o.supported]
    assert [row[0] for row in rows if not row[4]] == [], "each says what it means"


def test_every_key_without_effect_is_named_with_what_to_do_instead() -> None:
    header, *rows = TABLES[IGNORED]
    assert header == ["key", "in", "since", "instead"]
    wanted = [
        [f"`{row.name}`", f"`{section}`" if section else "", row.first, row.instead]
        for section in ("", "map-server", "lisp-site")
        for row in SCHEMA[section]
        if not row.supported
    ]
    assert rows == wanted
    elsewhere = {row.name for section in reached() for row in SCHEMA[section] if not row.supported}
    assert elsewhere == {row[0].strip("`") for row in rows}


@pytest.mark.parametrize(("kind", "text"), EXAMPLES + EXAMPLE.findall((DOCS / "pubsub.md").read_text()))
def test_every_example_is_read_without_errors(kind: str, text: str) -> None:
    loaded = parse({"whole": "", "MN": NODE, "MS": MAP_SERVER}[kind] + text)
    assert [str(problem) for problem in loaded.errors] == []
    warnings = [problem.text for problem in loaded.warnings]
    allowed = ("native-forward sends", "key-type 1, HMAC-SHA-1")
    assert [text for text in warnings if not text.startswith(allowed)] == []


def test_each_mode_has_a_complete_example() -> None:
    modes = set()
    for kind, text in EXAMPLES:
        settings = parse(text).settings
        if kind == "whole" and settings is not None:
            modes.add(settings.mode)
    assert modes == set(Mode)


def test_every_section_that_counts_stands_in_an_example() -> None:
    together = "\n".join(text for _, text in EXAMPLES)
    names = {row.name for section in reached() for row in SCHEMA[section] if row.kind is Kind.SECTION and row.supported}
    assert {name for name in names if not re.search(rf"\b{name}\b", together)} == set()


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(([^)]*)\)", TEXT))
    assert {link for link in links if link.startswith("#") and link[1:] not in anchors} == set()
    assert {link for link in links if not link.startswith("#") and not (DOCS / link).is_file()} == set()
