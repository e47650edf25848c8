"""A site's router: EID-prefixes of ours, with hosts behind the TUN that are not this one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6

from lispfast.model.forwarding import Encapsulate, Miss, Reject, RejectCode, Resolve, Transaction
from lispfast.model.reasons import DataReason
from lispfast.model.units import InstanceId

from .bench import QUIET, Bench, address, incoming, inner, locals_of
from .vnet import pattern

SITE = {4: "10.8.0.77", 6: "fd08::77"}
HEADER_7 = b"\x08\0\0\0\0\0\x07\0"


@pytest.fixture
def site() -> Iterator[Bench]:
    """10.8.0.0/24 and fd08::/64 of the default instance, 10.8.0.128/25 within it of instance 9."""
    bench = Bench()
    own = locals_of("10.8.0.0/24", "fd08::/64") + locals_of("10.8.0.128/25", iid=9)
    bench.commit(Transaction(local=own))
    yield bench
    bench.close()


@pytest.mark.parametrize("version", [4, 6])
def test_any_host_of_the_prefix_sends_and_receives(site: Bench, version: int) -> None:
    site.map()
    for last in (1, 2, 77, 127):
        host = SITE[version].replace("77", str(last))
        sent = site.send(inner(version, src=host))
        assert site.outer().payload == QUIET + sent
        packet = site.inject(incoming(version, dst=host))
        assert site.delivered() == packet
    assert site.drops() == {}


@pytest.mark.parametrize("version", [4, 6])
def test_the_sender_is_answered_whoever_it_is(site: Bench, version: int) -> None:
    site.map(Reject(RejectCode.PROHIBITED))
    site.send(inner(version, src=SITE[version]))
    if version == 4:
        answer = IP(site.delivered())
        assert (answer.dst, answer[ICMP].type, answer[ICMP].code) == (SITE[4], 3, 13)
    else:
        answer6 = IPv6(site.delivered())
        assert (answer6.dst, answer6[ICMPv6DestUnreach].code) == (SITE[6], 1)
    site.map(Encapsulate((site.locator(mtu=1400),)))
    fields: dict[str, Any] = {"flags": "DF"} if version == 4 else {}
    site.send(inner(version, pattern(1400), src=SITE[version], **fields))
    if version == 4:
        assert (IP(site.delivered())[ICMP].nexthopmtu, IP(bytes(answer)).dst) == (1400 - 36, SITE[4])
    else:
        assert IPv6(site.delivered())[ICMPv6PacketTooBig].mtu == 1400 - 36


def test_the_instance_is_that_of_the_longest_prefix_of_the_source(site: Bench) -> None:
    site.map(Resolve())
    site.map(Encapsulate((site.locator(header=HEADER_7),)), "0.0.0.0/0", iid=9)
    sent = site.send(inner(src="10.8.0.129"))
    assert site.outer().payload == HEADER_7 + sent
    site.send(inner(src="10.8.0.77"))
    assert site.punts() == [Miss(address("10.9.0.2"), address("10.8.0.77"), InstanceId(0))]


def test_what_is_of_no_prefix_of_ours_neither_leaves_nor_comes_in(site: Bench) -> None:
    site.map()
    site.send(inner(src="10.7.255.255"))
    site.wait_drops(DataReason.INNER_SOURCE)
    site.inject(incoming(dst="10.8.1.0"))
    site.inject(incoming(dst="10.8.0.5", src="10.8.0.6"))
    site.inject(incoming(dst="10.8.0.5"), 4, b"\x08\0\0\0\0\0\x09\0")
    site.inject(incoming(dst="10.8.0.5"), 4, b"\x08\0\0\0\0\0\x08\0")
    site.send(inner(src="10.8.0.5", dst="10.8.0.6"))
    last = site.inject(incoming(dst="10.8.0.200"), 4, b"\x08\0\0\0\0\0\x09\0")
    assert site.delivered() == last
    site.settle()
    drops = site.drops()
    drops.pop("inner-malformed")
    assert drops == {"inner-source": 1, "not-our-eid": 2, "own-source": 1, "instance-unknown": 1, "not-unicast": 1}
