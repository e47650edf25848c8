"""The table of path MTUs alone, and the mobile node that heeds it."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lispfast.control.outbox import Outbox
from lispfast.control.path_mtu import LIFETIME, MAX_PATHS, TOLD_BURST, PathMtus
from lispfast.model.addresses import Address
from lispfast.model.forwarding import Encapsulate, ForwardingLocator, NoSegmentation, PathMtu
from lispfast.model.settings import ProxyEtr
from lispfast.model.underlay import Underlay
from lispfast.model.units import Seconds, WireMtu

from .mn_helpers import (
    LTE,
    NOWHERE,
    ON_LTE,
    ON_WIFI,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    PEER_RLOC_V6,
    WIFI,
    Bench,
    host,
    interface,
    registered,
    settings,
)

LINK = WireMtu(1500)
PETR = ip_address("192.0.2.50")
OTHER = ip_address("10.0.0.3")


def table() -> PathMtus:
    return PathMtus(Outbox())


@pytest.mark.parametrize(
    ("rloc", "hint", "expected"),
    [
        (PEER_RLOC, 1400, 1400),
        (PEER_RLOC, 576, 576),
        (PEER_RLOC, 575, 576),
        (PEER_RLOC, 0, 576),
        (PEER_RLOC, 1500, 1500),
        (PEER_RLOC, 9000, 1500),
        (PEER_RLOC_V6, 1280, 1280),
        (PEER_RLOC_V6, 1279, 1500),
        (PEER_RLOC_V6, 0, 1500),
    ],
)
def test_a_hint_lowers_down_to_a_floor(rloc: Address, hint: int, expected: int) -> None:
    mtus = table()
    changed = mtus.handle_hint(rloc, WireMtu(hint), LINK, Seconds(5))
    assert changed == ([rloc] if expected != LINK else [])
    assert mtus.effective(rloc, LINK) == expected
    assert (mtus.next_timeout() is None) == (expected == LINK), "nothing learnt wakes nobody"


def test_a_second_hint_counts_only_where_it_is_lower_and_starts_its_time_anew() -> None:
    mtus = table()
    mtus.handle_hint(PEER_RLOC, WireMtu(1400), LINK, Seconds(0))
    for again in (1400, 1450):
        assert mtus.handle_hint(PEER_RLOC, WireMtu(again), LINK, Seconds(100)) == []
    assert mtus.learnt(PEER_RLOC) == 0
    assert mtus.handle_hint(PEER_RLOC, WireMtu(1300), LINK, Seconds(100)) == [PEER_RLOC]
    assert mtus.handle_timeout(Seconds(LIFETIME + 99)) == []
    assert mtus.handle_timeout(Seconds(LIFETIME + 100)) == [PEER_RLOC]
    assert mtus.effective(PEER_RLOC, LINK) == LINK


def test_an_interface_with_less_is_what_counts() -> None:
    mtus = table()
    mtus.handle_hint(PEER_RLOC, WireMtu(1400), LINK, Seconds(0))
    assert mtus.effective(PEER_RLOC, WireMtu(1300)) == 1300
    assert mtus.handle_hint(PEER_RLOC, WireMtu(1350), WireMtu(1300), Seconds(1)) == []


def test_the_table_is_bounded_and_its_oldest_goes() -> None:
    mtus = table()
    rlocs = [IPv4Address("198.18.0.0") + n for n in range(MAX_PATHS + 1)]
    for at, rloc in enumerate(rlocs[:-1]):
        mtus.handle_hint(rloc, WireMtu(1400), LINK, Seconds(at))
    mtus.handle_hint(rlocs[0], WireMtu(1300), LINK, Seconds(MAX_PATHS))  # learnt anew: not the oldest any more
    assert mtus.handle_hint(rlocs[-1], WireMtu(1400), LINK, Seconds(MAX_PATHS + 1)) == [rlocs[-1], rlocs[1]]
    assert (len(mtus.known), mtus.effective(rlocs[1], LINK)) == (MAX_PATHS, LINK)


def test_the_log_is_not_flooded() -> None:
    outbox = Outbox()
    mtus = PathMtus(outbox)
    for mtu in range(1400, 1300, -1):
        mtus.handle_hint(PEER_RLOC, WireMtu(mtu), LINK, Seconds(0))
    events = outbox.take_events()
    assert len(events) == TOLD_BURST
    assert (events[0].name, events[0].fields) == (
        "path-mtu-learnt",
        {"locator": str(PEER_RLOC), "mtu": 1400, "before": 1500},
    )


class Slow:
    """Each hint that counted with its time; what is in force is found by looking at all of them."""

    def __init__(self) -> None:
        self.learnt: list[tuple[Address, int, float]] = []

    def effective(self, rloc: Address, now: float) -> int:
        living = [mtu for one, mtu, at in self.learnt if one == rloc and now - at < LIFETIME]
        # A lower one replaces what stood there, so the last that is alive says what is in force.
        return living[-1] if living else LINK


@hypothesis_settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([PEER_RLOC, PEER_RLOC_2, PEER_RLOC_V6]), st.integers(0, 1600), st.integers(0, 400)),
        max_size=20,
    )
)
def test_the_table_against_a_slow_one(hints: list[tuple[Address, int, int]]) -> None:
    mtus, slow, now = table(), Slow(), 0.0
    for rloc, mtu, pause in hints:
        now += pause
        mtus.handle_timeout(Seconds(now))
        believed = max(mtu, 576) if rloc.version == 4 else mtu
        if believed < slow.effective(rloc, now) and (rloc.version == 4 or mtu >= 1280):
            slow.learnt.append((rloc, believed, now))
        mtus.handle_hint(rloc, WireMtu(mtu), LINK, Seconds(now))
        for one in (PEER_RLOC, PEER_RLOC_2, PEER_RLOC_V6):
            assert mtus.effective(one, LINK) == slow.effective(one, now)


# --- In the mobile node -----------------------------------------------------------------------------------------------


def locators(bench: Bench, eid: Address) -> tuple[ForwardingLocator, ...]:
    verdict = bench.verdict(eid)
    assert isinstance(verdict, Encapsulate)
    return verdict.locators


def mtu(bench: Bench, eid: Address) -> int:
    (locator,) = locators(bench, eid)
    return locator.mtu


def hint(bench: Bench, rloc: Address, value: int) -> None:
    bench.node.handle_punt(PathMtu(rloc, WireMtu(value)), bench.now)
    bench.take()


def acquainted() -> Bench:
    """It knows two peers at two RLOCs, and has nothing left to do for the next hour but to register."""
    bench = registered()
    bench.know(PEER, PEER_RLOC, ttl=60)
    bench.know(OTHER, PEER_RLOC_2, ttl=60)
    bench.clear()
    return bench


def test_only_the_verdicts_that_use_the_rloc_change() -> None:
    bench = acquainted()
    before = dict(bench.table.verdicts)
    hint(bench, PEER_RLOC, 1400)
    assert bench.order == ["Commit"]
    assert mtu(bench, PEER) == 1400
    changed = {prefix for prefix, verdict in bench.table.verdicts.items() if verdict != before[prefix]}
    assert changed == {host(PEER)}


def test_a_stranger_changes_nothing() -> None:
    bench = acquainted()
    hint(bench, ip_address("192.0.2.200"), 600)
    hint(bench, PEER_RLOC_V6, 1280)
    assert (bench.order, bench.events, dict(bench.node.path_mtus.known)) == ([], [], {})


def test_the_timer_says_when_and_why_and_brings_the_larger_one_back() -> None:
    bench = acquainted()
    hint(bench, PEER_RLOC, 1400)
    timeout = bench.node.path_mtus.next_timeout()
    assert timeout is not None
    assert (timeout.at, timeout.why) == (bench.now + 600, "a path MTU is forgotten, a larger one may fit by now")
    bench.pass_time(599)
    assert mtu(bench, PEER) == 1400
    bench.pass_time(1)
    assert mtu(bench, PEER) == 1500


def test_a_move_forgets() -> None:
    bench = acquainted()
    hint(bench, PEER_RLOC, 1400)
    bench.move(ON_LTE)
    assert bench.ways(PEER) == [(LTE, PEER_RLOC)]
    assert mtu(bench, PEER) == 1500
    assert bench.node.path_mtus.next_timeout() is None


def test_without_a_way_out_nobody_can_have_sent_a_hint() -> None:
    bench = acquainted()
    bench.move(NOWHERE)
    hint(bench, PEER_RLOC, 1400)
    assert dict(bench.node.path_mtus.known) == {}


def test_the_interfaces_own_mtu_reaches_every_locator_and_bounds_what_is_learnt() -> None:
    bench = acquainted()
    hint(bench, PEER_RLOC, 1400)
    bench.move(Underlay((interface("wlan0", WIFI, mtu=1450),)))
    assert (mtu(bench, PEER), mtu(bench, OTHER)) == (1400, 1450)
    bench.move(Underlay((interface("wlan0", WIFI, mtu=1350),)))
    assert (mtu(bench, PEER), mtu(bench, OTHER)) == (1350, 1350)
    bench.move(Underlay((interface("wlan0", WIFI, mtu=9000),)))
    assert (mtu(bench, PEER), mtu(bench, OTHER)) == (1400, 9000)


def test_a_mapping_that_comes_later_has_what_was_learnt() -> None:
    bench = acquainted()
    hint(bench, PEER_RLOC, 1400)
    bench.know(ip_address("10.0.0.4"), PEER_RLOC, PEER_RLOC_2)
    assert [locator.mtu for locator in locators(bench, ip_address("10.0.0.4"))] == [1400, 1500]


def test_a_proxys_path_counts_for_what_goes_to_the_proxy() -> None:
    bench = registered(settings(map_resolvers=(), proxy_etrs=(ProxyEtr(PETR, versions=(4,)),)))
    hint(bench, PETR, 1300)
    assert mtu(bench, PEER) == 1300
    bench.pass_time(600)
    assert mtu(bench, PEER) == 1500


def test_the_map_cache_shows_it() -> None:
    bench = acquainted()
    hint(bench, PEER_RLOC, 1400)
    bench.pass_time(10)
    shown = {e["eid_prefix"]: e["locators"][0] for e in bench.node.view("map-cache", bench.now)["entries"]}  # type: ignore[attr-defined]
    assert (shown[f"{PEER}/32"]["mtu"], shown[f"{PEER}/32"]["mtu_learnt"]) == (1400, 10.0)
    assert (shown[f"{OTHER}/32"]["mtu"], shown[f"{OTHER}/32"]["mtu_learnt"]) == (1500, None)


def test_an_interface_without_segmentation_is_named_in_the_log() -> None:
    bench = Bench(underlay=ON_WIFI)
    bench.clear()
    for ifindex in (3, 99):
        bench.node.handle_punt(NoSegmentation(ifindex), bench.now)
    bench.take()
    assert [(e.name, e.fields) for e in bench.events] == [
        ("segmentation-refused", {"interface": "wlan0"}),
        ("segmentation-refused", {"interface": "99"}),
    ]


def test_after_the_end_nothing_is_heeded() -> None:
    bench = acquainted()
    bench.node.stop(bench.now)
    bench.take()
    bench.clear()
    hint(bench, PEER_RLOC, 1400)
    bench.punt(ip_address("10.0.0.9"))
    assert (bench.order, bench.events) == ([], [])
