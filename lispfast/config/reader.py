"""One section of the tree against its rows in the schema: every key looked at once, then typed values on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from lispfast.config.grammar import QUOTES_NEEDED, Assignment, Entry, Section, Value
from lispfast.config.problems import Report, Span, did_you_mean, nearest, quote
from lispfast.config.rows import Kind, Option
from lispfast.config.schema import WRONG_PLACE, options
from lispfast.config.values import (
    SOCKET_PATH_LENGTH,
    BadValueError,
    read_address,
    read_choice,
    read_count,
    read_digits,
    read_eid_prefix,
    read_flag,
    read_interface,
    read_number,
    read_path,
    read_prefix,
    refuse_placeholder,
)
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.encapsulation import Encapsulation

T = TypeVar("T")


class Reader:
    """The values of one section. `sound` turns False with the first error, and then no value made of them counts.

    `mistyped` has the keys that unknown ones were probably meant to be: they are not reported as missing as well.
    """

    def __init__(self, section: Section, rows: str, report: Report, parent: str = "") -> None:
        self.section = section
        self.report = report
        self.rows = options(rows)
        self.sound = True
        self._parent = parent
        self.mistyped: dict[str, Span] = {}
        self._given: dict[str, Assignment] = {}
        self._lists: dict[str, list[Assignment]] = {}
        self.sections: list[tuple[Option, Section]] = []
        for entry in section.entries:
            self._admit(entry)
        for option in self.rows.values():
            if option.required and option.name not in self._given and not self.attempted(option.name):
                self.error(section.span, f"{section.name} has no {option.name}", f"it needs {option.kind.value}")

    @property
    def span(self) -> Span:
        """Where the section's name stands."""
        return self.section.span

    def error(self, span: Span, text: str, hint: str = "") -> None:
        """Report an error of this section, which is not sound any more."""
        self.sound = False
        self.report.error(span, text, hint)

    def attempted(self, name: str) -> bool:
        """Whether an error already says what became of the key."""
        return name in self.mistyped or any(entry.name == name for entry in self.section.entries)

    def _admit(self, entry: Entry) -> None:
        """Sort an entry in, or say why it cannot be."""
        option = self.rows.get(entry.name)
        if option is None:
            self._unknown(entry)
        elif option.kind is Kind.SECTION:
            self._admit_section(option, entry)
        elif isinstance(entry, Section):
            self.error(entry.span, f"{entry.name} is no section", f"{entry.name} = ...")
        elif not option.supported:
            self._warn_unsupported(option, entry.span)
            refuse_placeholders(entry, option, self)
        elif option.many:
            self._lists.setdefault(entry.name, []).append(entry)
        elif entry.is_list:
            self.error(entry.span, f"{entry.name} is no list", f"{entry.name} = {option.kind.value}")
        else:
            if entry.name in self._given:
                self.report.warning(entry.span, f"{entry.name} is given twice: the last one counts")
            self._given[entry.name] = entry

    def _admit_section(self, option: Option, entry: Entry) -> None:
        if isinstance(entry, Assignment):
            if option.name == "proxy-etr" and not entry.is_list:
                address = Assignment("address", entry.span, entry.values)
                entry = Section(entry.name, entry.span, (address,))
            elif entry.is_list and not entry.values:
                entry = Section(entry.name, entry.span, ())
            else:
                self.error(entry.span, f"{entry.name} is a section", f"{entry.name} {{ ... }}")
                return
        if not option.supported:
            self._warn_unsupported(option, entry.span)
            look_through(entry, option.inside, self)
            return
        if not option.many and any(known.name == option.name for known, _ in self.sections):
            self.report.warning(entry.span, f"{entry.name} is given twice: the last one counts")
        self.sections.append((option, entry))

    def _unknown(self, entry: Entry) -> None:
        where = f" in {self.section.name}" if self.section.name else ""
        meant = None if self.report.full else nearest(entry.name, self.rows)
        if meant:
            self.mistyped.setdefault(meant, entry.span)
        hint = f'did you mean "{meant}"?' if meant else ""
        if self.section.name and entry.name in WRONG_PLACE:
            hint = WRONG_PLACE[entry.name]
        elif self.section.name and entry.name in options(""):
            hint = "is a } missing before it?"
        elif self.section.name and not hint and entry.name in options(self._parent):
            hint = f"it belongs in {self._parent or 'no section'}"
        if self.report.hides(entry.span):
            self.error(entry.span, f"unknown key after the password{where}", hint or QUOTES_NEEDED)
        else:
            self.error(entry.span, f"unknown key {quote(entry.name)}{where}", hint)

    def _warn_unsupported(self, option: Option, span: Span) -> None:
        self.report.warning(span, f"{option.name} is not supported yet and does nothing", option.instead)

    # Values. Each reader returns the row's default where the key is absent, and None where a value is in error.

    def _convert(self, value: Value, option: Option, convert: Callable[[str], T]) -> T | None:
        try:
            refuse_placeholder(value, option)
            return convert(value.text)
        except BadValueError as problem:
            self.error(value.span, problem.text, problem.hint)
            return None

    def one(self, name: str, convert: Callable[[str], T]) -> T | None:
        """The value as `convert` makes it of its text, which raises BadValueError where it cannot."""
        entry = self._given.get(name)
        if entry is None:
            default = self.rows[name].default
            return None if default is None else convert(str(default))
        return self._convert(entry.values[0], self.rows[name], convert)

    def value_span(self, name: str) -> Span:
        """Where the key's value, or its first, stands; the section's name where the key is absent or its list empty."""
        entries = [self._given[name]] if name in self._given else self._lists.get(name, [])
        return next((value.span for entry in entries for value in entry.values), self.span)

    def has(self, name: str) -> bool:
        """Whether the key is given, in whatever state."""
        return name in self._given or name in self._lists

    def address(self, name: str) -> Address | None:
        """A unicast address."""
        return self.one(name, read_address)

    def addresses(self, name: str) -> Iterator[tuple[Address, Span]]:
        """Every address of a list that may come in several parts; a repeated one is left out with a warning."""
        return self._listed(name, read_address)

    def prefixes(self, name: str) -> Iterator[tuple[EidPrefix, Span]]:
        """Every EID-prefix of a list, likewise."""
        return self._listed(name, read_eid_prefix)

    def _listed(self, name: str, convert: Callable[[str], T]) -> Iterator[tuple[T, Span]]:
        seen: set[T] = set()
        for entry in self._lists.get(name, ()):
            for value in entry.values:
                found = self._convert(value, self.rows[name], convert)
                if found in seen:
                    self.report.warning(value.span, f"{quote(value.text)} is already in {name}")
                elif found is not None:
                    seen.add(found)
                    yield found, value.span

    def prefix(self) -> EidPrefix | None:
        """The section's eid-prefix with its iid."""
        iid = self.number("iid")
        return self.one("eid-prefix", lambda text: read_prefix(text, iid or 0))

    def number(self, name: str) -> int | None:
        """A number in the row's range."""
        option = self.rows[name]
        return self.one(name, lambda text: read_number(text, option.low, option.high))

    def count(self, name: str) -> int | None:
        """A number in the row's range, 0 for `auto`."""
        option = self.rows[name]
        return self.one(name, lambda text: read_count(text, option.low, option.high))

    def flag(self, name: str) -> bool | None:
        """A boolean."""
        return self.one(name, read_flag)

    def choice(self, name: str) -> str | None:
        """One of the row's words."""
        choices = self.rows[name].choices
        return self.one(name, lambda text: read_choice(text, choices))

    def encapsulation(self) -> Encapsulation | None:
        """The form that the section names; None where it names none."""
        word = self.choice("encapsulation")
        return None if word is None else Encapsulation(word)

    def text(self, name: str) -> str | None:
        """Whatever stands there, if it is no placeholder."""
        return self.one(name, str)

    def interface(self, name: str) -> str | None:
        """An interface's name."""
        return self.one(name, read_interface)

    def path(self, name: str) -> str | None:
        """An absolute path."""
        longest = SOCKET_PATH_LENGTH if name == "control-socket" else 4095
        return self.one(name, lambda text: read_path(text, longest))

    def digits(self, name: str) -> bytes | None:
        """Hexadecimal digits as bytes."""
        count = self.rows[name].high
        return self.one(name, lambda text: read_digits(text, count))


def refuse_placeholders(entry: Assignment, option: Option, reader: Reader) -> None:
    """What an example left behind is an error even in a key that does nothing: the file was not finished."""
    for value in entry.values:
        try:
            refuse_placeholder(value, option)
        except BadValueError as problem:
            reader.error(value.span, problem.text, problem.hint)


def look_through(section: Section, rows: str, reader: Reader) -> None:
    """Check a section that does nothing for unknown keys and placeholders only."""
    known = options(rows)
    for entry in section.entries:
        option = known.get(entry.name)
        if option is None:
            hint = did_you_mean(entry.name, known)
            name = "after the password" if reader.report.hides(entry.span) else quote(entry.name)
            reader.error(entry.span, f"unknown key {name} in {section.name}", hint)
        elif isinstance(entry, Assignment):
            if option.instead:
                reader.report.warning(
                    entry.span, f"{option.name} is not supported yet and does nothing", option.instead
                )
            refuse_placeholders(entry, option, reader)
        elif option.kind is Kind.SECTION:
            look_through(entry, option.inside, reader)
