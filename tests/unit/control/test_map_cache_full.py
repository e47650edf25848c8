"""A map-cache that is full: who gives way to whom, and what a scan can do to conversations."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from lispfast.control import map_cache
from lispfast.control.map_cache import IN_USE, MapCache
from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import PrefixTraffic, Traffic

from .mn_helpers import PEER, PEER_RLOC, WIFI, host, mapping, registered, settings


def prefix(text):
    return EidPrefix.parse(text)


def used(cache, now, *texts, idle=0.0):
    cache.handle_traffic(Traffic({prefix(text): PrefixTraffic(1, 1, 0, idle) for text in texts}, {}), now)


def learn(cache, now, *texts, ttl=10):
    return [str(p) for text in texts for p in cache.learn((mapping(text, PEER_RLOC, ttl=ttl),), prefix(text), now)]


def names(cache):
    return [str(entry.prefix) for entry in cache.entries()]


def test_who_was_not_used_for_a_minute_goes_first_longest_first():
    cache = MapCache(size=3)
    learn(cache, 0, "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24")
    used(cache, 20, "10.0.2.0/24")
    used(cache, 30, "10.0.1.0/24")
    learn(cache, 95, "10.0.4.0/24")
    assert names(cache) == ["10.0.1.0/24", "10.0.2.0/24", "10.0.4.0/24"]
    assert "10.0.2.0/24" in learn(cache, 95, "10.0.5.0/24")
    assert names(cache) == ["10.0.1.0/24", "10.0.4.0/24", "10.0.5.0/24"]
    assert cache.displaced == 2


def test_who_was_learned_and_not_used_since_goes_before_a_conversation():
    cache = MapCache(size=3)
    learn(cache, 0, "10.0.1.0/24", "10.0.2.0/24")
    used(cache, 10, "10.0.1.0/24")
    learn(cache, 11, "10.0.3.0/24", "10.0.4.0/24")
    assert names(cache) == ["10.0.1.0/24", "10.0.3.0/24", "10.0.4.0/24"]


def test_the_packet_that_asked_for_an_entry_makes_no_conversation():
    cache = MapCache(size=2)
    learn(cache, 0, "10.0.1.0/24", "10.0.2.0/24")
    used(cache, 0.1, "10.0.1.0/24")
    learn(cache, 2, "10.0.3.0/24")
    assert names(cache) == ["10.0.2.0/24", "10.0.3.0/24"]


def test_where_all_are_in_use_the_newcomer_goes():
    cache = MapCache(size=2)
    learn(cache, 0, "10.0.1.0/24", "10.0.2.0/24")
    used(cache, 5, "10.0.1.0/24", "10.0.2.0/24")
    assert learn(cache, 6, "10.0.3.0/24").count("10.0.3.0/24") == 2
    assert names(cache) == ["10.0.1.0/24", "10.0.2.0/24"]
    assert cache.displaced == 1


def test_no_less_specific_outlives_a_more_specific_that_gave_way():
    cache = MapCache(size=2)
    cache.learn((mapping("10.0.0.0/8", WIFI), mapping("10.1.0.0/16", PEER_RLOC)), prefix("10.2.0.1/32"), 0)
    learn(cache, 1, "11.0.0.0/8")
    assert names(cache) == ["10.1.0.0/16", "11.0.0.0/8"]
    learn(cache, 2, "12.0.0.0/8")
    assert names(cache) == ["11.0.0.0/8", "12.0.0.0/8"]
    cache = MapCache(size=2)
    learn(cache, 0, "10.1.0.0/16")
    learn(cache, 1, "10.0.0.0/8")
    learn(cache, 2, "11.0.0.0/8")
    assert names(cache) == ["11.0.0.0/8"]


def test_a_more_specific_of_an_entry_in_use_is_passed_over():
    cache = MapCache(size=3)
    learn(cache, 0, "10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8")
    used(cache, 5, "10.0.0.0/8")
    learn(cache, 6, "12.0.0.0/8")
    assert names(cache) == ["10.0.0.0/8", "10.1.0.0/16", "12.0.0.0/8"]


def test_static_entries_are_not_counted_and_never_give_way():
    cache = MapCache([mapping(f"10.9.{n}.0/24", PEER_RLOC) for n in range(5)], size=1)
    learn(cache, 0, "10.0.1.0/24", "10.0.2.0/24")
    assert len(cache) == 6


texts = st.builds(
    lambda length, bits: str(ip_address(bits >> (32 - length) << (32 - length))) + f"/{length}",
    st.sampled_from([0, 1, 2, 3, 32]),
    st.integers(0, 2**32 - 1).map(lambda bits: bits & 0xE0000003),
)


@given(st.lists(st.tuples(texts, st.floats(0, 40), st.booleans(), st.integers(0, 3)), max_size=60))
def test_a_full_cache_keeps_its_order(steps):
    cache, now, told = MapCache(size=4), 0.0, set()
    for text, wait, use, ttl in steps:
        now += wait
        cache.handle_timeout(now)
        before = {entry.prefix for entry in cache.entries()}
        busy = {p for p in cache._used if now - cache._used[p] <= IN_USE}
        if use:
            used(cache, now, text)
            continue
        changed = cache.learn((mapping(text, PEER_RLOC, ttl=ttl),), prefix(text), now)
        after = {entry.prefix for entry in cache.entries()}
        assert len(after) <= 4
        assert (before ^ after) <= set(changed)
        if ttl:
            told.add(prefix(text))
        gone = before - after - {prefix(text)}
        for victim in gone & busy:  # only with a more-specific that left no other choice
            assert any(victim.covers(other) and other != victim for other in gone | {prefix(text)})
        for victim in gone:
            assert not any(left.covers(victim) for left in after)
        assert set(cache._used) | set(cache._fresh) == after
        assert not set(cache._used) & set(cache._fresh)
    assert len(cache._used) + len(cache._fresh) == len(cache)


def test_a_scan_does_not_displace_a_conversation():
    bench = registered(settings(map_cache_size=50))
    bench.know(PEER, PEER_RLOC)
    for number in range(300):
        bench.pass_time(0.2)
        bench.use(host(PEER))
        stranger = ip_address("10.200.0.0") + number
        bench.know(stranger, PEER_RLOC)
        bench.use(host(stranger))  # the packet that asked
    assert bench.ways(PEER) == [(WIFI, PEER_RLOC)]
    assert len(bench.node.cache) == 50
    assert bench.node.view("status", bench.now)["map_cache"] == {"entries": 50, "displaced": 251}
    assert len(bench.table.verdicts) <= 50 + 2


def test_entries_learned_together_are_not_refreshed_together():
    draws = iter(range(0, 65536, 16))
    cache = MapCache(nonces=lambda: next(draws))
    for number in range(64):
        learn(cache, 0.0, f"10.0.{number}.0/24")
    times = {cache._refresh._at[p][0] for p in cache.prefixes()}
    assert len(times) == 64
    assert 540 - 60 * map_cache.REFRESH_JITTER <= min(times) <= max(times) <= 540
