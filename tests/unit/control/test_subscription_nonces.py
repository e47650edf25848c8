"""The nonces of subscriptions rise, over restarts too, and are hard to guess where nothing is known."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from lispfast.control import subscription_nonces as module
from lispfast.control.subscription_nonces import NONCE_LIMIT, SubscriptionNonces
from lispfast.model.addresses import EidPrefix
from lispfast.model.units import Nonce

WIDE, NARROW, OTHER = (EidPrefix.parse(p) for p in ("10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24"))
FIRST = 1_700_000_000_000_000_000


def nonces(first=FIRST, drawn=None) -> SubscriptionNonces:
    numbers = count(0x1234_5678_9ABC_DEF0)
    return SubscriptionNonces(first, drawn or (lambda: Nonce(next(numbers))))


def test_a_first_nonce_has_32_random_bits_below_and_the_run_above():
    low = (1 << 32) - 1
    drawn = iter((0, low, 2**64 - 1))
    some = nonces(drawn=lambda: Nonce(next(drawn)))
    given_out = [some.next(prefix) for prefix in (WIDE, OTHER)]
    assert [nonce & low for nonce in given_out] == [0, low]
    assert all(nonce >> 32 > FIRST >> 32 for nonce in given_out)


def test_known_nonces_count_up_by_one_from_the_higher_side():
    some = nonces()
    first = some.next(WIDE)
    assert some.next(WIDE) == first + 1
    some.hear(WIDE, first + 7)
    assert some.next(WIDE) == first + 8
    assert some.next(WIDE) == first + 9
    assert some.heard(WIDE) == first + 7


def test_what_an_eid_prefix_covers_counts_on_from_it():
    some = nonces()
    some.hear(WIDE, 500)
    assert (some.next(NARROW), some.next(WIDE), some.heard(NARROW)) == (501, 502, 0)


def test_no_two_questions_under_one_eid_prefix_have_the_same_nonce():
    some = nonces()
    some.hear(WIDE, 500)
    some.hear(NARROW, 300)
    assert len({some.next(prefix) for prefix in (NARROW, WIDE, NARROW, NARROW, WIDE, WIDE)}) == 6


def test_an_unanswered_question_begins_above_everything_before():
    some = nonces()
    first = some.next(WIDE)
    some.hear(WIDE, first + 5000)
    assert some.next(WIDE, anew=True) > first + 5000


def test_a_later_run_is_above_an_earlier_one():
    earlier, later = nonces(FIRST), nonces(FIRST + (5 << 32))
    assert max(earlier.next(WIDE) for _ in range(3)) < later.next(WIDE)


def test_at_the_end_of_the_numbers_it_begins_anew():
    some = nonces()
    some.hear(WIDE, NONCE_LIMIT)
    assert some.next(WIDE) < NONCE_LIMIT


def test_the_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_PREFIXES", 3)
    some = nonces()
    for n in range(10):
        some.hear(EidPrefix.parse(f"10.0.0.{n}/32"), n + 1)
    assert len(some) == 3
    assert some.heard(EidPrefix.parse("10.0.0.9/32")) == 10
    assert some.heard(EidPrefix.parse("10.0.0.0/32")) == 0


@given(st.lists(st.tuples(st.sampled_from([WIDE, NARROW, OTHER]), st.integers(0, 3)), max_size=30))
def test_a_question_is_always_above_what_was_heard_and_asked(steps):
    some, highest = nonces(), {}
    for prefix, ahead in steps:
        nonce = some.next(prefix)
        assert nonce > highest.get(prefix, 0)
        highest[prefix] = nonce + ahead
        some.hear(prefix, nonce + ahead)
