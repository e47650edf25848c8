"""Small configurations, and a short way to ask what is wrong with one."""

from __future__ import annotations

from lispfast.config import parse
from lispfast.model.settings import Settings

SERVER = 'map-server { address = 198.51.100.1 key-type = 2 key = "secret" }\n'
RESOLVER = "map-resolver = 198.51.100.2\n"
MAPPING = "database-mapping { eid-prefix = 203.0.113.7/32 interface = wlan0 }\n"
NODE = SERVER + RESOLVER + MAPPING
SITE = 'lisp-site { eid-prefix = 203.0.113.0/24 key-type = 2 key = "secret" }\n'
MAP_SERVER = "operating-mode = MS\n" + SITE


def said(text: str) -> list[str]:
    """Every problem of a text as `line:column: severity: text (hint)`."""
    return [str(problem).removeprefix("f:") for problem in parse(text, "f").problems]


def said_after_node(text: str) -> list[str]:
    """The problems of a text that stands after a sound mobile node; lines count from the text's first."""
    shift = NODE.count("\n")
    found = parse(NODE + text, "f").problems
    return [f"{p.line - shift}:{p.column}: {p.severity}: {p.text}" + (f" ({p.hint})" if p.hint else "") for p in found]


def settings(text: str) -> Settings:
    """The settings of a text without any problem."""
    loaded = parse(text, "f")
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.settings is not None
    return loaded.settings
