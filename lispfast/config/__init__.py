"""lispd.conf: the text, in the syntax of libconfuse, as Settings or as every problem that it has.

loaded = load("/etc/lispd.conf")
for problem in loaded.problems:
    print(problem)              # lispd.conf:12:9: error: unknown key "map-sever" (did you mean "map-server"?)
loaded.settings                 # None where a problem is an error
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath

from lispfast.config.build import build
from lispfast.config.grammar import parse_tree
from lispfast.config.lexer import tokenize
from lispfast.config.problems import Problem, Report, Severity
from lispfast.config.render import render
from lispfast.model.settings import Settings

__all__ = ["Loaded", "Problem", "Severity", "load", "parse", "render"]

# Ours.
MAX_BYTES = 1 << 20  # some ten thousand sections; more is not a configuration but a mistake


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration as read; `settings` is None if and only if a problem is an error."""

    settings: Settings | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep it from being used."""
        return tuple(p for p in self.problems if p.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that the user should know of."""
        return tuple(p for p in self.problems if p.severity is Severity.WARNING)


def load(path: str | PathLike[str], environment: Mapping[str, str] | None = None) -> Loaded:
    """Read a file; one that cannot be read is one problem. `environment` as in `parse`."""
    name = fspath(path)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        return _unreadable(name, f"cannot be read: {error.strerror or error}", "-c names the configuration file")
    except ValueError:
        return _unreadable(name, "cannot be read: the name has a zero byte in it", "")
    if len(data) > MAX_BYTES:
        return _unreadable(name, f"is larger than {MAX_BYTES} bytes", "is it a configuration file?")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        before = data[data.rfind(b"\n", 0, error.start) + 1 : error.start]
        column = len(before.decode("utf-8")) + 1
        byte = f"byte 0x{data[error.start]:02x} is not UTF-8"
        return Loaded(None, (Problem(Severity.ERROR, name, line, column, byte, "save the file as UTF-8"),))
    return parse(text, name, environment)


def parse(text: str, name: str = "lispd.conf", environment: Mapping[str, str] | None = None) -> Loaded:
    """Read a text; `name` is what problems call it.

    `environment` replaces `${NAME}` and `${NAME:-default}` as libconfuse does; None leaves them, with a warning.
    """
    report = Report(name)
    settings = build(parse_tree(text, tokenize(text, report, environment), report), report)
    problems = report.problems()
    failed = any(problem.severity is Severity.ERROR for problem in problems)
    return Loaded(None if failed else settings, problems)


def _unreadable(name: str, text: str, hint: str) -> Loaded:
    return Loaded(None, (Problem(Severity.ERROR, name, 0, 0, text, hint),))
