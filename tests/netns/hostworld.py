"""A namespace with interfaces of our making, and HostNetwork in it: what the host-side stories stand on."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from lispfast.lab.namespace import Namespace
from lispfast.model.addresses import EidPrefix
from lispfast.model.settings import DatabaseMapping, InterfaceLocator, Mode, Settings, TunnelRoutes
from lispfast.model.underlay import Underlay
from lispfast.runtime.routes import HostNetwork

EID4, EID6 = "203.0.113.1", "2001:db8:e::1"
BOUND_S = 10.0
VOLATILE = ("valid_life_time", "preferred_life_time", "expires", "cache", "users", "used", "age")


@contextmanager
def namespace() -> Iterator[Namespace]:
    ns = Namespace(f"host{os.getpid()}")
    try:
        ns.call(_begin)
        yield ns
    finally:
        ns.close()


@pytest.fixture(name="host_ns")
def host_namespace() -> Iterator[Namespace]:
    """A namespace that is a host's, with nothing but `lo`."""
    with namespace() as made:
        yield made


def _begin() -> None:
    ip("link set lo up")
    Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")  # only a test of DAD waits for it


def ip(command: str) -> str:
    """Run `ip COMMAND` in the namespace of the calling thread."""
    done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False, timeout=20)
    if done.returncode:
        raise AssertionError(f"ip {command}: {done.stderr.strip()}")
    return done.stdout


def show(command: str) -> list[dict[str, Any]]:
    answer = json.loads(ip(f"-d -j {command}") or "[]")
    return [_steady(entry) for entry in answer if entry]


def host_state() -> dict[str, Any]:
    """Routes of every table but `local`, rules and addresses of both families, without what ages."""
    state: dict[str, Any] = {}
    for family in ("-4", "-6"):
        state[f"rule {family}"] = show(f"{family} rule")
        routes = show(f"{family} route show table all")
        state[f"route {family}"] = [route for route in routes if route.get("table") != "local"]
    state["addr"] = show("addr")
    return state


def _steady(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {key: _steady(value) for key, value in entry.items() if key not in VOLATILE}
    if isinstance(entry, list):
        return [_steady(value) for value in entry if value]
    return entry


def make_interface(name: str, *addresses: str) -> None:
    """An interface with a carrier: one end of a veth, the other end `NAMEp` beside it without IPv6."""
    ip(f"link add {name} type veth peer name {name}p")
    Path(f"/proc/sys/net/ipv6/conf/{name}p/disable_ipv6").write_text("1")
    ip(f"link set {name}p up")
    ip(f"link set {name} up")
    for address in addresses:
        ip(f"addr add {address} dev {name}" + (" nodad" if ":" in address else ""))
    settle(lambda: not show(f"-6 addr show dev {name} tentative") and link_up(name), f"{name} settles")


def link_up(name: str) -> bool:
    return show(f"link show dev {name}")[0]["operstate"] == "UP"


def settle(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {BOUND_S:g} s"
        time.sleep(0.005)


async def until(condition: Callable[[], object], what: str) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(BOUND_S):
        try:
            while not condition():
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            raise AssertionError(f"{what}: not within {BOUND_S:g} s; {host_state()}") from None


def settings(*interfaces: str, v4: bool = True, v6: bool = True, halves: bool = False) -> Settings:
    eids = [f"{EID4}/32"] * v4 + [f"{EID6}/128"] * v6
    locators = tuple(InterfaceLocator(name, version) for name in interfaces for version in (4, 6))
    return Settings(
        mode=Mode.MN,
        database=tuple(DatabaseMapping(EidPrefix.parse(eid), locators) for eid in eids),
        tunnel_routes=TunnelRoutes.HALVES if halves else TunnelRoutes.DEFAULT,
    )


class Daemon:
    """HostNetwork with what it told."""

    def __init__(self, chosen: Settings, journal: Path) -> None:
        self.underlays: list[Underlay] = []
        self.warnings: list[str] = []
        eids = [mapping.prefix.network.network_address for mapping in chosen.database]
        self.host = HostNetwork(chosen, eids, journal, self.underlays.append, self.warnings.append)
        self.fds: list[int] = []

    async def __aenter__(self) -> Daemon:
        self.fds = await self.host.prepare()
        try:
            self.underlays.append(await self.host.open())
        except BaseException:
            self._close_fds()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.host.close()
        self._close_fds()

    def _close_fds(self) -> None:
        for fd in self.fds:
            os.close(fd)

    @property
    def underlay(self) -> Underlay:
        return self.underlays[-1]

    def rloc(self, name: str, version: int = 4) -> str | None:
        interface = self.underlay.interface(name)
        attachment = interface.attachment(version) if interface else None
        return str(attachment.address) if attachment else None


def run(ns: Namespace, story: Callable[[], Awaitable[None]]) -> None:
    """Run a story on a loop of its own in the namespace."""

    async def whole() -> None:
        await story()

    ns.call(lambda: asyncio.run(whole()))


def main_defaults(family: int = 4) -> list[str]:
    """The main table's defaults as `ip route` shows them."""
    return [line.strip() for line in ip(f"-{family} route show default").splitlines()]


def same_address(left: str | None, right: str) -> bool:
    return left is not None and ip_address(left) == ip_address(right)
