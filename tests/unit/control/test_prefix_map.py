"""The map against a dictionary that is searched from end to end."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lispfast.control.prefix_map import PrefixMap, prefix_of
from lispfast.model.addresses import Eid, EidPrefix

# Few bits, so that prefixes meet: the first bits and the last ones of a family.
BITS = st.integers(0, 0xFF)


@st.composite
def addresses(draw):
    version = draw(st.sampled_from((4, 6)))
    width = 32 if version == 4 else 128
    value = draw(BITS) << (width - 8) | draw(st.integers(0, 3))
    return ip_address(value.to_bytes(width // 8, "big"))


eids = st.builds(Eid, addresses(), st.sampled_from((0, 5)))


@st.composite
def prefixes(draw):
    eid = draw(eids)
    width = eid.address.max_prefixlen
    return prefix_of(eid, draw(st.one_of(st.integers(0, 10), st.just(width), st.just(width - 1))))


def map_of(keys):
    found = PrefixMap()
    for key in keys:
        found.put(key, str(key))
    return found


def overlaps(one: EidPrefix, other: EidPrefix) -> bool:
    return one.covers(other) or other.covers(one)


def slow_hole(keys, eid):
    """The shortest mask that meets nobody, tried one after the other."""
    for length in range(eid.address.max_prefixlen + 1):
        hole = prefix_of(eid, length)
        if not any(overlaps(hole, key) for key in keys):
            return hole
    raise AssertionError("a prefix covers the EID")


@given(st.sets(prefixes(), max_size=12))
def test_values_are_those_of_the_items_in_the_same_order(keys):
    found = map_of(keys)
    assert list(found.values()) == [value for _, value in found.items()] == [str(key) for key in found]


@given(st.sets(prefixes(), max_size=12), prefixes())
@settings(max_examples=300)
def test_lookups_agree_with_the_slow_twin(keys, asked):
    found = map_of(keys)
    covers = [key for key in keys if key.covers(asked)]
    best = max(covers, key=lambda key: key.length, default=None)
    assert found.cover(asked) == (None if best is None else (best, str(best)))
    under = {key for key in keys if asked.covers(key) and key != asked}
    assert {key for key, _ in found.under(asked)} == under
    assert len(found.under(asked)) == len(under) == found.count_under(asked)
    assert found.get(asked) == (str(asked) if asked in keys else None)


@given(st.sets(prefixes(), max_size=12), eids)
@settings(max_examples=300)
def test_holes_agree_with_the_slow_twin(keys, eid):
    keys = {key for key in keys if not key.contains(eid)}
    assert map_of(keys).hole(eid) == slow_hole(keys, eid)


@given(st.lists(st.tuples(st.booleans(), prefixes()), max_size=30), prefixes())
def test_putting_and_removing(steps, asked):
    found, twin = PrefixMap(), {}
    for add, key in steps:
        if add:
            twin[key] = value = len(twin)
            found.put(key, value)
        elif key in twin:
            found.remove(key)
            del twin[key]
        else:
            with pytest.raises(KeyError):
                found.remove(key)
    assert set(found) == set(twin)
    assert len(found) == len(twin)
    assert all((key in found) for key in twin)
    assert dict(found.items()) == twin
    covers = [key for key in twin if key.covers(asked)]
    assert (found.cover(asked) or (None,))[0] == max(covers, key=lambda key: key.length, default=None)


def test_more_specifics_stand_behind_their_prefix():
    order = ["10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/32", "10.1.0.0/16", "11.0.0.0/8", "2001:db8::/32"]
    found = map_of(EidPrefix(ip_network(text)) for text in reversed(order))
    assert [str(key) for key in found] == order


def test_the_hole_of_an_empty_map_is_everything():
    assert PrefixMap().hole(Eid(ip_address("10.1.2.3"))) == EidPrefix.parse("0.0.0.0/0")
    assert PrefixMap().hole(Eid(ip_address("2001:db8::1"), 7)) == EidPrefix.parse("::/0", 7)


@given(st.sets(prefixes(), max_size=12), prefixes(), st.integers(1, 5))
def test_slices_are_the_whole_in_its_order_whether_the_place_to_go_on_from_is_there_or_not(keys, start, room):
    found = map_of(keys)
    whole = list(found)
    slices = [found.after(None, room)]
    while slices[-1]:
        slices.append(found.after(slices[-1][-1], room))
    assert [key for some in slices for key in some] == whole
    beyond = map_of({*keys, start})
    assert found.after(start, room) == beyond.after(start, room)


def test_nothing_is_left_of_an_instance_that_went():
    """Instance-IDs are 16 million."""
    prefixes = PrefixMap()
    for iid in range(100):
        prefix = EidPrefix.parse("10.0.0.0/8", iid)
        prefixes.put(prefix, iid)
        prefixes.remove(prefix)
    assert [vars(prefixes)[name] for name in vars(prefixes)] == [{}, [], {}]


def test_nothing_is_left_of_an_instance_without_prefixes():
    prefixes = PrefixMap()
    for iid in range(1000):
        prefixes.put(EidPrefix.parse("10.0.0.0/8", iid), iid)
        prefixes.remove(EidPrefix.parse("10.0.0.0/8", iid))
    assert (len(prefixes), prefixes._lengths, prefixes._order) == (0, {}, [])


def test_the_less_specifics_of_a_prefix_come_most_specific_first():
    prefixes = PrefixMap()
    for text in ("10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "10.2.0.0/16", "0.0.0.0/0"):
        prefixes.put(EidPrefix.parse(text), None)
    found = prefixes.covers(EidPrefix.parse("10.1.1.0/24"))
    assert [str(prefix) for prefix in found] == ["10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0"]
    assert prefixes.covers(EidPrefix.parse("0.0.0.0/0")) == []
    assert prefixes.covers(EidPrefix.parse("10.0.0.0/8", 7)) == []
