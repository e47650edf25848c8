"""The table compared with what it should hold: each way to be wrong, and what only passes by."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from lispfast.model.addresses import Eid
from lispfast.model.forwarding import Drop, Native, Reject, RejectCode, Resolve, SourceRloc, Verdict
from lispfast.model.units import InstanceId
from lispfast.runtime import comparison
from lispfast.runtime.comparison import Comparison, Difference, Kind
from tests.unit.runtime.table_twin import Both, prefix, toward

VERDICTS: tuple[Verdict, ...] = (
    toward("192.0.2.77"), toward("192.0.2.77", "192.0.2.78"), toward("192.0.2.77", slot=1), Drop(), Native(), Resolve(),
    Reject(), Reject(RejectCode.PROHIBITED),
)  # fmt: skip


SLICE = 8
TRIES = 4


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "SLICE", SLICE)
    monkeypatch.setattr(comparison, "TRIES", TRIES)


def compared(both: Both) -> tuple[list[Difference], Comparison]:
    run = Comparison(both.wants, both.table)
    return [one for differences in run.steps() for one in differences], run


def found(both: Both) -> dict[str, str]:
    """The kind of each difference; none is told twice."""
    differences, _ = compared(both)
    kinds = {str(one.subject): one.kind.value for one in differences}
    assert len(kinds) == len(differences)
    return kinds


def sound() -> Both:
    both = Both()
    both.put("0.0.0.0/0", Resolve())
    both.put("::/0", Resolve())
    both.put("10.0.0.0/8", Drop())
    both.put("10.0.0.0/32", toward("192.0.2.77"))
    both.put("10.0.0.0/32", toward("192.0.2.78"), iid=7)
    both.put("fd00::/64", toward("192.0.2.77"))
    both.put("fd00::1/128", toward("2001:db8::1", slot=1))
    return both


def test_what_agrees_has_no_difference_and_everything_was_compared() -> None:
    differences, run = compared(sound())
    assert differences == []
    assert (run.wanted, run.prefixes, run.unsure) == (7, 7, 0)


def test_nothing_is_compared_with_nothing() -> None:
    assert found(Both()) == {}


@pytest.mark.parametrize("iid", [0, 7])
@pytest.mark.parametrize("gone", ["10.0.0.0/32", "10.0.0.0/8", "0.0.0.0/0", "fd00::1/128", "::/0"])
def test_a_prefix_that_is_missing_is_named(gone: str, iid: int) -> None:
    both = sound()
    both.put(gone, Native(), iid)
    both.table.withdraw(prefix(gone, iid))
    assert found(both) == {str(prefix(gone, iid)): "missing"}


@pytest.mark.parametrize("stray", ["10.0.0.0/31", "10.0.0.1/32", "11.0.0.0/8", "fd00::2/128"])
def test_a_prefix_that_nobody_wants_is_named(stray: str) -> None:
    both = sound()
    both.table.put(prefix(stray), Drop())
    (one,), _ = compared(both)
    assert (one.subject, one.kind, one.wanted, one.found) == (prefix(stray), Kind.STRAY, None, Drop())


@pytest.mark.parametrize("wanted", VERDICTS)
@pytest.mark.parametrize("standing", VERDICTS)
def test_any_other_verdict_is_a_difference(wanted: Verdict, standing: Verdict) -> None:
    both = sound()
    where = both.put("10.1.0.0/16", wanted)
    both.table.put(where, standing)
    expected = [] if wanted == standing else [Difference(where, wanted, standing)]
    assert compared(both)[0] == expected


@pytest.mark.parametrize(
    "field", [{"mtu": 1400}, {"port": 4790}, {"weight": 1}, {"priority": 2}, {"header": b"\x08" + bytes(7)}]
)
def test_each_field_of_a_locator_counts(field: dict[str, object]) -> None:
    both = sound()
    wanted = toward("192.0.2.77")
    where = both.put("10.1.0.0/16", wanted)
    both.table.put(where, replace(wanted, locators=(replace(wanted.locators[0], **field),)))  # type: ignore[arg-type]
    assert found(both) == {"10.1.0.0/16": "differs"}


def test_the_order_of_locators_does_not_count() -> None:
    both = sound()
    where = both.put("10.1.0.0/16", toward("192.0.2.77", "192.0.2.78"))
    both.table.put(where, toward("192.0.2.78", "192.0.2.77"))
    assert found(both) == {}


def test_more_differences_than_a_slice_are_all_named_once() -> None:
    both = sound()
    for number in range(SLICE + 9):
        both.wants.want(prefix(f"172.16.{number // 256}.{number % 256}/32"), Drop())
        both.table.put(prefix(f"172.17.{number // 256}.{number % 256}/32"), Drop())
    kinds = list(found(both).values())
    assert (kinds.count("missing"), kinds.count("stray"), len(kinds)) == (SLICE + 9, SLICE + 9, 2 * SLICE + 18)
    assert both.table.most <= SLICE


def test_what_changes_on_both_sides_between_the_steps_is_no_difference() -> None:
    both = sound()
    hosts = [f"172.16.0.{number}/32" for number in range(6 * SLICE)]
    for host in hosts:
        both.put(host, Drop())
    steps = Comparison(both.wants, both.table).steps()
    for number, differences in enumerate(steps):
        assert differences == []
        for host in hosts[number::3]:
            both.put(host, VERDICTS[number % len(VERDICTS)])
        for host in hosts[number::7]:
            both.withdraw(host)
    assert number > 10


@pytest.mark.parametrize("kind", ["missing", "stray", "differs"])
def test_a_difference_that_is_gone_when_looked_at_again_is_none(kind: str) -> None:
    both = sound()
    where = prefix("10.1.0.0/16")
    if kind != "stray":
        both.wants.want(where, Drop())
    if kind != "missing":
        both.table.put(where, Native())
    steps = Comparison(both.wants, both.table).steps()
    assert next(steps) == []
    both.table.put(where, Drop())
    both.wants.want(where, Drop())
    assert [one for differences in steps for one in differences] == []


def hide(both: Both, within: str) -> None:
    """Fill a prefix with more-specifics, as long as the prefix is short of them by 5 bits."""
    for network in ip_network(within).subnets(5):
        both.put(str(network), Drop())


@pytest.mark.parametrize("within", ["10.1.0.0/27", "fd00::/123", "10.1.0.0/16", "10.1.0.0/30"])
def test_a_prefix_behind_its_more_specifics_is_found_by_its_row(within: str) -> None:
    both = sound()
    where = both.put(within, toward("192.0.2.77"))
    for network in ip_network(within).subnets(min(5, where.network.max_prefixlen - where.length)):
        both.put(str(network), Drop())
    assert found(both) == {}
    both.table.put(where, Drop())
    assert found(both) == {within: "differs"}
    both.table.withdraw(where)
    assert found(both) == {within: "missing"}


def test_one_behind_its_more_specifics_that_comes_back_where_the_walk_has_been_is_no_difference() -> None:
    both = sound()
    hide(both, "10.1.0.0/27")
    where = both.put("10.1.0.0/27", Drop())
    steps = Comparison(both.wants, both.table).steps()
    while both.table.walked < SLICE:
        assert next(steps) == []
    both.table.withdraw(prefix("0.0.0.0/0"))  # leaves number 1
    both.wants.verdicts.pop(prefix("0.0.0.0/0"))
    both.table.withdraw(where)
    both.put("10.1.0.0/27", Drop())
    assert both.table.standing[1][0] == where
    both.wants.tenures[where] = object()
    assert [one for differences in steps for one in differences] == []


def test_what_is_hidden_beyond_memory_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MAX_HIDDEN", 1)
    both = Both()
    for within in ("10.1.0.0/27", "10.2.0.0/27", "10.3.0.0/27"):
        both.put(within, Drop())
        hide(both, within)
    differences, run = compared(both)
    assert (differences, run.unsure) == ([], 2)


OURS, OTHER = Eid(ip_address("10.0.0.1")), Eid(ip_address("10.0.0.1"), InstanceId(7))
STORED, MOVED = (SourceRloc(0, ip_address("198.51.100.10"), ifindex) for ifindex in (3, 4))


def test_our_own_eids_and_the_source_slots_are_compared_too() -> None:
    both = sound()
    both.wants.eids, both.table.eids = (OURS,), (OTHER,)
    both.wants.slots, both.table.slots = (STORED,), (MOVED, replace(STORED, slot=1))
    differences, _ = compared(both)
    assert [(one.subject, one.kind, one.wanted, one.found) for one in differences] == [
        (OURS, Kind.MISSING, OURS, None),
        (0, Kind.DIFFERS, STORED, MOVED),
        (OTHER, Kind.STRAY, None, OTHER),
        (1, Kind.STRAY, None, replace(STORED, slot=1)),
    ]


def test_the_order_of_our_own_eids_does_not_count() -> None:
    both = sound()
    both.wants.eids, both.table.eids = (OURS, OTHER), (OTHER, OURS)
    assert compared(both)[0] == []
