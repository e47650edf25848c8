"""A mobile node in the hands of chance: no order of facts raises, leaks or breaks a limit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from ipaddress import ip_address

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lispfast.control import registrar, resolver, solicitor
from lispfast.control.machine import consult
from lispfast.control.mobility import locate
from lispfast.control.registrar import State as RegistrationState
from lispfast.control.resolver import State as LookupState
from lispfast.model.settings import MapServerSettings, Probing
from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.map_register import MapRegister
from lispfast.wire.map_request import MapRequest, RequestRecord
from lispfast.wire.message import decode

from .mn_helpers import (
    EID,
    EID_V6,
    KEY,
    LTE_V6,
    NOWHERE,
    ON_BOTH,
    ON_LTE,
    ON_LTE_DUAL,
    ON_LTE_V6,
    ON_WIFI,
    PEER_RLOC,
    SERVER,
    SERVER_2,
    WRONG_KEY,
    Bench,
    database_v6,
    host,
    mapping,
    settings,
)

PEERS = [ip_address(f"10.0.0.{n}") for n in range(2, 6)]
UNDERLAYS = [NOWHERE, ON_WIFI, ON_LTE, ON_BOTH, ON_LTE_V6, ON_LTE_DUAL]
SERVERS = (MapServerSettings(SERVER, KEY), MapServerSettings(SERVER_2, KEY))
CONFIGURED = settings(map_servers=SERVERS, map_resolvers=(SERVER, SERVER_2), probing=Probing())
V6_ONLY = replace(CONFIGURED, database=database_v6(EID, EID_V6))

peers = st.sampled_from(PEERS)


class Life(RuleBasedStateMachine):
    configured = CONFIGURED

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(self.configured)
        places = [locate(self.configured, underlay) for underlay in UNDERLAYS]
        self.our_rlocs = {way.address for place in places for way in place.ways}
        self.beside = {one.address for place in places for one in place.beside}
        self.looked = 0
        self.asked_at: dict[str, list[float]] = defaultdict(list)
        self.last_nonce = 0

    @rule(underlay=st.sampled_from(UNDERLAYS))
    def move(self, underlay):
        self.bench.move(underlay)

    @rule(seconds=st.sampled_from([0.01, 0.31, 1.0, 3.5, 31.0, 200.0]))
    def pass_time(self, seconds):
        self.bench.pass_time(seconds)

    @rule(peer=peers)
    def punt(self, peer):
        self.bench.punt(peer)

    @rule(peer=peers, idle=st.sampled_from([0.0, 59.0, 61.0]))
    def use(self, peer, idle):
        self.bench.use(host(peer), idle=idle, outer={PEER_RLOC: idle})

    @precondition(lambda self: self.bench.questions() and self.bench.node.position.control_source(4))
    @rule(data=st.data(), ttl=st.sampled_from([0, 1, 10]), length=st.sampled_from([32, 24, 8]))
    def answer(self, data, ttl, length):
        question = data.draw(st.sampled_from(self.bench.questions()[-4:]))
        peer = question.records[0].eid
        shift = 32 - length
        told = mapping(f"{ip_address(int(peer) >> shift << shift)}/{length}", PEER_RLOC, ttl=ttl)
        self.bench.reply(told, request=question)

    @precondition(lambda self: self.bench.node.position.control_source(4))
    @rule(peer=peers)
    def solicit(self, peer):
        self.bench.solicit(host(peer), host(ip_address("10.0.0.1")))

    @precondition(lambda self: self.bench.node.position.ways)
    @rule(peer=peers, itr=st.sampled_from([PEER_RLOC, LTE_V6]))
    def ask(self, peer, itr):
        request = MapRequest(7, peer, (itr,), (RequestRecord(EID, 32),), smr_invoked=True)
        source = next(way.address for way in self.bench.node.position.ways)
        self.bench.receive(request, itr, source)

    @precondition(lambda self: self.bench.node.position.control_source(4))
    @rule(server=st.sampled_from([SERVER, SERVER_2]), key=st.sampled_from([KEY, KEY, WRONG_KEY]), data=st.data())
    def notify(self, server, key, data):
        sent = self.bench.registers(server)
        if sent:
            self.bench.notify(data.draw(st.sampled_from(sent[-5:])), server, key)

    @invariant()
    def map_requests_keep_one_a_second_for_a_prefix(self):
        for send, at in list(zip(self.bench.sent, self.bench.sent_at, strict=True))[self.looked :]:
            message = decode(send.payload)
            if send.payload[0] >> 4 == 8:
                record = decode(message.inner().payload).records[0]
                times = self.asked_at[f"{record.eid}/{record.mask_len}"]
                assert not times or at >= times[-1] + 1 - 1e-6
                times.append(at)
            if isinstance(message, MapRegister):
                assert message.nonce > self.last_nonce
                assert message.nonce <= self.bench.saved["register-nonce"]
                self.last_nonce = message.nonce
            to_the_system = isinstance(message, MapRegister | EncapsulatedControl)
            assert send.source in self.our_rlocs or (to_the_system and send.source in self.beside)
        self.looked = len(self.bench.sent)

    @invariant()
    def nothing_leaks(self):
        node = self.bench.node
        lookups = node.resolver.lookups()
        assert len(lookups) <= resolver.MAX_LOOKUPS
        assert sum(len(lookup.sent) for lookup in lookups) == len(node.resolver._by_nonce)
        assert len(node.resolver._timers) == sum(lookup.state is not LookupState.PARKED for lookup in lookups)
        for registration in node.registrar.registrations:
            assert len(registration._sent) <= registrar.MAX_NONCES
        assert len(node.solicitor._targets) <= solicitor.MAX_TARGETS
        assert len(node.solicitor._answered) <= solicitor.MAX_TARGETS * len(node.solicitor._changed)
        assert set(self.bench.table.verdicts) == {*node.cache.prefixes(), *node.table._defaults}

    @invariant()
    def a_node_without_a_network_sleeps(self):
        node = self.bench.node
        if not node.position.ways:
            assert {registration.next for registration in node.registrar.registrations} == {None}
            assert all(lookup.state is LookupState.PARKED for lookup in node.resolver.lookups())
            assert node.solicitor.next_timeout() is None

    @invariant()
    def what_is_registered_has_no_open_part(self):
        for registration in self.bench.node.registrar.registrations:
            assert (registration.state is RegistrationState.REGISTERED) <= (not registration._unconfirmed)
            assert (registration.state is RegistrationState.PARKED) == (registration._source is None)


class LifeOverIPv6(Life):
    configured = V6_ONLY


TestLife = Life.TestCase
TestLife.settings = hypothesis_settings(max_examples=40, stateful_step_count=40, deadline=None)
TestLifeOverIPv6 = LifeOverIPv6.TestCase
TestLifeOverIPv6.settings = hypothesis_settings(max_examples=20, stateful_step_count=40, deadline=None)


def test_consulting_a_table_is_looking_it_up():
    for (state, fact), row in resolver.TABLE.items():
        assert consult(resolver.TABLE, state, fact) == row
