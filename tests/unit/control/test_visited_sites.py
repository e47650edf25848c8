"""RLOCs that are EIDs of a visited site: asked for once, nothing waits, two levels, loops refused."""

from ipaddress import ip_address

import pytest

from lispfast.control import resolver
from lispfast.control.request_pace import Purpose
from lispfast.model.addresses import Eid
from lispfast.model.mapping import Action
from lispfast.model.reasons import ControlReason
from lispfast.wire.records import eid_prefix

from .mn_helpers import EID, ON_WIFI, PEER, PEER_RLOC, SERVER, host, mapping, settings
from .mn_helpers import Bench as UsualBench

VISITOR, NEIGHBOUR = ip_address("172.20.1.9"), ip_address("172.20.1.10")
PEER_2 = ip_address("10.0.0.3")
DOOR = ip_address("203.0.113.80")
SITE = mapping("172.20.0.0/16", DOOR)
NO_SITE = mapping("172.0.0.0/8", action=Action.NATIVELY_FORWARD, ttl=15)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """What is asked and what follows is tried here; that the question waits a little is test_resolver's business."""
    monkeypatch.setattr(resolver, "LOCATE_DELAY", 0.0)


class Bench(UsualBench):
    """Answers the questions that a mapping is the answer to."""

    def answer(self, known):
        asked = [question for question in self.questions() if known.prefix.covers(_asked(question))]
        self.reply(known, request=asked[-1])

    def outstanding(self):
        return [lookup.asked for lookup in self.node.resolver.lookups()]


def _asked(question):
    return eid_prefix(question.records[0].eid, question.records[0].mask_len)


def talking(*rlocs, **changes):
    """A node that just learned where its peer is."""
    bench = Bench(settings(rloc_lookup=True, **changes), ON_WIFI)
    bench.clear()
    learn(bench, mapping("10.0.0.2/32", *(rlocs or (VISITOR,))))
    return bench


def learn(bench, known, eid=PEER):
    bench.punt(eid)
    bench.answer(known)


def way(bench, eid=PEER):
    (locator,) = bench.table.lookup(Eid(eid)).locators
    return locator.address, locator.inside.address if locator.inside else None


def questions_for(bench, prefix):
    return bench.asked().count(prefix)


def test_an_rloc_is_asked_for_once_and_packets_go_plainly_meanwhile():
    bench = talking()
    assert bench.asked() == ["10.0.0.2/32", "172.20.1.9/32"]
    assert way(bench) == (VISITOR, None)
    assert [lookup.purpose for lookup in bench.node.resolver.lookups()] == [Purpose.LOCATE]


def test_a_positive_answer_puts_one_tunnel_into_another():
    bench = talking()
    bench.answer(SITE)
    assert way(bench) == (DOOR, VISITOR)


def test_a_negative_answer_leaves_it_and_covers_its_neighbours():
    bench = talking()
    bench.answer(NO_SITE)
    learn(bench, mapping("10.0.0.3/32", NEIGHBOUR), PEER_2)
    assert (way(bench), way(bench, PEER_2)) == ((VISITOR, None), (NEIGHBOUR, None))
    assert questions_for(bench, "172.20.1.10/32") == 0


def test_the_visitor_that_leaves_is_reached_plainly_again():
    bench = talking()
    bench.answer(SITE)
    bench.solicit(host(PEER), host(EID))
    bench.pass_time(2)
    bench.answer(mapping("10.0.0.2/32", PEER_RLOC))
    assert way(bench) == (PEER_RLOC, None)


def test_the_site_that_moves_takes_its_visitors_along():
    bench = talking()
    bench.answer(SITE)
    bench.use(host(PEER))
    bench.node.resolver.refresh(SITE.prefix, bench.now)
    bench.pass_time(2)
    bench.answer(mapping("172.20.0.0/16", PEER_RLOC))
    assert way(bench) == (PEER_RLOC, VISITOR)


def test_the_sites_own_rloc_is_not_looked_up():
    bench = talking()
    bench.answer(SITE)
    bench.pass_time(5)
    assert questions_for(bench, "203.0.113.80/32") == 0


def test_there_are_two_levels_even_where_the_sites_own_rloc_is_known_to_be_an_eid():
    third = mapping("203.0.113.80/32", PEER_RLOC)
    bench = talking(static_map_cache=(third,))
    bench.answer(SITE)
    assert way(bench) == (DOOR, VISITOR)


def test_a_question_about_an_rloc_takes_nothing_from_the_one_a_second_of_its_user():
    bench = talking()
    bench.pass_time(1)
    before = questions_for(bench, "10.0.0.2/32")
    bench.solicit(host(PEER), host(EID))
    assert questions_for(bench, "10.0.0.2/32") == before + 1, "though the RLOC's is still unanswered"


