"""The registrations against a slow twin: a list of everything that was said, read again for each question."""

from ipaddress import ip_address

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lispfast.control import registrations as module
from lispfast.control.registrations import Change, Entry, Registrations, timeout_of
from lispfast.model.addresses import Endpoint
from lispfast.model.mapping import Hop, Locator, Mapping
from lispfast.model.units import Minutes, Seconds

from .ms_helpers import mapping, prefix, site

WIDE = site("10.0.0.0/8", more_specifics=True)
INNER = site("10.1.0.0/16", more_specifics=True)
PREFIXES = {"10.0.0.0/8": WIDE, "10.2.0.0/16": WIDE, "10.1.0.0/16": INNER, "10.1.2.0/24": INNER}
RLOCS = [f"198.51.100.{n}" for n in range(1, 5)]
REGISTERERS = [None, (1, 0), (2, 0), ip_address("198.51.100.9")]


class SlowTwin:
    """The facts in order: (prefix, registerer, entry or None for a withdrawal)."""

    def __init__(self):
        self.said = []

    def entries(self, text, now):
        """The entries of a prefix that stand at `now`, oldest Map-Register first."""
        standing = []
        for what, registerer, entry, _ in self.said:
            if what != text:
                continue
            standing = [e for e in standing if e.registerer != registerer]
            if entry is not None:
                standing = [e for e in standing if e.merge] if entry.merge else []
                standing.append(entry)
        return [e for e in standing if e.expires > now]

    def prefixes(self, now):
        return {what for what in PREFIXES if self.entries(what, now)}

    def rlocs(self, text, now):
        return {loc.address for entry in self.entries(text, now) for loc in entry.mapping.locators}


class RegistrationsMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.real = Registrations()
        self.twin = SlowTwin()
        self.now = 0.0

    @initialize()
    def begin(self):
        assert self.real.next_expiry() is None

    @rule(
        text=st.sampled_from(sorted(PREFIXES)),
        rlocs=st.sets(st.sampled_from(RLOCS)),
        registerer=st.sampled_from(REGISTERERS),
        merge=st.booleans(),
        lifetime=st.sampled_from((60.0, 180.0)),
        ttl=st.integers(1, 3),
        proxy=st.booleans(),
    )
    def register(self, text, rlocs, registerer, merge, lifetime, ttl, proxy):
        said = mapping(text, *sorted(rlocs), ttl=ttl)
        source = Endpoint(ip_address("198.51.100.1"), 4342)
        entry = Entry(said, registerer, source, self.now, self.now + lifetime, proxy, merge)
        before = self.twin.entries(text, self.now)
        change = self.real.register(PREFIXES[text], entry)
        self.twin.said.append((text, registerer, entry, self.now))
        after = self.twin.entries(text, self.now)
        assert (change is Change.NEW) == (not before)
        if before and len(before) == len(after) == 1:
            assert (change is Change.REFRESHED) == (before[0].mapping == after[0].mapping)

    @rule(text=st.sampled_from(sorted(PREFIXES)), registerer=st.sampled_from(REGISTERERS))
    def withdraw(self, text, registerer):
        before = self.twin.entries(text, self.now)
        change = self.real.withdraw(prefix(text), registerer)
        self.twin.said.append((text, registerer, None, self.now))
        after = self.twin.entries(text, self.now)
        assert (change is Change.GONE) == bool(before and not after)
        assert (change is Change.NOTHING) == (not before)

    @rule(seconds=st.sampled_from((1.0, 30.0, 59.0, 121.0, 500.0)))
    def pass_time(self, seconds):
        before = self.twin.prefixes(self.now)
        self.now += seconds
        gone = {str(p) for p, change in self.real.expire(Seconds(self.now)) if change is Change.GONE}
        assert gone == before - self.twin.prefixes(self.now)

    @invariant()
    def agree(self):
        assert {str(p) for p in self.real.prefixes} == self.twin.prefixes(self.now)
        assert len(self.real) == len(self.twin.prefixes(self.now))
        deadlines = []
        for text in self.twin.prefixes(self.now):
            registration = self.real.prefixes.get(prefix(text))
            entries = self.twin.entries(text, self.now)
            assert [e.registerer for e in registration.entries] == [e.registerer for e in entries]
            assert {loc.address for loc in registration.mapping.locators} == self.twin.rlocs(text, self.now)
            assert registration.mapping.ttl == min(e.mapping.ttl for e in entries)
            assert registration.proxy_reply == any(e.proxy_reply for e in entries)
            assert registration.expires == max(e.expires for e in entries)
            assert registration.latest.mapping == entries[-1].mapping
            deadlines += [e.expires for e in entries]
        assert self.real.next_expiry() == min(deadlines, default=None)
        for owner in (WIDE, INNER):
            registered = sum(1 for text in self.twin.prefixes(self.now) if PREFIXES[text] is owner)
            assert self.real._per_site[owner.prefix] == registered


