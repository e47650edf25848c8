"""Problems of the file as a whole, and how problems read."""

from __future__ import annotations

import pytest

from lispfast.config import parse
from lispfast.config.problems import MAX_PROBLEMS, Problem, Severity, did_you_mean, quote

from .samples import MAP_SERVER, MAPPING, NODE, RESOLVER, SERVER, SITE, said

WHOLE = [
    ("", ["1:1: error: no database-mapping: a mobile node needs an EID (database-mapping { ... })",
          "1:1: error: no map-server: nobody would learn where this node is (map-server { ... })",
          "1:1: warning: no map-resolver: only static-map-cache entries are reached"]),
    ("debug = 0\n" + MAPPING, ["2:1: error: no map-server: nobody would learn where this node is (map-server { ... })",
                "2:1: warning: no map-resolver: only static-map-cache entries are reached"]),
    (SERVER + RESOLVER + "\noperating-mode = MN",
     ["4:18: error: no database-mapping: a mobile node needs an EID (database-mapping { ... })"]),
    (SERVER + MAPPING, ["2:1: warning: no map-resolver: only static-map-cache entries are reached"]),
    ("debug = 0\n" + SITE, ["2:1: error: a Map-Server needs its mode said (operating-mode = MS)"]),
    ("operating-mode = MS", ["1:18: error: no lisp-site: nobody may register (lisp-site { ... })"]),
    ("operating-mode = DDT", ["1:18: error: operating-mode DDT is not supported yet (MN, xTR or MS)"]),
    (MAP_SERVER + SITE, ["3:26: error: lisp-site 203.0.113.0/24 is given twice (the first is in line 2)"]),
    (MAP_SERVER + MAPPING, ["3:1: warning: database-mapping does nothing in a Map-Server (operating-mode = MN)"]),
    (MAP_SERVER + "ms-static-registered-site { eid-prefix = 192.0.2.0/24 }",
     ["3:1: error: ms-static-registered-site 192.0.2.0/24 has no locator (rloc-address { ... })"]),
    (MAP_SERVER + "lisp-site { eid-prefix = 192.0.2.0/24 key-type = 2 key = k merge = on }",
     ["3:60: warning: merge is not supported yet and does nothing (registrations are not merged)"]),
    (NODE.replace("wlan0 }", "wlan0\n") + SERVER.replace("100.1 ", "100.9 ") + "}",
     ['5:1: error: unknown key "map-server" in database-mapping (is a } missing before it?)']),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problems"), WHOLE)
def test_problems_of_the_whole_file(text: str, problems: list[str]) -> None:
    assert said(text) == problems


def test_a_section_in_error_is_not_a_missing_one() -> None:
    found = said("map-server { address = <ip-address> key-type = 2 key = k }\n" + RESOLVER + MAPPING)
    assert found == ['1:24: error: placeholder "<ip-address>": put an address here']


def test_a_mistyped_section_is_not_a_missing_one_either() -> None:
    text = NODE.replace("map-server", "map-sever").replace("map-resolver", "map-resolvers")
    assert said(text) == [
        '1:1: error: unknown key "map-sever" (did you mean "map-server"?)',
        '2:1: error: unknown key "map-resolvers" (did you mean "map-resolver"?)',
    ]


def test_all_problems_at_once_in_the_order_of_the_file() -> None:
    text = """debug = 7
map-sever { address = 192.0.2.1 }
map-resolver = { 192.0.2.300, ms.example.org }
map-server {
    address = 203.0.113.7
    key-type = 0
    key = "open
}
database-mapping {
    eid-prefix = 203.0.113.7/32
    interface wlan0
    rloc-iface { interface = much-too-long-a-name }
}
operating-mode = RTR
log-file = x
"""
    assert [line.split(" (")[0] for line in said(text)] == [
        '1:9: error: "7" is not known here',
        '2:1: error: unknown key "map-sever"',
        '3:18: error: "192.0.2.300" is no IPv4 or IPv6 address',
        '3:31: error: "ms.example.org" is no IPv4 or IPv6 address',
        "6:16: error: key-type 0 is cleartext",
        "7:11: error: string is not closed on its line",
        '11:5: error: expected "=" or "{" after "interface"',
        '12:30: error: "much-too-long-a-name" is no interface name',
        "14:18: error: operating-mode RTR is not supported yet",
        "15:1: warning: log-file is not supported yet and does nothing",
    ]


def test_an_error_leaves_no_settings_and_a_warning_does() -> None:
    assert parse(NODE + "nonsense = 1").settings is None
    loaded = parse(NODE + "log-file = x")
    assert loaded.settings is not None
    assert (len(loaded.errors), len(loaded.warnings)) == (0, 1)


def test_how_a_problem_reads() -> None:
    problem = Problem(Severity.ERROR, "lispd.conf", 12, 9, "wrong", "right?")
    assert str(problem) == "lispd.conf:12:9: error: wrong (right?)"
    assert str(Problem(Severity.WARNING, "lispd.conf", 0, 0, "odd")) == "lispd.conf: warning: odd"


def test_quotes_are_short_and_harmless() -> None:
    assert quote("a\x1b[2J\udcff") == '"a\\x1b[2J\\udcff"'
    assert len(quote("x" * 1000)) < 70


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    assert did_you_mean("zzz", ["debug"]) == ""
    assert did_you_mean("Debgu", ["debug"]) == 'did you mean "debug"?'


def test_the_list_of_problems_is_bounded() -> None:
    problems = parse("} " * 5000, "f").problems
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].text == f"more than {MAX_PROBLEMS} problems: the rest is not listed"
