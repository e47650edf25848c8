"""The real table compared with what somebody wants, against two dictionaries laid side by side."""

from __future__ import annotations

from ipaddress import ip_address
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from lispfast._fastpath import Table
from lispfast.control.prefix_map import prefix_of
from lispfast.model.addresses import Eid, EidPrefix
from lispfast.model.forwarding import (
    Drop,
    Encapsulate,
    EncapsulateSet,
    ForwardingLocator,
    LocalPrefix,
    LocatorSet,
    Native,
    SourceRloc,
    Transaction,
    Verdict,
)
from lispfast.model.units import InstanceId
from lispfast.runtime import comparison
from lispfast.runtime.comparison import Comparison, slices
from tests.unit.runtime.table_twin import Wants, toward

# Few bits, so that prefixes meet and more-specifics fill them.
VERDICTS: tuple[Verdict, ...] = (Drop(), Native(), toward("192.0.2.77"), toward("192.0.2.77", "192.0.2.78"))


@st.composite
def prefixes(draw: st.DrawFn) -> EidPrefix:
    address = ip_address(draw(st.sampled_from(("10.0.0.0", "fd00::")))) + draw(st.integers(0, 15))
    length = address.max_prefixlen - draw(st.integers(0, 5))
    return prefix_of(Eid(address, InstanceId(draw(st.sampled_from((0, 9))))), length)


tables = st.dictionaries(prefixes(), st.sampled_from(VERDICTS), max_size=40)


@given(tables, tables, st.integers(1, 7))
@settings(max_examples=150, deadline=None)
def test_the_differences_are_those_of_two_dictionaries(
    wanted: dict[EidPrefix, Verdict], standing: dict[EidPrefix, Verdict], length: int
) -> None:
    table, wants = Table(), Wants()
    if standing:
        table.commit(Transaction(put=tuple(standing.items())))
    for prefix, verdict in wanted.items():
        wants.want(prefix, verdict)
    run = Comparison(wants, table)
    with patch.object(comparison, "SLICE", length), patch.object(comparison, "TRIES", 2):
        differences = [one for some in run.steps() for one in some]
        shown = [row[1:3] for rows in slices(table) for row in rows]
    expected = {
        prefix: (wanted.get(prefix), standing.get(prefix))
        for prefix in wanted.keys() | standing.keys()
        if wanted.get(prefix) != standing.get(prefix)
    }
    assert {one.subject: (one.wanted, one.found) for one in differences} == expected
    assert len(differences) == len(expected)
    assert (run.wanted, run.prefixes, run.unsure) == (len(wanted), len(standing), 0)
    assert dict(shown) == standing
    assert len(shown) == len(standing)


def test_our_own_eids_and_the_source_slots_are_read_back() -> None:
    table, wants = Table(), Wants()
    wants.eids = tuple(
        LocalPrefix(EidPrefix.parse(text, iid), version)
        for text, iid, version in (("fd00::/16", 0, 0), ("fd00::1", 0, 0), ("10.0.0.0/8", 9, 4095), ("10.0.0.1", 9, 7))
    )
    sources = [SourceRloc(slot, ip_address(text), slot + 1) for slot, text in ((0, "192.0.2.1"), (63, "2001:db8::1"))]
    wants.slots = tuple(sources)
    assert (table.local(), table.sources()) == ((), ())
    table.commit(Transaction(local=wants.eids, sources=(*wants.slots, SourceRloc(5, ip_address("192.0.2.9")))))
    table.commit(Transaction(sources=(SourceRloc(5, None),)))
    assert (table.local(), table.sources()) == (wants.eids, wants.slots)
    assert [one for some in Comparison(wants, table).steps() for one in some] == []
    table.commit(Transaction(local=(), sources=(SourceRloc(0, None),)))
    differences = [one for some in Comparison(wants, table).steps() for one in some]
    assert [one.subject for one in differences] == [*wants.eids, 0]


def test_a_locator_set_counts_by_its_locators() -> None:
    table, wants = Table(), Wants()
    first, second = (ForwardingLocator(ip_address(f"192.0.2.{last}"), 0, bytes(8)) for last in (7, 8))
    prefix = EidPrefix.parse("10.0.0.0/24")
    table.commit(Transaction(put=((prefix, EncapsulateSet(5)),), sets=(LocatorSet(5, (first, second)),)))
    wants.want(prefix, Encapsulate((first, second)))
    assert [one for some in Comparison(wants, table).steps() for one in some] == []
    table.commit(Transaction(sets=(LocatorSet(5, (second,)),)))
    (one,) = [one for some in Comparison(wants, table).steps() for one in some]
    assert one.found == Encapsulate((second,))
