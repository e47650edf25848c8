"""Times one codec: how long a message takes to be read and to be written."""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median
from time import process_time_ns
from typing import NamedTuple

from lispfast.wire.message import Message, decode
from lispfast.wire.packet import decode_packet
from lispfast.wire.text import describe

ROUND_NS = 2_000_000  # of one round: long beside the clock's step, short beside what else runs here
ROUNDS = 50  # the median of so many passes over what a noisy machine does to some


class Cost(NamedTuple):
    """Microseconds of one message of so many bytes: `decode` and `encode`, and `describe` for lispctl."""

    size: int
    decode: float
    encode: float
    describe: float


def cost(message: Message, rounds: int = ROUNDS) -> Cost:
    """What a message costs; it must come back as itself."""
    payload = message.encode()
    if decode(payload) != message:
        raise ValueError(f"{type(message).__name__} does not come back as itself")
    return Cost(
        len(payload),
        microseconds(lambda: decode(payload), rounds),
        microseconds(message.encode, rounds),
        microseconds(lambda: describe(message), rounds),
    )


def inner_cost(packet: bytes, rounds: int = ROUNDS) -> float:
    """Microseconds to open the packet of an Encapsulated Control Message, checksums included."""
    return microseconds(lambda: decode_packet(packet), rounds)


def microseconds(operation: Callable[[], object], rounds: int) -> float:
    """CPU time of one call: the median over rounds of many calls, without the garbage collector."""
    once = max(_time(operation, 10) // 10, 1)
    calls = max(ROUND_NS // once, 1)
    enabled = gc.isenabled()
    gc.disable()
    try:
        return median(_time(operation, calls) / calls for _ in range(rounds)) / 1000
    finally:
        if enabled:
            gc.enable()


def _time(operation: Callable[[], object], calls: int) -> int:
    begin = process_time_ns()
    for _ in range(calls):
        operation()
    return process_time_ns() - begin
