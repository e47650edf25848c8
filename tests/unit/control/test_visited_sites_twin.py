"""Which RLOCs are EIDs, followed change by change, is what looking at the whole map-cache says."""

from ipaddress import ip_address

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lispfast.control.map_cache import MapCache, Origin
from lispfast.control.outbox import Outbox
from lispfast.control.visited_sites import VisitedSites
from lispfast.model.addresses import Eid
from lispfast.model.mapping import Action
from lispfast.model.units import Seconds

from .mn_helpers import mapping

# Small worlds, in which RLOCs are often EIDs and lead back often.
PREFIXES = ("0.0.0.0/0", "10.0.0.0/8", "10.0.0.1/32", "10.0.1.0/24", "172.16.0.0/12", "172.16.0.1/32", "192.0.2.0/24")
RLOCS = tuple(ip_address(text) for text in ("10.0.0.1", "10.0.1.7", "172.16.0.1", "192.0.2.1"))


class Asked:
    """A resolver that notes who is asked for."""

    def __init__(self):
        self.rlocs = []

    def locate(self, rloc, now):
        self.rlocs.append(rloc)
        return True


class Machine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = Seconds(1000.0)
        self.cache = MapCache()
        self.resolver = Asked()
        self.visited = VisitedSites(True, self.cache, self.resolver, Outbox())
        self.told = {}

    def changed(self, prefixes):
        for prefix in self.visited.handle_cache(prefixes, self.now):
            self.told[prefix] = True

    @rule(prefix=st.sampled_from(PREFIXES), rlocs=st.sets(st.sampled_from(RLOCS), min_size=1, max_size=2))
    def a_mapping_is_learnt(self, prefix, rlocs):
        known = mapping(prefix, *sorted(rlocs))
        self.changed(self.cache.learn((known,), known.prefix, self.now))

    @rule(prefix=st.sampled_from(PREFIXES), action=st.sampled_from([Action.NATIVELY_FORWARD, Action.DROP]))
    def there_is_none(self, prefix, action):
        known = mapping(prefix, action=action)
        self.changed(self.cache.learn((known,), known.prefix, self.now))

    @rule(prefix=st.sampled_from(PREFIXES))
    def nobody_answers(self, prefix):
        self.changed(self.cache.hold(mapping(prefix).prefix, Seconds(self.now + 5), self.now))

    @rule(prefix=st.sampled_from(PREFIXES))
    def one_goes(self, prefix):
        self.changed(self.cache.remove(mapping(prefix).prefix))

    @rule(seconds=st.sampled_from([1, 10, 700]))
    def time_passes(self, seconds):
        self.now = Seconds(self.now + seconds)
        self.changed(self.cache.handle_timeout(self.now).expired)

    @invariant()
    def the_sites_are_those_of_the_whole_cache(self):
        assert dict(self.visited.sites) == slow(self.cache)

    @invariant()
    def who_is_asked_for_was_not_known(self):
        assert all(rloc in RLOCS for rloc in self.resolver.rlocs)


def slow(cache):
    users = {}
    for entry in cache.entries():
        if entry.origin is not Origin.UNANSWERED:
            for locator in entry.mapping.locators:
                users.setdefault(locator.address, []).append(entry.prefix)
    sites = {}
    for rloc, prefixes in users.items():
        cover = cache.cover(Eid(rloc).prefix)
        if cover is None or cover.mapping.negative or cover.prefix in prefixes:
            continue
        doors = [Eid(locator.address) for locator in cover.mapping.locators]
        if not any(prefix.contains(door) for prefix in prefixes for door in doors):
            sites[rloc] = cover.mapping
    return sites


TestMachine = Machine.TestCase
TestMachine.settings = hypothesis_settings(max_examples=60, stateful_step_count=30, deadline=None)
