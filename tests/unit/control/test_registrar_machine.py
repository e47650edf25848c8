"""The registrar in the hands of chance: two Map-Servers, several Map-Registers each, old Map-Notifies played back."""

from __future__ import annotations

import itertools
from collections import defaultdict

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lispfast.control import auth, registrar
from lispfast.control.registrar import LAPSE, RETRY_MAX, TABLE, State
from lispfast.model.settings import MapServerSettings
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.map_register import MapRegister
from lispfast.wire.message import decode

from .mn_helpers import (
    EID,
    KEY,
    NOWHERE,
    ON_BOTH,
    ON_LTE,
    ON_LTE_V6,
    ON_WIFI,
    SERVER,
    SERVER_2,
    WRONG_KEY,
    Bench,
    database,
    host,
    settings,
)

SERVERS = (MapServerSettings(SERVER, KEY), MapServerSettings(SERVER_2, KEY))
EIDS = [EID + n for n in range(24)]
CONFIGURED = settings(map_servers=SERVERS, database=database(*EIDS))

servers = st.sampled_from([SERVER, SERVER_2])


class Life(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.bench = Bench(CONFIGURED)
        self.registers = {SERVER: [], SERVER_2: []}
        self.heard = {SERVER: [], SERVER_2: []}
        self.last_nonce = self.looked = 0
        self.moved_at = self.bench.now
        self.sent_at = defaultdict(list)
        self.acknowledged = defaultdict(list)

    def note(self):
        """Read what was sent since it was read last."""
        bench = self.bench
        for send, at in list(zip(bench.sent, bench.sent_at, strict=True))[self.looked :]:
            message = decode(send.payload)
            server = send.destination.address
            if isinstance(message, MapNotifyAck):
                self.acknowledged[server].append(at)
            if not isinstance(message, MapRegister):
                continue
            assert auth.verify(send.payload, message, KEY)
            assert self.last_nonce < message.nonce <= bench.saved["register-nonce"]
            self.last_nonce = message.nonce
            self.registers[server].append(message)
            self.sent_at[server, message.records[0].eid].append(at)
        self.looked = len(bench.sent)

    def registration(self, server):
        return next(one for one in self.bench.node.registrar.registrations if one.server.address == server)

    @rule(underlay=st.sampled_from([NOWHERE, ON_WIFI, ON_LTE, ON_BOTH, ON_LTE_V6]))
    def move(self, underlay):
        before = self.bench.node.position
        self.bench.move(underlay)
        if self.bench.node.position != before:
            self.moved_at = self.bench.now
        self.note()

    @rule(seconds=st.sampled_from([0.01, 1.0, 2.5, 31.0, 61.0, 200.0]))
    def pass_time(self, seconds):
        self.bench.pass_time(seconds)
        self.note()

    @precondition(lambda self: self.bench.node.position.control_source(4))
    @rule(
        server=servers,
        back=st.integers(1, 8),
        key=st.sampled_from([KEY, KEY, KEY, WRONG_KEY]),
        complete=st.sampled_from([True, True, False]),
    )
    def notify(self, server, back, key, complete):
        """A Map-Notify for one of the last Map-Registers, true or not, for all of its EID-prefixes or not."""
        if not self.registers[server]:
            return
        register = self.registers[server][-back:][0]
        records = register.records if complete else register.records[:1]
        registration = self.registration(server)
        open_parts, confirmed_at = set(registration._unconfirmed), registration.confirmed_at
        told = auth.sign(MapNotify(register.nonce, records), key)
        self.heard[server].append(told)
        self.bench.receive(told, server)
        closed = open_parts - registration._unconfirmed
        if key is WRONG_KEY or len(records) < len(register.records):
            assert not closed
            assert registration.confirmed_at == confirmed_at
        assert len(closed) <= 1
        self.note()

    @precondition(lambda self: self.bench.node.position.control_source(4))
    @rule(server=servers, speaker=servers, back=st.integers(1, 20))
    def play_back(self, server, speaker, back):
        """The same bytes once more, from the Map-Server or from another address."""
        if not self.heard[server]:
            return
        registration = self.registration(server)
        before = registration.confirmed_at, set(registration._unconfirmed)
        fresh = {register.nonce for register in self.registers[server]}
        told = self.heard[server][-back:][0]
        self.bench.receive(told, speaker)
        if speaker != server or decode(told).nonce not in fresh:
            assert (registration.confirmed_at, registration._unconfirmed) == before
        self.note()

    @precondition(lambda self: self.bench.node.position.control_source(4))
    @rule(server=servers, nonce=st.integers(1, 4000))
    def tell_unasked(self, server, nonce):
        """An unsolicited Map-Notify: acknowledged within a limit, and nothing else."""
        registration = self.registration(server)
        before = registration.state, registration.confirmed_at, registration.next
        record = MapRegister(nonce, self.registers[server][-1].records) if self.registers[server] else None
        if record is not None:
            self.bench.receive(auth.sign(MapNotify(nonce, record.records), KEY), server)
        assert (registration.state, registration.confirmed_at, registration.next) == before
        self.note()

    @invariant()
    def each_stands_in_a_state_of_the_table_and_sleeps_only_where_it_may(self):
        states = {state for state, _ in TABLE}
        for registration in self.bench.node.registrar.registrations:
            assert registration.state in states
            assert (registration.state is State.PARKED) == (registration._source is None)
            assert (registration.next is None) == (registration.state is State.PARKED)
            waiting = registration.state in (State.REGISTERING, State.REFRESHING)
            assert waiting == bool(registration._unconfirmed)
            if registration.state in (State.REGISTERED, State.REFRESHING):
                assert registration.confirmed_at is not None
                assert self.bench.now <= registration.confirmed_at + LAPSE + RETRY_MAX

    @invariant()
    def it_never_waits_longer_than_a_minute(self):
        for registration in self.bench.node.registrar.registrations:
            if registration.next is not None:
                assert self.bench.now <= registration.next <= self.bench.now + 60

    @invariant()
    def a_map_register_is_not_repeated_within_a_second_but_for_a_move(self):
        for times in self.sent_at.values():
            for earlier, later in itertools.pairwise(times[-3:]):
                assert later - earlier >= 1 - 1e-6 or self.moved_at >= earlier

    @invariant()
    def what_it_keeps_and_what_is_made_of_it_is_bounded(self):
        for registration in self.bench.node.registrar.registrations:
            assert len(registration._sent) <= registrar.MAX_NONCES
        interval, burst = registrar.ACK_INTERVAL, registrar.ACK_BURST
        for times in self.acknowledged.values():
            for first in range(len(times) - burst):
                assert times[first + burst] - times[first] >= interval - 1e-3

    def teardown(self):
        """Leaving: each that could be told is told of every EID-prefix once, and nothing waits."""
        there = {one.server.address for one in self.bench.node.registrar.registrations if one.state is not State.PARKED}
        before = {server: len(sent) for server, sent in self.registers.items()}
        self.bench.node.stop(self.bench.now)
        self.bench.take()
        self.note()
        for server, sent in self.registers.items():
            withdrawn = [record for register in sent[before[server] :] for record in register.records]
            assert {record.ttl for record in withdrawn} <= {0}
            assert {host(record.eid) for record in withdrawn} == (
                {host(eid) for eid in EIDS} if server in there else set()
            )
        assert {one.state for one in self.bench.node.registrar.registrations} == {State.CLOSED}
        assert self.bench.node.registrar.next_timeout() is None


TestLife = Life.TestCase
TestLife.settings = hypothesis_settings(max_examples=50, stateful_step_count=40, deadline=None)
