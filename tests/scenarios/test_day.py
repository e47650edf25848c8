"""A day of a mobile node: 50 peers, a move every ten minutes, every tenth datagram lost, 24 hours of virtual time.

It talks with peers in bursts until the evening, each side sending; a few peers move as well. At night it only moves,
and the last half hour nothing happens at all. The whole day is told once, then each test asks something about it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from lispfast.model.addresses import Address
from lispfast.model.reasons import ControlReason
from lispfast.model.units import Minutes
from tests.sim.crowd import TRAVELLER, Crowd, eid
from tests.sim.host import Host, interface
from tests.sim.network import Conditions, Frame, Packet
from tests.sim.sizes import sizes, strangers

pytestmark = pytest.mark.timeout(900)

PEERS, REGISTERING = 50, 10
TTL = Minutes(10)
MOVE_EVERY = 10  # minutes
EVENING, MIDNIGHT = 17 * 60, 24 * 60
REST = 30  # minutes at the end in which nobody moves
REGISTERED_WITHIN = 16.0  # seconds after a move: four Map-Registers in a row are lost in one of 10,000 moves
FOLLOWED_WITHIN = 10.0
BURST_PEERS, BURST_EVERY, BURST_PACKETS, BURST_INTERVAL = 6, 5, 12, 4.0
HOUR_OF_PEER_MOVES = 60  # minutes

EXPECTED_DROPS = {
    ControlReason.NONCE_UNKNOWN,  # a late answer to an early try
    ControlReason.NONCE_OLD,  # a Map-Register that a later one overtook
    ControlReason.RATE_LIMITED,
    ControlReason.SMR_UNCACHED,  # the peer's entry ran out meanwhile
    ControlReason.SMR_KNOWN,
    ControlReason.SENDER_UNEXPECTED,
}

# What is kept on purpose when nobody uses it any more, with its bound: rate limits, and who was heard.
MEMORIES = {
    "_asked": 4096,  # visited_sites: RLOCs that were looked up
    "_buckets": 4096,
    "_failures": 4096,
    "_followed": 4096,
    "_repeats": 4096,
    "_sent": 64,
    "_outer_sources": 4096,
    "_told": 16,
    "_unconfirmed": 1,  # a Map-Register, its answer or it lost just before the end: a refresh comes each minute
    "_heap": 1024,  # an ExpiryQueue keeps up to as many outdated entries as living ones and 64, of three values each
}


@dataclass
class Day:
    """What was seen, minute by minute."""

    crowd: Crowd
    stale: list[tuple[float, Frame]] = field(default_factory=list)  # a packet to an RLOC left so many seconds ago
    conversing: set[tuple[str, str]] = field(default_factory=set)  # a peer, and where it had us at a move
    control: Counter[int] = field(default_factory=Counter)  # datagrams of the traveller in each minute
    located: int = 0  # questions of the traveller whether an RLOC is an EID
    wakeups: Counter[int] = field(default_factory=Counter)
    packets: Counter[str] = field(default_factory=Counter)
    strangers: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    largest: Counter[str] = field(default_factory=Counter)
    at_first: list[Counter[str]] = field(default_factory=list)
    at_last: list[Counter[str]] = field(default_factory=list)
    tables: list[list[set[object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network = self.crowd.network
        self.minute = 0
        self._left: dict[Address, float] = {}
        self._lookups: dict[int, int] = {}
        self._spoke: dict[int, float] = {}
        self.network.watch = self._see

    def live(self) -> None:
        """The whole of it; a rehearsal with every peer before it shows the level that tables are to go back to."""
        self._begin()
        for self.minute in range(MIDNIGHT):
            if self.minute < EVENING and self.minute % BURST_EVERY == 0:
                self._talk()
            if self.minute % MOVE_EVERY == 3 and self.minute < MIDNIGHT - REST:
                self._move(self.crowd.traveller, f"198.51.{100 + self.minute // 250}.{1 + self.minute % 250}")
            if self.minute % HOUR_OF_PEER_MOVES == 33 and self.minute < EVENING:
                peer = self.network.random.randrange(REGISTERING)
                self._move(self.crowd.peers[peer], f"203.0.113.{1 + self.minute // HOUR_OF_PEER_MOVES}")
            before = self.crowd.traveller.wakeups
            self.network.run(60)
            self.wakeups[self.minute] = self.crowd.traveller.wakeups - before
            self._look()
        self.at_last = [sizes(host.role) for host in self.crowd.hosts]
        self.tables.append([set(host.dataplane.table.verdicts) for host in self.crowd.hosts])

    def _begin(self) -> None:
        self.crowd.traveller.attach(interface("eth0", "198.51.99.1"))
        self.network.run(61)
        self.crowd.traveller.start()
        for peer in range(PEERS):
            self._exchange(peer, 0)
        self._move(self.crowd.traveller, "198.51.99.2")
        self.network.run(2 * TTL * 60)
        self._look()
        for seen in (self.stale, self.conversing, self.control, self.packets):
            seen.clear()
        self.at_first = [sizes(host.role) for host in self.crowd.hosts]
        self.tables.append([set(host.dataplane.table.verdicts) for host in self.crowd.hosts])

    def _talk(self) -> None:
        for peer in self.network.random.sample(range(PEERS), BURST_PEERS):
            start = self.network.random.random() * 200
            for n in range(BURST_PACKETS):
                self.network.after(start + n * BURST_INTERVAL, lambda peer=peer, n=n: self._exchange(peer, n))

    def _exchange(self, peer: int, serial: int) -> None:
        self.packets["sent"] += 2
        self._spoke[peer] = self.network.now
        self.crowd.traveller.send(TRAVELLER, eid(peer), serial)
        self.crowd.peers[peer].send(eid(peer), TRAVELLER, serial)

    def _move(self, host: Host, to: str) -> None:
        for address in host.addresses():
            self._left[address] = self.network.now
            if host is self.crowd.traveller:
                recent = [n for n, at in self._spoke.items() if at > self.network.now - BURST_INTERVAL - 1]
                self.conversing |= {(f"peer-{n}", str(address)) for n in recent}
        host.attach(interface("eth0", to))

    def _see(self, frame: Frame) -> None:
        if isinstance(frame.content, Packet):
            left = self._left.get(frame.destination.address)
            if left is not None:
                self.stale.append((frame.at - left, frame))
        elif frame.sender == "traveller":
            self.control[self.minute] += 1
            self.located += frame.kind == "ECM Locate"

    def _look(self) -> None:
        for host in self.crowd.hosts:
            self.packets["arrived"] += len(host.serials)
            self.packets["rejected"] += len(host.dataplane.rejected)
            host.forget()
        nodes = [self.crowd.traveller, *self.crowd.peers]
        waiting = {id(one): (host.name, one) for host in nodes for one in host.role.resolver.lookups()}
        self._lookups = {key: self._lookups.get(key, 0) + 1 for key in waiting}
        self.stuck += [f"{self.minute}: {waiting[key]}" for key, count in self._lookups.items() if count > 3]
        if self.minute % 10 == 9:
            for host in (self.crowd.traveller, self.crowd.server, *self.crowd.peers[::10]):
                self.largest |= sizes(host.role)
                self.strangers += strangers(host.role) if host is not self.crowd.server else []


@pytest.fixture(scope="module")
def day() -> Day:
    """Half a minute of one core."""
    conditions = Conditions(loss=0.1, delay=0.02, jitter=0.03)
    told = Day(Crowd(PEERS, REGISTERING, TTL, seed=5, conditions=conditions, memory=1000))
    told.live()
    return told


def test_no_stale_mapping_is_used_later_than_one_ttl_after_a_move(day):
    late = [(round(age, 1), frame) for age, frame in day.stale if age > TTL * 60 + REGISTERED_WITHIN]
    assert late == []
    assert day.stale, "somebody sent to an old place at all, or nothing was tried"


def test_who_is_in_conversation_at_a_move_follows_within_seconds(day):
    """But for those few who missed every SMR, whom a probe without an answer tells."""
    last = {who: max(told) for who, told in by_peer(day.stale).items()}
    slow = {who for who in day.conversing if last.get(who, 0) > FOLLOWED_WITHIN}
    assert len(day.conversing) > 100
    assert len(slow) <= 0.05 * len(day.conversing)


def test_who_was_not_told_finds_out_by_probes(day):
    """Nobody is solicited who was silent for a minute (RFC 9301 section 6.1): it begins with the old place."""
    assert max(len(told) for told in by_peer(day.stale).values()) * BURST_INTERVAL <= 100


def test_packets_arrive(day):
    """One in ten is lost on its way, and a burst begins with a loss where a peer was silent at the last move.

    One question in 150 is lost in all three tries, each there or back, and then packets are refused for 5 s.
    """
    assert day.packets["sent"] > 25_000
    assert 0.86 < day.packets["arrived"] / day.packets["sent"] < 0.91
    assert day.packets["rejected"] <= 0.004 * day.packets["sent"]


def test_nothing_leaks(day):
    """After half an hour without a packet every table is as small as in the beginning, but for what has a bound."""
    for host, first, last in zip(day.crowd.hosts, day.at_first, day.at_last, strict=True):
        grown = {path: size for path, size in last.items() if size > max(first[path], _bound(path))}
        assert grown == {}, host.name
    assert day.tables[0] == day.tables[1], "the data planes too"


def test_nothing_grows_without_measure_meanwhile(day):
    """Four per peer or a memory with a bound; the nonces of a Map-Server have a table of their own."""
    most = {path: size for path, size in day.largest.items() if size > max(4 * PEERS, _bound(path))}
    assert most == {}


def test_every_machine_is_in_a_state_that_its_table_names(day):
    assert day.strangers == []


def test_no_question_is_open_for_minutes(day):
    assert day.stuck == []


def test_a_quiet_night_costs_the_battery_little(day):
    """A Map-Register a minute, one in five again for a loss either way, and one more at a move."""
    night = range(EVENING + 30, MIDNIGHT)
    datagrams, wakeups = (sum(counts[minute] for minute in night) for counts in (day.control, day.wakeups))
    assert len(night) * 0.9 < datagrams < len(night) * 1.7
    assert wakeups < len(night) * 3
    assert max(day.control[minute] for minute in night) <= 10


def test_asking_whether_rlocs_are_eids_costs_one_datagram_in_fifty_at_most(day):
    """One answer covers many RLOCs and holds for 15 minutes, and nobody asks at night."""
    assert 0 < day.located <= sum(day.control.values()) / 50


def test_a_busy_minute_costs_a_bounded_number_of_datagrams(day):
    """Six peers at a time: probes, questions, answers and SMRs."""
    assert max(day.control.values()) <= 40 * BURST_PEERS


def test_only_what_a_lossy_network_explains_is_dropped(day):
    for host in day.crowd.hosts:
        assert set(host.drops()) <= EXPECTED_DROPS, host.name
        assert sum(host.drops().values()) <= 0.02 * sum(day.control.values()), host.name


def by_peer(stale: list[tuple[float, Frame]]) -> dict[tuple[str, str], list[float]]:
    """How long after a move each of them still sent to each old place."""
    found: dict[tuple[str, str], list[float]] = {}
    for age, frame in stale:
        found.setdefault((frame.sender, str(frame.destination.address)), []).append(age)
    return found


def _bound(path: str) -> int:
    return max((most for name, most in MEMORIES.items() if path.rstrip("[]").endswith(name)), default=0)
