"""Record TTLs as the RFC and as others mean them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.control.record_ttl import LONGEST, lifetime


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [
        (1, 60),
        (1440, 86400),
        (1441, 86400),
        (86400, 86400),  # VPP
        (0xFFFFFFFF, 86400),
        (0x8000001E, 30),  # lispers.net
        (0x80000000, 1),
        (0x80000000 | 100_000, 86400),
        (0xFFFFFFFE, 86400),
        (0x7FFFFFFF, 86400),
    ],
)
def test_what_a_ttl_means(ttl, seconds):
    assert lifetime(ttl) == seconds


@given(st.integers(1, 0xFFFFFFFF))
def test_a_record_that_is_not_withdrawn_holds_for_a_while_and_not_for_ever(ttl):
    assert 0 < lifetime(ttl) <= LONGEST
