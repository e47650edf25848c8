"""The lab itself: makes hosts and links, and clears everything away in the end."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from pyroute2.netlink.exceptions import NetlinkError

from lispfast.lab.conditions import LabError
from lispfast.lab.host import Host, Interface

PREFIX = "lispfast-lab-"
LOCK = "lock"


class Lab:
    """A set of hosts and the links between them; use it in a `with`.

    What it makes: namespaces and processes, which the kernel removes with it, and one directory named with the pid,
    which the next lab removes if this one was killed.
    """

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise LabError("network namespaces need root")
        sweep()
        self.directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self._lock = os.open(self.directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.hosts: dict[str, Host] = {}

    def host(self, name: str, *, forward: bool = False) -> Host:
        """Make a host, or a router with `forward`."""
        if name in self.hosts:
            raise LabError(f"there is a host {name} already")
        self.hosts[name] = Host(name, self.directory / name, forward=forward)
        return self.hosts[name]

    def link(
        self, left: Host, left_name: str, right: Host, right_name: str, mtu: int = 1500
    ) -> tuple[Interface, Interface]:
        """Join two hosts with a cable: an interface on each, both still down."""
        peer = {"ifname": right_name, "net_ns_fd": right.namespace.fd, "mtu": mtu}
        try:
            left.call(lambda: left.netlink.link("add", ifname=left_name, kind="veth", mtu=mtu, peer=peer))
        except NetlinkError as error:
            raise LabError(f"cannot link {left.name} {left_name} with {right.name} {right_name}: {error}") from error
        return left.interface(left_name), right.interface(right_name)

    def close(self) -> None:
        """End every process, the latest host first, and remove everything; may be called twice."""
        for host in reversed(self.hosts.values()):
            host.stop_processes()
        for host in self.hosts.values():
            host.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def sweep() -> list[Path]:
    """Remove the directories of labs that were killed, and say which.

    A living lab holds the lock in its directory. The pid in the name alone would not do, it may belong to another PID
    namespace; the lock alone would not either, a lab that just starts does not hold it yet.
    """
    removed = []
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if Path("/proc", directory.name.removeprefix(PREFIX).partition("-")[0]).exists():
            continue
        try:
            lock = os.open(directory / LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(directory, ignore_errors=True)
            removed.append(directory)
        finally:
            os.close(lock)
    return removed
