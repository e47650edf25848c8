"""Locator choice, plainly: one rule a line."""

from __future__ import annotations

from dataclasses import dataclass

from lispfast.model.addresses import Address

MASK = 2**64 - 1


@dataclass(frozen=True)
class Candidate:
    address: Address
    port: int
    priority: int
    weight: int
    usable: bool = True  # there is a source RLOC of its family


def mix(number: int, value: int) -> int:
    number = (number ^ value) * 0xD6E8FEB86659FD93 & MASK
    return number ^ number >> 32


def minus_log2(number: int) -> int:
    """-log2(number / 2**32) by the quartic, times 65536."""
    odd = number | 1
    top = odd.bit_length() - 1
    f = (odd << 31 - top >> 15) % 65536
    g = f * (65536 - f) // 65536
    return (32 - top) * 65536 - f - g * (29012 - (10750 * f + 5459 * g) // 65536) // 65536


def price(flow: int, candidate: Candidate) -> int:
    packed = candidate.address.packed.ljust(16, b"\0")
    number = mix(0, candidate.port << 32 | flow)
    number = mix(number, int.from_bytes(packed[8:], "big"))
    number = mix(number, int.from_bytes(packed[:8], "big"))
    return minus_log2(mix(number, 0) >> 32)


def choose(flow: int, candidates: list[Candidate]) -> int | None:
    """The position of the flow's locator, None where none is usable."""
    usable = [n for n, candidate in enumerate(candidates) if candidate.usable and candidate.priority < 255]
    if not usable:
        return None
    lowest = min(candidates[n].priority for n in usable)
    best = [n for n in usable if candidates[n].priority == lowest]
    weights = {n: candidates[n].weight for n in best if candidates[n].weight} or dict.fromkeys(best, 1)
    # Compared as whole fractions: every product of the other weights over every weight is the same for all.
    product = 1
    for weight in weights.values():
        product *= weight
    return min(weights, key=lambda n: (price(flow, candidates[n]) * (product // weights[n]), n))