TestRegistrations = RegistrationsMachine.TestCase


def entry(said, registerer=None, merge=False, at=0.0, expires=180.0):
    return Entry(said, registerer, Endpoint(ip_address("198.51.100.1"), 4342), at, expires, merge=merge)


def test_the_latest_registration_replaces_the_others_without_the_merge_bit():
    real = Registrations()
    assert real.register(WIDE, entry(mapping("10.0.0.0/8", RLOCS[0]), (1, 0))) is Change.NEW
    assert real.register(WIDE, entry(mapping("10.0.0.0/8", RLOCS[1]), (2, 0))) is Change.CHANGED
    found = real.prefixes.get(prefix("10.0.0.0/8"))
    assert [str(loc.address) for loc in found.mapping.locators] == [RLOCS[1]]
    assert real.withdraw(prefix("10.0.0.0/8"), (1, 0)) is not Change.GONE, "it is not the first one's any more"
    assert real.withdraw(prefix("10.0.0.0/8"), (2, 0)) is Change.GONE


def test_of_a_merged_locator_the_word_of_its_own_etr_counts():
    real = Registrations()
    address = ip_address(RLOCS[0])
    own = Mapping(prefix("10.0.0.0/8"), (Locator(address, priority=1, local=True),), Minutes(5))
    hearsay = Mapping(prefix("10.0.0.0/8"), (Locator(address, priority=9, local=False),), Minutes(3))
    real.register(WIDE, entry(own, (1, 0), merge=True))
    real.register(WIDE, entry(hearsay, (2, 0), merge=True))
    merged = real.prefixes.get(prefix("10.0.0.0/8")).mapping
    assert merged.locators == own.locators
    assert merged.ttl == 3


def test_a_path_and_the_rloc_that_is_its_first_hop_are_two_locators():
    real = Registrations()
    first, last = ip_address(RLOCS[0]), ip_address(RLOCS[1])
    plain = Mapping(prefix("10.0.0.0/8"), (Locator(first),), Minutes(5))
    path = Mapping(prefix("10.0.0.0/8"), (Locator(first, path=(Hop(first), Hop(last))),), Minutes(5))
    real.register(WIDE, entry(plain, (1, 0), merge=True))
    real.register(WIDE, entry(path, (2, 0), merge=True))
    merged = real.prefixes.get(prefix("10.0.0.0/8")).mapping
    assert merged.locators == plain.locators + path.locators


def test_the_registerer_that_is_silent_for_longest_gives_way():
    real = Registrations()
    for n in range(module.MAX_REGISTERERS + 1):
        real.register(WIDE, entry(mapping("10.0.0.0/8", f"198.51.100.{n + 1}"), (n, 0), merge=True))
    found = real.prefixes.get(prefix("10.0.0.0/8"))
    assert len(found.entries) == module.MAX_REGISTERERS
    assert found.entries[0].registerer == (1, 0)


def test_a_site_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_PER_SITE", 2)
    real = Registrations()
    real.register(WIDE, entry(mapping("10.2.0.0/16", RLOCS[0])))
    assert real.has_room(WIDE, (prefix("10.3.0.0/16"),))
    assert not real.has_room(WIDE, (prefix("10.3.0.0/16"), prefix("10.4.0.0/16")))
    assert real.has_room(WIDE, (prefix("10.3.0.0/16"), prefix("10.2.0.0/16"))), "what is registered takes no room"
    assert real.has_room(INNER, (prefix("10.1.3.0/24"), prefix("10.1.4.0/24"))), "each site has its own"


@pytest.mark.parametrize(("ttl", "use_ttl", "seconds"), [(10, False, 180), (10, True, 600), (86400, True, 86400)])
def test_timeout(ttl, use_ttl, seconds):
    assert timeout_of(mapping("10.0.0.0/8", ttl=ttl), use_ttl) == seconds
