"""The solicitor in the hands of chance: nobody is told too often, too early or at a place that is not ours."""

from collections import defaultdict

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lispfast.control import solicitor
from lispfast.control.solicitor import TABLE, State
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.message import decode

from .mn_helpers import (
    EID,
    NOWHERE,
    ON_BOTH,
    ON_LTE,
    ON_LTE_DUAL,
    ON_WIFI,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    Bench,
    host,
    mapping,
    settings,
)

PITR = PEER_RLOC + 5
STRANGER = PEER_RLOC + 9
PEERS = [PEER, PEER + 1, PEER + 2]
RLOCS = [PEER_RLOC, PEER_RLOC_2]


class Life(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.bench = Bench(settings(proxy_itrs=(PITR,)), ON_WIFI)
        self.looked, self.told = 0, defaultdict(list)

    @property
    def machine(self):
        return self.bench.node.solicitor

    @rule(underlay=st.sampled_from([NOWHERE, ON_WIFI, ON_LTE, ON_BOTH, ON_LTE_DUAL]))
    def move(self, underlay):
        self.bench.move(underlay)

    @rule(seconds=st.sampled_from([0.02, 0.31, 1.05, 3.5, 70.0]))
    def pass_time(self, seconds):
        self.bench.pass_time(seconds)

    @precondition(lambda self: self.bench.node.position.control_source(4))
    @rule(peer=st.sampled_from(PEERS), rlocs=st.sets(st.sampled_from(RLOCS), min_size=1))
    def learn(self, peer, rlocs):
        self.bench.punt(peer)
        for question in self.bench.questions()[-3:]:
            if question.records[0].eid == peer and self.bench.node.resolver.match(question.nonce):
                self.bench.reply(mapping(f"{peer}/32", *sorted(rlocs)), request=question)

    @rule(peers=st.sets(st.sampled_from(PEERS)), idle=st.sampled_from([0.0, 59.0, 61.0]), heard=st.booleans())
    def use(self, peers, idle, heard):
        outer = {PEER_RLOC: idle, STRANGER: idle} if heard else {}
        self.bench.use(*(host(peer) for peer in peers), idle=idle, outer=outer)

    @precondition(lambda self: self.bench.node.position.control_source(4) and self.bench.registers())
    @rule()
    def notify(self):
        self.bench.notify()

    @precondition(lambda self: self.bench.node.position.source(4))
    @rule(peer=st.sampled_from(PEERS), rloc=st.sampled_from(RLOCS))
    def ask(self, peer, rloc):
        request = MapRequest(self.bench.random.getrandbits(64), peer, (rloc,), (RequestRecord(EID, 32),))
        self.bench.receive(request, rloc, self.bench.node.position.source(4).address)

    @invariant()
    def each_smr_is_sound(self):
        position = self.bench.node.position
        for send, at in list(zip(self.bench.sent, self.bench.sent_at, strict=True))[self.looked :]:
            message = decode(send.payload)
            if not isinstance(message, MapRequest) or not message.smr:
                continue
            assert (message.dont_reply, message.probe, message.smr_invoked) == (True, False, False)
            assert position.mapping(host(message.source_eid)) is not None
            assert send.destination.address in {*RLOCS, PITR, STRANGER}
            self.told[send.destination.address, message.source_eid, message.records[0].eid].append(at)
        self.looked = len(self.bench.sent)

    @invariant()
    def a_destination_hears_no_more_than_the_rate(self):
        interval, burst = solicitor.SMR_INTERVAL, solicitor.SMR_BURST
        for times in self.told.values():
            for first in range(len(times) - burst):
                assert times[first + burst] - times[first] >= interval - 1e-3

    @invariant()
    def its_state_is_one_of_the_table_and_it_is_bounded(self):
        assert self.machine.state in {state for state, _ in TABLE}
        assert len(self.machine._targets) <= solicitor.MAX_TARGETS
        assert len(self.machine._told) <= solicitor.MAX_TOLD
        if self.machine.state is State.QUIET:
            assert not self.machine._targets
            assert self.machine._bound is None
        if not self.bench.node.position.ways:
            assert self.machine.next_timeout() is None


TestLife = Life.TestCase
TestLife.settings = hypothesis_settings(max_examples=50, stateful_step_count=40, deadline=None)
