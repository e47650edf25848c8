"""A miss: packets wait, their EID is asked for, and nothing is lost, overtaken or kept without a bound."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import Drop, Encapsulate, Miss, Resolve, Transaction
from lispfast.model.reasons import DataReason

from .bench import LOCAL, REMOTE, Bench, address, inner, locals_of, wait_until

STAGE_PACKETS, STAGE_BYTES, STAGE_SECONDS = 256, 512 << 10, 3.0


@pytest.mark.parametrize("version", [4, 6])
def test_the_first_packet_is_not_lost(bench: Bench, version: int) -> None:
    sent = bench.send(inner(version, b"first"))
    assert bench.punts() == [Miss(REMOTE[version], LOCAL[version])]
    bench.map()
    assert bench.outer().payload[8:] == sent
    assert bench.engine.totals()["staged"] == 1


def test_an_eid_is_punted_once_for_many_packets(bench: Bench) -> None:
    for number in range(100):
        bench.send(inner(payload=bytes([number])))
    bench.settle()
    assert len(bench.punts()) == 1
    totals = bench.engine.totals()
    assert (totals["punts"], totals["staged"]) == (1, 100)


def test_an_eid_that_nobody_answers_is_punted_again_after_a_second(bench: Bench) -> None:
    start = time.monotonic()
    bench.send(inner())
    assert [len(bench.punts()), len(bench.punts())] == [1, 1]
    assert time.monotonic() - start > 0.9


def test_each_eid_has_its_punt_in_order(bench: Bench) -> None:
    names = [f"10.9.1.{number}" for number in range(1, 60)]
    for name in names:
        bench.send(inner(dst=name))
    bench.settle()
    assert [str(punt.destination) for punt in bench.punts()] == names


def test_an_answer_for_one_eid_releases_no_other(bench: Bench) -> None:
    packets = [bench.send(inner(dst=f"10.9.1.{1 + number % 2}", payload=bytes([number]))) for number in range(20)]
    bench.settle()
    bench.map(None, "10.9.1.2/32")
    assert [bench.outer().payload[8:] for _ in range(10)] == packets[1::2]
    bench.map(None, "10.9.1.1/32")
    assert [bench.outer().payload[8:] for _ in range(10)] == packets[0::2]


def test_nothing_overtakes(bench: Bench) -> None:
    sent = []
    for number in range(50):
        sent.append(bench.send(inner(payload=number.to_bytes(2, "big"))))
    bench.settle()
    bench.map()
    for number in range(50, 250):
        sent.append(bench.send(inner(payload=number.to_bytes(2, "big"))))
    assert [bench.outer().payload[8:] for _ in sent] == sent


def test_a_withdrawn_prefix_is_a_miss_again_at_once(bench: Bench) -> None:
    prefix = EidPrefix.parse("10.9.0.2/32")
    for _ in range(5):  # well within the second for which an unanswered EID stays marked
        sent = bench.send(inner())
        bench.settle()
        assert len(bench.engine.take_punts()) == 1
        bench.map(None, "10.9.0.2/32")
        assert bench.outer().payload[8:] == sent
        bench.commit(Transaction(withdraw=(prefix,)))


def test_an_answer_wakes_the_worker(bench: Bench) -> None:
    start = time.monotonic()
    for number in range(1, 11):
        bench.send(inner(dst=f"10.9.1.{number}"))
        bench.settle()
        bench.map(None, f"10.9.1.{number}/32")
        bench.outer()
    # A worker that is not woken looks round a second later: ten of them would take ten.
    assert time.monotonic() - start < 8


def test_resolve_under_an_answer_is_a_miss(bench: Bench) -> None:
    bench.map()
    bench.map(Resolve(), "10.9.0.2/32")
    bench.send(inner())
    assert bench.punts() == [Miss(REMOTE[4], LOCAL[4])]


def test_a_miss_names_the_instance(bench: Bench) -> None:
    bench.commit(Transaction(local=locals_of("10.9.0.7", iid=7)))
    bench.map()  # instance-ID 0: no answer for 7
    bench.send(inner(src="10.9.0.7"))
    assert bench.punts() == [Miss(REMOTE[4], address("10.9.0.7"), 7)]  # type: ignore[arg-type]


def test_a_negative_answer_empties_the_stage(bench: Bench) -> None:
    for _ in range(3):
        bench.send(inner())
    bench.settle()
    bench.commit(Transaction(put=((EidPrefix.parse("10.9.0.0/24"), Drop()),)))
    wait_until(lambda: bench.engine.drops()[DataReason.MAPPING_DROP] == 3)


def test_what_waits_from_an_address_that_we_lost_is_dropped(bench: Bench) -> None:
    bench.send(inner())
    bench.settle()
    bench.commit(Transaction(local=(), put=((EidPrefix.parse("0.0.0.0/0"), Encapsulate((bench.locator(),))),)))
    wait_until(lambda: bench.engine.drops()[DataReason.INNER_SOURCE] == 1)


def test_the_oldest_gives_way_when_too_many_wait(bench: Bench) -> None:
    sent = [bench.send(inner(payload=number.to_bytes(2, "big"))) for number in range(STAGE_PACKETS + 40)]
    bench.settle()
    assert bench.engine.drops()[DataReason.STAGE_FULL] == 40
    bench.map()
    assert [bench.outer().payload[8:] for _ in range(STAGE_PACKETS)] == sent[40:]


def test_the_oldest_gives_way_when_too_much_waits(bench: Bench) -> None:
    size = 8000
    sent = [bench.send(inner(payload=bytes([number]) * (size - 28))) for number in range(80)]
    bench.settle()
    fit = STAGE_BYTES // size
    assert bench.engine.drops()[DataReason.STAGE_FULL] == 80 - fit
    bench.map(Encapsulate((bench.locator(mtu=65535),)))
    assert bench.outer().payload[8:] == sent[80 - fit]
    wait_until(lambda: bench.engine.totals()["packets_out"] == fit)


def test_nobody_waits_for_ever(bench: Bench) -> None:
    start = time.monotonic()
    bench.send(inner())
    bench.send(inner())
    bench.settle()
    wait_until(lambda: bench.engine.drops()[DataReason.STAGE_AGED] == 2)
    assert time.monotonic() - start > STAGE_SECONDS - 0.1


def test_a_full_ring_loses_a_punt_not_the_eid(bench: Bench) -> None:
    for number in range(1100):  # the ring holds 1,024
        bench.send(inner(dst=f"10.10.{number // 250}.{number % 250 + 1}"))
    bench.settle()
    first = bench.punts()
    assert len(first) == 1024
    waiting = {f"10.10.{number // 250}.{number % 250 + 1}" for number in range(1100 - STAGE_PACKETS, 1100)}
    asked = {str(punt.destination) for punt in first}
    assert waiting - asked
    while waiting - asked:
        asked |= {str(punt.destination) for punt in bench.punts()}


def test_an_eid_is_punted_once_a_second_among_many(bench: Bench) -> None:
    """More EIDs than a worker can mark in a second: the others wait for their turn, nobody is asked for twice."""
    rounds = [[bytes(inner(dst=f"10.{20 + one}.0.{number}")) for number in range(100)] for one in range(30)]
    begun, asked = time.monotonic(), Counter[str]()
    for packets in rounds:
        for packet in (*packets, inner()):
            bench.send(packet)
        bench.settle()
        asked.update(str(punt.destination) for punt in bench.engine.take_punts())
    seconds = int(time.monotonic() - begun)
    assert asked[str(REMOTE[4])] >= 1
    assert max(asked.values()) <= 1 + seconds
    assert len(asked) > 1500  # most of what a worker can mark


def test_young_packets_stay_when_the_old_go(bench: Bench) -> None:
    bench.send(inner(payload=b"old"))
    assert [len(bench.punts()), len(bench.punts())] == [1, 1]  # a second later
    young = bench.send(inner(payload=b"young"))
    wait_until(lambda: bench.drops() == {"stage-aged": 1})
    bench.map()
    assert bench.outer().payload[8:] == young


def test_nothing_overtakes_where_a_part_is_released(bench: Bench) -> None:
    """Two EIDs, packets of both all the time, one answered before the other; and a part of a prefix before the rest."""
    names = ["10.9.1.1", "10.9.1.2", "10.9.1.130"]
    sent: dict[str, list[bytes]] = {name: [] for name in names}

    def send(count: int) -> None:
        for number in range(count):
            name = names[number % len(names)]
            sent[name].append(bench.send(inner(dst=name, payload=len(sent[name]).to_bytes(2, "big"))))

    for step in ("10.9.1.2/32", "10.9.1.0/25", "10.9.1.0/24"):
        send(30)
        bench.settle()
        send(15)
        bench.map(None, step)
        send(15)
    came: dict[str, list[bytes]] = {name: [] for name in names}
    for _ in range(sum(map(len, sent.values()))):
        packet = bench.outer().payload[8:]
        came[str(address(".".join(map(str, packet[16:20]))))].append(packet)
    assert came == sent
    assert bench.drops() == {"inner-malformed": 3}  # by settle()


def test_a_commit_wakes_only_who_has_packets_waiting(bench: Bench) -> None:
    bench.settle()
    before = bench.rests()
    for number in range(1, 51):
        bench.map(Drop(), f"10.8.0.{number}/32")
    assert bench.rests() == before
    bench.send(inner())
    bench.settle()
    before = bench.rests()
    for number in range(51, 101):
        bench.map(Drop(), f"10.8.0.{number}/32")
        bench.rests()
    assert bench.rests() > before


def test_a_worker_that_sleeps_holds_nothing_up(bench: Bench) -> None:
    bench.map()
    bench.send(inner())
    bench.outer()
    bench.settle()
    before = bench.rests()
    bench.commit(Transaction(withdraw=tuple(EidPrefix.parse(text) for text in ("0.0.0.0/0", "::/0"))))
    assert bench.engine.left().packets_out == 1, "freed at once, its use among that of those that are gone"
    assert bench.rests() == before
