"""Protection against replayed Map-Registers (RFC 9301 section 5.6).

The nonce must rise from one Map-Register to the next. It is tracked for each pair of key and xTR-ID with Site-ID, or,
where a sender gives none, for each pair of key and EID-prefix, and it outlives a restart.

    last nonce on any track    the same bytes as the last accepted one    verdict
    none, or lower                                                        FRESH
    the same                   yes, and accepted a short while ago        REPEAT
    the same or higher         no                                         OLD

A repeat is what section 5.7 asks of a sender whose Map-Notify was lost; answering it changes nothing, so a replay gains
nothing from it. Deployed senders that break the rule are turned down: lispers.net, whose nonce is a constant, registers
once and is never refreshed; Cisco IOS and Open Overlay Router, whose nonces are not monotonic, are refreshed only when
the nonce happens to rise. There is no switch yet to exempt a site; `ReplayGuard.judge` is the one place for it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from lispfast.control.auth import fingerprint
from lispfast.control.effects import Persist, Send
from lispfast.model.addresses import EidPrefix
from lispfast.model.settings import Key
from lispfast.model.units import Nonce, Seconds

# --- Ours -------------------------------------------------------------------------------------------------------------

KEY_PREFIX = "map-server-nonce"
"""How the names of persisted nonces begin: `map-server-nonce/KEY/TRACKS`, the tracks of one Map-Register with commas.

One number a message, not a track: a disk sync took 9 ms as measured, and a node that moves waits for its Map-Notify.
"""

MAX_TRACKS_PER_KEY = 65536  # as many as a site may have registrations; those silent for longest give way
MAX_REPEATS = 4096  # Map-Notifies kept for repeats, 380 bytes each as measured
REPEAT_AGE = Seconds(180.0)  # a sender backs off to 60 s at most (section 5.7), so this is two tries and more


class Verdict(Enum):
    """What the nonce of an authentic Map-Register says."""

    FRESH = auto()
    REPEAT = auto()
    OLD = auto()


@dataclass(frozen=True, slots=True)
class _Repeat:
    notify: Send | None
    at: Seconds


class _Nonces:
    """What is known of one key: the last nonce of each track, and under which names they were persisted."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self._persisted: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._size = 0

    def put(self, tracks: tuple[str, ...], nonce: int) -> None:
        if tracks not in self._persisted:
            self._size += len(tracks)
        self._persisted[tracks] = nonce
        self._persisted.move_to_end(tracks)
        for track in tracks:
            self.last[track] = max(nonce, self.last.get(track, 0))

    def shrink(self) -> list[tuple[str, ...]]:
        """Forget the oldest names until the bound holds; which."""
        forgotten = []
        while self._size > MAX_TRACKS_PER_KEY and len(self._persisted) > 1:
            tracks, nonce = self._persisted.popitem(last=False)
            self._size -= len(tracks)
            forgotten.append(tracks)
            for track in tracks:
                if self.last.get(track) == nonce:
                    del self.last[track]
        return forgotten


class ReplayGuard:
    """The last nonces; `saved` are those of an earlier run, by the names that `accept` gave them."""

    def __init__(self, saved: Mapping[str, int]) -> None:
        self._keys: dict[str, _Nonces] = {}
        self._repeats: OrderedDict[bytes, _Repeat] = OrderedDict()
        for name, nonce in saved.items():
            prefix, _, rest = name.partition("/")
            group, _, tracks = rest.partition("/")
            if prefix == KEY_PREFIX and tracks and nonce:
                self._keys.setdefault(group, _Nonces()).put(tuple(tracks.split(",")), nonce)

    @property
    def remembers(self) -> bool:
        """Whether anybody registered, with us or with an earlier run."""
        return bool(self._keys)

    def judge(self, key: Key, tracks: tuple[str, ...], nonce: Nonce, payload: bytes, now: Seconds) -> Verdict:
        """Whether a Map-Register whose MAC is right may be acted on."""
        nonces = self._keys.get(fingerprint(key))
        known = nonces.last if nonces else {}
        if all(track not in known or nonce > known[track] for track in tracks):
            return Verdict.FRESH
        repeat = self._repeats.get(_digest(payload))
        if repeat is None or now - repeat.at > REPEAT_AGE or any(known.get(track) != nonce for track in tracks):
            return Verdict.OLD
        return Verdict.REPEAT

    def accept(self, key: Key, tracks: tuple[str, ...], nonce: Nonce) -> list[Persist]:
        """Remember the nonce; what to keep on disk before anybody hears of the registration.

        A value of 0 stands for a name that was forgotten.
        """
        group = fingerprint(key)
        nonces = self._keys.setdefault(group, _Nonces())
        nonces.put(tracks, nonce)
        name = f"{KEY_PREFIX}/{group}/"
        forgotten = [Persist(name + ",".join(old), 0) for old in nonces.shrink()]
        return [Persist(name + ",".join(tracks), nonce), *forgotten]

    def remember(self, payload: bytes, notify: Send | None, now: Seconds) -> None:
        """Keep what answered a Map-Register, for its repeats."""
        self._repeats[_digest(payload)] = _Repeat(notify, now)
        oldest = next(iter(self._repeats.values()))
        while len(self._repeats) > MAX_REPEATS or now - oldest.at > REPEAT_AGE:
            self._repeats.popitem(last=False)
            oldest = next(iter(self._repeats.values()))

    def repeat_of(self, payload: bytes) -> Send | None:
        """What answered the Map-Register that this repeats; None where it asked for no answer."""
        return self._repeats[_digest(payload)].notify


def tracks_of(identity: tuple[int, int] | None, prefixes: tuple[EidPrefix, ...]) -> tuple[str, ...]:
    """The tracks of a Map-Register: of its xTR-ID and Site-ID, else of each EID-prefix."""
    if identity is not None:
        return (f"xtr-{identity[0]:032x}-{identity[1]:016x}",)
    return tuple(sorted({str(prefix) for prefix in prefixes}))


def _digest(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()
