"""What LISP headers say beside the instance-ID: told where it is new, judged where it is a version, else ignored."""

from __future__ import annotations

import ctypes as c
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.model.forwarding import HeaderHint, Transaction
from lispfast.model.reasons import DataReason
from lispfast.model.units import InstanceId

from .bench import FAR, LOCAL, REMOTE, Bench, address, incoming, locals_of
from .native import CAddress

N, L, E, V, IID, P = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04
OURS = 100  # the Map-Version of our prefix


def header(flags: int, field: int = 0, word: int = 0) -> bytes:
    return bytes([flags]) + field.to_bytes(3, "big") + word.to_bytes(4, "big")


def versions(source: int, destination: int) -> int:
    return source << 12 | destination


@pytest.fixture
def hearing() -> Iterator[Bench]:
    bench = Bench(hints=True)
    own = locals_of(*map(str, LOCAL.values()), version=OURS) + locals_of("10.9.7.1", iid=7, version=0)
    bench.commit(Transaction(local=own))
    yield bench
    bench.close()


def hint(version: int = 4, **said: Any) -> HeaderHint:
    return HeaderHint(address(FAR[version]), REMOTE[4], **said)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (header(N, 0xABCDEF), {"nonce": 0xABCDEF}),
        (header(N | E, 1), {"nonce": 1, "echo": True}),
        (header(N | V, versions(1, 4000)), {"nonce": versions(1, 4000)}),
        (header(N | V | E | L, 5, 0x80000001), {"nonce": 5, "echo": True, "status_bits": 0x80000001}),
        (header(V, versions(9, OURS)), {"source_version": 9, "destination_version": OURS}),
        (header(V | E, versions(0, OURS)), {"source_version": 0, "destination_version": OURS}),
        (header(L, 0xFFFFFF, 3), {"status_bits": 3}),
        (header(N, 0, 0xFFFFFFFF), {"nonce": 0}),
    ],
)
def test_what_a_header_says(hearing: Bench, version: int, sent: bytes, said: dict[str, Any]) -> None:
    packet = hearing.inject(incoming(), version, sent)
    assert hearing.delivered() == packet
    assert hearing.punts() == [hint(version, **said)]
    assert hearing.drops() == {}


def test_beside_an_instance_id_there_are_eight_status_bits(hearing: Bench) -> None:
    hearing.inject(incoming(dst="10.9.7.1"), 4, header(L | IID, 0, 0x000007A5))
    assert hearing.punts() == [hint(iid=InstanceId(7), status_bits=0xA5)]


@pytest.mark.parametrize("sent", [header(0, 0xABCDEF, 9), header(E, 7), header(0), header(P | N | E | V, 1)])
def test_what_says_nothing_is_told_nobody(hearing: Bench, sent: bytes) -> None:
    sent = bytes([*sent[:3], 1 if sent[0] & P else sent[3], *sent[4:]])
    packet = hearing.inject(incoming(), 4, sent)
    assert hearing.delivered() == packet
    assert hearing.engine.take_punts() == []


def test_the_same_is_told_once_and_what_is_new_not_within_a_second(hearing: Bench) -> None:
    for sent in (header(N, 1), header(N, 1), header(N, 2), header(N, 3)):
        packet = hearing.inject(incoming(), 4, sent)
        assert hearing.delivered() == packet
    assert hearing.punts() == [hint(nonce=1)]
    assert hearing.engine.totals()["punts"] == 1


@pytest.mark.parametrize(
    ("destination", "own", "passes"),
    [
        (OURS, OURS, True),
        (OURS - 1, OURS, True),
        (OURS + 1, OURS, False),
        (OURS + 2048, OURS, False),
        (OURS + 2049, OURS, True),
        (1, 4095, False),
        (4095, 1, True),
        (0, OURS, False),
        (OURS, 0, False),
        (2048, 4095, True),
        (2046, 4095, False),
    ],
)
def test_a_destination_version_that_cannot_be_is_dropped(
    hearing: Bench, destination: int, own: int, passes: bool
) -> None:
    hearing.commit(Transaction(local=locals_of(str(LOCAL[4]), version=own)))
    packet = hearing.inject(incoming(), 4, header(V, versions(5, destination)))
    if passes:
        assert hearing.delivered() == packet
        assert hearing.punts() == [hint(source_version=5, destination_version=destination)]
    else:
        hearing.wait_drops(DataReason.MAP_VERSION)
        assert hearing.engine.take_punts() == []


def test_on_the_public_profile_flags_are_ignored(bench: Bench) -> None:
    for sent in (header(N | E | L, 1, 3), header(V, versions(1, 2)), header(V, 0)):
        packet = bench.inject(incoming(), 4, sent)
        assert bench.delivered() == packet
    assert bench.engine.take_punts() == []
    assert bench.drops() == {}


class CSaying(c.Structure):
    _fields_ = [("field", c.c_uint32), ("status", c.c_uint32), ("flags", c.c_uint8)]


class CHint(c.Structure):
    _fields_ = [("rloc", CAddress), ("said", CSaying), ("since_ms", c.c_uint64)]


class CHints(c.Structure):
    _fields_ = [("hint", CHint * 64)]


STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 700)), max_size=60)


@given(STEPS)
def test_the_limit_is_one_a_second_for_each_rloc(native: c.CDLL, steps: list[tuple[int, int, int]]) -> None:
    """Four RLOCs have room side by side; each is told when it changes, at most once a second."""
    native.lf_hint_news.restype = c.c_bool
    native.lf_hint_news.argtypes = [c.POINTER(CHints), c.POINTER(CAddress), c.POINTER(CSaying), c.c_uint64]
    hints, now, told = CHints(), 5000, dict[int, tuple[int, int]]()
    for rloc, field, passed in steps:
        now += passed
        news = native.lf_hint_news(hints, CAddress.of(address(f"192.0.2.{rloc}")), CSaying(field, 0, N), now)
        due = rloc not in told or (told[rloc][0] != field and now - told[rloc][1] >= 1000)
        assert news == due
        if news:
            told[rloc] = field, now


def test_more_rlocs_than_places_within_a_second_are_not_told(native: c.CDLL) -> None:
    native.lf_hint_news.restype = c.c_bool
    native.lf_hint_news.argtypes = [c.POINTER(CHints), c.POINTER(CAddress), c.POINTER(CSaying), c.c_uint64]
    hints = CHints()
    told = [
        native.lf_hint_news(hints, CAddress.of(address(f"10.{n >> 8}.{n & 255}.1")), CSaying(1, 0, N), 5000)
        for n in range(2000)
    ]
    assert sum(told) <= 64
    assert native.lf_hint_news(hints, CAddress.of(address("10.200.0.1")), CSaying(1, 0, N), 6000)
