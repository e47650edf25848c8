"""Answers against a slow twin that looks at every prefix there is."""

from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from lispfast.control.mapping_system import (
    HOLE_TTL,
    RELEARNING,
    UNREGISTERED_TTL,
    Forward,
    MappingSystem,
    Reply,
    Silence,
)
from lispfast.control.prefix_map import prefix_of
from lispfast.control.registrations import Entry, Registrations
from lispfast.control.sites import SiteTable
from lispfast.model.addresses import Eid, Endpoint
from lispfast.model.mapping import Action
from lispfast.model.units import Seconds

from .ms_helpers import mapping, prefix, site

NOW = Seconds(1000.0)
ETR = Endpoint(ip_address("198.51.100.7"), 4342)

# Prefixes under 10.0.0.0/8 down to /16 that meet each other often.
texts = st.builds(
    lambda value, length: str(prefix_of(Eid(ip_address(10 << 24 | value << 16)), length).network),
    st.integers(0, 15),
    st.sampled_from((8, 12, 13, 14, 15, 16)),
)
eids = st.builds(lambda value: Eid(ip_address(value << 16 | 1)), st.sampled_from([*range(10 << 8, (10 << 8) + 18), 11]))


def always(_):
    return True


def build(sites, registered, static=(), proxy=()):
    """`sites` and `static` are texts; a registration belongs to the site that admits it, if any does."""
    table = SiteTable([site(text, more_specifics=True) for text in sites])
    registrations = Registrations()
    for text in registered:
        owner = table.admitting(prefix(text))
        if owner is not None:
            entry = Entry(mapping(text, "198.51.100.7"), None, ETR, 0.0, 180.0, text in proxy)
            registrations.register(owner, entry)
    return MappingSystem(table, registrations, [mapping(text, "192.0.2.99") for text in static]), registrations


def overlap(one, other):
    return one.covers(other) or other.covers(one)


@given(st.sets(texts, max_size=4), st.sets(texts, max_size=5), st.sets(texts, max_size=2), eids)
@settings(max_examples=400)
def test_against_the_slow_twin(sites, registered, static, eid):
    system, registrations = build(sites, registered, static, proxy=registered)
    dynamic = {str(p.network) for p in registrations.prefixes}
    answer = system.answer(eid.prefix, always, NOW)
    assert isinstance(answer, Reply)
    best, *more = answer.mappings
    assert best.prefix.contains(eid)
    covering = [text for text in dynamic | static if prefix(text).contains(eid)]
    if covering:
        match = max(covering, key=lambda text: prefix(text).length)
        assert str(best.prefix) == match
        assert [str(loc.address) for loc in best.locators] == ["192.0.2.99" if match in static else "198.51.100.7"]
        under = [text for text in dynamic | static if prefix(match).covers(prefix(text)) and text != match]
        assert {str(m.prefix) for m in more} == set(under)
        return
    assert not more
    assert (best.locators, best.action) == ((), Action.NATIVELY_FORWARD)
    holders = [text for text in sites if prefix(text).contains(eid)]
    avoid = dynamic | static if holders else set(sites) | static
    widest = max((prefix(text).length for text in holders), default=0)
    assert best.ttl == (UNREGISTERED_TTL if holders else HOLE_TTL)
    assert not any(overlap(best.prefix, prefix(text)) for text in avoid)
    if best.prefix.length > widest:
        wider = prefix_of(eid, best.prefix.length - 1)
        assert any(overlap(wider, prefix(text)) for text in avoid), "the hole could be wider"
    else:
        assert best.prefix.length == widest


def test_an_answer_is_neither_authoritative_nor_local():
    system, _ = build(["10.0.0.0/8"], ["10.0.0.0/8"], proxy=["10.0.0.0/8"])
    (found,) = system.answer(prefix("10.1.0.1/32"), always, NOW).mappings
    assert not found.authoritative
    assert [loc.local for loc in found.locators] == [False]


def test_who_is_not_proxied_for_is_asked():
    system, _ = build(["10.0.0.0/8"], ["10.0.0.0/8"])
    answer = system.answer(prefix("10.1.0.1/32"), always, NOW)
    assert isinstance(answer, Forward)
    assert answer.registration.latest.source == ETR


def test_beside_a_proxied_answer_a_more_specific_without_proxy_is_to_be_asked_for():
    system, _ = build(["10.0.0.0/8"], ["10.0.0.0/8", "10.1.0.0/16"], proxy=["10.0.0.0/8"])
    best, more = system.answer(prefix("10.2.0.1/32"), always, NOW).mappings
    assert best.locators
    assert (str(more.prefix), more.locators, more.action) == ("10.1.0.0/16", (), Action.SEND_MAP_REQUEST)


