"""The engine and its twin, step by step: the table changes while packets wait, leave or are dropped.

Each step is over when the worker sleeps again, so that every packet has one right fate. What happens while a worker is
at work is in test_flow.py and under tests/fuzz.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_network
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lispfast.model.addresses import Eid, EidPrefix, parse_address
from lispfast.model.forwarding import (
    Drop,
    Encapsulate,
    EncapsulateSet,
    ForwardingLocator,
    LocalPrefix,
    LocatorSet,
    Miss,
    Native,
    Reject,
    Resolve,
    SourceRloc,
    Transaction,
)
from lispfast.model.units import InstanceId

from .bench import SLOT, Bench, inner, wait_until
from .twin_stage import Flow, Twin, Waiting, Way

SO_RCVBUFFORCE = 33
SETS = (1, 2, 3)
SOURCES = ("127.0.0.1", "127.0.0.3", None)
IIDS = (InstanceId(0), InstanceId(7))
OURS = {
    (iid, version): Eid(parse_address(f"{net}{1 + iid}"), iid)
    for iid in IIDS
    for version, net in ((4, "10.9.0."), (6, "fd09::"))
}
FAR = ["10.9.1.0", "10.9.1.1", "10.9.1.2", "10.9.2.1", "fd09:1::", "fd09:1::1", "fd09:2::1"]
NETS = ["0.0.0.0/0", "10.9.0.0/16", "10.9.1.0/24", "10.9.1.0/31", *(f"{eid}/32" for eid in FAR if ":" not in eid)]
NETS += ["::/0", "fd09:1::/64", "fd09:1::/127", *(f"{eid}/128" for eid in FAR if ":" in eid)]
KINDS = {"mapping-drop": Drop(), "mapping-reject": Reject(), "native-unavailable": Native(), "resolve": Resolve()}
LATE = 2.0  # seconds: what waits grows old after 3

flows = st.builds(
    lambda iid, far: Flow(OURS[iid, parse_address(far).version], Eid(parse_address(far), iid)),
    st.sampled_from(IIDS),
    st.sampled_from(FAR),
)
prefixes = st.builds(EidPrefix.parse, st.sampled_from(NETS), st.sampled_from(IIDS))
kinds = st.sampled_from(["encapsulate", "encapsulate", "set", "set", *KINDS, "resolve", "withdraw", "withdraw"])


@cache
def template(flow: Flow, length: int) -> bytes:
    """A packet whose last four bytes are its number."""
    version = flow.source.address.version
    ends = {"src": str(flow.source.address), "dst": str(flow.destination.address)}
    return bytes(inner(version, bytes(length - (28 if version == 4 else 48)), **ends))


def drain(sock: socket.socket) -> Iterator[tuple[bytes, Any]]:
    while select.select([sock], [], [], 0)[0]:
        yield sock.recvfrom(9000)


class StageMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        for far in self.bench.far.values():  # a whole stage of big packets comes at once
            with contextlib.suppress(PermissionError):
                far.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.twin = Twin(set(OURS.values()), SOURCES[0])
        self.number = self.mark = 0
        self.last: list[Flow] = []
        self.waits_since: float | None = None
        self.punted_at: dict[Eid, float] = {}
        self.came: dict[Flow, list[tuple[int, int, str]]] = defaultdict(list)

    def teardown(self) -> None:
        self.bench.close()

    def locator(self) -> ForwardingLocator:
        """Where a packet goes tells which change of the table sent it there."""
        self.mark += 1
        return self.bench.locator(header=b"\0" + self.mark.to_bytes(3, "big") + bytes(4), mtu=65535)

    def commit(self, transaction: Transaction) -> None:
        self.bench.rests()
        self.bench.commit(transaction)
        self.twin.commit()

    @initialize()
    def begin(self) -> None:
        sets = []
        for number in SETS:
            sets.append(LocatorSet(number, (self.locator(),)))
            self.twin.sets[number] = self.mark
        self.commit(Transaction(local=tuple(LocalPrefix(eid.prefix) for eid in OURS.values()), sets=tuple(sets)))

    @rule(changes=st.dictionaries(prefixes, kinds, min_size=1, max_size=4), number=st.sampled_from(SETS))
    def change(self, changes: dict[EidPrefix, str], number: int) -> None:
        """Insert, replace and withdraw, all at once."""
        put, withdraw = [], []
        for prefix, kind in changes.items():
            if kind == "withdraw":
                if self.twin.table.pop(prefix, None):
                    withdraw.append(prefix)
            elif kind == "set":
                put.append((prefix, EncapsulateSet(number)))
                self.twin.table[prefix] = Way("encapsulate", set=number)
            elif kind == "encapsulate":
                put.append((prefix, Encapsulate((self.locator(),))))
                self.twin.table[prefix] = Way(kind, self.mark)
            else:
                put.append((prefix, KINDS[kind]))
                self.twin.table[prefix] = Way(kind)
        self.commit(Transaction(put=tuple(put), withdraw=tuple(withdraw)))

    @rule(number=st.sampled_from(SETS))
    def replace_set(self, number: int) -> None:
        locators = (self.locator(),)
        self.twin.sets[number] = self.mark
        self.commit(Transaction(sets=(LocatorSet(number, locators),)))

    @rule(source=st.sampled_from(SOURCES))
    def move(self, source: str | None) -> None:
        self.twin.source = source
        self.commit(Transaction(sources=(SourceRloc(SLOT[4], parse_address(source) if source else None),)))

    @rule(both=st.booleans())
    def replace_locals(self, both: bool) -> None:
        self.twin.local = {eid for eid in OURS.values() if both or eid.iid == 0}
        self.commit(Transaction(local=tuple(LocalPrefix(eid.prefix) for eid in self.twin.local)))

    @rule(parts=st.lists(st.tuples(flows, st.sampled_from([(1, 60), (7, 60), (150, 60), (60, 7900)])), max_size=3))
    def send(self, parts: list[tuple[Flow, tuple[int, int]]]) -> None:
        """Bursts of several flows; enough of them, and the stage is full of packets or of bytes."""
        self.bench.rests()
        self.last = [flow for flow, _ in parts] or self.last
        for flow, (count, length) in parts:
            for _ in range(count):
                self.number += 1
                self.bench.send(template(flow, length)[:-4] + self.number.to_bytes(4, "big"))
                self.twin.send(Waiting(flow, self.number, length))

    @precondition(lambda self: self.twin.stage)
    @rule()
    def answer_all(self) -> None:
        """Whatever is asked for is answered."""
        hosts = {packet.flow.destination for packet in self.twin.stage}
        self.change({EidPrefix(ip_network(eid.address), eid.iid): "encapsulate" for eid in hosts}, 1)

    @precondition(lambda self: self.twin.table)
    @rule()
    def forget_all(self) -> None:
        """Every answer is gone: misses again."""
        self.change(dict.fromkeys(list(self.twin.table), "withdraw"), 1)

    @precondition(lambda self: self.last)
    @rule(count=st.sampled_from([1, 100]))
    def send_more(self, count: int) -> None:
        """Flows go on while the table changes under them."""
        self.send([(flow, (count, 60)) for flow in self.last])

    @invariant()
    def agree(self) -> None:
        bench, twin = self.bench, self.twin
        bench.settle()
        bench.rests()
        if "stage-aged" in bench.drops():
            return  # a machine under such load says nothing of the rest
        wait_until(lambda: self.receive() == twin.out)
        assert {reason: count for reason, count in bench.drops().items() if reason != "inner-malformed"} == twin.drops
        assert bench.engine.totals()["staged"] == twin.staged
        self.check_lookups()
        self.check_punts()
        self.stay_young()

    def check_lookups(self) -> None:
        for text in FAR:
            for iid in IIDS:
                found = self.bench.engine.lookup(parse_address(text), iid)
                assert (found[0] if found else None) == self.twin.match(Eid(parse_address(text), iid))

    def receive(self) -> dict[Flow, list[tuple[int, int, str]]]:
        """All that has come to the far end, by flow in its order."""
        for _icmp in drain(self.bench.tun):
            pass
        for data, (source, _port) in drain(self.bench.far[4]):
            packet, mark = data[8:], int.from_bytes(data[1:4], "big")
            ends = (packet[12:16], packet[16:20]) if packet[0] >> 4 == 4 else (packet[8:24], packet[24:40])
            ours = next(eid for eid in OURS.values() if eid.address.packed == ends[0])
            far = next(parse_address(text) for text in FAR if parse_address(text).packed == ends[1])
            self.came[Flow(ours, Eid(far, ours.iid))].append((int.from_bytes(packet[-4:], "big"), mark, source))
        return self.came

    def check_punts(self) -> None:
        """Who waits was asked for; nobody is asked for twice in a second without an answer in between."""
        now = time.monotonic()
        for punt in self.bench.engine.take_punts():
            assert isinstance(punt, Miss)
            eid = Eid(punt.destination, punt.iid)
            assert eid not in self.twin.asked or now - self.punted_at[eid] > 0.9
            self.twin.asked.add(eid)
            self.punted_at[eid] = now
        assert {packet.flow.destination for packet in self.twin.stage} <= self.twin.asked

    def stay_young(self) -> None:
        """What waited for long is let go before it is too old, so that slow machines see the same."""
        now = time.monotonic()
        self.waits_since = (self.waits_since or now) if self.twin.stage else None
        if self.waits_since and now - self.waits_since > LATE:
            self.answer_all()
            self.waits_since = None


StageMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
TestStageMachine = StageMachine.TestCase
