"""The host's side of the tunnel: lmn0, routes and rules set up, kept right while networks come and go, and taken back.

One task follows the kernel. Each notification leads to a whole view, the view to an underlay and a plan; the plan is
carried out in an order that plan.py explains. Nothing is remembered about the kernel but what it cannot tell: which
defaults we moved and which tables we took, and that is in the journal before it is true.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

from lispfast.manage.paths import namespace_identity
from lispfast.model.addresses import Address
from lispfast.model.errors import HostError
from lispfast.model.settings import AddressLocator, Mode, Settings, TunnelRoutes
from lispfast.model.underlay import Underlay
from lispfast.runtime.changes import Change, add_address, prepare_link, with_names
from lispfast.runtime.hostview import HostView
from lispfast.runtime.journal import Journal, JournalError, Move, read_journal, remove_journal
from lispfast.runtime.netlink import Netlink
from lispfast.runtime.netmon import Watch, survey
from lispfast.runtime.plan import OVERHEAD, Holdings, Plan, choose_tables, make_plan, tunnel_mtu, withdraw
from lispfast.runtime.privilege import require_net_admin
from lispfast.runtime.site import RLOC_PRIORITY, allow_any_way_back, missing_forwarding, site_prefixes
from lispfast.runtime.tasks import lasting
from lispfast.runtime.tun import DEVICE_NAME, open_tun
from lispfast.runtime.way_back import strict_filters

ETHERNET_MTU = 1500
RETRY_FIRST_S, RETRY_LAST_S = 0.5, 60.0
"""A refused change is tried again after half a second, then ever more rarely; most are races that news resolves."""
QUARREL_COUNT, QUARREL_S = 20, 10.0
"""So many corrections of the main table in so many seconds mean that another program corrects us: then we wait."""
UNROUTED_S = 5.0
"""An address comes some milliseconds before its default route; one that stays without is worth a word."""
CLOSING_ROUNDS = 3
"""Other programs may change routes while we take ours back: look again this often."""


class HostNetwork:
    """The host's interface, routes and rules, as one thing to open and close. All calls on one asyncio loop.

    `eids` are the addresses of lmn0, the first of each family its routes' source. `on_underlay` gets each new underlay
    as soon as datagrams can be sent from it, before the main table is reworked. `on_warning` gets sentences.
    """

    def __init__(
        self,
        settings: Settings,
        eids: Sequence[Address],
        journal_path: Path,
        on_underlay: Callable[[Underlay], None],
        on_warning: Callable[[str], None],
        device: str = DEVICE_NAME,
    ) -> None:
        self._eids = tuple(dict.fromkeys(eids))  # one address may stand in several instance-IDs
        self._journal_path = journal_path
        self._on_underlay = on_underlay
        self._on_warning = on_warning
        locators = [locator for mapping in settings.database for locator in mapping.locators]
        self._watch = Watch(
            names=settings.interfaces,
            pinned=frozenset(loc.rloc for loc in locators if isinstance(loc, AddressLocator) and loc.local),
            eids=tuple(mapping.prefix.network for mapping in settings.database),
            device=device,
        )
        if settings.mode is Mode.XTR:
            self._holdings = Holdings(device, {}, {}, priority=RLOC_PRIORITY, site=site_prefixes(settings))
        else:
            sources: dict[int, Address] = {}
            for eid in self._eids:
                sources.setdefault(eid.version, eid)
            self._holdings = Holdings(device, sources, {}, halves=settings.tunnel_routes is TunnelRoutes.HALVES)
        self._versions = {mapping.prefix.version for mapping in settings.database}
        self._native = settings.native_forward and 4 in self._versions
        self._netlink = Netlink()
        self._underlay = Underlay()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._offload = False
        self._retry = RETRY_FIRST_S
        self._corrections: deque[float] = deque(maxlen=QUARREL_COUNT)
        self._warned: set[str] = set()
        self._unrouted: dict[tuple[str, int], float] = {}

    async def prepare(self, queues: int = 1, offload: bool = False) -> list[int]:
        """Undo what a killed daemon left, then make lmn0; returns the TUN's descriptors, which the caller closes.

        `offload` lets a read bring one packet that stands for many, with a virtio-net header, where the kernel can.
        HostError or PrivilegeError says what is missing; nothing is changed then.
        """
        require_net_admin()
        self._offload = offload
        for sentence in await clean_up(self._journal_path):
            self._on_warning(f"cleaned up after a daemon that was killed: {sentence}")
        await self._netlink.open(self._news.set)
        try:
            self._refuse_duplicates(await self._netlink.view())
            return open_tun(self._holdings.device, queues, vnet_header=offload)
        except BaseException:
            self._netlink.close()
            raise

    async def open(self) -> Underlay:
        """Set lmn0, rules and routes up and begin to watch. HostError if that fails, with everything taken back."""
        try:
            self._news.clear()
            view = await self._netlink.view()
            self._underlay = survey(view, self._watch, Underlay())
            for name in self._watch.names:
                if self._underlay.interface(name) is None:
                    self._warn(f"there is no interface {name} yet: it is used as soon as it appears")
            self._take_tables(view)
            await self._write_journal(self._holdings.moves)
            await self._set_up_device()
            await self._attempt(quiet=True)
        except BaseException:
            await self.close()
            raise
        self._task = lasting(self._follow(), "the host's routes are no longer followed")
        return self._underlay

    async def close(self) -> None:
        """Take everything back; may be called twice. Close the TUN's descriptors after it."""
        self._closing = True
        if self._task is not None:
            # Not cancelled: a change would be left half done.
            self._news.set()
            await asyncio.wait([self._task])
            self._task = None
        if not self._netlink.is_open:
            return
        try:
            await take_back(self._netlink, self._holdings, self._on_warning)
            remove_journal(self._journal_path)
        except (HostError, OSError) as error:
            self._on_warning(f"the host's routes may not be as they were ({error}): run lispd-fast --cleanup")
        finally:
            self._netlink.close()

    async def _set_up_device(self) -> None:
        device = (await self._netlink.view()).link(self._holdings.device)
        if device is None:
            raise HostError(f"the interface {self._holdings.device} is gone", "start lispd-fast again")
        if 6 in self._versions:
            _enable_ipv6(device.name)
        if self._holdings.site:
            _loosen(device.name)
        mtu = tunnel_mtu(self._underlay) or ETHERNET_MTU - OVERHEAD
        for change in prepare_link(device, mtu, self._offload):
            await self._netlink.change(change)
        for eid in self._eids:
            await self._netlink.change(add_address(device, eid))

    async def _follow(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if self._closing:
                return
            await self._attempt()

    async def _attempt(self, quiet: bool = False) -> None:
        try:
            await self._round(quiet)
            self._retry = RETRY_FIRST_S
        except (HostError, OSError) as error:
            self._warn(str(error))
            asyncio.get_running_loop().call_later(self._retry, self._news.set)
            self._retry = min(self._retry * 2, RETRY_LAST_S)

    async def _round(self, quiet: bool) -> None:
        """Look, tell, correct. HostError for the first change that is refused, after the underlay was told."""
        view = await self._netlink.view()
        watch = replace(self._watch, original_metrics=self._holdings.originals)
        underlay = survey(view, watch, self._underlay)
        if self._take_tables(view, underlay):
            await self._write_journal(self._holdings.moves)
        plan = make_plan(view, underlay, self._holdings)
        # First what the daemon's own packets need: with IPv6 a source address and an interface alone do not keep a
        # packet from a better default over another interface, as they do with IPv4.
        refused = await self._netlink.change_all(plan.policy)
        if underlay != self._underlay:
            self._underlay = underlay
            if not quiet:
                self._on_underlay(underlay)
        if refused:
            raise refused[0]
        await self._rework(plan)
        for error in await self._netlink.change_all(plan.obsolete):
            raise error
        self._warn_of_duplicates(view)
        self._warn_of_unrouted(underlay)
        filtered = strict_filters(one.name for one in underlay.interfaces) if self._native else []
        for problem in (*missing_forwarding(self._holdings.site), *filtered):
            self._warn(problem)

    async def _rework(self, plan: Plan) -> None:
        if plan.main and self._quarrels():
            raise HostError(
                "another program changes the default route again and again",
                "let only one of them do so, or set tunnel-routes = halves",
            )
        if plan.moves != self._holdings.moves:
            # A move whose route is gone may leave the journal only with the next one that enters: no write for it now.
            if any(move not in self._holdings.moves for move in plan.moves):
                await self._write_journal(plan.moves)
            self._holdings = replace(self._holdings, moves=plan.moves)
        for change in plan.main:
            await self._netlink.change(change)

    def _quarrels(self) -> bool:
        now = asyncio.get_running_loop().time()
        full = len(self._corrections) == QUARREL_COUNT and now - self._corrections[0] < QUARREL_S
        if not full:
            self._corrections.append(now)
        return full

    def _take_tables(self, view: HostView, underlay: Underlay | None = None) -> bool:
        """See that each interface has a table; whether one was taken now."""
        names = [*self._watch.names, *(i.name for i in (underlay or self._underlay).interfaces)]
        names += [self._holdings.device] if self._holdings.site else []
        missing = tuple(name for name in dict.fromkeys(names) if name not in self._holdings.tables)
        if not missing:
            return False
        tables = {**self._holdings.tables, **choose_tables(view, missing, frozenset(self._holdings.tables.values()))}
        self._holdings = replace(self._holdings, tables=tables)
        return True

    async def _write_journal(self, moves: tuple[Move, ...]) -> None:
        tables = tuple(self._holdings.tables.values())
        site = tuple(str(prefix) for prefix in self._holdings.site)
        journal = Journal(namespace_identity(), self._holdings.priority, tables, moves, site)
        try:
            # On a phone's flash a sync takes tens of milliseconds, in which the loop has a Map-Register to send.
            await asyncio.get_running_loop().run_in_executor(None, journal.write, self._journal_path)
        except OSError as error:
            raise HostError(
                f"the journal {self._journal_path} cannot be written ({error.strerror})",
                "free space on that disk or name another state-dir",
            ) from None

    def _refuse_duplicates(self, view: HostView) -> None:
        for eid, name in self._duplicates(view):
            raise HostError(
                f"the EID {eid} is already an address of {name}",
                f"remove it there (ip address delete {eid} dev {name}) or correct eid-prefix",
            )

    def _warn_of_duplicates(self, view: HostView) -> None:
        for eid, name in self._duplicates(view):
            self._warn(f"the EID {eid} is now an address of {name} too: remove it there")

    def _warn_of_unrouted(self, underlay: Underlay) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        held = [(i.name, v) for i in underlay.interfaces for v in (4, 6) if (a := i.attachment(v)) and not a.routed]
        for name, version in held:
            if (name, version) not in self._unrouted:
                loop.call_later(UNROUTED_S, self._news.set)
            elif now - self._unrouted[name, version] >= UNROUTED_S:
                self._warn(
                    f"{name} has an IPv{version} address but no default route: only its own network is reached there "
                    "(beside another default, a DHCP client must give its own a metric)"
                )
        self._unrouted = {key: self._unrouted.get(key, now) for key in held}

    def _duplicates(self, view: HostView) -> list[tuple[Address, str]]:
        names = {link.index: link.name for link in view.links}
        own = [entry for entry in view.addresses if entry.address in self._eids]
        found = [(entry.address, names.get(entry.index, "?")) for entry in own]
        return [(eid, name) for eid, name in found if name != self._holdings.device]

    def _warn(self, sentence: str) -> None:
        if sentence not in self._warned and len(self._warned) < 1000:
            self._warned.add(sentence)
            self._on_warning(sentence)


async def take_back(netlink: Netlink, holdings: Holdings, on_warning: Callable[[str], None]) -> list[Change]:
    """Undo what `holdings` says, looking again until nothing is left; returns what was done."""
    done: list[Change] = []
    for _ in range(CLOSING_ROUNDS):
        changes = withdraw(await netlink.view(), holdings)
        if not changes:
            break
        for change in changes:
            try:
                await netlink.change(change)
                done.append(change)
            except HostError as error:
                on_warning(str(error))
    return done


async def clean_up(journal_path: Path) -> list[str]:
    """Undo what the journal of a killed daemon says; sentences about what was done, none if there was nothing.

    The caller must hold the network namespace. HostError if the kernel cannot be asked; the journal stays then.
    """
    try:
        journal = read_journal(journal_path)
    except JournalError as error:
        remove_journal(journal_path)
        return [f"{error}: removed, its routes cannot be undone"]
    if journal is None:
        return []
    if journal.namespace != namespace_identity():
        remove_journal(journal_path)
        return [f"{journal_path} was of another boot or network namespace: removed"]
    tables = {str(table): table for table in journal.tables}
    # The killed daemon's lmn0 went with it; one that stands now is somebody else's, so none is named here.
    site = tuple(ip_network(prefix) for prefix in journal.site)
    holdings = Holdings("", {}, tables, priority=journal.priority, moves=journal.moves, site=site)
    problems: list[str] = []
    netlink = Netlink()
    await netlink.open()
    try:
        done = await take_back(netlink, holdings, problems.append)
        links = (await netlink.view()).links
    finally:
        netlink.close()
    remove_journal(journal_path)
    return [with_names(text, links) for text in (*(change.text for change in done), *problems)]


def cleanup(journal_path: Path) -> list[str]:
    """`clean_up` for a caller without a loop."""
    return asyncio.run(clean_up(journal_path))


def _loosen(device: str) -> None:
    try:
        allow_any_way_back(device)
    except OSError as error:
        problem = f"the reverse-path filter of {device} cannot be set ({error.strerror})"
        raise HostError(problem, "allow lispd-fast to write below /proc/sys/net") from None


def _enable_ipv6(device: str) -> None:
    """Where the host's default turns IPv6 off, lmn0 needs it all the same for its EID."""
    switch = Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6")
    try:
        if switch.read_text().strip() != "0":
            switch.write_text("0\n")
    except OSError as error:
        raise HostError(
            f"IPv6 cannot be used on {device} ({error.strerror})", "enable IPv6 in the kernel or remove the IPv6 EID"
        ) from None
