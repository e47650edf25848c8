from __future__ import annotations

from lispfast.lab.ping import read_ping

OUTPUT = """PING 172.16.2.1 (172.16.2.1) 56(84) bytes of data.
64 bytes from 172.16.2.1: icmp_seq=2 ttl=64 time=0.25 ms
64 bytes from 172.16.2.1: icmp_seq=1 ttl=64 time=212 ms
64 bytes from 172.16.2.1: icmp_seq=2 ttl=64 time=9.9 ms (DUP!)
From 192.0.2.1 icmp_seq=3 Destination Host Unreachable

--- 172.16.2.1 ping statistics ---
"""


def test_answers_are_counted_once_and_the_first_packet_is_the_first_sent() -> None:
    result = read_ping(OUTPUT, sent=4)
    assert result.times == {1: 212.0, 2: 0.25}
    assert result.lost == 2
    assert result.first == 212.0


def test_a_lost_first_packet_has_no_time() -> None:
    assert read_ping("64 bytes from fd10::2:1: icmp_seq=2 ttl=64 time=0.25 ms\n", sent=2).first is None
    assert read_ping("", sent=5).lost == 5
