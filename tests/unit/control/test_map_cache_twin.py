"""The map-cache beside a slow twin that follows the sentences of RFC 9301 section 5.5 with lists and loops."""

from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lispfast.control.map_cache import MapCache
from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import PrefixTraffic, Traffic
from lispfast.model.mapping import Mapping

from .mn_helpers import PEER_RLOC, PEER_RLOC_2, mapping

STATIC = mapping("10.0.64.0/18", PEER_RLOC)


@dataclass
class Row:
    mapping: Mapping
    learned: float
    expires: float
    used: float
    held: bool = False


class Twin:
    """No index, no queue: every question walks over all rows."""

    def __init__(self):
        self.rows = {}

    def learn(self, mappings, asked, now):
        answered = asked in self.rows and not self.rows[asked].held
        named = {m.prefix for m in mappings}
        for one in sorted(mappings, key=lambda m: m.prefix.length):
            replaces = answered and one.prefix != asked and one.prefix.covers(asked)
            for prefix, row in list(self.rows.items()):
                inside = prefix != one.prefix and one.prefix.covers(prefix) and prefix not in named
                if inside and (replaces or row.held):
                    del self.rows[prefix]
            if one.prefix == STATIC.prefix:
                continue
            if one.ttl == 0:
                self.rows.pop(one.prefix, None)
                continue
            ends = [now + min(one.ttl, 1440) * 60]
            for prefix, row in self.rows.items():
                if prefix != one.prefix and one.prefix.covers(prefix) and prefix not in named:
                    ends.append(row.expires)
            known = self.rows.get(one.prefix)
            self.rows[one.prefix] = Row(one, now, min(ends), known.used if known else now)

    def hold(self, prefix, until, now):
        if prefix == STATIC.prefix or (prefix in self.rows and not self.rows[prefix].held):
            return
        known = self.rows.get(prefix)
        self.rows[prefix] = Row(None, now, until, known.used if known else now, held=True)

    def expire(self, now):
        gone = {prefix for prefix, row in self.rows.items() if row.expires <= now}
        for prefix in gone:
            del self.rows[prefix]
        return gone

    def best(self, prefix):
        found = [p for p in [*self.rows, STATIC.prefix] if p.covers(prefix)]
        return max(found, key=lambda p: p.length, default=None)


def _prefix(length, bits):
    shift = 32 - length
    network = int(ip_address("10.0.0.0")) | bits << 14
    return EidPrefix(ip_network((network >> shift << shift, length)))


prefixes = st.builds(_prefix, st.sampled_from([8, 16, 17, 18]), st.integers(0, 3))
records = st.lists(
    st.tuples(prefixes, st.sampled_from([0, 1, 3, 10, 0xFFFFFFFF]), st.booleans()),
    min_size=1,
    max_size=3,
    unique_by=lambda record: record[0],
)


class Comparison(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.cache, self.twin, self.now = MapCache([STATIC]), Twin(), 1000.0

    @rule(told=records, asked=prefixes)
    def learn(self, told, asked):
        rlocs = {True: PEER_RLOC, False: PEER_RLOC_2}
        mappings = tuple(replace(mapping("10.0.0.0/8", rlocs[which], ttl=ttl), prefix=p) for p, ttl, which in told)
        before = {entry.prefix: entry for entry in self.cache.entries()}
        changed = self.cache.learn(mappings, asked, self.now)
        self.twin.learn(mappings, asked, self.now)
        after = {entry.prefix: entry for entry in self.cache.entries()}
        assert {p for p in {*before, *after} if before.get(p) != after.get(p)} <= set(changed)

    @rule(prefix=prefixes, wait=st.sampled_from([5.0, 30.0]))
    def hold(self, prefix, wait):
        self.cache.hold(prefix, self.now + wait, self.now)
        self.twin.hold(prefix, self.now + wait, self.now)

    @rule(prefix=prefixes, idle=st.sampled_from([0.0, 1.0, 45.0]))
    def use(self, prefix, idle):
        self.cache.handle_traffic(Traffic({prefix: PrefixTraffic(1, 1, 0, idle)}, {}), self.now)
        if prefix in self.twin.rows:
            row = self.twin.rows[prefix]
            row.used = max(row.used, self.now - idle)

    @rule(seconds=st.sampled_from([0.5, 10.0, 61.0, 600.0, 86_400.0]))
    def pass_time(self, seconds):
        self.now += seconds
        due = self.cache.handle_timeout(self.now)
        assert set(due.expired) == self.twin.expire(self.now)
        assert not set(due.refresh) & set(due.expired)
        for prefix in due.refresh:
            row = self.twin.rows[prefix]
            assert self.now - row.used <= min(60, (row.expires - row.learned) / 2)

    @invariant()
    def both_hold_the_same(self):
        learned = {e.prefix: e for e in self.cache.entries() if e.mapping != STATIC}
        assert learned.keys() == self.twin.rows.keys()
        for prefix, row in self.twin.rows.items():
            assert learned[prefix].expires == row.expires
            assert row.held or learned[prefix].mapping == row.mapping
            assert self.cache.idle(prefix, self.now) == max(0.0, self.now - row.used)

    @invariant()
    def both_find_the_same(self):
        for bits in range(4):
            eid = _prefix(18, bits)
            found, best = self.cache.cover(eid), self.twin.best(eid)
            assert (found.prefix if found else None) == best

    @invariant()
    def a_wakeup_is_asked_for_in_time(self):
        timeout = self.cache.next_timeout()
        ends = [row.expires for row in self.twin.rows.values()]
        assert not ends or timeout.at <= min(ends)


TestComparison = Comparison.TestCase
TestComparison.settings = hypothesis_settings(max_examples=60, stateful_step_count=30, deadline=None)
