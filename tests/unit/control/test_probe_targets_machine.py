"""Proxy-ETRs and paths in the hands of chance: who is down has answered before, nothing leaks, packets always go on."""

from dataclasses import replace
from ipaddress import ip_address

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lispfast.control.prober import TABLE, State
from lispfast.model.addresses import Eid
from lispfast.model.forwarding import Encapsulate, Unreachable
from lispfast.model.mapping import Action, Hop, Locator
from lispfast.model.settings import Probing, ProxyEtr
from lispfast.model.units import Seconds
from lispfast.wire.map_reply import MapReply
from lispfast.wire.records import record_from_mapping

from .mn_helpers import (
    NOWHERE,
    ON_LTE,
    ON_LTE_DUAL,
    ON_WIFI,
    PEER,
    PEER_RLOC,
    PEER_RLOC_2,
    PEER_RLOC_V6,
    Bench,
    host,
    mapping,
    settings,
)

PETR, PETR_2, PETR_V6 = ip_address("192.0.2.50"), ip_address("192.0.2.51"), ip_address("2001:db8:50::50")
OUTSIDE = mapping("8.0.0.0/7", action=Action.NATIVELY_FORWARD)
HOPS = (Hop(PEER_RLOC, probe=True), Hop(PEER_RLOC_V6, probe=True), Hop(PEER_RLOC_2))
PATH = replace(mapping("10.0.0.2/32"), locators=(Locator(PEER_RLOC, path=HOPS),))
PROXIES = (ProxyEtr(PETR), ProxyEtr(PETR_2, 2), ProxyEtr(PETR_V6, 3))
ADDRESSES = {proxy.address for proxy in PROXIES}
PROBING = Probing(Seconds(30), retries=1, retry_interval=Seconds(2))


class Life(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.bench = Bench(settings(probing=PROBING, proxy_etrs=PROXIES, static_map_cache=(PATH, OUTSIDE)), ON_WIFI)
        self.answered = set()

    @property
    def prober(self):
        return self.bench.node.prober

    def probes(self):
        return [(send, message) for send, message in self.bench.requests() if message.probe]

    @rule(underlay=st.sampled_from([NOWHERE, ON_WIFI, ON_LTE, ON_LTE_DUAL]))
    def move(self, underlay):
        self.bench.move(underlay)

    @rule(seconds=st.sampled_from([0.1, 2.3, 31.0, 700.0]))
    def pass_time(self, seconds):
        self.bench.pass_time(seconds)

    @rule(
        prefixes=st.sets(st.sampled_from([host(PEER), OUTSIDE.prefix]), min_size=1), idle=st.sampled_from([0.0, 61.0])
    )
    def use(self, prefixes, idle):
        self.bench.use(*prefixes, idle=idle)

    @rule(rloc=st.sampled_from([*ADDRESSES, PEER_RLOC, PEER_RLOC_2]))
    def hint(self, rloc):
        self.bench.node.handle_punt(Unreachable(rloc), self.bench.now)
        self.bench.take()

    @precondition(lambda self: self.bench.node.position.ways)
    @rule(alive=st.sets(st.sampled_from([*sorted(ADDRESSES, key=str), PEER_RLOC])))
    def talk(self, alive):
        """A minute of traffic to both, in which these answer every probe."""
        for _ in range(30):
            self.bench.use(host(PEER), OUTSIDE.prefix)
            before = len(self.probes())
            self.bench.pass_time(2)
            for back in range(len(self.probes()) - before, 0, -1):
                if self.probes()[-back][0].destination.address in alive:
                    self.answer(back, True)

    @precondition(lambda self: self.bench.node.position.ways and self.probes())
    @rule(back=st.integers(1, 4), authoritative=st.booleans())
    def answer(self, back, authoritative):
        send, message = self.probes()[-back:][0]
        told = replace(mapping("8.0.0.0/7", send.destination.address), authoritative=authoritative)
        before = self.bench.node.drops().copy()
        self.bench.receive(MapReply(message.nonce, (record_from_mapping(told),), True), ip_address("192.0.2.1"))
        if self.bench.node.drops() == before:
            self.answered.add(send.destination.address)

    @invariant()
    def who_is_down_was_probed_and_a_proxy_has_answered_before(self):
        assert self.prober.down & ADDRESSES <= self.answered
        assert self.prober.down <= {send.destination.address for send, _ in self.probes()}

    @invariant()
    def the_hop_that_must_not_be_probed_is_not(self):
        assert PEER_RLOC_2 not in {send.destination.address for send, _ in self.probes()}

    @invariant()
    def nothing_leaks(self):
        paths = self.prober._paths
        assert set(self.bench.node.cache.rlocs()) <= set(paths) <= set(self.bench.node.cache.rlocs()) | ADDRESSES
        assert sum(len(path.sent) for path in paths.values()) == len(self.prober._by_nonce)
        parked = [path for path in paths.values() if path.state is State.PARKED]
        assert len(self.prober._timers) == len(paths) - len(parked)
        assert all(path.state in {state for state, _ in TABLE} for path in paths.values())

    @invariant()
    def packets_always_go_somewhere(self):
        outside, peer = (self.bench.table.lookup(eid) for eid in (_eid("8.8.8.8"), _eid(str(PEER))))
        assert isinstance(outside, Encapsulate)
        assert isinstance(peer, Encapsulate)
        up = ADDRESSES - self.prober.down
        reachable = {address for address in up if self.bench.node.position.source(address.version)}
        if reachable:
            assert {locator.address for locator in outside.locators} == reachable


def _eid(text):
    return Eid(ip_address(text))


TestLife = Life.TestCase
TestLife.settings = hypothesis_settings(max_examples=15, stateful_step_count=12, deadline=None)
