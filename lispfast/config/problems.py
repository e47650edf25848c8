"""What is wrong with a configuration, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum

# Ours.
MAX_PROBLEMS = 200  # nobody reads further, and a file of a megabyte must not make a million of them
SHOWN_LENGTH = 60  # characters of a value that a message quotes


class Severity(StrEnum):
    """An error keeps the configuration from being used, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the file: `start` to `end` as character offsets, `line` and `column` of its start from 1."""

    start: int
    end: int
    line: int
    column: int


WHOLE_FILE = Span(0, 0, 1, 1)
"""The place of a problem that no line causes: something is not there at all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding; `line` 0 means the file as such, as when it cannot be read."""

    severity: Severity
    file: str
    line: int
    column: int
    text: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {self.severity}: {self.text}{hint}"


@dataclass(slots=True)
class Report:
    """Collects the problems of one file. `passwords` has, by line, where a password starts: what follows may belong
    to it and is never shown."""

    file: str
    passwords: dict[int, int] = field(default_factory=dict)
    _found: list[Problem] = field(default_factory=list)
    _more: bool = False

    def error(self, span: Span, text: str, hint: str = "") -> None:
        """Note what keeps the configuration from being used."""
        self._add(Severity.ERROR, span, text, hint)

    def warning(self, span: Span, text: str, hint: str = "") -> None:
        """Note what the user should know."""
        self._add(Severity.WARNING, span, text, hint)

    def hides(self, span: Span) -> bool:
        """Whether what stands there may be the rest of a password."""
        return span.start >= self.passwords.get(span.line, span.end + 1)

    def _add(self, severity: Severity, span: Span, text: str, hint: str) -> None:
        if len(self._found) < MAX_PROBLEMS:
            self._found.append(Problem(severity, self.file, span.line, span.column, text, hint))
        else:
            self._more = True

    @property
    def full(self) -> bool:
        """Whether nothing more is listed, so that a hint would be work for nothing."""
        return len(self._found) >= MAX_PROBLEMS

    def problems(self) -> tuple[Problem, ...]:
        """Each problem once, in the order of the file; a last error says if there were too many to list."""
        found = sorted(dict.fromkeys(self._found), key=lambda p: (p.line, p.column))
        if self._more:
            last = found[-1]
            text = f"more than {MAX_PROBLEMS} problems: the rest is not listed"
            found.append(Problem(Severity.ERROR, self.file, last.line, last.column, text))
        return tuple(found)


def quote(text: str) -> str:
    """The text in double quotes as a message shows it: shortened, and nothing that disturbs a terminal."""
    shown = text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown)
    return f'"{safe}"'


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a mistyped one was probably meant to be."""
    near = get_close_matches(word.lower()[:SHOWN_LENGTH], list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the known word that is nearest, or nothing where none is near."""
    near = nearest(word, known)
    return f'did you mean "{near}"?' if near else ""
