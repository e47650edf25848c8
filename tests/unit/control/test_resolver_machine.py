"""The resolver in the hands of chance, by itself: its states, its limits and what it remembers."""

import random
from collections import defaultdict

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lispfast.control import request_pace, resolver
from lispfast.control.effects import Send
from lispfast.control.mobility import locate
from lispfast.control.outbox import Outbox
from lispfast.control.request_pace import Purpose
from lispfast.control.resolver import TABLE, Resolver, State
from lispfast.model.addresses import Eid
from lispfast.wire.message import decode
from lispfast.wire.records import eid_prefix

from .mn_helpers import EID, NOWHERE, ON_LTE, ON_LTE_V6, ON_WIFI, PEER, SERVER, SERVER_2, host, mapping, settings

CONFIGURED = settings(map_resolvers=(SERVER, SERVER_2), map_request_retries=10)
PLACES = [locate(CONFIGURED, underlay) for underlay in (NOWHERE, ON_WIFI, ON_LTE, ON_LTE_V6)]
PREFIXES = [host(PEER), host(PEER + 1), host(PEER + 2), mapping("10.0.0.0/24").prefix, mapping("10.0.0.0/30").prefix]
prefixes = st.sampled_from(PREFIXES)


class Life(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        chance = random.Random(7)
        self.outbox, self.now = Outbox(), 1000.0
        self.resolver = Resolver(CONFIGURED, lambda: chance.getrandbits(64), self.outbox)
        self.resolver.handle_position(PLACES[1], self.now)
        self.asked = defaultdict(list)
        self.unanswered = defaultdict(list)
        self.nonces = []

    def note(self):
        """Read what was sent, and hold it against the MUST of one a second."""
        for effect in self.outbox.take_effects():
            assert isinstance(effect, Send)
            request = decode(decode(effect.payload).inner().payload)
            (record,) = request.records  # a sender sends one
            prefix = eid_prefix(record.eid, record.mask_len)
            times = self.asked[prefix]
            assert not times or self.now >= times[-1] + request_pace.REQUEST_INTERVAL - 1e-6
            times.append(self.now)
            since = self.unanswered[prefix]
            if len(since) > request_pace.RETRANSMITS_MAX:
                assert self.now >= since[-1] + request_pace.PAUSE
                since.clear()
            since.append(self.now)
            assert request.itr_rlocs
            assert not request.smr
            self.nonces.append(request.nonce)

    @rule(peer=st.integers(0, 2))
    def miss(self, peer):
        self.resolver.miss(Eid(PEER + peer), EID, self.now)
        self.note()

    @rule(prefix=prefixes)
    def refresh(self, prefix):
        self.resolver.refresh(prefix, self.now)
        self.note()

    @rule(prefix=prefixes)
    def verify(self, prefix):
        self.resolver.verify(prefix, self.now)
        self.note()

    @rule(prefix=prefixes, nonce=st.integers(1, 3))
    def solicit(self, prefix, nonce):
        if self.resolver.heeds(prefix, nonce):
            self.resolver.solicit(prefix, None, nonce, self.now)
        self.note()

    @precondition(lambda self: self.nonces)
    @rule(back=st.integers(1, 30))
    def answer(self, back):
        nonce = self.nonces[-back:][0]
        asked = self.resolver.match(nonce)
        if asked is not None:
            assert self.resolver.answered(nonce, self.now).asked == asked
            assert self.resolver.match(nonce) is None
            self.unanswered[asked].clear()
        self.note()

    @rule(prefix=prefixes)
    def covered(self, prefix):
        self.resolver.covered(prefix, self.now)
        for lookup in self.resolver.lookups():
            if lookup.purpose is Purpose.MISS and prefix.covers(lookup.asked):
                assert lookup.state is State.LAST
        self.note()

    @rule(place=st.sampled_from(PLACES))
    def move(self, place):
        self.resolver.handle_position(place, self.now)
        for prefix, since in self.unanswered.items():  # it counts anew here, but for a pause that was begun
            if not self.resolver.paused(prefix, self.now):
                since.clear()
            else:
                assert len(since) > request_pace.RETRANSMITS_MAX
        self.note()

    @rule(seconds=st.sampled_from([0.2, 1.0, 3.3, 12.0, 45.0]))
    def pass_time(self, seconds):
        end = self.now + seconds
        for _ in range(500):
            timeout = self.resolver.next_timeout()
            if timeout is None or timeout.at > end:
                self.now = end
                return
            self.now = max(self.now, timeout.at)
            for failed in self.resolver.handle_timeout(self.now):
                assert failed.until >= self.now + resolver.HOLD
                assert failed.asked not in {lookup.asked for lookup in self.resolver.lookups()}
            self.note()
        raise AssertionError("it keeps waking itself")

    @invariant()
    def one_lookup_a_prefix_in_a_state_of_the_table(self):
        lookups = self.resolver.lookups()
        assert len({lookup.asked for lookup in lookups}) == len(lookups) == len(self.resolver)
        for lookup in lookups:
            assert lookup.state in {state for state, _ in TABLE}
            assert (lookup.state in (State.ASKED, State.LAST)) <= bool(lookup.sent)
            assert len(lookup.sent) <= resolver.MAX_NONCES

    @invariant()
    def nothing_leaks(self):
        lookups = self.resolver.lookups()
        sent = {nonce: lookup.asked for lookup in lookups for nonce in lookup.sent}
        assert sent == self.resolver._by_nonce
        waiting = {lookup.asked for lookup in lookups if lookup.state is not State.PARKED}
        assert set(self.resolver._timers._at) == waiting

    @invariant()
    def without_a_way_nothing_waits(self):
        if not self.resolver._position.ways:
            assert all(lookup.state is State.PARKED for lookup in self.resolver.lookups())
            assert self.resolver.next_timeout() is None


TestLife = Life.TestCase
TestLife.settings = hypothesis_settings(max_examples=80, stateful_step_count=40, deadline=None)
