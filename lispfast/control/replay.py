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
"""How the names of persisted nonces begin: `map-server-nonce/KEY/TRACK`."""

MAX_TRACKS_PER_KEY = 65536  # as many as a site may have registrations; the track silent for longest gives way
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


class ReplayGuard:
    """The last nonces; `saved` are those of an earlier run, by the names that `accept` gave them."""

    def __init__(self, saved: Mapping[str, int]) -> None:
        self._last: dict[str, OrderedDict[str, int]] = {}
        self._repeats: OrderedDict[bytes, _Repeat] = OrderedDict()
        for name, nonce in saved.items():
            prefix, _, rest = name.partition("/")
            group, _, track = rest.partition("/")
            if prefix == KEY_PREFIX and track and nonce:
                self._last.setdefault(group, OrderedDict())[track] = nonce

    def judge(self, key: Key, tracks: tuple[str, ...], nonce: Nonce, payload: bytes, now: Seconds) -> Verdict:
        """Whether a Map-Register whose MAC is right may be acted on."""
        known = self._last.get(fingerprint(key), OrderedDict())
        if all(track not in known or nonce > known[track] for track in tracks):
            return Verdict.FRESH
        repeat = self._repeats.get(_digest(payload))
        if repeat is None or now - repeat.at > REPEAT_AGE or any(known.get(track) != nonce for track in tracks):
            return Verdict.OLD
        return Verdict.REPEAT

    def accept(self, key: Key, tracks: tuple[str, ...], nonce: Nonce) -> list[Persist]:
        """Remember the nonce; what to keep on disk before anybody hears of the registration.

        A value of 0 stands for a track that was forgotten.
        """
        group = fingerprint(key)
        known = self._last.setdefault(group, OrderedDict())
        kept = []
        for track in tracks:
            known[track] = nonce
            known.move_to_end(track)
            kept.append(Persist(f"{KEY_PREFIX}/{group}/{track}", nonce))
        while len(known) > MAX_TRACKS_PER_KEY:
            kept.append(Persist(f"{KEY_PREFIX}/{group}/{known.popitem(last=False)[0]}", 0))
        return kept

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
    return tuple(dict.fromkeys(str(prefix) for prefix in prefixes))


def _digest(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()
