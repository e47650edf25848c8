"""The mobile node and the xTR: an ITR and ETR for EID-prefixes of ours, put together from its machines.

To the protocol a mobile node is a site of one host. What differs is the host's business: which packets the kernel hands
to the tunnel, and whether an EID is an address of its interface.

This file only carries facts from one machine to the next. On a change of network the order of effects is the order of
importance: packets leave the new way, then the Map-Servers hear of it, then the peers.
"""

from __future__ import annotations

from lispfast.control import mobile_view
from lispfast.control.effects import Datagram, Effect, Event, Timeout
from lispfast.control.exchange import Exchange
from lispfast.control.forwarding import ForwardingTable, local_prefixes
from lispfast.control.hints import HeaderHints
from lispfast.control.intake import Intake
from lispfast.control.lisp_sec_answers import MandateOpener
from lispfast.control.machine import earliest
from lispfast.control.map_cache import MapCache, Origin
from lispfast.control.mobility import Move, Position, compare, locate
from lispfast.control.outbox import Outbox
from lispfast.control.path_mtu import PathMtus
from lispfast.control.piggyback import Verifier
from lispfast.control.policy import Outlook
from lispfast.control.probe_targets import ProbeTargets
from lispfast.control.prober import Prober
from lispfast.control.register_nonce import RegisterNonce
from lispfast.control.registrar import Registrar
from lispfast.control.resolver import Resolver
from lispfast.control.responder import Responder
from lispfast.control.role import NonceSource
from lispfast.control.smr_responder import SmrResponder
from lispfast.control.solicitor import Solicitor
from lispfast.control.subscriber import Subscriber
from lispfast.control.visited_sites import VisitedSites
from lispfast.model.addresses import Address, Eid, EidPrefix
from lispfast.model.forwarding import HeaderHint, Miss, NoSegmentation, PathMtu, Punt, Traffic, Transaction, Unreachable
from lispfast.model.mapping import Action, Locator
from lispfast.model.reasons import ControlReason
from lispfast.model.settings import Settings
from lispfast.model.underlay import Underlay
from lispfast.model.units import Seconds


