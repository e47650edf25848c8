"""The composition root: puts the rooms together, runs until told to stop, and gives the host back as it was.

Everything that is opened goes on one stack and is closed in the opposite order, whatever happens in between: routes are
taken back before the TUN goes, and nothing of the host is changed before every socket is ours.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

from lispfast._version import __version__
from lispfast.control import auth
from lispfast.control.effects import Event
from lispfast.control.role import Role
from lispfast.dataplane import DataPlane, open_tun_dataplane
from lispfast.manage import logs
from lispfast.manage.paths import control_socket, state_directory
from lispfast.manage.protocol import RefusedError
from lispfast.manage.server import ControlServer, Walk
from lispfast.model.encapsulation import Encapsulation
from lispfast.model.errors import HostError
from lispfast.model.settings import Mode, Settings
from lispfast.model.units import Nonce
from lispfast.runtime.attachments import Attachments
from lispfast.runtime.driver import Driver
from lispfast.runtime.effector import Effector
from lispfast.runtime.inspection import WALKS, Inspector
from lispfast.runtime.namespace import hold_namespace
from lispfast.runtime.privilege import (
    allow_descriptors,
    keep_net_raw,
    raise_priority,
    require_net_admin,
    require_tun_device,
)
from lispfast.runtime.routes import HostNetwork, clean_up
from lispfast.runtime.site import tunnel_addresses
from lispfast.runtime.sockets import ControlSockets
from lispfast.runtime.state import NumberStore, make_directory
from lispfast.runtime.tun import choose_workers

JOURNAL = "journal.json"
NUMBERS = "numbers.json"
KINDS = {Mode.MN: "mobile node", Mode.XTR: "xTR", Mode.MS: "Map-Server"}
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(settings: Settings) -> None:
    """Be the daemon until a signal ends it; HostError and its kin if it cannot start, with the host left as it was."""
    logs.configure(settings.debug)
    with closing(hold_namespace()):
        if not asyncio.run(Daemon(settings).serve()):
            raise HostError("an internal fault ended the daemon", "its log has the details")


def cleanup(state_dir: str | None) -> list[str]:
    """Undo what a killed daemon left in this network namespace; sentences about what was done."""
    require_net_admin()
    with closing(hold_namespace()):
        return asyncio.run(clean_up(state_directory(state_dir) / JOURNAL))


class Daemon:
    """One daemon, from its settings to its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._started = time.monotonic()
        self._ending = asyncio.Event()
        self._sound = True

    async def serve(self) -> bool:
        """Open everything, wait for the end, close everything; whether it ended in good order."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._fault)
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._ending.set)
        async with AsyncExitStack() as stack:
            if self._settings.mode is not Mode.MS:
                # Before the state directory: who may not make that one either is not to be told to name another.
                require_net_admin()
                require_tun_device()
                keep_net_raw(self._settings.native_forward)
            state = make_directory(state_directory(self._settings.state_dir))
            if auth.STANDARD_LIBRARY_ONLY:
                _warn_sentence("the package cryptography is missing: slower MACs, and no LISP-SEC")
            numbers = NumberStore(state / NUMBERS, _warn_sentence)
            if self._settings.mode is Mode.MS:
                await self._open_map_server(stack, numbers)
            else:
                await self._open_mobile_node(stack, numbers, state)
            _log("ready", {"mode": self._settings.mode.value, "version": __version__, "pid": os.getpid()})
            await self._ending.wait()
            _log("stopping", {})
        return self._sound

    async def _open_mobile_node(self, stack: AsyncExitStack, numbers: NumberStore, state: Path) -> None:
        from lispfast.control.authority import Authority
        from lispfast.control.mobile_node import MobileNode
        from lispfast.control.register_nonce import KEY

        # A lost state directory still gives a nonce above every earlier one, unless the clock went back too.
        first_nonce = max((numbers.get(KEY) or 0) + 1, time.time_ns())
        role = MobileNode(self._settings, _nonce, first_nonce)
        eids = tunnel_addresses(self._settings)
        sockets = self._control_sockets(stack, pinned=True)
        host = HostNetwork(
            self._settings, eids, state / JOURNAL, lambda underlay: driver.underlay(underlay), _warn_sentence
        )
        dataplane = await self._open_dataplane(stack, host)
        driver = Driver(role, Effector(sockets, numbers, dataplane, _warn), dataplane, _log_event)
        self._receive = driver.datagram
        driver.start()
        dataplane.start()
        _log("data-plane", dict(dataplane.describe()))
        # On the stack before it opens: a signal during open() must find it there.
        stack.push_async_callback(host.close)
        underlay = await host.open()
        stack.callback(driver.stop)
        driver.underlay(underlay)
        await self._open_control_socket(stack, role, driver, dataplane, Inspector(Authority(role), dataplane))

    async def _open_dataplane(self, stack: AsyncExitStack, host: HostNetwork) -> DataPlane:
        forwarding = self._settings.forwarding
        allow_descriptors()
        raise_priority()
        queues = await host.prepare(choose_workers(forwarding.workers), forwarding.offload)
        for queue in queues:
            stack.callback(os.close, queue)
        vxlan = Encapsulation.VXLAN_GPE in self._settings.encapsulations
        vxlan_port = Encapsulation.VXLAN_GPE.port if vxlan else 0
        dataplane = open_tun_dataplane(
            queues,
            vxlan_port=vxlan_port,
            forwarding=forwarding,
            hints=self._settings.header_hints.any,
            native=self._settings.native_forward,
        )
        stack.callback(dataplane.stop)
        return dataplane

    async def _open_map_server(self, stack: AsyncExitStack, numbers: NumberStore) -> None:
        from lispfast.control.map_server import MapServer

        role = MapServer(self._settings, _nonce, numbers.all())
        sockets = self._control_sockets(stack, pinned=False)
        driver = Driver(role, Effector(sockets, numbers, None, _warn), None, _log_event)
        self._receive = driver.datagram
        attachments = Attachments(driver.underlay, _warn_sentence)
        stack.push_async_callback(attachments.close)
        stack.callback(driver.stop)
        driver.start()
        await attachments.open()
        await self._open_control_socket(stack, role, driver, None, None)

    def _control_sockets(self, stack: AsyncExitStack, pinned: bool) -> ControlSockets:
        sockets = ControlSockets(lambda datagram: self._receive(datagram), pinned)
        sockets.open()
        stack.callback(sockets.close)
        return sockets

    async def _open_control_socket(
        self,
        stack: AsyncExitStack,
        role: Role,
        driver: Driver,
        dataplane: DataPlane | None,
        inspector: Inspector | None,
    ) -> None:
        kind = KINDS[self._settings.mode]

        def answer(noun: str) -> dict[str, object] | Walk:
            if noun in WALKS:
                if inspector is None:
                    raise RefusedError(f"this daemon is a {kind}, which has no data plane")
                return inspector.walk(noun)
            view = driver.view(noun)
            return {**view, **self._about(role, dataplane)} if noun == "status" else view

        server = ControlServer(str(control_socket(self._settings.control_socket)), kind, answer)
        await server.start()
        stack.push_async_callback(server.stop)

    def _about(self, role: Role, dataplane: DataPlane | None) -> dict[str, object]:
        about: dict[str, object] = {
            "version": __version__,
            "pid": os.getpid(),
            "uptime": round(time.monotonic() - self._started, 3),
            "drops": {reason.value: count for reason, count in role.drops().items() if count},
        }
        if dataplane is not None:
            described = dataplane.describe()
            about["data_plane"] = {
                **described,
                "features": {name: what for name, what in described.items() if name not in ("backend", "workers")},
                **dataplane.totals(),
                "drops": {reason.value: count for reason, count in dataplane.drops().items() if count},
            }
        return about

    def _fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A bug of ours. One datagram must not end the daemon; a task that is gone must, with the host restored."""
        error = context.get("exception")
        fields: dict[str, object] = {"what": context.get("message", ""), "error": repr(error)}
        if isinstance(error, BaseException) and error.__traceback__ is not None:
            last = error.__traceback__
            while last.tb_next is not None:
                last = last.tb_next
            fields["where"] = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}"
        _log("fault", fields, "error")
        if "task" in context:
            self._sound = False
            self._ending.set()

    _receive: Callable[..., None] = staticmethod(lambda datagram: None)


def _nonce() -> Nonce:
    return Nonce(secrets.randbits(64))


def _log(event: str, fields: dict[str, object], level: str = "info") -> None:
    logs.emit(event, fields, level, time.time())


def _log_event(event: Event, at: float) -> None:
    logs.emit(event.name, event.fields, event.level, at)


def _warn(event: str, fields: dict[str, str | int]) -> None:
    logs.emit(event, fields, "warning", time.time())


def _warn_sentence(sentence: str) -> None:
    _warn("host", {"text": sentence})
