"""A row of the schema: what a key holds, and short ways to write one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum


class Kind(Enum):
    """What a key holds; the value is how a message asks for it."""

    ADDRESS = "an address"
    LOCATOR = "an address or the name of an explicit-locator-path"
    PREFIX = "an EID-prefix"
    NUMBER = "a number"
    COUNT = "auto or a number"
    FLAG = "on or off"
    CHOICE = "one of its words"
    TEXT = "a text"
    HEX = "hexadecimal digits"
    SECRET = "a password"
    INTERFACE = "an interface name"
    PATH = "an absolute path"
    SECTION = "a section"


@dataclass(frozen=True, slots=True)
class Option:
    """One key. `many`: a list, or given more than once; `low` and `high`: its range; `inside`: the rows of a section.

    `default` is the value in force where the key is absent, None where there is none. `instead` says, for a key that is
    not supported, what to do about it. `reloadable` False needs a restart to change. Of hexadecimal digits `high` is
    how many there must be.
    """

    name: str
    kind: Kind
    doc: str
    first: str
    default: str | int | bool | None = None
    low: int = 0
    high: int = 255
    choices: tuple[str, ...] = ()
    many: bool = False
    required: bool = False
    supported: bool = True
    reloadable: bool = True
    inside: str = ""
    instead: str = ""


def word(name: str, doc: str, first: str, default: str | None, choices: Iterable[str]) -> Option:
    """A key that takes one of several words."""
    return Option(name, Kind.CHOICE, doc, first, default, choices=tuple(choices))


def row(name: str, kind: Kind, doc: str, first: str, default: str | int | bool | None = None) -> Option:
    """A key of any kind."""
    return Option(name, kind, doc, first, default)


def number(name: str, doc: str, first: str, default: int | None, low: int = 0, high: int = 255) -> Option:
    """A key that takes a number in a range."""
    return Option(name, Kind.NUMBER, doc, first, default, low, high)


def digits(name: str, doc: str, first: str, count: int) -> Option:
    """A key that takes so many hexadecimal digits."""
    return Option(name, Kind.HEX, doc, first, high=count)


def needed(name: str, kind: Kind, doc: str, first: str) -> Option:
    """A key that its section cannot be without."""
    return Option(name, kind, doc, first, required=True)


def section(name: str, doc: str, first: str, inside: str = "") -> Option:
    """A section, of which there may be several."""
    return Option(name, Kind.SECTION, doc, first, many=True, inside=inside or name)


def ignored(name: str, kind: Kind, doc: str, first: str, instead: str = "") -> Option:
    """A key that is known and does nothing."""
    many = kind is Kind.SECTION
    return Option(name, kind, doc, first, many=many, supported=False, inside=name if many else "", instead=instead)


def listed(option: Option) -> Option:
    """The key as a list."""
    return replace(option, many=True)


def fixed(option: Option) -> Option:
    """The key as one that only a restart changes."""
    return replace(option, reloadable=False)
