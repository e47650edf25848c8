"""Natively forwarded packets: by a raw socket through the interface of a source RLOC, in a namespace of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6

from lispfast.model.forwarding import Native, SourceRloc, Transaction
from lispfast.model.reasons import DataReason

from .bench import LOCAL, SLOT, Bench, address, free_port, inner
from .namespace import apart
from .twin_fragment import reassemble
from .twin_segment import TCP, segment
from .vnet import pattern, send_frame, tcp

ETHERTYPES = {0x0800, 0x86DD}

# Two ways out; the main table prefers a dummy, as it prefers lmn0 where a mobile node runs.
LINKS = [
    f"ip {command}"
    for command in (
        "link set lo up",
        "link add near type veth peer name beyond",
        "link add other type veth peer name yonder",
        "link add lmn7 type veth peer name lmn8",
        "link set lmn7 up",
        *(f"link set {name} up" for name in ("near", "beyond", "other", "yonder")),
        "address add 192.0.2.1/24 dev near",
        "address add 203.0.113.1/24 dev other",
        "-6 address add 2001:db8::1/64 dev near nodad",
        "route add default dev lmn7",
        "-6 route add default dev lmn7 metric 1",
        "route add default via 192.0.2.2 dev near metric 100",
        "route add default via 203.0.113.2 dev other metric 200",
        "-6 route add default via 2001:db8::2 dev near metric 100",
        "neigh replace 192.0.2.2 dev near lladdr 02:00:00:00:00:02",
        "neigh replace 203.0.113.2 dev other lladdr 02:00:00:00:00:02",
        "-6 neigh replace 2001:db8::2 dev near lladdr 02:00:00:00:00:02",
    )
]


class Stand:
    """A bench whose natively forwarded packets leave by `near`, and one who listens at the other end of each link."""

    def __init__(self, framed: bool = False) -> None:
        self.bench = Bench(native=True, framed=framed)
        self.links = {name: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) for name in ("beyond", "yonder")}
        for name, link in self.links.items():
            link.bind((name, 3))  # ETH_P_ALL
            link.settimeout(5)
        self.stand_at("near", "192.0.2.1", "2001:db8::1")
        self.bench.map(Native())

    def stand_at(self, name: str, *sources: str) -> None:
        ifindex = socket.if_nametoindex(name)
        stores = [SourceRloc(SLOT[one.version], one, ifindex) for one in map(address, sources)]
        self.bench.commit(Transaction(sources=tuple(stores)))

    def passed(self, name: str = "beyond") -> bytes:
        """The next packet of our EIDs at the end of a link."""
        while True:
            data, (_, ethertype, *_) = self.links[name].recvfrom(70000)
            source = data[12:16] if data[0] >> 4 == 4 else data[8:24]
            if ethertype in ETHERTYPES and source in {one.packed for one in LOCAL.values()}:
                return data

    def close(self) -> None:
        self.bench.close()
        for link in self.links.values():
            link.close()


def stand(check: Callable[[Stand], None], *more: str, framed: bool = False) -> None:
    def body() -> None:
        made = Stand(framed)
        try:
            check(made)
        finally:
            made.close()

    apart(body, *LINKS, *more)


@pytest.mark.netns
def test_packets_leave_as_they_are_by_the_interface_of_the_source_rloc() -> None:
    def check(made: Stand) -> None:
        total = 0
        for version in (4, 6):
            for size in (0, 1, 1000):
                sent = made.bench.send(inner(version, pattern(size), **({"id": 7} if version == 4 else {})))
                assert made.passed() == sent
                total += len(sent)
        made.bench.wait_totals(packets_out=6, bytes_out=total)
        assert made.bench.engine.describe()["native"] == "on"
        assert sum(use.packets_out for use in made.bench.engine.traffic().prefixes.values()) == 6
        assert made.bench.drops() == {}

    stand(check)


@pytest.mark.netns
def test_they_follow_a_move_by_the_transaction_of_the_slot() -> None:
    def check(made: Stand) -> None:
        for _ in range(2):
            for name, end, source in (("other", "yonder", "203.0.113.1"), ("near", "beyond", "192.0.2.1")):
                made.stand_at(name, source)
                sent = made.bench.send(inner(id=7))
                assert made.passed(end) == sent

    stand(check)


@pytest.mark.netns
def test_a_frame_of_many_segments_leaves_as_packets() -> None:
    def check(made: Stand) -> None:
        for version in (4, 6):
            whole = send_frame(made.bench, tcp(version, pattern(5001), flags="PA"), 1000)
            for expected in segment(whole, TCP, 20 if version == 4 else 40, 1000):
                got = bytearray(made.passed())
                if version == 4 and not expected[4:6].strip(b"\0"):  # the kernel numbers what has no number
                    got[4:6], got[10:12] = expected[4:6], expected[10:12]
                assert bytes(got) == expected

    stand(check, framed=True)


@pytest.mark.netns
def test_what_is_too_long_is_split_or_answered() -> None:
    def check(made: Stand) -> None:
        sent = made.bench.send(inner(payload=pattern(3000), id=7))
        parts = [made.passed() for _ in range(3)]
        assert max(map(len, parts)) <= 1400
        assert reassemble(parts) == sent[20:]
        made.bench.send(inner(payload=pattern(1400), flags="DF"))
        assert IP(made.bench.delivered())[ICMP].nexthopmtu == 1400
        made.bench.send(inner(6, pattern(1400)))
        assert IPv6(made.bench.delivered())[ICMPv6PacketTooBig].mtu == 1400
        made.bench.wait_drops(DataReason.TOO_BIG, 2)

    stand(check, "ip link set near mtu 1400")


@pytest.mark.netns
def test_without_a_way_out_the_sender_hears_of_it() -> None:
    def check(made: Stand) -> None:
        subprocess.run(["ip", "-6", "route", "del", "default", "dev", "near"], check=True)
        made.bench.send(inner(6))
        assert ICMPv6DestUnreach in IPv6(made.bench.delivered())
        made.bench.commit(Transaction(sources=(SourceRloc(SLOT[4], None),)))
        made.bench.send(inner())
        assert IP(made.bench.delivered())[ICMP].type == 3
        made.bench.wait_drops(DataReason.NATIVE_UNAVAILABLE, 2)

    stand(check)


def test_where_it_is_off_nothing_leaves(bench: Bench) -> None:
    bench.map(Native())
    bench.send(inner())
    answer = IP(bench.delivered())
    assert (answer[ICMP].type, answer.dst) == (3, str(LOCAL[4]))
    bench.wait_drops(DataReason.NATIVE_UNAVAILABLE)
    assert bench.engine.describe()["native"] == "off"


PROGRAM = """
import socket
from lispfast.dataplane import open_tun_dataplane
from lispfast.model.errors import PrivilegeError
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    open_tun_dataplane([theirs.fileno()], port={port}, native=True).start()
except PrivilegeError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give up a capability")
def test_without_the_capability_the_start_says_so() -> None:
    without = ["setpriv", "--bounding-set", "-net_raw", "--", sys.executable, "-c", PROGRAM.format(port=free_port())]
    done = subprocess.run(without, capture_output=True, text=True, check=True, timeout=60)
    assert "native-forward needs CAP_NET_RAW" in done.stdout
