"""Takes Map-Registers in, checks them and acknowledges them (RFC 9301 sections 5.6, 5.7 and 8.2).

A Map-Register is accepted as a whole or not at all. The checks, in order:

    check                                                               refused as
    every record has an IPv4 or IPv6 EID-prefix                         MALFORMED
    every EID-prefix is one that a lisp-site admits                     PREFIX_NOT_ALLOWED
    key-id and algorithm-id are those of a key of each of these sites   KEY_UNKNOWN
    the MAC is right under such a key, which all these sites have       MAC_WRONG
    the nonce rises                                                     NONCE_OLD (a repeat: answered again)
    no Map-Version is older than the registered one, where they count   VERSION_OLD
    the sites have room                                                 TABLE_FULL

A forger buys one computation with a datagram, and while keys are rolled over one for each key that it may claim; only
what passed the MAC makes us remember anything. The nonce is on its way to the disk before the Map-Notify is on its way
to the ETR.
"""

from __future__ import annotations

from dataclasses import replace

from lispfast.control import auth
from lispfast.control.effects import Datagram, Send
from lispfast.control.lisp_sec import can_wrap
from lispfast.control.outbox import Outbox
from lispfast.control.ratelimit import RateLimiter
from lispfast.control.registrations import Change, Entry, Registerer, Registrations, timeout_of
from lispfast.control.replay import ReplayGuard, Verdict, tracks_of
from lispfast.control.sites import SiteTable
from lispfast.control.versions import newer
from lispfast.model.errors import LispfastError, WireError
from lispfast.model.mapping import Action, Mapping, sort_locators
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Key, Site
from lispfast.model.units import Seconds
from lispfast.wire.map_notify import MapNotify
from lispfast.wire.map_register import MapRegister
from lispfast.wire.records import mapping_from_record, refused_locators

# --- Ours -------------------------------------------------------------------------------------------------------------

# A sender whose Map-Notify was lost tries again after a second at the earliest (section 5.7).
REPEAT_INTERVAL = Seconds(1.0)
REPEAT_BURST = 3
# Of each reason, over all sources, as an address is easily made up: a misconfigured node tries each minute, and a line
# in ten seconds is enough of it.
REFUSAL_INTERVAL = Seconds(10.0)
REFUSAL_BURST = 3

_LEVELS = {Change.NEW: "info", Change.CHANGED: "info", Change.GONE: "info"}


