"""allowed-dst-eids: who uses LISP and is asked for; the rest is outside of it without a question."""

import pytest

from lispfast.control.authority import Authority
from lispfast.model.addresses import Eid, EidPrefix, parse_address
from lispfast.model.forwarding import Encapsulate, Native, Reject, Resolve
from lispfast.model.mapping import Action
from lispfast.model.settings import ProxyEtr

from .mn_helpers import ON_WIFI, PEER, PEER_RLOC, PEER_RLOC_2, Bench, mapping, settings

ALLOWED = (EidPrefix.parse("10.0.0.0/8"), EidPrefix.parse("172.16.0.0/12"))
OUTSIDE = parse_address("198.18.0.1")


def node(**changes):
    return Bench(settings(allowed_destinations=ALLOWED, **changes), ON_WIFI)


def verdict(bench, eid):
    return bench.table.lookup(Eid(parse_address(eid)))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({}, Reject), ({"native_forward": True}, Native), ({"proxy_etrs": (ProxyEtr(PEER_RLOC),)}, Encapsulate)],
)
def test_other_destinations_are_treated_as_outside_of_lisp_without_a_question(changes, kind):
    bench = node(**changes)
    assert isinstance(verdict(bench, str(OUTSIDE)), kind)
    assert isinstance(verdict(bench, "2001:db8::1"), (Reject, Native, Encapsulate))
    assert [verdict(bench, eid) for eid in ("10.9.9.9", "172.31.0.1")] == [Resolve(), Resolve()]
    assert bench.asked() == []


def test_an_answer_inside_is_used_as_ever():
    bench = node()
    bench.know(PEER, PEER_RLOC)
    assert isinstance(bench.verdict(PEER), Encapsulate)
    assert verdict(bench, "10.9.9.9") == Resolve()


def test_a_negative_answer_that_is_wider_holds_inside_and_ends_the_questions():
    bench = node(native_forward=True)
    bench.punt(PEER)
    bench.reply(mapping("8.0.0.0/6", action=Action.NATIVELY_FORWARD))
    assert verdict(bench, "10.9.9.9") == Native()
    assert verdict(bench, "172.31.0.1") == Resolve()
    bench.pass_time(3600)
    assert verdict(bench, "10.9.9.9") == Resolve()


def test_a_positive_answer_that_is_wider_brings_nobody_else_into_lisp():
    bench = node()
    bench.punt(PEER)
    bench.reply(mapping("8.0.0.0/6", PEER_RLOC))
    assert isinstance(verdict(bench, "10.9.9.9"), Encapsulate)
    assert verdict(bench, "9.9.9.9") == Reject()


def test_the_static_map_cache_holds_wherever_it_is():
    bench = node(static_map_cache=(mapping("198.18.0.0/15", PEER_RLOC_2),))
    assert isinstance(bench.verdict(OUTSIDE), Encapsulate)


def test_the_table_is_what_its_authority_says():
    bench = node()
    bench.punt(PEER)
    bench.reply(mapping("8.0.0.0/6", PEER_RLOC))
    authority = Authority(bench.node)
    prefixes = list(authority.prefixes())
    assert len(prefixes) == len(set(prefixes))
    assert {prefix: authority.wanted(prefix) for prefix in prefixes} == bench.table.verdicts
