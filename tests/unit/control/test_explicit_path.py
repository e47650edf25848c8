"""Which hop of a path is next: the order, the S-bit, ourselves in it, loops."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.control.explicit_path import looked_up, loops, tried
from lispfast.model.mapping import Hop, Locator

A, B, C = (ip_address(f"192.0.2.{number}") for number in (1, 2, 3))


def path(*hops):
    return tuple(hop if isinstance(hop, Hop) else Hop(hop) for hop in hops)


def chosen(hops, own=(), broken=()):
    found = tried(path(*hops), own, lambda hop: hop.address not in broken)
    return found[-1].address if found else None


@pytest.mark.parametrize(
    ("own", "expected"), [((), A), ((A,), B), ((B,), C), ((A, B), C), ((C,), None), ((A, B, C), None)]
)
def test_the_hop_behind_ourselves_is_next_and_nothing_behind_the_last(own, expected):
    assert chosen((A, B, C), own) == expected


def test_a_broken_hop_is_left_out_unless_it_is_strict():
    assert chosen((A, B, C), broken=(A,)) == B
    assert chosen((Hop(A, strict=True), B, C), broken=(A,)) == A
    assert chosen((A, Hop(B, strict=True), C), broken=(A, B)) == B


def test_the_last_hop_stays_where_all_are_broken():
    assert chosen((A, B, C), broken=(A, B, C)) == C


def test_a_path_that_passes_a_hop_twice_leads_nowhere():
    assert loops(path(A, B, A))
    assert chosen((A, B, A)) is None
    assert chosen((A, B, B), own=(A,)) is None


def test_only_hops_with_the_lookup_bit_are_looked_up():
    assert looked_up(Locator(A, path=path(A, Hop(B, lookup=True), C))) == (B,)
    assert looked_up(Locator(A)) == ()


@given(st.lists(st.sampled_from([A, B, C]), max_size=4), st.sets(st.sampled_from([A, B, C])))
def test_packets_never_go_to_ourselves_nor_backwards(addresses, own):
    for hop in tried(path(*addresses), own, lambda hop: True):
        assert hop.address not in own
        assert not any(address in own for address in addresses[addresses.index(hop.address) :])
