"""A network namespace without a name, and the thread that lives in it.

A named namespace outlives the program that made it and has to be swept up. This one is held by a descriptor: the
kernel removes it, its interfaces and its routes with its last process and descriptor, however the lab ended.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lispfast.lab.conditions import LabError

T = TypeVar("T")

CLONE_NEWNET = 0x40000000  # linux/sched.h


class Namespace:
    """A new network namespace; `call` runs a function inside.

    The caller's own thread never leaves its namespace, so a forgotten way back cannot happen, and an asyncio loop that
    runs in it does not meet the one inside pyroute2.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"lab-{name}")
        try:
            self.call(_leave_home)
        except OSError as error:
            self._thread.shutdown()
            raise LabError(f"cannot make a network namespace for {name}: {error}") from error
        self.fd = self.call(lambda: os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    @property
    def inode(self) -> int:
        """The number by which /proc/PID/ns/net knows it."""
        return os.fstat(self.fd).st_ino

    def call(self, function: Callable[[], T]) -> T:
        """Run a function in the namespace and return what it returns; its exception comes through."""
        return self._thread.submit(function).result()

    def close(self) -> None:
        """Let go of it; may be called twice."""
        self._thread.shutdown()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _leave_home() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")