class MobileNode:
    """Implements `role.Role` for `operating-mode = MN` and `xTR`.

    `nonces` gives unpredictable 64-bit numbers, `first_register_nonce` is above every one ever used in a Map-Register.
    """

    def __init__(self, settings: Settings, nonces: NonceSource, first_register_nonce: int) -> None:
        self.settings = settings
        self.underlay = Underlay()
        self.position = Position()
        self.outbox = Outbox()
        self.intake = Intake(self.outbox)
        self.cache = MapCache(settings.static_map_cache, settings.map_cache_size, nonces)
        self.table = ForwardingTable(settings, self.cache, self.outbox)
        self.registrar = Registrar(settings, RegisterNonce(first_register_nonce, self.outbox), self.outbox)
        self.subscriber = Subscriber(settings, first_register_nonce, nonces, self.outbox)
        self.resolver = Resolver(settings, nonces, self.outbox, self.subscriber)
        mandates = MandateOpener(settings)
        self.responder = Responder(self.outbox, echoes=settings.header_hints.echo_nonce, mandates=mandates)
        self.smr_responder = SmrResponder(self.cache, self.resolver, self.outbox)
        self.verifier = Verifier(self.cache, self.resolver, self.outbox)
        self.solicitor = Solicitor(settings.proxy_itrs, nonces, self.outbox)
        self.visited = VisitedSites(settings.rloc_lookup, self.cache, self.resolver, self.outbox)
        targets = ProbeTargets(settings.proxy_etrs, self.cache, self.table, self.visited.sites, self.outlook)
        self.prober = Prober(settings.probing, targets, nonces, self.outbox)
        self.path_mtus = PathMtus(self.outbox)
        self.hints = HeaderHints(settings, self.cache, (self.prober, self.resolver), nonces, self.outbox)
        self.exchange = Exchange(self)
        self.started = Seconds(0)
        self._told: dict[EidPrefix, tuple[Locator, ...]] = {}
        self._running = False

    def start(self, now: Seconds) -> None:
        """Tell the data plane our EIDs and the verdicts that need no network."""
        self._running = True
        self.started = now
        self.registrar.start(now)
        self.outbox.commit(Transaction(local=local_prefixes(self.settings)))
        self.visited.start(now)
        self.table.touch_all()
        self.prober.handle_cache(now)
        self.hints.handle_cache(now)
        self._flush(now)

    def stop(self, now: Seconds) -> None:
        """Withdraw the registrations; afterwards every fact is ignored."""
        self._running = False
        self.registrar.close(now)
        self.subscriber.close(now)

    def handle_underlay(self, underlay: Underlay, now: Seconds) -> None:
        """Find out where we stand and, where that changed, do everything that a move asks for."""
        if not self._running:
            return
        self.underlay = underlay
        old, self.position = self.position, locate(self.settings, underlay)
        if self.position == old:
            return
        move = compare(old, self.position)
        self.visited.handle_position(self.position)
        self.outbox.commit(Transaction(sources=move.sources))
        self._tell_of(old, move)
        if move.outlook:
            self.table.touch_all()
        if move.rerouted:
            self._touch_paths(self.path_mtus.handle_move())
            self.prober.handle_position(self.position, now)
            self._release_holds(now)
        self.hints.handle_position(self.position, move.rerouted, now)
        self._flush(now)
        self.responder.handle_position(self.position)
        self.registrar.handle_position(self.position, now)
        if move.redirected:
            self.resolver.handle_position(self.position, now)
        self.subscriber.handle_position(self.position, lambda prefix: self.cache.idle(prefix, now), now)
        self._renew_subscriptions(now)
        subscribed = self.subscriber.subscribed
        self.solicitor.handle_move(self.position, self._untold(), self.cache, self.outlook(), now, subscribed)
        self._flush(now)

    def handle_traffic(self, traffic: Traffic, now: Seconds) -> None:
        """Note which prefixes are in use, and who sends to us."""
        self.table.handle_traffic(traffic, now)
        self.cache.handle_traffic(traffic, now)
        self.visited.handle_traffic(traffic, now)
        self.solicitor.handle_traffic(traffic, now)
        self.hints.handle_traffic(traffic, now)
        self.prober.handle_traffic(now)

    def handle_punt(self, punt: Punt, now: Seconds) -> None:
        """What the data plane cannot know or decide."""
        if not self._running:
            return
        match punt:
            case Miss():
                self._on_miss(punt, now)
            case PathMtu():
                self._on_path_mtu(punt, now)
            case Unreachable(locator):
                self.prober.handle_hint(locator, now)
            case HeaderHint():
                self.hints.handle_hint(punt, now)
                self._flush(now)
            case NoSegmentation(ifindex):
                names = (one.name for one in self.underlay.interfaces if one.index == ifindex)
                self.outbox.event("segmentation-refused", interface=next(names, str(ifindex)))

    def handle_timeout(self, now: Seconds) -> None:
        """Let each machine do what is due."""
        if not self._running:
            return
        self.registrar.handle_timeout(now)
        self.solicitor.handle_timeout(now)
        self.prober.handle_timeout(now)
        self.hints.handle_timeout(now)
        self._ask_for_the_lost(now)
        for failed in self.resolver.handle_timeout(now):
            self.changed(self.cache.hold(failed.asked, failed.until, now), now)
        due = self.cache.handle_timeout(now)
        self.changed(due.expired, now)
        self._touch_paths(self.path_mtus.handle_timeout(now))
        for prefix in due.refresh:
            self.resolver.refresh(prefix, now)
        self.subscriber.handle_timeout(now)
        self._renew_subscriptions(now)
        self._flush(now)

    def handle_datagram(self, datagram: Datagram, now: Seconds) -> None:
        """Read a control datagram and tell the machine that it is for; count it where there is none."""
        if not self._running:
            return
        message = self.intake.read(datagram, now)
        if message is not None:
            self.exchange.handle_message(message, datagram, now)
            self._flush(now)

    def poll_timeout(self) -> Timeout | None:
        """The first deadline of all machines."""
        if not self._running:
            return None
        machines = (self.registrar, self.resolver, self.solicitor, self.prober, self.cache, self.path_mtus, self.hints)
        return earliest(machine.next_timeout() for machine in (*machines, self.subscriber))

    def take_effects(self) -> list[Effect]:
        """What is to be done, in order; taking empties the list."""
        return self.outbox.take_effects()

    def take_events(self) -> list[Event]:
        """What happened; taking empties the list."""
        return self.outbox.take_events()

    def view(self, noun: str, now: Seconds) -> dict[str, object]:
        """`status`, `map-cache` or `database` as mobile_view has them; KeyError for another noun."""
        return mobile_view.NOUNS[noun](self, now)

    def drops(self) -> dict[ControlReason, int]:
        """Ignored datagrams by reason."""
        return self.outbox.drops()

    # --- Punts --------------------------------------------------------------------------------------------------------

    def _on_miss(self, miss: Miss, now: Seconds) -> None:
        """Ask for the mapping, unless it came meanwhile."""
        destination = Eid(miss.destination, miss.iid)
        entry = self.cache.cover(destination.prefix)
        asks = entry is None or (not entry.mapping.locators and entry.mapping.action is Action.SEND_MAP_REQUEST)
        if asks and self.position.mapping(destination.prefix) is None:
            self.resolver.miss(destination, miss.source, now)

    def _on_path_mtu(self, hint: PathMtu, now: Seconds) -> None:
        """Anybody may say it: it counts only for an RLOC that we send to."""
        source = self.position.source(hint.locator.version)
        if source is not None and self.table.sends_to(hint.locator):
            self._touch_paths(self.path_mtus.handle_hint(hint.locator, hint.mtu, source.mtu, now))
            self._flush(now)

    # --- From one machine to the next ---------------------------------------------------------------------------------

    def outlook(self) -> Outlook:
        """What verdicts depend on besides the map-cache."""
        form = self.settings.forwarding.encapsulation
        down = self.prober.down | self.hints.down
        proxies, path_mtus = self.settings.proxy_etrs, self.path_mtus.known
        native, sites = self.settings.native_forward, self.visited.sites
        return Outlook(self.position, proxies, down, path_mtus, form, self.hints.fields, native, sites)

    def _touch_paths(self, rlocs: list[Address]) -> None:
        for rloc in rlocs:
            self.table.touch_rloc(rloc)
            self.table.touch(self.visited.through(rloc))

    def changed(self, prefixes: list[EidPrefix] | tuple[EidPrefix, ...], now: Seconds) -> None:
        """The map-cache's entries of these prefixes are others now."""
        if prefixes:
            self.table.handle_cache(prefixes, now)
            self.table.touch(self.visited.handle_cache(prefixes, now))
            self.prober.handle_cache(now)
            self.hints.handle_cache(now)
            self.subscriber.handle_cache(prefixes, self.cache.holds_within, now)

    def _renew_subscriptions(self, now: Seconds) -> None:
        for prefix in self.subscriber.take_renewals(now):
            self.resolver.refresh(prefix, now)

    def _flush(self, now: Seconds) -> None:
        if self.prober.changed:
            self.prober.changed = False
            self.table.touch_all()
        rlocs, every = self.hints.take_touched()
        self._touch_paths(rlocs)
        if every:
            self.table.touch_all()
        self.table.flush(self.outlook())

    def _ask_for_the_lost(self, now: Seconds) -> None:
        """Peers that no longer answer probes may have moved while we did, each telling the other's old place."""
        for rloc in self.prober.take_lost():
            for prefix in self.cache.users(rloc):
                entry = self.cache.get(prefix)
                if entry is not None and entry.origin is Origin.MAP_REPLY and self.cache.in_use(prefix, now):
                    self.resolver.refresh(prefix, now)

    def _release_holds(self, now: Seconds) -> None:
        """Nobody answered where we were; here somebody may, but for the pause that RFC 9301 section 5.3 asks for."""
        for prefix in self.cache.holds():
            if not self.resolver.paused(prefix, now):
                self.changed(self.cache.remove(prefix), now)

    def _untold(self) -> tuple[EidPrefix, ...]:
        """Our EID-prefixes whose locators are not those last told; they count as told now, unless we have no way."""
        if not self.position.ways:
            return ()
        current = {mapping.prefix: mapping.locators for mapping in self.position.mappings}
        changed = tuple(prefix for prefix, locators in current.items() if locators != self._told.get(prefix))
        self._told = current
        return changed

    def _tell_of(self, old: Position, move: Move) -> None:
        for store in move.sources:
            version = 4 if store.slot == 0 else 6
            before, after = old.source(version), self.position.source(version)
            self.outbox.event(
                "source-locator-changed",
                family=f"ipv{version}",
                old=str(before.address) if before else "none",
                new=str(after.address) if after else "none",
                interface=after.interface if after else "none",
            )
        if old.ways and not self.position.ways:
            self.outbox.event("network-lost", "warning", interfaces=",".join(self.settings.interfaces))
