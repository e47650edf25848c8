"""Who answers a protected Map-Request: Map-Server and ETR with LISP-SEC (RFC 9303 sections 6.6 to 6.8).

A Map-Resolver that is Map-Server as well keeps the ITR-OTK to itself: it never goes on unencrypted (section 6.6).

    the ETRs registered (section 6.7, the first that matches)     what the Map-Server does             E-bit
    any with the P-bit                                            answers itself                       0
    any with the S-bit                                            lets one of these answer             1 beside others
    none with the S-bit                                           answers negatively                   1

What nobody registered is answered as the first. An ETR whose registration has no secret, as algorithm 0 has none, could
not be sent a one-time key, and counts as one without the S-bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lispfast.control import lisp_sec
from lispfast.control.lisp_sec import HmacId, KdfId, UnwrapError
from lispfast.control.registrations import Entry, Registration
from lispfast.model.addresses import EidPrefix
from lispfast.model.mapping import Action, Mapping
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, LispSec, Settings, Use
from lispfast.model.units import Minutes, Nonce
from lispfast.wire.lisp_sec import EidData, RequestAuthentication
from lispfast.wire.map_reply import MapReply

# --- Ours -------------------------------------------------------------------------------------------------------------

# Section 6.7 asks for a Negative Map-Reply and not for which: traffic may go nowhere else, and hosts are to be told.
# A minute, as of what nobody has registered (RFC 9301 section 8.1): its ETR may learn LISP-SEC any time.
UNSIGNED_ACTION = Action.DROP
UNSIGNED_TTL = Minutes(1)


@dataclass(frozen=True, slots=True)
class RequestProtection:
    """What a Map-Server knows of one protected Map-Request; `key` is the ITR-OTK."""

    nonce: Nonce
    key: bytes = field(repr=False)
    requested_hmac_id: int
    kdf_id: KdfId

    def reply(self, reply: MapReply, prefix: EidPrefix, *, cant_sign: bool = False) -> MapReply:
        """Our own Map-Reply, protected; every record lies within `prefix` (section 6.7.2)."""
        eid = self._vouch(prefix, cant_sign)
        hmac_id = lisp_sec.known_hmac(self.requested_hmac_id)
        return lisp_sec.sign_reply(lisp_sec.derive(self.kdf_id, self.key), hmac_id, reply, eid)

    def forward(self, registration: Registration, entry: Entry) -> RequestAuthentication:
        """What goes on to the ETR of this entry, which is one of `signers` (section 6.7.1)."""
        assert entry.etr_key is not None, "not an ETR with LISP-SEC"
        key = lisp_sec.wrap(lisp_sec.derive(self.kdf_id, self.key), entry.etr_key, self.nonce)
        cant_sign = len(signers(registration)) < len(registration.entries)
        eid = self._vouch(registration.latest.mapping.prefix, cant_sign)
        return RequestAuthentication(key, self.requested_hmac_id, eid)

    def _vouch(self, prefix: EidPrefix, cant_sign: bool) -> EidData:
        hmac_id = lisp_sec.known_hmac(self.requested_hmac_id)
        return lisp_sec.sign_prefixes(self.key, self.kdf_id, hmac_id, [prefix], cant_sign=cant_sign)


def unprotected(prefix: EidPrefix) -> Mapping:
    """The negative mapping of a registered EID-prefix whose ETRs all lack LISP-SEC."""
    return Mapping(prefix, (), UNSIGNED_TTL, UNSIGNED_ACTION)


def signers(registration: Registration) -> list[Entry]:
    """The entries of ETRs with LISP-SEC, the one whose Map-Register came last first."""
    return [entry for entry in reversed(registration.entries) if entry.etr_key is not None]


class RequestOpener:
    """The secrets that a Map-Resolver shares with ITRs."""

    def __init__(self, settings: LispSec) -> None:
        self._settings = settings

    def open(self, authentication: RequestAuthentication | None, nonce: Nonce) -> RequestProtection | None:
        """What protects the Map-Request with this nonce; None where nothing does, or where LISP-SEC is off.

        UnwrapError where its one-time key cannot be had: then the whole message is to be dropped (section 6.5).
        """
        if authentication is None or self._settings.use is Use.OFF:
            return None
        key = lisp_sec.unwrap(authentication.key, self._settings.keys, nonce)
        kdf_id = lisp_sec.known_kdf(authentication.eid.kdf_id)
        return RequestProtection(nonce, key, authentication.requested_hmac_id, kdf_id)


@dataclass(frozen=True, slots=True)
class Mandate:
    """What a Map-Server lets an ETR answer: the MS-OTK and the EID-AD as it came."""

    key: bytes = field(repr=False)
    hmac_id: HmacId
    eid: EidData

    def reply(self, reply: MapReply) -> MapReply:
        """The ETR's Map-Reply, protected (section 6.8)."""
        return lisp_sec.sign_reply(self.key, self.hmac_id, reply, self.eid)


class MandateOpener:
    """The secrets that an ETR shares with its Map-Servers: those of its registrations."""

    def __init__(self, settings: Settings) -> None:
        off = settings.lisp_sec.use is Use.OFF
        self._keys = () if off else tuple(key for server in settings.map_servers for key in server.keys)
        self._off = off

    def open(self, authentication: RequestAuthentication | None, nonce: Nonce) -> Mandate | None:
        """What to answer the Map-Request with this nonce with; None for an answer without protection.

        UnwrapError where the message is to be dropped.
        """
        if authentication is None or self._off:
            return None
        if authentication.eid.signed is None:  # no Map-Server's, and the ITR would refuse an answer with it
            raise UnwrapError(ControlReason.MALFORMED)
        key = lisp_sec.unwrap(authentication.key, self._keys, nonce)
        return Mandate(key, lisp_sec.known_hmac(authentication.requested_hmac_id), authentication.eid)


def can_protect(settings: Settings, key: Key) -> bool:
    """Whether our Map-Registers under this key say that we have LISP-SEC (section 6.3)."""
    return settings.lisp_sec.use is not Use.OFF and lisp_sec.can_wrap(key)
