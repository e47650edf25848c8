"""Questions whether an RLOC is an EID: nothing waits for them, so they wait a little for what packets wait for."""

from lispfast.control import resolver
from lispfast.model.addresses import EidPrefix

from .mn_helpers import PEER, PEER_RLOC, registered


def test_a_question_about_an_rloc_waits_for_what_packets_wait_for():
    bench = registered()
    bench.node.resolver.locate(PEER, bench.now)
    bench.node.resolver.locate(PEER_RLOC, bench.now)
    bench.pass_time(resolver.LOCATE_DELAY / 2)
    assert bench.asked() == []
    bench.punt(PEER)
    assert bench.asked() == [f"{PEER}/32"], "a packet waits for it now"
    bench.pass_time(resolver.LOCATE_DELAY)
    assert bench.asked() == [f"{PEER}/32", f"{PEER_RLOC}/32"]


def test_an_answer_that_covers_an_rloc_spares_its_question():
    bench = registered()
    bench.node.resolver.locate(PEER, bench.now)
    bench.node.resolver.covered(EidPrefix.parse("10.0.0.0/24"), bench.now)
    bench.pass_time(1)
    assert bench.asked() == []