class RefusedError(LispfastError):
    """A Map-Register is not accepted, and why."""

    def __init__(self, reason: ControlReason, eid_prefix: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.eid_prefix = eid_prefix


class RegisterIntake:
    """The Map-Register side of a Map-Server; with `versions` Map-Versions count (RFC 9302 section 5)."""

    def __init__(
        self,
        sites: SiteTable,
        registrations: Registrations,
        guard: ReplayGuard,
        outbox: Outbox,
        *,
        versions: bool = False,
    ) -> None:
        self._versions = versions
        self._sites = sites
        self._registrations = registrations
        self._guard = guard
        self._outbox = outbox
        self._repeats = RateLimiter(REPEAT_INTERVAL, REPEAT_BURST)
        self._refusals = RateLimiter(REFUSAL_INTERVAL, REFUSAL_BURST)

    def handle_register(self, message: MapRegister, datagram: Datagram, now: Seconds) -> None:
        """A Map-Register came; `datagram` is the one that carried it."""
        try:
            self._take(message, datagram, now)
        except RefusedError as refusal:
            self._outbox.drop(refusal.reason)
            if self._refusals.allow(refusal.reason, now):
                fields = {"reason": refusal.reason.value, "from": str(datagram.source)}
                if refusal.eid_prefix:
                    fields["eid_prefix"] = refusal.eid_prefix
                self._outbox.event("map-register-refused", "warning", **fields)

    def _take(self, message: MapRegister, datagram: Datagram, now: Seconds) -> None:
        mappings = _mappings(message)
        sites = [self._site_of(mapping) for mapping in mappings]
        key = _authentic_key(message, datagram, sites, mappings)
        identity = _identity(message)
        tracks = tracks_of(identity, tuple(mapping.prefix for mapping in mappings))
        verdict = self._guard.judge(key, tracks, message.nonce, datagram.payload, now)
        if verdict is Verdict.REPEAT:
            return self._repeat(datagram, now)
        if verdict is Verdict.OLD:
            raise RefusedError(ControlReason.NONCE_OLD, str(mappings[0].prefix))
        self._check_versions(mappings)
        self._check_room(sites, mappings)
        self._outbox.put(*self._guard.accept(key, tracks, message.nonce))
        for site, mapping in zip(sites, mappings, strict=True):
            self._record(site, mapping, message, key, datagram, now)
        for record in message.records:
            for _ in refused_locators(record):
                self._outbox.drop(ControlReason.LOCATOR_REFUSED)
        notify = _notify(message, datagram, key) if message.want_map_notify else None
        self._guard.remember(datagram.payload, notify, now)
        if notify is not None:
            self._outbox.put(notify)
            self._outbox.event("map-notify-sent", to=str(notify.destination), nonce=f"{message.nonce:#018x}")
        return None

    def _site_of(self, mapping: Mapping) -> Site:
        site = self._sites.admitting(mapping.prefix)
        if site is None:
            raise RefusedError(ControlReason.PREFIX_NOT_ALLOWED, str(mapping.prefix))
        return site

    def _check_versions(self, mappings: list[Mapping]) -> None:
        for mapping in mappings if self._versions else ():
            registered = self._registrations.prefixes.get(mapping.prefix)
            if registered is not None and newer(registered.mapping.version, mapping.version):
                raise RefusedError(ControlReason.VERSION_OLD, str(mapping.prefix))

    def _check_room(self, sites: list[Site], mappings: list[Mapping]) -> None:
        for site in {site.prefix: site for site in sites}.values():
            prefixes = [m.prefix for s, m in zip(sites, mappings, strict=True) if s is site and m.ttl]
            if not self._registrations.has_room(site, tuple(prefixes)):
                raise RefusedError(ControlReason.TABLE_FULL, str(site.prefix))

    def _record(
        self, site: Site, mapping: Mapping, message: MapRegister, key: Key, datagram: Datagram, now: Seconds
    ) -> None:
        registerer = _registerer(message, datagram)
        if mapping.ttl:
            expires = Seconds(now + timeout_of(mapping, message.use_ttl))
            flags = message.proxy_reply, message.merge, key if message.security and can_wrap(key) else None
            entry = Entry(mapping, registerer, datagram.source, now, expires, *flags)
            change = self._registrations.register(site, entry)
        else:
            change = self._registrations.withdraw(mapping.prefix, registerer)
        self._outbox.event(
            "map-register-accepted",
            _LEVELS.get(change, "debug"),
            **{"from": str(datagram.source)},
            eid_prefix=str(mapping.prefix),
            locators=",".join(str(locator.address) for locator in mapping.locators),
            nonce=f"{message.nonce:#018x}",
            change=change.value,
        )

    def _repeat(self, datagram: Datagram, now: Seconds) -> None:
        notify = self._guard.repeat_of(datagram.payload)
        if notify is None:
            return
        if self._repeats.allow(notify.destination, now):
            self._outbox.put(notify)
        else:
            self._outbox.drop(ControlReason.RATE_LIMITED)


def _mappings(message: MapRegister) -> list[Mapping]:
    """What the records say; ACT means nothing in a Map-Register (section 5.4)."""
    if not message.records:
        raise RefusedError(ControlReason.MALFORMED)
    try:
        read = [mapping_from_record(record) for record in message.records]
    except WireError as error:
        raise RefusedError(ControlReason.MALFORMED) from error
    return [replace(m, locators=sort_locators(m.locators), action=Action.NO_ACTION) for m in read]


def _authentic_key(message: MapRegister, datagram: Datagram, sites: list[Site], mappings: list[Mapping]) -> Key:
    """The key under which the Map-Register is authentic, with the Key ID it came with; it must be in every site's ring.

    While keys are rolled over a ring may hold more than one that the message claims.
    """
    rings = [tuple(key for key in site.keys if auth.names(message, key)) for site in sites]
    for ring, mapping in zip(rings, mappings, strict=True):
        if not ring:
            raise RefusedError(ControlReason.KEY_UNKNOWN, str(mapping.prefix))
    common = (key for key in rings[0] if all(any(_same(key, other) for other in ring) for ring in rings[1:]))
    found = auth.verifying(datagram.payload, message, common)
    if found is None:
        raise RefusedError(ControlReason.MAC_WRONG, str(mappings[0].prefix))
    return found


def _same(one: Key, other: Key) -> bool:
    """Whether a MAC of the one is a MAC of the other; Key IDs are another matter."""
    return (one.secret, one.algorithm, one.hkdf) == (other.secret, other.algorithm, other.hkdf)


def _identity(message: MapRegister) -> tuple[int, int] | None:
    return (message.identity.xtr_id, message.identity.site_id or 0) if message.identity else None


def _registerer(message: MapRegister, datagram: Datagram) -> Registerer:
    return _identity(message) or (datagram.source.address if message.merge else None)


def _notify(message: MapRegister, datagram: Datagram, key: Key) -> Send:
    """The acknowledgement: the same nonce, records and IDs, to where the Map-Register came from (sections 5, 5.7)."""
    answer = MapNotify(nonce=message.nonce, records=message.records, identity=message.identity)
    return Send(auth.sign(answer, key), datagram.source, datagram.destination.address)
