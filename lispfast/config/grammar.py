"""Tokens as a tree of assignments and sections; a mistake is reported and reading goes on after it.

    entry   = name ("=" | "+=") value | name ("=" | "+=") list | name [title] ["="] section
    list    = "{" [value {[","] value}] "}"
    section = "{" {entry} "}"

Line ends mean nothing to libconfuse. They do mean something here where a mistake has to be found: words that follow a
bare value on its line belong to it, as in the examples' `address = IPv4 or IPv6 address`.
"""

from __future__ import annotations

from dataclasses import dataclass

from lispfast.config.lexer import Token, TokenKind
from lispfast.config.problems import Report, Span, quote

# Ours.
MAX_DEPTH = 8  # no release nests deeper than 2
PASSWORD = "key"  # what follows it on its line may belong to a password and is never shown


@dataclass(frozen=True, slots=True)
class Value:
    """A value; `placeholder` where no value can be meant: `<...>`, `[...]`, or several bare words."""

    text: str
    span: Span
    quoted: bool = False
    placeholder: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name = value` or `name = { values }`."""

    name: str
    span: Span
    values: tuple[Value, ...]
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """`name { entries }`; the whole file is the section without a name. `span` is the name's."""

    name: str
    span: Span
    entries: tuple[Entry, ...]


Entry = Assignment | Section

QUOTES_NEEDED = "a password with spaces or symbols in it needs quotes"

_VALUES = (TokenKind.WORD, TokenKind.STRING, TokenKind.PLACEHOLDER)
_NAMES = (TokenKind.WORD, TokenKind.STRING)
_ASSIGN = (TokenKind.EQUALS, TokenKind.APPEND)


class _Parser:
    def __init__(self, text: str, tokens: list[Token], report: Report) -> None:
        self.text = text
        self.tokens = tokens
        self.report = report
        self.at = 0

    def shown(self, token: Token) -> str:
        """The token as a message may show it."""
        return "***" if self.report.hides(token.span) else quote(token.text)

    def hint(self, token: Token, usual: str = "") -> str:
        """What to do about the token."""
        return QUOTES_NEEDED if self.report.hides(token.span) else usual

    def peek(self, ahead: int = 0) -> Token:
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def kind(self, ahead: int = 0) -> TokenKind:
        return self.peek(ahead).kind

    def take(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def skip_line(self, line: int) -> None:
        """Leave out the rest of a line that makes no sense; braces stay, they carry the structure."""
        while self.peek().span.line == line and self.kind() not in (TokenKind.OPEN, TokenKind.CLOSE, TokenKind.END):
            self.at += 1

    def starts_entry(self, ahead: int = 0) -> bool:
        """Whether an entry begins here: a name with what must follow it."""
        if self.kind(ahead) not in _NAMES:
            return False
        if self.kind(ahead + 1) in (*_ASSIGN, TokenKind.OPEN):
            return True
        return self.titled(ahead)

    def titled(self, ahead: int = 0) -> bool:
        """Whether a section's name with its title begins here; both stand on one line."""
        same_line = self.peek(ahead).span.line == self.peek(ahead + 1).span.line
        return same_line and self.kind(ahead + 1) in _NAMES and self.kind(ahead + 2) is TokenKind.OPEN

    def entries(self, depth: int, opened: Token | None) -> tuple[Entry, ...]:
        """The entries up to the closing brace, or up to the end of the file where none was opened."""
        found: list[Entry] = []
        while True:
            token = self.peek()
            if token.kind is TokenKind.END:
                if opened:
                    self.report.error(opened.span, "{ is never closed", "} is missing")
                return tuple(found)
            if token.kind is TokenKind.CLOSE:
                self.at += 1
                if opened:
                    return tuple(found)
                self.report.error(token.span, "} closes nothing")
            elif token.kind in _NAMES:
                entry = self.entry(depth)
                if entry:
                    found.append(entry)
            else:
                self.unexpected(depth)

    def unexpected(self, depth: int) -> None:
        token, usual = self.take(), "a key or a section's name belongs here"
        self.report.error(token.span, f"unexpected {self.shown(token)}", self.hint(token, usual))
        if token.kind is TokenKind.OPEN:
            self.block(depth, token)
        else:
            self.skip_line(token.span.line)

    def block(self, depth: int, opened: Token) -> tuple[Entry, ...]:
        """The entries of a section whose brace was just taken; too deep a nest is skipped whole."""
        if depth < MAX_DEPTH:
            return self.entries(depth + 1, opened)
        self.report.error(opened.span, f"sections nest deeper than {MAX_DEPTH}")
        level = 1
        while level and self.kind() is not TokenKind.END:
            level += {TokenKind.OPEN: 1, TokenKind.CLOSE: -1}.get(self.take().kind, 0)
        return ()

    def entry(self, depth: int) -> Entry | None:
        titled = self.titled()
        name = self.take()
        after = self.kind()
        if titled:
            title = self.take()
            self.report.warning(title.span, f"the title of section {self.shown(name)} means nothing and is ignored")
            after = TokenKind.OPEN
        if after in _ASSIGN:
            self.at += 1
        if name.text.lower() == PASSWORD:
            self.report.passwords.setdefault(self.peek().span.line, self.peek().span.start)
        if after is TokenKind.OPEN:
            return self.braces(name, depth, assigned=False)
        if after in _ASSIGN:
            if self.kind() is TokenKind.OPEN:
                return self.braces(name, depth, assigned=True)
            return self.scalar(name)
        if after is TokenKind.LEFT:
            self.call(name)
            return None
        self.report.error(name.span, f'expected "=" or "{{" after {self.shown(name)}', self.hint(name))
        self.skip_line(name.span.line)
        return None

    def braces(self, name: Token, depth: int, *, assigned: bool) -> Entry:
        """A list or a section: which of them shows in what comes first."""
        opened = self.take()
        first_ends = self.kind(1) in (TokenKind.COMMA, TokenKind.CLOSE)
        looks_like_list = self.kind() is TokenKind.PLACEHOLDER or (self.kind() in _VALUES and first_ends)
        if looks_like_list or (assigned and not self.starts_entry()):
            return Assignment(name.text.lower(), name.span, self.list(opened), is_list=True)
        return Section(name.text.lower(), name.span, self.block(depth, opened))

    def list(self, opened: Token) -> tuple[Value, ...]:
        values: list[Value] = []
        while self.kind() is not TokenKind.CLOSE:
            if self.kind() is TokenKind.END or self.starts_entry():
                self.report.error(opened.span, "{ is never closed", "} is missing")
                return tuple(values)
            token = self.take()
            if token.kind in _VALUES:
                values.append(self.value(token))
            elif token.kind is not TokenKind.COMMA:
                self.report.error(token.span, f"unexpected {self.shown(token)} in a list", self.hint(token))
        self.at += 1
        return tuple(values)

    def value(self, token: Token) -> Value:
        placeholder = token.kind is TokenKind.PLACEHOLDER
        return Value(token.text, token.span, token.kind is TokenKind.STRING, placeholder)

    def scalar(self, name: Token) -> Assignment | None:
        token = self.peek()
        elsewhere = token.span.line != name.span.line
        if token.kind not in _VALUES or (elsewhere and self.starts_entry()):
            self.report.error(name.span, f"{self.shown(name)} has no value")
            if not elsewhere:
                self.skip_line(name.span.line)
            return None
        self.at += 1
        value = self.value(token) if token.kind is TokenKind.STRING else self.phrase(token)
        if self.kind() is TokenKind.COMMA:
            self.report.error(self.peek().span, "unexpected comma", "a list stands in braces: { a, b }")
            self.skip_line(self.peek().span.line)
        return Assignment(name.text.lower(), name.span, (value,))

    def phrase(self, first: Token) -> Value:
        """A bare value with the words that follow it on its line."""
        last = first
        while self.follows(last):
            last = self.take()
        if last is first:
            return self.value(first)
        span = Span(first.span.start, last.span.end, first.span.line, first.span.column)
        return Value(self.text[span.start : span.end], span, placeholder=True)

    def follows(self, last: Token) -> bool:
        here = self.peek()
        words = (TokenKind.WORD, TokenKind.PLACEHOLDER)
        return here.kind in words and here.span.line == last.span.line and not self.starts_entry()

    def call(self, name: Token) -> None:
        """A function, which in libconfuse means include: never followed, since no release did."""
        is_include = name.text.lower() == "include"
        text = "include is not supported" if is_include else f'expected "=" or "{{" after {self.shown(name)}'
        self.report.error(name.span, text, "put the lines of that file here" if is_include else "")
        self.skip_line(name.span.line)


def parse_tree(text: str, tokens: list[Token], report: Report) -> Section:
    """The whole file as a section without a name; names in lower case, since libconfuse does not tell them apart."""
    return Section("", Span(0, len(text), 1, 1), _Parser(text, tokens, report).entries(0, None))
