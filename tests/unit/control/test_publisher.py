"""What bounds a Map-Server's subscriptions and the pace of its Map-Notifies, and where these go."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from lispfast.control import publisher as module
from lispfast.control import subscriptions
from lispfast.control.auth import sign
from lispfast.control.effects import Datagram
from lispfast.control.mapping_system import MappingSystem
from lispfast.control.outbox import Outbox
from lispfast.control.publisher import LIFETIME, Publisher, State
from lispfast.control.registrations import Entry, Registrations
from lispfast.control.sites import SiteTable
from lispfast.control.subscription_nonces import NONCE_LIMIT
from lispfast.control.subscriptions import Wish
from lispfast.model.addresses import EidPrefix, Endpoint
from lispfast.model.mapping import Action, Locator, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Admitted, Key, KeyType, PubSub, Site
from lispfast.model.units import Minutes, Nonce, Seconds
from lispfast.wire.identity import XtrIdentity
from lispfast.wire.map_notify import MapNotify, MapNotifyAck
from lispfast.wire.records import mapping_from_record

KEY = Key(b"pubsub", KeyType.HMAC_SHA256, 3)
EID = EidPrefix.parse("10.1.0.0/16")
SITE = Site(EidPrefix.parse("10.0.0.0/8"), Key(b"etr", KeyType.HMAC_SHA256), True, True)
SERVER = Endpoint(ip_address("192.0.2.1"), 4342)
RLOC, SECOND, SIXTH = (ip_address(text) for text in ("198.51.100.1", "198.51.100.2", "2001:db8::1"))


class Bench:
    def __init__(self, limit: int = 100, admitted: tuple[Admitted, ...] = ()) -> None:
        self.now = Seconds(0)
        self.outbox, self.registrations = Outbox(), Registrations()
        self.system = MappingSystem(SiteTable([SITE]), self.registrations, ())
        self.publisher = Publisher(PubSub(True, (KEY,), limit, admitted), self.system, self.outbox)

    def register(self, text: str = str(EID), rloc: str = "203.0.113.1") -> list:
        mapping = Mapping(EidPrefix.parse(text), (Locator(ip_address(rloc)),), Minutes(10))
        self.registrations.register(SITE, Entry(mapping, None, SERVER, self.now, Seconds(1e9), True))
        self.publisher.handle_changes(self.registrations.take_changes(), self.now)
        return self.outbox.take_effects()

    def ask(self, nonce=10, xtr=1, asked=EID, rlocs=(RLOC,), port=4342, site=0) -> bool:
        wish = Wish(XtrIdentity(xtr, site), asked, rlocs, port, rlocs[0], SERVER.address, Nonce(nonce), KEY)
        return not self.answer(wish)

    def answer(self, wish: Wish) -> tuple[Mapping, ...]:
        known = self.system.answer(wish.prefix, lambda mappings: True, Seconds(0.0)).mappings
        return self.publisher.subscribe(wish, known, self.now)

    def acknowledge(self, send) -> None:
        message = MapNotify.decode(send.payload)
        ack = sign(MapNotifyAck(message.nonce, message.records, identity=message.identity), KEY)
        datagram = Datagram(ack, send.destination, SERVER)
        self.publisher.handle_acknowledgement(MapNotifyAck.decode(ack), datagram, self.now)

    def subscribe(self, **kwargs) -> None:
        assert self.ask(**kwargs)
        (send,) = self.outbox.take_effects()
        self.acknowledge(send)

    def wait(self, seconds: float) -> list:
        self.now = Seconds(self.now + seconds)
        self.publisher.handle_timeout(self.now)
        return self.outbox.take_effects()

    def dropped(self) -> dict[ControlReason, int]:
        return {reason: count for reason, count in self.outbox.drops().items() if count}


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.register()
    return bench


def told(send) -> Mapping:
    return mapping_from_record(MapNotify.decode(send.payload).records[0])


def test_the_confirmation_goes_to_the_port_that_asked_and_a_publication_to_4342(bench):
    bench.ask(port=50000)
    (send,) = bench.outbox.take_effects()
    assert (send.destination, send.source, MapNotify.decode(send.payload).nonce) == (
        Endpoint(RLOC, 50000),
        SERVER.address,
        10,
    )
    bench.acknowledge(send)
    (send,) = bench.register(rloc="203.0.113.2")
    assert (send.destination, MapNotify.decode(send.payload).nonce) == (Endpoint(RLOC, 4342), 11)


def test_tries_go_round_the_itr_rlocs(bench):
    bench.subscribe(rlocs=(RLOC, SECOND, SIXTH))
    sends = bench.register(rloc="203.0.113.2")
    for wait in (3, 3, 3, 6, 12, 24):
        sends += bench.wait(wait)
    assert [send.destination.address for send in sends] == [RLOC, SECOND, SIXTH, RLOC, SECOND, SIXTH, RLOC]
    assert len({send.payload for send in sends}) == 1
    assert {send.source for send in sends} == {SERVER.address, None}, "the kernel chooses in the other family"
    (removal,) = bench.wait(24)
    assert (told(removal).action, told(removal).locators) == (Action.DROP_AUTH_FAILURE, ())
    assert MapNotify.decode(removal.payload).nonce == MapNotify.decode(sends[0].payload).nonce
    assert len(bench.publisher.subscriptions) == 0
    assert bench.wait(1000) == [], "once"


def test_over_the_limit_of_an_xtr_it_is_answered_without(bench):
    bench = Bench(limit=2)
    for n in range(2):
        bench.subscribe(asked=bench_prefix(bench, n))
    assert not bench.ask(asked=bench_prefix(bench, 2))
    assert bench.dropped() == {ControlReason.SUBSCRIPTIONS_OF_XTR: 1}
    bench.subscribe(asked=bench_prefix(bench, 1), nonce=20)
    bench.subscribe(asked=bench_prefix(bench, 2), xtr=2)


def bench_prefix(bench: Bench, n: int) -> EidPrefix:
    text = f"10.{n}.0.0/16"
    bench.register(text)
    return EidPrefix.parse(text)


def test_the_total_is_bounded(bench, monkeypatch):
    monkeypatch.setattr(subscriptions, "MAX_TOTAL", 2)
    for xtr in (1, 2):
        bench.subscribe(xtr=xtr)
    assert not bench.ask(xtr=3)


def test_who_acknowledges_late_finds_the_room_taken(bench):
    bench = Bench(limit=1)
    prefixes = [bench_prefix(bench, n) for n in range(2)]
    sends = []
    for prefix in prefixes:
        assert bench.ask(asked=prefix)
        sends += bench.outbox.take_effects()
    for send in sends:
        bench.acknowledge(send)
    (removal,) = bench.outbox.take_effects()
    assert (told(removal).prefix, told(removal).action) == (prefixes[1], Action.DROP_AUTH_FAILURE)
    assert [s.wish.prefix for s in bench.publisher.subscriptions] == prefixes[:1]


def test_what_is_only_wanted_is_bounded(bench, monkeypatch):
    monkeypatch.setattr(module, "MAX_WANTED", 3)
    for xtr in range(5):
        bench.ask(xtr=xtr)
    states = [bench.publisher.state(((xtr, 0), EID)) for xtr in range(5)]
    assert states == [State.IDLE] * 2 + [State.CONFIRMING] * 3
    assert bench.dropped() == {ControlReason.TABLE_FULL: 2}


def test_the_pace_of_publications_is_bounded_and_all_are_told(bench, monkeypatch):
    for xtr in range(1000):
        bench.subscribe(xtr=xtr)
    sent = len(bench.register(rloc="203.0.113.2"))
    assert sent == module.PACE_BURST
    steps = 0
    while bench.publisher._waiting:
        timeout = bench.publisher.next_timeout()
        assert timeout is not None
        more = bench.wait(max(0.0, timeout.at - bench.now) + 0.1)
        steps += 1
        assert len(more) <= 60
        sent += len(more)
    assert (sent, steps > 10) == (1000, True)


def test_no_room_left_to_count(bench):
    assert not bench.ask(nonce=NONCE_LIMIT)
    assert bench.ask(nonce=NONCE_LIMIT - 1)


def test_an_xtr_that_gives_no_site_id_gets_no_ids_back_and_is_known_by_its_address(bench):
    assert bench.ask(site=None)
    (send,) = bench.outbox.take_effects()
    assert MapNotify.decode(send.payload).identity is None
    bench.acknowledge(send)
    assert len(bench.publisher.subscriptions) == 1


def test_a_subscription_that_nobody_renews_ends_after_a_day_and_that_is_told(bench):
    bench.subscribe()
    assert bench.wait(LIFETIME - 1) == []
    (removal,) = bench.wait(1)
    assert told(removal).action is Action.DROP_AUTH_FAILURE
    assert bench.publisher.next_timeout() is None


def test_a_temporary_subscription_ends_after_15_minutes_in_silence(bench):
    bench.subscribe(asked=EidPrefix.parse("192.0.2.7/32"))
    (subscription,) = bench.publisher.subscriptions
    assert subscription.temporary
    assert (bench.wait(900), len(bench.publisher.subscriptions)) == ([], 0)


def test_many_more_specifics_are_told_in_packets_of_576_bytes(bench):
    bench.subscribe()
    for n in range(60):
        bench.registrations.register(
            SITE,
            Entry(
                Mapping(EidPrefix.parse(f"10.1.{n}.0/24"), (Locator(SIXTH),), Minutes(10)),
                None, SERVER, bench.now, Seconds(1e9), True,
            ),
        )  # fmt: skip
    bench.publisher.handle_changes(bench.registrations.take_changes(), bench.now)
    heard = set()
    while sends := bench.outbox.take_effects():
        (send,) = sends
        assert len(send.payload) <= 548
        heard |= {mapping_from_record(record).prefix for record in MapNotify.decode(send.payload).records}
        bench.acknowledge(send)
    assert len(heard) == 60


def test_a_change_outside_is_not_told(bench):
    bench.subscribe()
    assert bench.register("10.2.0.0/16") == []
    assert len(bench.register("10.1.5.0/24")) == 1


def test_off_an_acknowledgement_is_not_for_us():
    outbox = Outbox()
    publisher = Publisher(PubSub(), MappingSystem(SiteTable([]), Registrations(), ()), outbox)
    ack = MapNotifyAck(Nonce(1), ())
    publisher.handle_acknowledgement(ack, Datagram(ack.encode(), SERVER, SERVER), Seconds(0))
    assert outbox.drops()[ControlReason.NOT_FOR_ROLE] == 1


def test_a_popular_eid_prefix_has_so_many_subscribers(bench, monkeypatch):
    monkeypatch.setattr(subscriptions, "MAX_OF_EID", 2)
    for xtr in (1, 2):
        bench.subscribe(xtr=xtr)
    assert not bench.ask(xtr=3)
    assert bench.dropped() == {ControlReason.SUBSCRIPTIONS_OF_EID: 1}
    assert bench.ask(xtr=2, nonce=20), "who is subscribed may renew"
    assert bench.ask(xtr=3, asked=EidPrefix.parse("10.2.0.0/16")), "another EID-prefix has room"


def wanted(xtr: int, asked: str, iid: int = 0) -> Wish:
    prefix = EidPrefix.parse(asked, iid)
    return Wish(XtrIdentity(xtr, 0), prefix, (RLOC,), 4342, RLOC, SERVER.address, Nonce(10), KEY)


def admitted(xtr: int, prefix: str | None = None) -> Admitted:
    return Admitted(xtr.to_bytes(16, "big"), EidPrefix.parse(prefix) if prefix else None)


@pytest.mark.parametrize(
    ("xtr", "asked", "accepted"),
    [(1, "10.1.2.3/32", True), (2, "10.1.2.3/32", True), (3, "10.1.2.3/32", False), (4, "10.1.2.3/32", False)],
    ids=["where it may", "anywhere", "in another EID-prefix", "an xTR-ID that nobody named"],
)
def test_a_list_says_who_may_subscribe_to_what_and_the_others_are_refused_by_name(xtr, asked, accepted):
    bench = Bench(admitted=(admitted(1, "10.0.0.0/8"), admitted(2), admitted(3, "10.2.0.0/16")))
    bench.register()
    answer = bench.answer(wanted(xtr, asked))
    assert (answer == ()) == accepted
    assert len(bench.outbox.take_effects()) == accepted
    if not accepted:
        assert answer == (Mapping(EidPrefix.parse(asked), (), Minutes(0), Action.DROP_POLICY_DENIED),)
        assert bench.dropped() == {ControlReason.SUBSCRIPTION_DENIED: 1}


def test_a_subscription_may_not_reach_beyond_what_its_xtr_may_be_told():
    bench = Bench(admitted=(admitted(1, "10.1.2.0/24"), admitted(1, "10.1.3.0/24")))
    bench.register()
    answer = bench.answer(wanted(1, "10.1.2.3/32"))
    assert answer[0].action is Action.DROP_POLICY_DENIED, "its mapping is that of 10.1.0.0/16"
    assert answer[0].prefix == EidPrefix.parse("10.1.2.3/32"), "no more is refused than was asked for"
