"""A miss: packets wait, their EID is asked for, and nothing is lost, overtaken or kept without a bound."""

from __future__ import annotations

import time

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
        bench.engine.commit(Transaction(withdraw=(prefix,)))


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
    bench.engine.commit(Transaction(local=locals_of("10.9.0.7", iid=7)))
    bench.map()  # instance-ID 0: no answer for 7
    bench.send(inner(src="10.9.0.7"))
    assert bench.punts() == [Miss(REMOTE[4], address("10.9.0.7"), 7)]  # type: ignore[arg-type]


def test_a_negative_answer_empties_the_stage(bench: Bench) -> None:
    for _ in range(3):
        bench.send(inner())
    bench.settle()
    bench.engine.commit(Transaction(put=((EidPrefix.parse("10.9.0.0/24"), Drop()),)))
    wait_until(lambda: bench.engine.drops()[DataReason.MAPPING_DROP] == 3)


def test_what_waits_from_an_address_that_we_lost_is_dropped(bench: Bench) -> None:
    bench.send(inner())
    bench.settle()
    bench.engine.commit(Transaction(local=(), put=((EidPrefix.parse("0.0.0.0/0"), Encapsulate((bench.locator(),))),)))
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
