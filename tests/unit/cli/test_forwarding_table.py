"""What lispctl prints of the data plane's table and of its comparison, as the real Inspector tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from lispfast.cli import ctl
from lispfast.cli.exits import Exit
from lispfast.manage.client import ControlError
from lispfast.model.addresses import Eid
from lispfast.model.forwarding import (
    Drop,
    Encapsulate,
    ForwardingLocator,
    InnerTunnel,
    LocalPrefix,
    Native,
    PrefixTraffic,
    Reject,
    RejectCode,
    Resolve,
    SourceRloc,
)
from lispfast.model.units import Seconds
from lispfast.runtime.inspection import Inspector
from tests.unit.runtime.table_twin import Both, prefix, toward


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Both:
    """What lispctl asks about."""
    stand = Both()

    def ask_in_parts(path: str, noun: str) -> Iterator[dict[str, object]]:
        walk = Inspector(stand.wants, stand.table).walk(noun)
        while True:
            try:
                yield json.loads(json.dumps(next(walk)))
            except StopIteration as end:
                yield json.loads(json.dumps(end.value))
                return

    monkeypatch.setattr(ctl, "ask_in_parts", ask_in_parts)
    return stand


def fill(both: Both) -> None:
    both.put("0.0.0.0/0", Resolve())
    where = both.put("10.0.0.2/32", toward("192.0.2.77", "192.0.2.78"))
    both.table.use[where] = PrefixTraffic(7, 700, 1, Seconds(62), 5, 400)
    both.put("10.200.0.0/16", Reject(RejectCode.PROHIBITED), iid=7)


def test_the_table_as_text(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    fill(both)
    assert ctl.main(["map-cache", "--table"]) == Exit.OK
    assert (
        capsys.readouterr().out
        == """\
LISP data plane table

0.0.0.0/0, send-map-request, never used

10.0.0.2/32, encapsulate, used 1m02s ago
  Locator     Source         Pri/Wgt  MTU   Encapsulation
  192.0.2.77  198.51.100.10  1/100    1500  LISP
  192.0.2.78  198.51.100.10  1/100    1500  LISP
  Packets out: 7 (700 bytes), in: 5 (400 bytes), dropped: 1

[7]10.200.0.0/16, reject prohibited, never used

3 prefixes
Local EIDs: 10.0.0.1, [7]fd00::1
Source slot 0: 198.51.100.10
"""
    )


def test_a_table_of_nothing_is_said_to_be_empty(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    both.table.eids, both.table.slots = (), ()
    assert ctl.main(["map-cache", "--table"]) == Exit.OK
    assert capsys.readouterr().out == "LISP data plane table\n\n0 prefixes\nLocal EIDs: none\n"
    assert ctl.main(["map-cache", "--table", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == {"entries": [], "prefixes": 0, "local_eids": [], "sources": []}


def test_the_table_as_json_is_one_object_with_an_entry_a_line(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(600):
        both.put(f"10.0.{number // 256}.{number % 256}/32", Drop())
    assert ctl.main(["map-cache", "--table", "--json"]) == Exit.OK
    text = capsys.readouterr().out
    view = json.loads(text)
    assert (len(view["entries"]), view["prefixes"], len(text.splitlines())) == (600, 600, 600 + 7)
    assert [entry["action"] for entry in view["entries"]] == ["drop"] * 600


def through_a_visited_site(header: str) -> Encapsulate:
    """To a mobile node whose RLOC is an EID of the site that it visits."""
    tunnel = InnerTunnel(ip_address("203.0.113.9"), 0, bytes.fromhex(header))
    return Encapsulate((ForwardingLocator(ip_address("192.0.2.77"), 0, bytes(8), inside=tunnel),))


def test_an_rloc_inside_of_a_visited_site_is_shown_with_the_way_to_it(
    both: Both, capsys: pytest.CaptureFixture[str]
) -> None:
    both.put("10.0.0.2/32", through_a_visited_site("0800000000000700"))
    assert ctl.main(["map-cache", "--table"]) == Exit.OK
    assert "\n  203.0.113.9 by 192.0.2.77  198.51.100.10  1/100 " in capsys.readouterr().out


def test_a_difference_inside_of_a_visited_site_is_named(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    both.table.put(both.put("10.0.0.2/32", through_a_visited_site("00" * 8)), through_a_visited_site("08" + "00" * 7))
    assert ctl.main(["check"]) == Exit.FAULT
    text = capsys.readouterr().out
    way = "with 203.0.113.9 slot 0 port 4341 header"
    assert f"{way} 0000000000000000 inside\n  found:" in text
    assert f"{way} 0800000000000000 inside\n" in text


def test_no_difference_is_status_0(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    fill(both)
    assert ctl.main(["check"]) == Exit.OK
    assert capsys.readouterr().out == "3 prefixes of the map-cache and policy, 3 of the table: no difference\n"
    assert ctl.main(["check", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == {
        "differences": [], "same": True, "differences_total": 0, "wanted": 3, "prefixes": 3, "unsure": 0
    }  # fmt: skip


def test_each_difference_is_named_and_status_1(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    fill(both)
    both.table.withdraw(prefix("0.0.0.0/0"))
    both.table.put(prefix("10.0.0.2/32"), toward("192.0.2.77"))
    both.table.put(prefix("10.3.0.0/16"), Native())
    both.table.eids = tuple(LocalPrefix(Eid(ip_address(text)).prefix) for text in ("10.0.0.1", "10.0.0.9"))
    both.table.slots = (SourceRloc(0, ip_address("198.51.100.10"), 4),)
    assert ctl.main(["check"]) == Exit.FAULT == 1
    assert (
        capsys.readouterr().out
        == """\
