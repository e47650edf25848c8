from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lispfast.control.ratelimit import RateLimiter
from lispfast.model.units import Seconds


def test_a_burst_then_one_an_interval() -> None:
    limiter = RateLimiter(Seconds(3), burst=2)
    assert [limiter.allow("peer", Seconds(t)) for t in (0, 0, 0, 2.9, 3.0, 3.1, 6.0)] == [
        True, True, False, False, True, False, True,
    ]  # fmt: skip


def test_keys_do_not_share() -> None:
    limiter = RateLimiter(Seconds(1), burst=1)
    assert limiter.allow("a", Seconds(0))
    assert limiter.allow("b", Seconds(0))
    assert not limiter.allow("a", Seconds(0))


def test_memory_is_bounded_and_the_longest_unused_goes() -> None:
    limiter = RateLimiter(Seconds(1000), burst=1, capacity=2)
    assert limiter.allow("a", Seconds(0))
    assert limiter.allow("b", Seconds(0))
    assert not limiter.allow("a", Seconds(0))
    assert limiter.allow("c", Seconds(0))
    assert not limiter.allow("a", Seconds(0))
    assert limiter.allow("b", Seconds(0)), "b was forgotten for c"


@given(st.lists(st.floats(0, 2), max_size=60), st.integers(1, 4), st.sampled_from([0.25, 1.0, 3.0]))
def test_never_more_than_burst_and_rate_in_any_window(gaps: list[float], burst: int, interval: float) -> None:
    limiter = RateLimiter(Seconds(interval), burst)
    now, taken = 0.0, []
    for gap in gaps:
        now += gap
        if limiter.allow("k", Seconds(now)):
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - taken[first]) / interval + 1e-3


@given(st.lists(st.floats(0, 2), min_size=1, max_size=40))
def test_ready_at_is_when_it_says_yes(gaps: list[float]) -> None:
    limiter = RateLimiter(Seconds(1.5), burst=2)
    now = 0.0
    for gap in gaps:
        now += gap
        ready = limiter.ready_at("k", Seconds(now))
        assert limiter.allow("k", Seconds(now)) == (ready - now < 1e-5)
    ready = limiter.ready_at("k", Seconds(now))
    assert limiter.allow("k", ready)


def test_who_reserves_is_told_when_his_token_is_due_and_delays_those_behind_him():
    limiter = RateLimiter(Seconds(2), burst=2)
    assert [limiter.reserve("key", Seconds(0)) for _ in range(4)] == [0, 0, 2, 4]
    assert not limiter.allow("key", Seconds(5))
    assert limiter.ready_at("key", Seconds(5)) == 6
    assert limiter.reserve("other", Seconds(5)) == 5


def test_what_was_reserved_and_is_not_wanted_any_more_delays_nobody():
    limiter = RateLimiter(Seconds(2), burst=2)
    for _ in range(100):
        limiter.reserve("key", Seconds(0))
    limiter.cancel()
    assert [limiter.reserve("key", Seconds(0)) for _ in range(2)] == [2, 4]
