"""The map-cache: lifetimes, refresh, overlapping prefixes and bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.control import map_cache
from lispfast.control.map_cache import MapCache, Origin
from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import PrefixTraffic, Resolve, Traffic
from lispfast.model.mapping import Action

from .mn_helpers import PEER, PEER_RLOC, PEER_RLOC_2, WIFI, host, mapping, registered, settings


def prefix(text):
    return EidPrefix.parse(text)


def used(cache, text, now, idle=0.0):
    cache.handle_traffic(Traffic({prefix(text): PrefixTraffic(1, 1, 0, idle)}, {}), now)


def learned(*texts, ttl=10, now=0.0, size=10_000):
    cache = MapCache(size=size)
    for text in texts:
        cache.learn((mapping(text, PEER_RLOC, ttl=ttl),), prefix(text), now)
    return cache


def names(cache):
    return [str(entry.prefix) for entry in cache.entries()]


def test_an_entry_lives_for_its_ttl():
    cache = learned("10.0.0.0/24", ttl=3)
    assert cache.handle_timeout(179.9).expired == ()
    assert cache.handle_timeout(180.0).expired == (prefix("10.0.0.0/24"),)
    assert (len(cache), cache.next_timeout(), list(cache.rlocs())) == (0, None, [])


@pytest.mark.parametrize(("ttl", "lifetime"), [(0xFFFFFFFF, 86400), (86400, 86400), (1440, 86400), (1, 60)])
def test_a_ttl_is_bounded_by_a_day(ttl, lifetime):
    assert learned("10.0.0.0/24", ttl=ttl).get(prefix("10.0.0.0/24")).expires == lifetime


@pytest.mark.parametrize(("ttl", "lifetime"), [(0x8000001E, 30), (0x80000000, 1), (0x80000000 | 100_000, 86400)])
def test_a_ttl_that_lispers_net_says_in_seconds_is_one_of_seconds(ttl, lifetime):
    assert learned("10.0.0.0/24", ttl=ttl).get(prefix("10.0.0.0/24")).expires == lifetime


@pytest.mark.parametrize(("ttl", "margin"), [(1, 10), (3, 30), (10, 60), (1440, 60)])
def test_an_entry_in_use_is_asked_for_before_it_ends(ttl, margin):
    cache = learned("10.0.0.0/24", ttl=ttl)
    at = ttl * 60 - margin
    assert cache.next_timeout().at == pytest.approx(at)
    used(cache, "10.0.0.0/24", at, idle=5)
    assert cache.handle_timeout(at).refresh == (prefix("10.0.0.0/24"),)


@pytest.mark.parametrize(("idle", "asked"), [(0, True), (29, True), (31, False), (50, False)])
def test_an_entry_of_a_minute_is_asked_for_again_if_its_second_half_saw_a_packet(idle, asked):
    cache = learned("10.0.0.0/24", ttl=1)
    used(cache, "10.0.0.0/24", 50, idle=idle)
    assert bool(cache.handle_timeout(50).refresh) is asked


def test_to_be_asked_for_again_is_no_use():
    cache = learned("10.0.0.0/24", ttl=1)
    used(cache, "10.0.0.0/24", 50, idle=10)
    cache.learn((mapping("10.0.0.0/24", PEER_RLOC, ttl=1),), prefix("10.0.0.0/24"), 50)
    assert cache.idle(prefix("10.0.0.0/24"), 100) == 60
    assert cache.handle_timeout(100).refresh == ()


def test_an_idle_entry_just_ends():
    cache = learned("10.0.0.0/24")
    used(cache, "10.0.0.0/24", 100)
    assert cache.handle_timeout(540) == map_cache.Due()
    assert cache.handle_timeout(600).expired == (prefix("10.0.0.0/24"),)


def test_ttl_0_removes_at_once():
    cache = learned("10.0.0.0/24")
    assert cache.learn((mapping("10.0.0.0/24", PEER_RLOC, ttl=0),), prefix("10.0.0.0/24"), 5) == [prefix("10.0.0.0/24")]
    assert len(cache) == 0
    assert cache.learn((mapping("10.0.0.0/24", PEER_RLOC, ttl=0),), prefix("10.0.0.0/24"), 6) == []


def test_the_longest_match_counts():
    cache = learned("10.0.0.0/8", "10.1.0.0/16")
    assert str(cache.cover(prefix("10.1.2.3/32")).prefix) == "10.1.0.0/16"
    assert str(cache.cover(prefix("10.2.2.3/32")).prefix) == "10.0.0.0/8"
    assert cache.cover(prefix("11.0.0.0/32")) is None


def test_a_less_specific_that_arrives_later_ends_with_its_more_specifics():
    cache = learned("10.1.0.0/16", ttl=1)
    cache.learn((mapping("10.0.0.0/8", PEER_RLOC, ttl=10),), prefix("10.2.0.1/32"), 0)
    assert cache.get(prefix("10.0.0.0/8")).expires == 60


def test_a_more_specific_that_arrives_later_keeps_its_ttl():
    cache = learned("10.0.0.0/8", ttl=1)
    cache.learn((mapping("10.1.0.0/16", PEER_RLOC, ttl=10),), prefix("10.1.0.1/32"), 0)
    assert cache.get(prefix("10.1.0.0/16")).expires == 600


def test_records_of_one_reply_keep_their_own_ttl():
    cache = MapCache()
    cache.learn((mapping("10.0.0.0/8", WIFI, ttl=10), mapping("10.1.0.0/16", WIFI, ttl=10)), prefix("10.2.0.1/32"), 0)
    assert [entry.expires for entry in cache.entries()] == [600, 600]


def test_a_wider_answer_to_a_refresh_replaces_what_it_covers():
    cache = learned("10.1.0.0/16", "10.2.0.0/16")
    changed = cache.learn((mapping("10.0.0.0/8", WIFI),), prefix("10.1.0.0/16"), 30)
    assert names(cache) == ["10.0.0.0/8"]
    assert set(map(str, changed)) == {"10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"}


def test_a_wider_answer_to_a_miss_leaves_the_more_specifics():
    cache = learned("10.1.0.0/16")
    cache.learn((mapping("10.0.0.0/8", WIFI),), prefix("10.2.0.1/32"), 30)
    assert names(cache) == ["10.0.0.0/8", "10.1.0.0/16"]


def test_a_static_entry_is_never_replaced_removed_or_ended():
    static = mapping("10.0.0.0/24", PEER_RLOC, ttl=1)
    cache = MapCache([static])
    cache.learn((mapping("10.0.0.0/24", WIFI),), prefix("10.0.0.0/24"), 0)
    cache.learn((mapping("10.0.0.0/16", WIFI),), prefix("10.0.9.0/24"), 0)
    assert cache.remove(prefix("10.0.0.0/24")) == []
    cache.handle_timeout(10**6)
    assert cache.get(prefix("10.0.0.0/24")).mapping == static
    used(cache, "10.0.0.0/24", 100)
    assert cache.in_use(prefix("10.0.0.0/24"), 150)


def test_a_hold_ends_soon_and_gives_way_to_any_answer_that_covers_it():
    cache = MapCache()
    assert cache.hold(host(PEER), 5, 0) == [host(PEER)]
    assert cache.handle_timeout(5).expired == (host(PEER),)
    cache.hold(host(PEER), 15, 10)
    changed = cache.learn((mapping("10.0.0.0/24", PEER_RLOC),), prefix("10.0.0.77/32"), 11)
    assert names(cache) == ["10.0.0.0/24"]
    assert host(PEER) in changed
    assert cache.get(prefix("10.0.0.0/24")).expires == 611
    assert cache.holds() == []


def test_a_hold_does_not_displace_a_mapping():
    cache = learned("10.0.0.2/32")
    assert cache.hold(host(PEER), 5, 0) == []
    assert cache.get(host(PEER)).origin is Origin.MAP_REPLY


def test_a_send_map_request_entry_is_not_refreshed():
    cache = MapCache()
    cache.learn((mapping("10.0.0.0/8", ttl=1, action=Action.SEND_MAP_REQUEST),), prefix("10.0.0.1/32"), 0)
    assert cache.next_timeout().at == 60


def test_the_users_of_an_rloc_follow_the_entries():
    cache = learned("10.0.1.0/24", "10.0.2.0/24")
    assert [str(p) for p in cache.users(PEER_RLOC)] == ["10.0.1.0/24", "10.0.2.0/24"]
    cache.learn((mapping("10.0.1.0/24", PEER_RLOC_2),), prefix("10.0.1.0/24"), 1)
    assert [str(p) for p in cache.users(PEER_RLOC)] == ["10.0.2.0/24"]
    assert [str(p) for p in cache.users(PEER_RLOC_2)] == ["10.0.1.0/24"]


@given(st.lists(st.tuples(st.integers(24, 32), st.integers(0, 255), st.integers(0, 2), st.booleans()), max_size=25))
def test_the_index_of_rlocs_and_the_timers_agree_with_the_entries(steps):
    cache = MapCache()
    pool = [PEER_RLOC, PEER_RLOC_2, WIFI]
    for number, (length, last, rloc, remove) in enumerate(steps):
        shift = 32 - length
        text = f"10.0.0.{last >> shift << shift}/{length}"
        cache.learn((mapping(text, pool[rloc], ttl=0 if remove else 5),), prefix(text), float(number))
    expected = {}
    for entry in cache.entries():
        for locator in entry.mapping.locators:
            expected.setdefault(locator.address, set()).add(entry.prefix)
    assert {rloc: set(cache.users(rloc)) for rloc in cache.rlocs()} == expected
    cache.handle_timeout(10**6)
    assert (len(cache), list(cache.rlocs()), cache.next_timeout()) == (0, [], None)


# --- Through the node -------------------------------------------------------------------------------------------------


def test_traffic_keeps_an_entry_fresh_without_a_gap():
    bench = registered()
    bench.know(PEER, PEER_RLOC, ttl=1)
    for _ in range(200):
        bench.use(host(PEER))
        bench.pass_time(1)
        assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
        last = bench.questions()[-1]
        if last.source_eid is None and bench.node.resolver.match(last.nonce):
            bench.reply(mapping("10.0.0.2/32", PEER_RLOC, ttl=1))
    refreshes = [question for question in bench.questions() if question.source_eid is None]
    assert 3 <= len(refreshes) <= 5


def test_a_static_entry_is_there_from_the_start_and_shown():
    bench = registered(settings(static_map_cache=(mapping("10.0.0.0/24", PEER_RLOC),)))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
    (entry,) = bench.node.view("map-cache", bench.now)["entries"]
    assert (entry["via"], entry["expires"], entry["locators"][0]["state"]) == ("static", None, "up")


def test_an_entry_that_ended_gives_the_default_back():
    bench = registered()
    bench.punt(PEER)
    bench.reply(mapping("0.0.0.0/0", PEER_RLOC, ttl=1))
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
    bench.pass_time(61)
    assert bench.verdict(PEER) == Resolve()


def test_what_a_reading_does_not_mention_was_not_used_since():
    cache = learned("10.0.0.0/24", ttl=1)
    used(cache, "10.0.0.0/24", 40, idle=1)
    cache.handle_traffic(Traffic({}, {}), 50)
    assert cache.idle(prefix("10.0.0.0/24"), 50) == 11
    assert cache.handle_timeout(50).refresh == (prefix("10.0.0.0/24"),)


def test_entries_learned_together_are_not_asked_for_together():
    bench = registered()
    peers = [PEER + n for n in range(8)]
    for peer in peers:
        bench.know(peer, PEER_RLOC)
    learned_at = bench.now
    bench.pass_time(500)
    bench.use(*(host(peer) for peer in peers))
    bench.clear()
    bench.pass_time(55)
    first: dict[str, float] = {}
    times = [at for at, send in zip(bench.sent_at, bench.sent, strict=True) if send.payload[0] >> 4 == 8]
    for asked, at in zip(bench.asked(), times, strict=True):
        first.setdefault(asked, learned_at + 600 - at)
    assert len(set(first.values())) == len(peers)
    assert all(60 <= margin <= 60 * (1 + map_cache.REFRESH_JITTER) for margin in first.values())
