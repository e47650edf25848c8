"""A host of the lab: a namespace with interfaces, and what one does on a host."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_interface
from pathlib import Path
from typing import Any, TypeVar

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from lispfast.lab.conditions import LabError
from lispfast.lab.namespace import Namespace
from lispfast.lab.process import Process

T = TypeVar("T")

IFA_F_NODAD = 0x02  # linux/if_addr.h
IFF_RUNNING = 0x40  # linux/if.h

# Ours.
COMMAND_SECONDS = 20.0  # for commands that answer at once, on a machine that is busy
VOLATILE = frozenset({"expires", "cache", "valid_life_time", "preferred_life_time"})  # of ip's answers: they count down


class Host:
    """A host with its own network stack, its own directory and its own processes.

    A router is a host with `forward`. Duplicate address detection is off, so an IPv6 address can be used at once;
    `sysctl("net.ipv6.conf.NAME.accept_dad", 1)` brings it back for one interface.
    """

    def __init__(self, name: str, directory: Path, *, forward: bool = False) -> None:
        self.name = name
        self.directory = directory
        directory.mkdir()
        self.namespace = Namespace(name)
        self._processes: list[Process] = []
        self.netlink: Any = self.call(IPRoute)
        for scope in ("all", "default"):
            self.sysctl(f"net.ipv6.conf.{scope}.accept_dad", 0)
            self.sysctl(f"net.ipv6.conf.{scope}.forwarding", int(forward))
        self.sysctl("net.ipv4.ip_forward", int(forward))
        self.interface("lo").up()

    def call(self, function: Callable[[], T]) -> T:
        """Run a function inside the host's network namespace."""
        return self.namespace.call(function)

    def interface(self, name: str) -> Interface:
        """The interface of that name; it need not be there yet."""
        return Interface(self, name)

    def sysctl(self, key: str, value: int | str | None = None) -> str:
        """Read a setting of the network stack, or set it first; `key` as sysctl spells it."""
        path = Path("/proc/sys", *key.split("."))
        if value is not None:
            self.call(lambda: path.write_text(f"{value}\n"))
        return self.call(path.read_text).strip()

    def run(self, *argv: str, check: bool = True, timeout: float = COMMAND_SECONDS) -> str:
        """Run a command to its end and return its standard output; LabError with its words if it fails."""
        try:
            done = self.call(
                lambda: subprocess.run(argv, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LabError(f"{self.name}: {' '.join(argv)}: {error}") from error
        if check and done.returncode != 0:
            raise LabError(
                f"{self.name}: {' '.join(argv)}: status {done.returncode}\n{done.stderr}{done.stdout}".strip()
            )
        return done.stdout

    def json(self, *argv: str) -> Any:
        """Run a command that answers in JSON, `ip -j route` for one, and return the answer."""
        return json.loads(self.run(*argv) or "[]")

    def spawn(
        self,
        *argv: str,
        log: str | None = None,
        pipe: bool = False,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Process:
        """Start a program; its log is a file of that name in the host's directory."""
        name = log or f"{os.path.basename(argv[0])}.log"
        process = Process(self.namespace, argv, self.directory / name, pipe=pipe, env=env, pass_fds=pass_fds)
        self._processes.append(process)
        return process

    def routing(self) -> dict[str, list[Any]]:
        """Every route of every table, every rule and every address of both families, in an order of its own.

        What only counts down or differs from one run to the next is left out, so that two of them can be compared.
        """
        shown: dict[str, list[Any]] = {}
        for family in ("-4", "-6"):
            for what in (["route", "show", "table", "all"], ["rule", "show"], ["addr", "show"]):
                answer = self.json("ip", family, "-j", "-d", *what)
                shown[f"ip {family} {what[0]}"] = sorted((_steady(row) for row in answer if row), key=json.dumps)
        return shown

    def stop_processes(self) -> None:
        """End what was spawned here, the latest first."""
        while self._processes:
            self._processes.pop().stop()

    def close(self) -> None:
        """End every process and let go of the namespace; may be called twice."""
        self.stop_processes()
        if self.netlink is not None:
            self.call(self.netlink.close)
            self.netlink = None
        self.namespace.close()


class Interface:
    """An interface of a host. Every change is acknowledged by the kernel before the method returns."""

    def __init__(self, host: Host, name: str) -> None:
        self.host = host
        self.name = name

    @property
    def index(self) -> int:
        """Its ifindex; LabError if there is none."""
        found = self._ask("link_lookup", ifname=self.name)
        if not found:
            raise LabError(f"{self.host.name} has no interface {self.name}")
        return int(found[0])

    def up(self) -> None:
        """Set it up."""
        self._ask("link", "set", index=self.index, state="up")

    def running(self) -> bool:
        """Whether it passes packets on.

        The far end of a veth notices its carrier a while after `up` here; what it is to send until then, an answer to
        ARP for one, is lost, and the kernel asks again only after a second.
        """
        (link,) = self._ask("link", "get", index=self.index)
        return bool(link["flags"] & IFF_RUNNING)

    def down(self) -> None:
        """Set it down; the kernel takes its routes and IPv6 addresses away."""
        self._ask("link", "set", index=self.index, state="down")

    def add_address(self, *addresses: str) -> None:
        """Add addresses, `192.0.2.1/24` or `2001:db8::1/64`; an IPv6 one is never tentative."""
        index = self.index
        for text in addresses:
            address = ip_interface(text)
            # The flag is an attribute of its own since Linux 3.14; the old 8-bit field has room for this one.
            flags = {"flags": IFA_F_NODAD} if address.version == 6 else {}
            broadcast = {}
            if address.version == 4 and address.network.prefixlen < 31:
                broadcast = {"broadcast": str(address.network.broadcast_address)}
            self._ask(
                "addr",
                "add",
                index=index,
                address=str(address.ip),
                prefixlen=address.network.prefixlen,
                **flags,
                **broadcast,
            )

    def flush_addresses(self) -> None:
        """Take every address away."""
        self._ask("flush_addr", index=self.index)

    def add_default(self, *gateways: str, **attributes: Any) -> None:
        """Add a default route for each gateway, IPv4 or IPv6; attributes as pyroute2 has them (priority, proto)."""
        index = self.index
        for gateway in gateways:
            default = "::/0" if ":" in gateway else "0.0.0.0/0"
            self._ask("route", "replace", dst=default, gateway=gateway, oif=index, **attributes)

    def shape(self, rate: str, burst: str, latency: str) -> None:
        """Limit what leaves here with a token bucket filter; units as tc has them."""
        self.host.run(
            *("tc", "qdisc", "replace", "dev", self.name, "root", "tbf"),
            *("rate", rate, "burst", burst, "latency", latency),
        )

    def tentative(self) -> bool:
        """Whether an address of global scope waits for duplicate address detection."""
        rows = self.host.json("ip", "-j", "addr", "show", "dev", self.name, "scope", "global")
        return any(info.get("tentative", False) for row in rows for info in row.get("addr_info", ()))

    def _ask(self, verb: str, *words: str, **fields: Any) -> Any:
        netlink = self.host.netlink
        try:
            return self.host.call(lambda: getattr(netlink, verb)(*words, **fields))
        except (NetlinkError, OSError) as error:
            raise LabError(f"{self.host.name}: {verb} {' '.join(words)} {self.name} {fields}: {error}") from error


def _steady(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sorted(row.items()) if key not in VOLATILE}