def test_all_records_of_an_answer_have_the_smallest_ttl():
    static = [mapping("10.0.0.0/8", "192.0.2.99", ttl=60), mapping("10.1.0.0/16", "192.0.2.98", ttl=5)]
    system = MappingSystem(SiteTable([]), Registrations(), static)
    assert [m.ttl for m in system.answer(prefix("10.2.0.1/32"), always, NOW).mappings] == [5, 5]
    assert [m.ttl for m in system.answer(prefix("10.1.0.1/32"), always, NOW).mappings] == [5]


def test_rfc_9301_section_5_5_example():
    texts = ["2001:db8::/32", "2001:db8:1::/48", "2001:db8:1:1::/64", "2001:db8:1:2::/64"]
    static = [mapping(text, "192.0.2.99") for text in texts]
    system = MappingSystem(SiteTable([]), Registrations(), static)
    one = system.answer(prefix("2001:db8:1:1::1/128"), always, NOW).mappings
    assert [str(m.prefix) for m in one] == texts[2:3]
    three = system.answer(prefix("2001:db8:1:5::5/128"), always, NOW).mappings
    assert [str(m.prefix) for m in three] == texts[1:]


def test_more_specifics_that_do_not_fit_narrow_the_answer():
    static = [mapping("10.0.0.0/8", "192.0.2.99")]
    static += [mapping(f"10.{n}.0.0/16", "192.0.2.98") for n in range(200)]
    system = MappingSystem(SiteTable([]), Registrations(), static)
    for limit in (1, 3, 10, 50):
        answer = system.answer(prefix("10.201.0.1/32"), lambda mappings, limit=limit: len(mappings) <= limit, NOW)
        best, *more = answer.mappings
        assert len(more) < limit
        assert best.prefix.contains(Eid(ip_address("10.201.0.1")))
        assert best.locators == answer.mappings[0].locators
        inside = {m.prefix for m in static[1:] if best.prefix.covers(m.prefix)}
        assert {m.prefix for m in more} == inside, "what the answer covers, it covers whole"


def test_an_asked_prefix_that_is_covered_whole_is_answered_whole():
    system, _ = build(["10.0.0.0/8"], ["10.0.0.0/8", "10.1.0.0/16"], proxy=["10.0.0.0/8", "10.1.0.0/16"])
    whole = system.answer(prefix("10.0.0.0/9"), always, NOW).mappings
    assert [str(m.prefix) for m in whole] == ["10.0.0.0/8", "10.1.0.0/16"]


def test_a_wider_question_is_answered_for_its_first_address():
    system, _ = build(["10.0.0.0/8"], ["10.0.0.0/16"], proxy=["10.0.0.0/16"])
    assert str(system.answer(prefix("10.0.0.0/8"), always, NOW).mappings[0].prefix) == "10.0.0.0/16"


def test_instance_ids_are_worlds_apart():
    system, _ = build(["10.0.0.0/8"], ["10.0.0.0/8"], proxy=["10.0.0.0/8"])
    (found,) = system.answer(prefix("10.1.0.1/32", iid=7), always, NOW).mappings
    assert (found.prefix, found.ttl) == (prefix("0.0.0.0/0", iid=7), HOLE_TTL)


def test_a_registered_prefix_answers_also_for_a_nested_site_that_nobody_registered():
    system, _ = build(["10.0.0.0/8", "10.1.0.0/16"], ["10.0.0.0/8"], proxy=["10.0.0.0/8"])
    (found,) = system.answer(prefix("10.1.0.1/32"), always, NOW).mappings
    assert str(found.prefix) == "10.0.0.0/8"


def test_after_a_restart_nobody_is_called_unregistered_before_each_could_register():
    system, _ = build(["10.0.0.0/8"], ["10.1.0.0/16"], static=["10.3.0.0/16"], proxy=["10.1.0.0/16"])
    system.forgot(NOW)
    soon, late = Seconds(NOW + RELEARNING - 0.1), Seconds(NOW + RELEARNING)
    assert system.answer(prefix("10.2.0.1/32"), always, soon) == Silence()
    for known in ("10.1.0.1/32", "10.3.0.1/32", "11.0.0.1/32"):
        assert system.answer(prefix(known), always, soon) == system.answer(prefix(known), always, late) != Silence()
    (found,) = system.answer(prefix("10.2.0.1/32"), always, late).mappings
    assert (found.ttl, found.action) == (UNREGISTERED_TTL, Action.NATIVELY_FORWARD)
