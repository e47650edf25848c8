"""docs/table.md names every atomic of the data plane, with the orders that the code uses."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "lispfast" / "_native"
PAGE = ROOT / "docs" / "table.md"

STRUCT = re.compile(r"^struct (\w+) \{|^\} (\w*);", re.MULTILINE)
FIELDS = re.compile(r"^ +(?:_Alignas\(64\) )?_Atomic\([^()]*\) ([\w, \[\]]+);", re.MULTILINE)
CHAINS = re.compile(r"^ +lf_chain (\w+)(?:\[\w+\])?;", re.MULTILINE)
CALL = re.compile(r"\batomic_(load|store)_explicit\(")
# Small functions that load and store for others, relaxed, and what they call their object.
HELPERS = {"load": ("load",), "lf_count": ("load", "store")}
HELPED = r"\b%s\(&[^;]*?(?:->|\.)(\w+)(?:\[\w+\])?[,)]"
PARAMETERS = {"value", "counter", "words"}

Orders = dict[str, set[str]]


def code() -> dict[str, str]:
    """The C files without their comments."""
    files = sorted([*NATIVE.glob("*.c"), *NATIVE.glob("*.h"), *NATIVE.glob("*.def")])
    return {path.name: re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL) for path in files}


def declared() -> set[tuple[str, str]]:
    """Each atomic object: its struct and its name."""
    found = {("lf_chain", name) for text in code().values() for name in CHAINS.findall(text)}
    for text in code().values():
        for match in FIELDS.finditer(text):
            struct = [opened for opened, _closed in STRUCT.findall(text[: match.start()]) if opened][-1]
            names = re.sub(r"\[\w*\]", "", match[1]).split(",")
            found |= {(struct, name.strip()) for name in names}
    return found


def calls(text: str) -> list[tuple[str, str, str]]:
    """Each load and store: which it is, of what, in which order."""
    found = []
    for call in CALL.finditer(text):
        depth, end = 1, call.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        thing = re.sub(r"\[[^\]]*\]", "", text[call.end() : end].split(",")[0])
        found.append((call[1], re.findall(r"\w+", thing)[-1], re.findall(r"memory_order_(\w+)", text[:end])[-1]))
    return found


def used() -> dict[str, Orders]:
    """By object name: the orders of its loads and of its stores."""
    found: dict[str, Orders] = defaultdict(lambda: {"load": set(), "store": set()})
    for text in code().values():
        for kind, name, order in calls(text):
            if name not in PARAMETERS:
                found[name][kind].add(order)
        for helper, kinds in HELPERS.items():
            if helper == "load" and "load(const _Atomic" not in text:
                continue
            for name in re.findall(HELPED % helper, text):
                for kind in kinds:
                    found[name][kind].add("relaxed")
    return found


def page() -> dict[tuple[str, str], Orders]:
    """What the page says of each object."""
    rows = {}
    for line in PAGE.read_text().splitlines():
        if line.startswith("| `lf_"):
            things, _by, stores, loads, why = (cell.strip() for cell in line.strip("|").split("|"))
            struct, *names = re.findall(r"`(\w+)`", things)
            assert why
            for name in names:
                rows[struct, name] = {"load": set(loads.split(", ")), "store": set(stores.split(", "))}
    return rows


def test_the_page_names_every_atomic_and_nothing_else() -> None:
    assert len(declared()) > 30
    assert set(page()) == declared()


def test_the_page_says_every_order() -> None:
    said: dict[str, Orders] = defaultdict(lambda: {"load": set(), "store": set()})
    for (struct, name), orders in page().items():
        for kind, words in orders.items():
            said["chain" if struct == "lf_chain" else name][kind] |= words
    found = used()
    found["chain"]["store"] |= found.pop("verdicts")["store"]
    assert {name: dict(orders) for name, orders in found.items()} == {name: dict(said[name]) for name in found}
    assert set(said) == set(found)


def test_every_atomic_says_its_order() -> None:
    for name, text in code().items():
        assert not re.findall(r"\batomic_(?!init|load_explicit|store_explicit)\w+", text), name
