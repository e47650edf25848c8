from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lispfast.config.grammar import MAX_DEPTH, Assignment, Section, Value, parse_tree
from lispfast.config.lexer import tokenize
from lispfast.config.problems import Report

from .strategies import conf_like

Tree = list[object]


def plain(section: Section) -> Tree:
    """The tree as lists: (name, values) for an assignment, (name, [entries]) for a section."""
    return [
        (entry.name, [value.text for value in entry.values] if entry.is_list else entry.values[0].text)
        if isinstance(entry, Assignment)
        else {entry.name: plain(entry)}
        for entry in section.entries
    ]


def parsed(text: str) -> tuple[Section, list[str]]:
    report = Report("f")
    tree = parse_tree(text, tokenize(text, report), report)
    return tree, [str(problem).removeprefix("f:") for problem in report.problems()]


def tree(text: str) -> Tree:
    section, problems = parsed(text)
    assert problems == []
    return plain(section)


def test_assignments_and_sections() -> None:
    assert tree('a = 1\nb { c = "x y"\n d { e = f } }\ng += 2') == [
        ("a", "1"),
        {"b": [("c", "x y"), {"d": [("e", "f")]}]},
        ("g", "2"),
    ]


def test_a_list_with_commas_without_and_with_one_at_the_end() -> None:
    for text in ("a = { 1, 2 }", "a = { 1 2 }", "a = {\n1,\n2,\n}", "a += {1\n2}", "a { 1, 2 }", "a={1,2}"):
        assert tree(text) == [("a", ["1", "2"])]
    assert tree("a = {}") == [("a", [])]
    assert tree("a {}") == [{"a": []}]


def test_a_section_may_have_an_equals_sign_and_several_entries_a_line() -> None:
    assert tree("s = { a = 1 b = 2 t { c = 3 } }") == [{"s": [("a", "1"), ("b", "2"), {"t": [("c", "3")]}]}]


def test_names_are_the_same_in_any_case() -> None:
    assert tree("Map-Server { KEY = X }") == [{"map-server": [("key", "X")]}]


def test_a_title_is_read_and_named() -> None:
    section, problems = parsed('a = b\nsite "one" { c = d }')
    assert plain(section) == [("a", "b"), {"site": [("c", "d")]}]
    assert problems == ['2:6: warning: the title of section "site" means nothing and is ignored']


def test_several_bare_words_are_one_placeholder() -> None:
    section, problems = parsed("a = IPv4 or IPv6 address /mask length # c\nb = x\nc = 1 d = 2\ne = 1 f { g = h }")
    assert problems == []
    first = section.entries[0]
    assert isinstance(first, Assignment)
    (value,) = first.values
    assert (value.text, value.placeholder, value.span.column) == ("IPv4 or IPv6 address /mask length", True, 5)
    assert plain(section)[1:] == [("b", "x"), ("c", "1"), ("d", "2"), ("e", "1"), {"f": [("g", "h")]}]


def test_each_mistake_costs_its_own_entry_only() -> None:
    text = "\n".join(
        [
            "a 1",
            "b =",
            "c = 1, 2",
            "= 3",
            "}",
            "d = 4",
            "e ( 5 )",
            'include ("x")',
            "f = { 1 = 2 }",
            "g = ,",
            "h = 6",
        ]
    )
    section, problems = parsed(text)
    assert problems == [
        '1:1: error: expected "=" or "{" after "a"',
        '2:1: error: "b" has no value',
        "3:6: error: unexpected comma (a list stands in braces: { a, b })",
        '4:1: error: unexpected "=" (a key or a section\'s name belongs here)',
        "5:1: error: } closes nothing",
        '7:1: error: expected "=" or "{" after "e"',
        "8:1: error: include is not supported (put the lines of that file here)",
        '10:1: error: "g" has no value',
    ]
    assert plain(section) == [("c", "1"), ("d", "4"), {"f": [("1", "2")]}, ("h", "6")]


def test_braces_that_are_never_closed() -> None:
    assert parsed("a {\n b = 1\n")[1] == ["1:3: error: { is never closed (} is missing)"]
    section, problems = parsed("a = {\n 1, 2\nb = 3")
    assert problems == ["1:5: error: { is never closed (} is missing)"]
    assert plain(section) == [("a", ["1", "2"]), ("b", "3")]
    assert parsed("a = { 1,")[1] == ["1:5: error: { is never closed (} is missing)"]


def test_a_stray_brace_is_read_over_and_the_rest_stays() -> None:
    section, problems = parsed("{ a = 1 }\nb = 2\nc = { 3 ( }")
    assert problems == [
        '1:1: error: unexpected "{" (a key or a section\'s name belongs here)',
        '3:9: error: unexpected "(" in a list',
    ]
    assert plain(section) == [("b", "2"), ("c", ["3"])]


def test_depth_is_bounded() -> None:
    deep = MAX_DEPTH + 1
    section, problems = parsed("s { " * deep + "a = 1 " + "} " * deep + "\nb = 2")
    assert problems == [f"1:{4 * deep - 1}: error: sections nest deeper than {MAX_DEPTH}"]
    assert plain(section)[1:] == [("b", "2")]
    parsed("s { " * 20000)
    parsed("{" * 20000)


def values(section: Section) -> list[Value]:
    found: list[Value] = []
    for entry in section.entries:
        found += entry.values if isinstance(entry, Assignment) else values(entry)
    return found


@given(st.text() | conf_like())
def test_any_text_gives_a_tree_whose_spans_lie_within_it(text: str) -> None:
    section, _ = parsed(text)
    for value in values(section):
        assert 0 <= value.span.start <= value.span.end <= len(text)
        if not value.quoted and "${" not in value.text:
            assert text[value.span.start : value.span.end] == value.text
