"""The simulation itself: it is as bad as it says, and as strict as a kernel."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from lispfast.control.effects import Send
from lispfast.model.addresses import Eid, EidPrefix, Endpoint
from lispfast.model.errors import DataPlaneError
from lispfast.model.forwarding import (
    Encapsulate,
    ForwardingLocator,
    LocalPrefix,
    Miss,
    Reject,
    Resolve,
    SourceRloc,
    Transaction,
)
from lispfast.model.underlay import Underlay
from tests.sim import seeds
from tests.sim.dataplane import PUNT_AGE, STAGE_AGE, STAGE_PACKETS, SlowDataPlane
from tests.sim.host import Host, interface
from tests.sim.network import Conditions, Link, Network, Packet

HERE, THERE = ip_address("10.0.0.1"), ip_address("10.0.0.2")
ALL = EidPrefix.parse("0.0.0.0/0")


class Listener:
    """A role that only listens, and says what it is told to."""

    def __init__(self):
        self.came = []
        self.effects = []
        self.underlay = Underlay()

    def handle_datagram(self, datagram, now):
        self.came.append((now, datagram))

    def handle_underlay(self, underlay, now):
        self.underlay = underlay

    def take_effects(self):
        effects, self.effects = self.effects, []
        return effects

    def nothing(self, *_):
        return None

    def take_events(self):
        return []

    start = stop = handle_traffic = handle_punt = handle_timeout = poll_timeout = nothing


def pair(conditions: Conditions, seed: int = 1) -> tuple[Network, Host, Host]:
    network = Network(seed, conditions)
    one, two = (Host(network, name, lambda disk: Listener()) for name in ("one", "two"))
    one.attach(interface("eth0", "192.0.2.1", "2001:db8::1"), interface("eth1", "192.0.2.9", index=3))
    two.attach(interface("eth0", "192.0.2.2", index=7))
    one.start()
    two.start()
    return network, one, two


def say(host: Host, text: str, destination: str = "192.0.2.2", **kwargs) -> None:
    host.role.effects.append(Send(text.encode(), Endpoint(ip_address(destination), 4342), **kwargs))
    host._step(lambda: None)


def heard(host: Host) -> list[str]:
    return [datagram.payload.decode() for _, datagram in host.role.came]


def test_a_datagram_arrives_once_after_its_delay_with_its_addresses():
    network, one, two = pair(Conditions(delay=0.01))
    say(one, "hello")
    network.run(1)
    ((at, datagram),) = two.role.came
    assert at == pytest.approx(1000.01)
    assert (str(datagram.source), str(datagram.destination), datagram.ifindex) == (
        "192.0.2.1:4342",
        "192.0.2.2:4342",
        7,
    )


def test_the_source_is_the_interfaces_or_one_of_ours_or_refused():
    network, one, two = pair(Conditions())
    say(one, "a", ifindex=3)
    say(one, "b", source=ip_address("192.0.2.9"))
    with pytest.raises(AssertionError, match="which it does not have"):
        say(one, "c", source=ip_address("192.0.2.77"))
    with pytest.raises(AssertionError, match="no way to"):
        say(two, "d", "2001:db8::1")
    network.run(1)
    assert [str(datagram.source.address) for _, datagram in two.role.came] == ["192.0.2.9", "192.0.2.9"]


def test_what_conditions_do():
    network, one, two = pair(Conditions(loss=0.2, duplication=0.2, jitter=0.1))
    sent = [f"{n:04}" for n in range(500)]
    for text in sent:
        say(one, text)
    network.run(1)
    got = heard(two)
    assert set(got) < set(sent)
    assert len(got) > len(set(got))
    assert got != sorted(got)
    assert 400 < len(got) < 560


def test_a_link_is_as_bad_as_it_is_in_each_direction():
    network, one, two = pair(Conditions(delay=0.01))
    calm = Conditions(delay=0.1)
    network.links[ip_address("192.0.2.1")] = Link(up=calm, down=Conditions(loss=1.0))
    network.links[ip_address("192.0.2.2")] = Link(up=Conditions(duplication=1.0, delay=0), down=calm)
    say(one, "up and down", "192.0.2.2")
    say(one, "by another link", "192.0.2.2", source=ip_address("192.0.2.9"))
    say(two, "lost", "192.0.2.1")
    say(two, "twice", "192.0.2.9")
    network.run(1)
    assert [(round(at - 1000, 3), datagram.payload) for at, datagram in two.role.came] == [
        (0.11, b"by another link"),
        (0.21, b"up and down"),
    ]
    assert heard(one) == ["twice", "twice"]
    assert len(network.lost) == 2, "both copies"


def test_only_the_newest_frames_are_kept_where_that_is_wanted():
    network = Network(memory=3)
    one = Host(network, "one", lambda disk: Listener())
    one.attach(interface("eth0", "192.0.2.1"))
    one.start()
    watched = []
    network.watch = watched.append
    for text in "abcde":
        say(one, text)
    network.run(1)
    assert [frame.content for frame in network.sent] == [b"c", b"d", b"e"]
    assert len(network.lost) == 3
    assert len(watched) == 5


def test_a_seed_from_outside_goes_before_the_tests(monkeypatch):
    monkeypatch.delenv("LISPFAST_SEED", raising=False)
    assert Network(7).seed == 7
    monkeypatch.setenv("LISPFAST_SEED", "12")
    assert Network(7).seed == 12
    assert Network(7).random.random() == Network(8).random.random()
    assert seeds.how_to_replay("t") == "LISPFAST_SEED=12 ./run test 't'"


def test_who_has_left_hears_nothing():
    network, one, two = pair(Conditions())
    say(one, "gone")
    two.attach(interface("eth0", "192.0.2.3"))
    say(one, "lost too")
    network.run(1)
    assert heard(two) == []
    assert len(network.lost) == 2
    say(one, "here", "192.0.2.3")
    network.run(1)
    two.crash()
    say(one, "off", "192.0.2.3")
    network.run(1)
    assert heard(two) == ["here"]


class Plane:
    """A data plane alone, with a clock to turn."""

    def __init__(self):
        self.now = 100.0
        self.sent = []
        self.plane = SlowDataPlane(lambda packet, source, to: self.sent.append((packet.serial, to)), lambda: self.now)
        self.plane.commit(
            Transaction(
                put=((ALL, Resolve()),),
                local=(LocalPrefix(Eid(HERE).prefix),),
                sources=(SourceRloc(0, ip_address("192.0.2.1")),),
            )
        )

    def send(self, serial: int) -> None:
        self.plane.send(Packet(HERE, THERE, serial))


def towards(address: str) -> Encapsulate:
    return Encapsulate((ForwardingLocator(ip_address(address), 0, bytes(8)),))


def test_a_miss_is_punted_once_and_released_by_a_commit_in_order():
    bench = Plane()
    for serial in range(3):
        bench.send(serial)
    assert bench.plane.take_punts() == [Miss(THERE, HERE)]
    bench.plane.commit(Transaction(put=((EidPrefix.parse("10.0.0.2/32"), towards("192.0.2.2")),)))
    assert [serial for serial, _ in bench.sent] == [0, 1, 2]
    assert bench.plane.traffic().prefixes[EidPrefix.parse("10.0.0.2/32")].packets_out == 3


def test_the_stage_is_bounded_by_count_and_age():
    bench = Plane()
    for serial in range(STAGE_PACKETS + 2):
        bench.send(serial)
    assert bench.plane.drops["stage-full"] == 2
    bench.now += PUNT_AGE
    bench.send(99)
    assert len(bench.plane.take_punts()) == 2, "asked again after a second"
    bench.now += STAGE_AGE
    bench.plane.commit(Transaction(put=((ALL, towards("192.0.2.2")),)))
    assert bench.sent[0][0] == 99


def test_local_eids_and_verdicts():
    bench = Plane()
    bench.plane.send(Packet(THERE, HERE, 1))
    bench.plane.receive(Packet(HERE, THERE, 2), Endpoint(ip_address("192.0.2.2"), 4341))
    bench.plane.receive(Packet(THERE, HERE, 3), Endpoint(ip_address("192.0.2.2"), 4341))
    assert bench.plane.drops == {"inner-source": 1, "not-our-eid": 1}
    assert [(at, packet.serial) for at, packet in bench.plane.delivered] == [(100.0, 3)]
    bench.plane.commit(Transaction(put=((ALL, Reject()),)))
    bench.send(4)
    assert [packet.serial for packet in bench.plane.rejected] == [4]


@pytest.mark.parametrize(
    "transaction",
    [
        Transaction(),
        Transaction(withdraw=(EidPrefix.parse("10.0.0.0/8"),)),
        Transaction(put=((ALL, Reject()), (ALL, Resolve()))),
        Transaction(put=((ALL, Encapsulate(())),)),
        Transaction(put=((ALL, Encapsulate((ForwardingLocator(HERE, 0, b""),))),)),
    ],
)
def test_a_transaction_that_the_data_plane_would_refuse(transaction):
    bench = Plane()
    with pytest.raises(DataPlaneError):
        bench.plane.commit(transaction)
    assert bench.plane.table.verdicts == {ALL: Resolve()}
