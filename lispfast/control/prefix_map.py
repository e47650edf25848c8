"""A map from EID-prefixes to values that answers the questions of a mapping system.

Which prefix covers this one best, which lie under it, and how wide a hole there is round an EID that none covers. The
keys stand in one sorted list in which the more-specifics of a prefix follow it without a gap, beside a count of the
mask lengths in use; both make every question logarithmic in the number of prefixes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import Generic, TypeVar

from lispfast.model.addresses import Eid, EidPrefix, Network
from lispfast.model.units import InstanceId

_ValueT = TypeVar("_ValueT")
_Key = tuple[int, int, int, int]  # instance-ID, IP version, network address, mask length


class PrefixMap(Generic[_ValueT]):
    """EID-prefixes with a value each, of every instance-ID and both families side by side."""

    def __init__(self) -> None:
        self._values: dict[_Key, _ValueT] = {}
        self._order: list[_Key] = []
        self._lengths: dict[tuple[int, int], Counter[int]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, prefix: EidPrefix) -> bool:
        return _key(prefix) in self._values

    def __iter__(self) -> Iterator[EidPrefix]:
        """By instance-ID, then IPv4 before IPv6, then ascending, a prefix before its more-specifics."""
        return (_prefix(key) for key in self._order)

    def items(self) -> Iterator[tuple[EidPrefix, _ValueT]]:
        """Every prefix and its value, in that order."""
        return ((_prefix(key), self._values[key]) for key in self._order)

    def values(self) -> Iterator[_ValueT]:
        """Every value, in that order: without making a prefix of each key, which takes most of the time."""
        return (self._values[key] for key in self._order)

    def after(self, prefix: EidPrefix | None, room: int) -> list[EidPrefix]:
        """Up to `room` prefixes in that order behind this one, which need not be there; from the first for None."""
        start = bisect_right(self._order, _key(prefix)) if prefix else 0
        return [_prefix(key) for key in self._order[start : start + room]]

    def get(self, prefix: EidPrefix) -> _ValueT | None:
        """The value of exactly this prefix."""
        return self._values.get(_key(prefix))

    def put(self, prefix: EidPrefix, value: _ValueT) -> None:
        """Set or replace a value."""
        key = _key(prefix)
        if key not in self._values:
            insort(self._order, key)
            self._lengths.setdefault(key[:2], Counter())[key[3]] += 1
        self._values[key] = value

    def remove(self, prefix: EidPrefix) -> None:
        """Forget a prefix; KeyError where it is not there."""
        key = _key(prefix)
        del self._values[key]
        del self._order[bisect_left(self._order, key)]
        lengths = self._lengths[key[:2]]
        lengths[key[3]] -= 1
        if not lengths[key[3]]:
            del lengths[key[3]]
        if not lengths:
            del self._lengths[key[:2]]

    def cover(self, prefix: EidPrefix) -> tuple[EidPrefix, _ValueT] | None:
        """The most specific entry that is this prefix or covers it, None without one."""
        iid, version, address, length = _key(prefix)
        width = prefix.network.max_prefixlen
        for candidate in sorted(self._lengths.get((iid, version), ()), reverse=True):
            if candidate <= length:
                key = (iid, version, _truncate(address, candidate, width), candidate)
                if key in self._values:
                    return _prefix(key), self._values[key]
        return None

    def covers(self, prefix: EidPrefix) -> list[EidPrefix]:
        """Every less-specific entry that covers the prefix, the prefix itself left out, the most specific first."""
        iid, version, address, length = _key(prefix)
        width = prefix.network.max_prefixlen
        shorter = sorted((one for one in self._lengths.get((iid, version), ()) if one < length), reverse=True)
        keys = ((iid, version, _truncate(address, one, width), one) for one in shorter)
        return [_prefix(key) for key in keys if key in self._values]

    def under(self, prefix: EidPrefix) -> list[tuple[EidPrefix, _ValueT]]:
        """Every more-specific entry of the prefix, the prefix itself left out, in order."""
        start, end = self._range(prefix)
        return [(_prefix(key), self._values[key]) for key in self._order[start:end] if key[3] != prefix.length]

    def count_under(self, prefix: EidPrefix) -> int:
        """How many entries `under` would give."""
        start, end = self._range(prefix)
        return end - start - (prefix in self)

    def hole(self, eid: Eid) -> EidPrefix:
        """The least specific prefix that holds the EID and overlaps no entry.

        An entry that covers the EID would overlap any answer: ask `cover` first. Only the two neighbours of the EID in
        the order can share the longest run of leading bits with it; one bit more than that run sets the hole apart.
        """
        iid, version, address, width = _key(eid.prefix)
        at = bisect_right(self._order, (iid, version, address, width))
        length = 0
        for neighbour in self._order[max(at - 1, 0) : at + 1]:
            if neighbour[:2] == (iid, version):
                shared = width - (neighbour[2] ^ address).bit_length()
                length = max(length, min(shared + 1, width))
        return prefix_of(eid, length)

    def _range(self, prefix: EidPrefix) -> tuple[int, int]:
        iid, version, address, length = _key(prefix)
        width = prefix.network.max_prefixlen
        last = address | ((1 << (width - length)) - 1)
        start = bisect_left(self._order, (iid, version, address, length))
        return start, bisect_right(self._order, (iid, version, last, width))


def prefix_of(eid: Eid, length: int) -> EidPrefix:
    """The prefix of that mask length round an EID."""
    iid, version, address, width = _key(eid.prefix)
    return _prefix((iid, version, _truncate(address, length, width), length))


def _key(prefix: EidPrefix) -> _Key:
    return prefix.iid, prefix.version, int(prefix.network.network_address), prefix.length


def _prefix(key: _Key) -> EidPrefix:
    network: Network = IPv4Network((key[2], key[3])) if key[1] == 4 else IPv6Network((key[2], key[3]))
    return EidPrefix(network, InstanceId(key[0]))


def _truncate(address: int, length: int, width: int) -> int:
    return address >> (width - length) << (width - length)
