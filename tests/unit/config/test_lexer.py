from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.config.lexer import Token, TokenKind, tokenize
from lispfast.config.problems import Report

from .strategies import conf_like


def lexed(text: str, environment: dict[str, str] | None = None) -> tuple[list[Token], list[str]]:
    report = Report("f")
    tokens = tokenize(text, report, environment)
    assert tokens[-1].kind is TokenKind.END
    return tokens[:-1], [str(problem) for problem in report.problems()]


def kinds(text: str) -> list[tuple[str, str]]:
    tokens, problems = lexed(text)
    assert problems == []
    return [(token.kind.name, token.text) for token in tokens]


def string(text: str, environment: dict[str, str] | None = None) -> str:
    (token,), problems = lexed(text, environment)
    assert problems == []
    assert token.kind is TokenKind.STRING
    return token.text


@pytest.mark.parametrize(
    "word",
    [
        "foo%bar",
        "2001:db8::1",
        "153.16.254.1/32",
        "/var/log/oor.log",
        "eth0",
        "a//b",
        "a*b",
        "-1",
        "0x1f",
        "<half",
        "é",
    ],
)
def test_bare_words(word: str) -> None:
    assert kinds(f" {word}\t") == [("WORD", word)]


@pytest.mark.parametrize(
    "text", ["<ip-address / FQDN>", "[true|false]", "[address,..]", "...", "..", "<iface name>", "[address ...]"]
)
def test_placeholders_of_the_examples(text: str) -> None:
    assert kinds(f"{text}\n") == [("PLACEHOLDER", text)]
    assert kinds(f"{{{text}}}") == [("OPEN", "{"), ("PLACEHOLDER", text), ("CLOSE", "}")]


def test_a_quoted_placeholder_is_a_string() -> None:
    assert kinds('"<password>"') == [("STRING", "<password>")]


def test_comments_of_three_sorts() -> None:
    assert kinds("a # b\nc // d\n/* e\n f */ g#h\n") == [("WORD", w) for w in "acg"]


def test_symbols() -> None:
    assert [name for name, _ in kinds("{}=+=,()")] == ["OPEN", "CLOSE", "EQUALS", "APPEND", "COMMA", "LEFT", "RIGHT"]


def test_places_count_from_one_over_lines_comments_and_continued_strings() -> None:
    tokens, _ = lexed('a\n  b /* \n */ c\n"x\\\ny" d\r\ne')
    assert [(t.text, t.span.line, t.span.column) for t in tokens] == [
        ("a", 1, 1),
        ("b", 2, 3),
        ("c", 3, 5),
        ("xy", 4, 1),
        ("d", 5, 4),
        ("e", 6, 1),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"a b#c"', "a b#c"),
        ("'a \"b\" $'", 'a "b" $'),
        (r'"\n\t\r\a\e\v\b\f"', "\n\t\r\a\x1b\v\b\f"),
        (r'"\"\\\q"', '"\\q'),
        (r'"\101\x42\x4"', "AB\x04"),
        (r'"\303\251"', "é"),
        (r'"\xff"', "\udcff"),
        (r"'\'\\ \n'", r"'\ \n"),
        ('"one\\\ntwo"', "onetwo"),
        ("'one\\\ntwo'", "onetwo"),
        ('""', ""),
    ],
)
def test_escapes(text: str, value: str) -> None:
    assert string(text) == value


def test_variables_of_a_given_environment() -> None:
    environment = {"HOME": "/root", "EMPTY": ""}
    assert string('"${HOME}/x ${NONE} ${NONE:-usual} ${EMPTY:-no}"', environment) == "/root/x  usual "
    assert string("'${HOME}'", environment) == "${HOME}"
    tokens, _ = lexed("${HOME}/x", environment)
    assert [token.text for token in tokens] == ["/root/x"]


def test_without_an_environment_variables_stay_with_a_warning() -> None:
    tokens, problems = lexed('k = "${HOME}"')
    assert tokens[-1].text == "${HOME}"
    assert problems == ["f:1:5: warning: environment variables are not replaced here"]


@pytest.mark.parametrize(
    ("text", "problem", "words"),
    [
        ('a "b c\nd', '1:3: error: string is not closed on its line (" is missing)', ["a", "b c", "d"]),
        ("a 'b\nd", "1:3: error: string is not closed on its line (' is missing)", ["a", "b", "d"]),
        ("a /* b\nd", "1:3: error: comment is never closed (*/ is missing)", ["a"]),
        ('"\\400"', "1:1: error: bad escape sequence in the string (a byte is \\0 to \\377)", [""]),
        ('"\\9"', "1:1: error: bad escape sequence in the string (a byte is \\0 to \\377)", [""]),
        ("a + b", '1:3: error: unexpected character "+" (quote the value)', ["a", "b"]),
        ("a \0b", '1:3: error: unexpected character "\\x00" (quote the value)', ["a", "b"]),
    ],
)
def test_mistakes_are_named_and_reading_goes_on(text: str, problem: str, words: list[str]) -> None:
    tokens, problems = lexed(text)
    assert problems == ["f:" + problem]
    assert [token.text for token in tokens] == words


def slow_place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


@given(st.text() | conf_like())
def test_any_text_gives_ordered_spans_within_it(text: str) -> None:
    report = Report("f")
    tokens = tokenize(text, report)
    end = 0
    for token in tokens:
        span = token.span
        assert end <= span.start <= span.end <= len(text)
        assert (span.line, span.column) == slow_place(text, span.start)
        end = span.end
    lines = text.split("\n")
    for problem in report.problems():
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