0.0.0.0/0: missing from the table
  wanted: send-map-request
10.0.0.2/32: differs
  wanted: encapsulate to 192.0.2.77 slot 0 1/100 LISP port 4341 MTU 1500 header 0000000000000000, \
192.0.2.78 slot 0 1/100 LISP port 4341 MTU 1500 header 0000000000000000
  found: encapsulate to 192.0.2.77 slot 0 1/100 LISP port 4341 MTU 1500 header 0000000000000000
10.3.0.0/16: in the table and not wanted
  found: natively-forward
local EID [7]fd00::1: missing from the table
source slot 0: differs
  wanted: 198.51.100.10 on interface 3
  found: 198.51.100.10 on interface 4
local EID 10.0.0.9: in the table and not wanted
3 prefixes of the map-cache and policy, 3 of the table: 6 differences
"""
    )
    assert ctl.main(["check", "--json"]) == Exit.FAULT
    view = json.loads(capsys.readouterr().out)
    assert sorted(one["kind"] for one in view["differences"]) == [
        "differs",
        "differs",
        "missing",
        "missing",
        "stray",
        "stray",
    ]
    assert view["same"] is False


@pytest.mark.parametrize("words", [["check"], ["map-cache", "--table"], ["check", "--json"]])
def test_an_answer_that_breaks_off_is_a_sentence_and_status_1(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask_in_parts(path: str, noun: str) -> Iterator[dict[str, object]]:
        yield {"entries": [], "differences": []}
        raise ControlError("the daemon's answer was cut short")

    monkeypatch.setattr(ctl, "ask_in_parts", ask_in_parts)
    assert ctl.main(words) == Exit.FAULT
    printed = capsys.readouterr()
    assert printed.err == "lispctl: the daemon's answer was cut short\n"
    assert "difference\n" not in printed.out
    assert "prefixes\n" not in printed.out


@pytest.mark.parametrize("words", [["check"], ["map-cache", "--table"], ["map-cache", "--table", "--json"]])
def test_a_map_servers_refusal_is_all_that_is_printed(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask_in_parts(path: str, noun: str) -> Iterator[dict[str, object]]:
        raise ControlError("this daemon is a Map-Server, which has no data plane")
        yield {}

    monkeypatch.setattr(ctl, "ask_in_parts", ask_in_parts)
    assert ctl.main(words) == Exit.FAULT
    assert capsys.readouterr() == ("", "lispctl: this daemon is a Map-Server, which has no data plane\n")


def test_the_map_cache_without_table_is_the_control_planes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ctl, "ask", lambda path, noun: {"map-cache": {"entries": []}}[noun])
    assert ctl.main(["map-cache"]) == Exit.OK
    assert capsys.readouterr().out == "LISP map-cache, 0 entries\n"
