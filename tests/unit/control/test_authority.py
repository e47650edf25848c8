"""What the table should hold, asked in slices while the node goes on."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from lispfast.control import authority
from lispfast.control.authority import Authority
from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import Resolve, SourceRloc
from lispfast.model.units import InstanceId
from tests.unit.control.mn_helpers import (
    LTE_V6,
    NOWHERE,
    ON_LTE_DUAL,
    ON_LTE_V6,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    WIFI,
    Bench,
    database,
    host,
    mapping,
    registered,
    settings,
)

DEFAULTS = [EidPrefix.parse("0.0.0.0/0"), EidPrefix.parse("::/0")]


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "SLICE", 4)


def learnt(bench: Bench, count: int) -> list[EidPrefix]:
    for number in range(count):
        bench.know(ip_address(f"10.9.0.{number}"), PEER_RLOC)
    return [host(ip_address(f"10.9.0.{number}")) for number in range(count)]


def test_the_defaults_and_every_cached_prefix_come_once_and_are_what_was_committed() -> None:
    bench = registered()
    prefixes = DEFAULTS + learnt(bench, 11)
    asked = Authority(bench.node)
    assert list(asked.prefixes()) == prefixes
    assert {prefix: asked.wanted(prefix) for prefix in prefixes} == bench.table.verdicts


def test_a_default_that_is_cached_comes_once() -> None:
    static = replace(mapping("0.0.0.0/0", PEER_RLOC))
    bench = registered(settings(static_map_cache=(static,)))
    asked = Authority(bench.node)
    assert list(asked.prefixes()) == DEFAULTS
    assert asked.wanted(DEFAULTS[0]) == bench.table.verdicts[DEFAULTS[0]] != Resolve()


def test_each_instance_has_its_defaults() -> None:
    database_7 = tuple(
        replace(entry, prefix=replace(entry.prefix, iid=InstanceId(7))) for entry in database(ip_address("10.0.0.1"))
    )
    bench = registered(settings(database=database_7))
    assert list(Authority(bench.node).prefixes()) == [EidPrefix.parse("0.0.0.0/0", 7)]


def test_what_stands_all_the_while_comes_once_whatever_goes_and_comes() -> None:
    bench = registered()
    prefixes = learnt(bench, 30)
    asked = Authority(bench.node)
    seen = []
    for number, prefix in enumerate(asked.prefixes()):
        seen.append(prefix)
        bench.node.cache.remove(prefixes[(number * 7) % 30])
        bench.know(ip_address(f"10.8.0.{number % 200}"), PEER_RLOC)
        bench.know(ip_address(f"10.9.1.{number % 200}"), PEER_RLOC)
        assert number < 200
    stood = [prefix for prefix in prefixes if bench.node.cache.get(prefix)]
    assert [seen.count(prefix) for prefix in stood] == [1] * len(stood)
    assert len(seen) == len(set(seen))


def test_what_nobody_knows_is_not_wanted() -> None:
    assert Authority(registered().node).wanted(host(PEER)) is None


def test_a_tenure_ends_with_the_mapping() -> None:
    bench = registered()
    asked = Authority(bench.node)
    bench.know(PEER, PEER_RLOC)
    first = asked.tenure(host(PEER))
    bench.move(NOWHERE)
    assert asked.tenure(host(PEER)) is first
    bench.node.cache.remove(host(PEER))
    bench.move(ON_LTE_DUAL)
    bench.know(PEER, PEER_RLOC_2)
    assert asked.tenure(host(PEER)) is not first


def test_our_own_side_is_what_was_committed() -> None:
    bench = registered()
    asked = Authority(bench.node)
    assert asked.local() == bench.table.local
    assert asked.sources() == (SourceRloc(0, WIFI, 3),)
    for underlay in (ON_LTE_DUAL, NOWHERE, ON_LTE_V6):
        bench.move(underlay)
        assert asked.sources() == tuple(one for one in bench.table.sources.values() if one.address is not None)
    assert asked.sources() == (SourceRloc(1, LTE_V6, 4),)
