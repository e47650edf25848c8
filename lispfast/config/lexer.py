"""The characters of a lispd.conf as tokens, with the rules of libconfuse for words, quotes and comments.

Two things differ on purpose. A quoted string ends on its line unless a backslash continues it: a forgotten quote then
costs one line and not the rest of the file. What stands in examples in place of a value, `<ip-address>` or `[on|off]`,
is a token of its own, so that it can be named.

Environment variables, `${NAME}` and `${NAME:-default}`, are replaced in bare words and double quotes when the caller
passes an environment. Without one they stay as they are, with a warning: a daemon's environment is an accident.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from lispfast.config.problems import Report, Span, quote


class TokenKind(Enum):
    """The sorts of token."""

    WORD = "word"
    STRING = "quoted string"
    PLACEHOLDER = "placeholder"
    OPEN = "{"
    CLOSE = "}"
    EQUALS = "="
    APPEND = "+="
    COMMA = ","
    LEFT = "("
    RIGHT = ")"
    END = "end of file"


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `text` is its value, quotes removed and escapes resolved, bytes that are no UTF-8 as surrogates."""

    kind: TokenKind
    text: str
    span: Span


_SPACE = re.compile(r"[ \t\r\n\f\v\ufeff]+")
_LINE_COMMENT = re.compile(r"(?:#|//)[^\n]*")
_PLACEHOLDER = re.compile(r"""(?:<[^<>\n#"'{}=]*>|\[[^\[\]\n#"'{}=]*\]|\.{2,})(?=[ \t\r\n,{}]|$)""")
_WORD = re.compile(r"""(?:\$\{[^}\n]{0,255}\}|/(?!\*)|[^ \t\r\n#"'={}()+,/\x00-\x1f\x7f])+""")
_SYMBOLS = {kind.value: kind for kind in TokenKind if not kind.value[0].isalpha()}
_SYMBOL = re.compile(r"\+=|[{}=,()]")
_VARIABLE = re.compile(r"\$\{([^}\n]{0,255})\}")
_ESCAPE = re.compile(
    r"\\(?:(?P<octal>[0-7]{1,3})(?![0-9])|(?P<digits>[0-9]+)|x(?P<hex>[0-9A-Fa-f]{1,2})|(?P<one>.|\n))"
)
_NAMED = {"n": "\n", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "e": "\x1b", "t": "\t", "v": "\v", "\n": ""}
_DOUBLE = re.compile(r'(?:[^"\\\n]|\\(?:.|\n))*')
_SINGLE = re.compile(r"(?:[^'\\\n]|\\(?:.|\n))*")
_IN_SINGLE = re.compile(r"\\([\\'\n])")


class _Lexer:
    def __init__(self, text: str, report: Report, environment: Mapping[str, str] | None) -> None:
        self.text = text
        self.report = report
        self.environment = environment
        self.at = 0
        self.line = 1
        self.line_start = 0
        self.tokens: list[Token] = []

    def span(self, end: int) -> Span:
        """The stretch from here to `end`."""
        return Span(self.at, end, self.line, self.at - self.line_start + 1)

    def advance(self, end: int) -> None:
        """Move to `end`, counting lines."""
        newlines = self.text.count("\n", self.at, end)
        if newlines:
            self.line += newlines
            self.line_start = self.text.rindex("\n", self.at, end) + 1
        self.at = end

    def emit(self, kind: TokenKind, text: str, end: int) -> None:
        """Add the token from here to `end` and move there."""
        self.tokens.append(Token(kind, text, self.span(end)))
        self.advance(end)

    def run(self) -> list[Token]:
        """Every token, the end of the file last."""
        while self.at < len(self.text):
            self.step()
        self.emit(TokenKind.END, "", self.at)
        return self.tokens

    def step(self) -> None:
        """Read one token, comment or stretch of space."""
        if blank := _SPACE.match(self.text, self.at) or _LINE_COMMENT.match(self.text, self.at):
            self.advance(blank.end())
        elif self.text.startswith("/*", self.at):
            self.block_comment()
        elif self.text[self.at] in "\"'":
            self.string(self.text[self.at])
        elif symbol := _SYMBOL.match(self.text, self.at):
            self.emit(_SYMBOLS[symbol[0]], symbol[0], symbol.end())
        elif placeholder := _PLACEHOLDER.match(self.text, self.at):
            self.emit(TokenKind.PLACEHOLDER, placeholder[0], placeholder.end())
        elif word := _WORD.match(self.text, self.at):
            self.emit(TokenKind.WORD, self.expand(word[0], self.span(word.end())), word.end())
        else:
            stray = self.text[self.at]
            self.report.error(self.span(self.at + 1), f"unexpected character {quote(stray)}", "quote the value")
            self.advance(self.at + 1)

    def block_comment(self) -> None:
        end = self.text.find("*/", self.at + 2)
        if end < 0:
            self.report.error(self.span(len(self.text)), "comment is never closed", "*/ is missing")
        self.advance(len(self.text) if end < 0 else end + 2)

    def string(self, mark: str) -> None:
        body = (_DOUBLE if mark == '"' else _SINGLE).match(self.text, self.at + 1)
        end = body.end() if body else self.at + 1
        raw = self.text[self.at + 1 : end]
        closed = self.text.startswith(mark, end)
        if not closed:
            self.report.error(self.span(end), "string is not closed on its line", f"{mark} is missing")
        value = self.unescape(raw) if mark == '"' else _IN_SINGLE.sub(lambda m: m[1].strip("\n"), raw)
        self.emit(TokenKind.STRING, value, end + (1 if closed else 0))

    def unescape(self, raw: str) -> str:
        """Resolve the escapes and variables of a double-quoted string; a numeric escape is a byte."""
        span = self.span(self.at + 1)
        out = bytearray()
        at = 0
        for match in re.finditer(rf"{_ESCAPE.pattern}|(?P<variable>{_VARIABLE.pattern})", raw):
            out += raw[at : match.start()].encode("utf-8", "surrogatepass")
            out += self.escaped(match, span)
            at = match.end()
        out += raw[at:].encode("utf-8", "surrogatepass")
        return out.decode("utf-8", "surrogateescape")

    def escaped(self, match: re.Match[str], span: Span) -> bytes:
        if match["variable"]:
            return self.expand(match["variable"], span).encode("utf-8", "surrogateescape")
        code = int(match["octal"], 8) if match["octal"] else int(match["hex"], 16) if match["hex"] else None
        if match["digits"] or (code is not None and code > 0xFF):
            self.report.error(span, "bad escape sequence in the string", "a byte is \\0 to \\377")
            return b""
        if code is not None:
            return bytes([code])
        return _NAMED.get(match["one"], match["one"]).encode("utf-8", "surrogatepass")

    def expand(self, text: str, span: Span) -> str:
        """Replace the variables of a text."""
        if "${" not in text:
            return text
        environment = self.environment
        if environment is None:
            self.report.warning(span, "environment variables are not replaced here")
            return text

        def value(match: re.Match[str]) -> str:
            name, _, default = match[1].partition(":-")
            return environment.get(name, default)

        return _VARIABLE.sub(value, text)


def tokenize(text: str, report: Report, environment: Mapping[str, str] | None = None) -> list[Token]:
    """The tokens of a text, the last one END; what cannot be read is reported and skipped."""
    return _Lexer(text, report, environment).run()
