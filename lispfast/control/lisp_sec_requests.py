"""The ITR's side of LISP-SEC: which Map-Requests are protected and what of a Map-Reply is believed (RFC 9303 6.4, 6.9).

A Map-Request to a Map-Resolver takes a one-time key along, and the key is kept with its nonce until the lookup ends.

    what comes to a protected Map-Request                     what follows                          counted as
    no S-bit                                                  discarded                             MISSING
    other algorithms than those asked for                     discarded, the other ones asked for   ALGORITHM
    the MAC of the Map-Server or of the whole is wrong        discarded                             EID_HMAC, PKT_HMAC
    a record wider than what the Map-Server vouches for       the record is discarded               OVERCLAIM
    negative with the E-bit, use is `on`                      discarded                             CANT_SIGN
    all well                                                  believed

What is discarded leaves the key in place, so that a forger who knows the nonce ends nothing. Section 6.9 stores the
intersection of record and EID-AD, its example discards a record that is wider: so do we.

`required` asks in no other way. `on` gives way where the others cannot, and says so (`lisp-sec-downgraded`): somebody
on the path can bring that about. It asks without protection, the next time

    in this lookup            after a negative Map-Reply with the E-bit, and where a Map-Resolver that never gave a
                              protected answer is silent
    this Map-Resolver         for ten minutes, after a Map-Reply without the S-bit, or when it answered three lookups
                              in a row only without protection
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from lispfast.control import lisp_sec
from lispfast.control.lisp_sec import HmacId, KdfId
from lispfast.control.map_requests import prefix_named
from lispfast.control.outbox import Outbox
from lispfast.control.ratelimit import RateLimiter
from lispfast.control.role import NonceSource
from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import LispSec, Use
from lispfast.model.units import Nonce, Seconds
from lispfast.wire.lisp_sec import EidData, RequestAuthentication, SignedPrefixes
from lispfast.wire.map_reply import MapReply
from lispfast.wire.records import EidRecord

# --- Ours -------------------------------------------------------------------------------------------------------------

PLAIN_MEMORY = Seconds(600)  # how long a Map-Resolver without LISP-SEC is asked without it: an update is noticed
SILENT_LOOKUPS = 3  # one or two are the loss of a datagram
LOG_INTERVAL = Seconds(10)  # of each reason: whoever knows a nonce can make us say it
LOG_BURST = 3
_ALGORITHMS = ((HmacId.SHA256_128, KdfId.HKDF_SHA256), (HmacId.SHA1_96, KdfId.HKDF_SHA1_128))


@dataclass(frozen=True, slots=True)
class _Pending:
    """What one Map-Request took along; `key` None for nothing, `silence` where one that did was not answered."""

    asked: EidPrefix
    resolver: Address
    key: bytes | None = field(repr=False)
    algorithms: tuple[HmacId, KdfId]
    silence: bool = False


@dataclass(slots=True)
class _Wish:
    """How a lookup is asked the next time; `tried` are the Map-Resolvers that have not answered a protected one."""

    plain: bool = False
    algorithms: int = 0
    tried: set[Address] = field(default_factory=set)


@dataclass(slots=True)
class _Experience:
    """What a Map-Resolver was seen to do."""

    proven: bool = False
    plain_until: Seconds = Seconds(0)
    silent: int = 0
    told: bool = False


class ProtectedRequests:
    """The one-time keys of a node's Map-Requests; the resolver says which of them are over."""

    def __init__(self, settings: LispSec, nonces: NonceSource, outbox: Outbox) -> None:
        self._use = settings.use
        self._secret = next((key for key in settings.keys if lisp_sec.can_wrap(key)), None)
        self._nonces = nonces
        self._outbox = outbox
        self._pending: dict[Nonce, _Pending] = {}
        self._wishes: dict[EidPrefix, _Wish] = {}
        self._resolvers: dict[Address, _Experience] = {}
        self._log = RateLimiter(LOG_INTERVAL, LOG_BURST)

    def __len__(self) -> int:
        return len(self._pending)

    def view(self, now: Seconds) -> dict[str, object]:
        """`use`, and `unprotected`: the Map-Resolvers that are asked without it, as they seem to lack it."""
        without = [str(resolver) for resolver, known in self._resolvers.items() if known.plain_until > now]
        return {"use": self._use.value, "unprotected": without}

    def protect(self, asked: EidPrefix, nonce: Nonce, resolver: Address, now: Seconds) -> RequestAuthentication | None:
        """What the Map-Request with this nonce takes along to the Map-Resolver; None for nothing."""
        if self._use is Use.OFF:
            return None
        wish = self._wishes.setdefault(asked, _Wish())
        known = self._resolvers.setdefault(resolver, _Experience())
        algorithms = _ALGORITHMS[wish.algorithms]
        silence = resolver in wish.tried and not known.proven
        plain = self._use is Use.ON and (wish.plain or silence or known.plain_until > now)
        if self._secret is None or plain:
            self._pending[nonce] = _Pending(asked, resolver, None, algorithms, silence)
            return None
        key = lisp_sec.one_time_key(self._nonces)
        wish.tried.add(resolver)
        self._pending[nonce] = _Pending(asked, resolver, key, algorithms)
        return RequestAuthentication(
            lisp_sec.wrap(key, self._secret, nonce), algorithms[0], EidData(kdf_id=algorithms[1])
        )

    def check(self, reply: MapReply, now: Seconds) -> MapReply | None:
        """What of a Map-Reply may be believed as far as LISP-SEC can tell; None for nothing of it.

        Only for a nonce that the resolver knows. The algorithms are looked at before the MACs that they would make.
        """
        pending = self._pending.get(reply.nonce)
        if pending is None:
            return reply
        flaw = self._flaw(reply, pending, now)
        if flaw is not None:
            self._refuse(flaw, pending, now)
            return None
        signed = reply.authentication.eid.signed if reply.authentication and pending.key else None
        return reply if signed is None else self._within(reply, signed, pending, now)

    def forget(self, asked: EidPrefix, nonces: Iterable[Nonce]) -> None:
        """The lookup is over, and every key of it with it (section 6.9)."""
        self._wishes.pop(asked, None)
        for nonce in nonces:
            self._pending.pop(nonce, None)

    def forget_one(self, nonce: Nonce) -> None:
        """A Map-Request whose answer is waited for no more."""
        self._pending.pop(nonce, None)

    def _flaw(self, reply: MapReply, pending: _Pending, now: Seconds) -> ControlReason | None:
        """Why the whole Map-Reply is to be discarded, and what that means for the next Map-Request."""
        if pending.key is None:
            return self._flaw_of_plain(pending, now)
        data, (hmac_id, kdf_id) = reply.authentication, pending.algorithms
        if data is None:
            self._downgrade(pending, "answers without protection", now)
            return ControlReason.LISP_SEC_MISSING
        wish = self._wishes[pending.asked]
        if (data.hmac_id, data.eid.kdf_id) != (hmac_id, kdf_id):
            wish.algorithms = (_ALGORITHMS.index(pending.algorithms) + 1) % len(_ALGORITHMS)
            wish.tried.discard(pending.resolver)
            return ControlReason.LISP_SEC_ALGORITHM
        if data.eid.signed is None or not lisp_sec.prefixes_authentic(pending.key, data.eid):
            return ControlReason.LISP_SEC_EID_HMAC
        if not lisp_sec.reply_authentic(lisp_sec.derive(kdf_id, pending.key), reply):
            return ControlReason.LISP_SEC_PKT_HMAC
        self._resolvers[pending.resolver] = _Experience(proven=True)
        if data.eid.signed.cant_sign and self._use is Use.ON and not any(record.locators for record in reply.records):
            wish.plain = True
            fields = {"eid_prefix": str(pending.asked), "why": "its ETRs cannot protect their answers"}
            self._outbox.event("lisp-sec-downgraded", "warning", **fields)
            return ControlReason.LISP_SEC_CANT_SIGN
        return None

    def _flaw_of_plain(self, pending: _Pending, now: Seconds) -> ControlReason | None:
        """Nothing was protected, so there is nothing to verify."""
        if self._use is Use.REQUIRED:
            return ControlReason.LISP_SEC_MISSING
        known = self._resolvers[pending.resolver]
        if pending.silence and not known.proven:
            known.silent += 1
            if known.silent >= SILENT_LOOKUPS:
                self._downgrade(pending, "does not answer protected Map-Requests", now)
        return None

    def _downgrade(self, pending: _Pending, why: str, now: Seconds) -> None:
        """The Map-Resolver cannot, or somebody makes it look so."""
        if self._use is not Use.ON:
            return
        known = self._resolvers[pending.resolver]
        known.plain_until, known.proven, known.silent = Seconds(now + PLAIN_MEMORY), False, 0
        if not known.told:
            known.told = True
            self._outbox.event("lisp-sec-downgraded", "warning", map_resolver=str(pending.resolver), why=why)

    def _within(self, reply: MapReply, signed: SignedPrefixes, pending: _Pending, now: Seconds) -> MapReply | None:
        """The records that lie within what the Map-Server vouches for; what is no EID-prefix others refuse."""
        vouched = [prefix for record in signed.records if (prefix := prefix_named(record.eid, record.mask_len))]

        def fine(record: EidRecord) -> bool:
            claimed = prefix_named(record.eid, record.mask_len)
            return claimed is None or any(prefix.covers(claimed) for prefix in vouched)

        kept = tuple(record for record in reply.records if fine(record))
        for _ in range(len(reply.records) - len(kept)):
            self._refuse(ControlReason.LISP_SEC_OVERCLAIM, pending, now)
        return replace(reply, records=kept) if kept else None

    def _refuse(self, reason: ControlReason, pending: _Pending, now: Seconds) -> None:
        self._outbox.drop(reason)
        if self._log.allow(reason, now):
            fields = {"eid_prefix": str(pending.asked), "map_resolver": str(pending.resolver), "reason": reason.value}
            self._outbox.event("map-reply-refused", "warning", **fields)