def test_nobody_is_asked_where_that_is_off_or_the_rloc_is_our_own_eid():
    bench = Bench(settings(rloc_lookup=False), ON_WIFI)
    bench.clear()
    learn(bench, mapping("10.0.0.2/32", VISITOR))
    assert bench.asked() == ["10.0.0.2/32"]
    assert talking(EID).asked() == ["10.0.0.2/32"]


def test_an_rloc_in_its_own_mapping_is_refused_and_counted():
    bench = talking()
    learn(bench, mapping("172.21.0.0/16", ip_address("172.21.0.1")), ip_address("172.21.0.5"))
    (locator,) = bench.table.lookup(Eid(ip_address("172.21.0.5"))).locators
    assert locator.inside is None
    assert bench.node.drops()[ControlReason.RLOC_LOOP] == 1
    assert "rloc-loop-refused" in bench.event_names()


def test_two_mappings_that_lead_to_each_other_are_refused_and_counted():
    bench = talking()
    bench.answer(mapping("172.20.0.0/16", PEER))  # reached at the EID whose RLOC it is to cover
    assert way(bench) == (VISITOR, None)
    assert bench.node.drops()[ControlReason.RLOC_LOOP] >= 1
    assert bench.event_names().count("rloc-loop-refused") >= 1


def test_the_mapping_of_everything_is_no_site_and_no_fault():
    bench = Bench(settings(rloc_lookup=True, static_map_cache=(mapping("0.0.0.0/0", PEER_RLOC),)), ON_WIFI)
    assert way(bench) == (PEER_RLOC, None)
    assert bench.node.drops()[ControlReason.RLOC_LOOP] == 0
    assert bench.event_names().count("rloc-loop-refused") == 0


def test_the_answer_is_refreshed_while_packets_go_to_the_rloc_and_not_longer():
    bench = talking()
    bench.answer(SITE)
    for _ in range(1200):  # the mapping and the site's live ten minutes; both are in use for twenty
        bench.use(host(PEER))
        bench.pass_time(1)
        for asked in bench.outstanding():
            bench.answer(SITE if SITE.prefix.covers(asked) else mapping("10.0.0.2/32", VISITOR))
    assert way(bench) == (DOOR, VISITOR)
    bench.clear()
    bench.pass_time(3600)
    assert bench.asked() == []
    assert len(bench.node.cache) == 0


def test_a_static_mapping_is_looked_up_when_it_is_used_and_not_before():
    bench = Bench(settings(rloc_lookup=True, static_map_cache=(mapping("10.0.0.2/32", VISITOR),)), ON_WIFI)
    bench.pass_time(3600)
    assert bench.asked() == []
    bench.use(host(PEER))
    bench.take()
    assert bench.asked() == ["172.20.1.9/32"]


def test_an_rloc_that_nobody_answers_for_is_asked_for_again_only_while_it_is_used():
    bench = talking()
    bench.pass_time(59)
    before = questions_for(bench, "172.20.1.9/32")
    assert 1 < before <= 3  # the first one and its two retries
    bench.pass_time(10)
    assert questions_for(bench, "172.20.1.9/32") == before
    bench.use(host(PEER))
    bench.take()
    assert questions_for(bench, "172.20.1.9/32") == before + 1
    assert way(bench) == (VISITOR, None)


def test_a_packet_for_the_rloc_itself_joins_the_question_and_is_refused_like_any_other():
    bench = talking()
    bench.punt(VISITOR)
    assert [lookup.purpose for lookup in bench.node.resolver.lookups()] == [Purpose.MISS]


def test_what_is_forgotten_leaves_nothing_behind():
    bench = talking()
    bench.answer(SITE)
    bench.pass_time(3600)
    assert (len(bench.node.cache), dict(bench.node.visited.sites)) == (0, {})
    assert not bench.node.visited.through(DOOR)


def test_nothing_is_asked_of_who_is_not_the_map_resolver():
    bench = talking()
    assert {send.destination.address for send in bench.sent} == {SERVER}


def test_the_view_names_the_site_that_an_rloc_visits():
    bench = talking()
    bench.answer(SITE)
    entries = {entry["eid_prefix"]: entry for entry in bench.node.view("map-cache", bench.now)["entries"]}
    assert [locator["site"] for locator in entries["10.0.0.2/32"]["locators"]] == ["172.20.0.0/16"]
    assert [locator["site"] for locator in entries["172.20.0.0/16"]["locators"]] == [None]


def test_the_status_shows_profile_and_features():
    view = talking(native_forward=True).node.view("status", 0)
    features = view["features"]
    assert (view["profile"], features["native_forward"], features["rloc_lookup"]) == ("public", "on", "on")
    assert (features["echo_nonce"], features["allowed_dst_eids"]) == ("off", [])
