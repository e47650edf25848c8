"""Puts figures into a document by machine, between two comments that stay."""

from __future__ import annotations

from pathlib import Path


def fill(path: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- NAME -->` and `<!-- /NAME -->`; ValueError where they are not there once."""
    document = path.read_text()
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    if document.count(begin) != 1 or document.count(end) != 1:
        raise ValueError(f"{path}: not one pair of {begin.strip()} and {end.strip()}")
    before, _begin, rest = document.partition(begin)
    _old, _end, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}")


def table(rows: list[list[str]]) -> str:
    """A Markdown table; the first row is its head, columns after the first are figures."""
    head, *body = rows
    lines = [head, ["---", *("---:" for _ in head[1:])], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
