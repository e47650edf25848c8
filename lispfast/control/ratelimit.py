"""Token buckets by key: a rate with a small burst, so that a second EID or a second move is not held up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from lispfast.model.units import Seconds


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: Seconds


class RateLimiter:
    """At most `burst` at once and one more each `interval` seconds, for each key on its own.

    Holds `capacity` keys; a key that would exceed it takes the place of the one unused for longest. A key that is
    forgotten starts again with a full bucket, so capacity bounds memory, not the total rate.
    """

    def __init__(self, interval: Seconds, burst: int, capacity: int = 4096) -> None:
        self._interval = interval
        self._burst = burst
        self._capacity = capacity
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def allow(self, key: Hashable, now: Seconds) -> bool:
        """Take a token; False when there is none."""
        bucket = self._refill(key, now)
        # Refilling is floating point: a token that is due by ready_at() must not be refused for the last bit.
        if bucket.tokens < 1 - 1e-6:
            return False
        bucket.tokens = max(0.0, bucket.tokens - 1)
        return True

    def ready_at(self, key: Hashable, now: Seconds) -> Seconds:
        """When `allow` would next say yes; `now` if it would already. To ask displaces no key."""
        if key not in self._buckets:
            return now
        bucket = self._refill(key, now)
        return Seconds(now + max(0.0, 1 - bucket.tokens) * self._interval)

    def reserve(self, key: Hashable, now: Seconds) -> Seconds:
        """Take a token, of later where there is none now; when it is due. Who reserves comes then and asks no more."""
        due = self.ready_at(key, now)
        self._refill(key, now).tokens -= 1
        return due

    def cancel(self) -> None:
        """Nobody comes for what was reserved of later: it is given back, whoever it was."""
        for bucket in self._buckets.values():
            bucket.tokens = max(0.0, bucket.tokens)

    def _refill(self, key: Hashable, now: Seconds) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(float(self._burst), now)
            if len(self._buckets) > self._capacity:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
            bucket.tokens = min(float(self._burst), bucket.tokens + (now - bucket.at) / self._interval)
            bucket.at = now
        return bucket
