from __future__ import annotations

import re

import pytest

from lispfast.config.rows import Kind
from lispfast.config.schema import SCHEMA, options

ROWS = [(section, option) for section, rows in SCHEMA.items() for option in rows]


def test_a_key_stands_once_in_its_section_and_in_lower_case() -> None:
    for section, rows in SCHEMA.items():
        assert len(options(section)) == len(rows)
        assert all(option.name == option.name.lower() for option in rows)


def test_every_nested_section_has_rows_and_every_table_is_reached() -> None:
    nested = {option.inside for _, option in ROWS if option.kind is Kind.SECTION}
    assert nested | {""} == set(SCHEMA)
    assert all(bool(option.inside) == (option.kind is Kind.SECTION) for _, option in ROWS)


def test_supported_keys_of_supported_sections_are_documented() -> None:
    heeded = {""} | {option.inside for section, option in ROWS if option.kind is Kind.SECTION and option.supported}
    heeded -= {"rtr-iface", "elp-node", "rle-node"}
    assert [(s, o.name) for s, o in ROWS if s in heeded and o.supported and not o.doc] == []


@pytest.mark.parametrize(("section", "option"), ROWS, ids=lambda value: getattr(value, "name", value) or "top")
def test_a_row_is_sound(section: str, option: object) -> None:
    row = options(section)[getattr(option, "name")]  # noqa: B009
    assert re.fullmatch(r"[01]\.[0-5]\.[0-4]|lispfast 0\.1", row.first)
    if row.kind is Kind.NUMBER and row.default is not None:
        assert row.low <= int(row.default) <= row.high
    if row.choices and row.default is not None:
        assert row.default in row.choices
    assert not (row.required and row.default is not None)
