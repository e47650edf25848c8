"""Where a daemon's files lie: one directory a network namespace, the same for the daemon and for lispctl."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

STATE_ROOT = Path("/var/lib/lispfast")
RUN_ROOT = Path("/run/lispfast")

OWN_NAMESPACE = "/proc/thread-self/ns/net"  # /proc/self is the main thread's, which a thread may have left
SO_NETNS_COOKIE = 71  # asm-generic/socket.h, since Linux 5.14; Python has no name for it
INITIAL_INODE = 0xEFFFFFF9
"""The initial network namespace's inode where the kernel fixes it (nsfs.h NET_NS_INIT_INO, since Linux 6.18)."""


@dataclass(frozen=True, slots=True)
class NamespaceIdentity:
    """Tells one network namespace from every other, a reused inode number and another boot included.

    `cookie` is 0 on a kernel that has none.
    """

    inode: int
    cookie: int
    boot_id: str


def namespace_identity() -> NamespaceIdentity:
    """The identity of the caller's network namespace."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            cookie = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), "little")
    except OSError:
        cookie = 0
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot_id = ""
    return NamespaceIdentity(_inode(OWN_NAMESPACE), cookie, boot_id)


def namespace_name(run_root: Path = RUN_ROOT) -> str:
    """`default` for the namespace of process 1, else `net-INODE`.

    Who may not look at process 1 (lispctl as an ordinary user) takes the directory that a daemon made: that of this
    inode if there is one, else the default.
    """
    inode = _inode(OWN_NAMESPACE)
    own = f"net-{inode}"
    try:
        return "default" if _inode("/proc/1/ns/net") == inode else own
    except OSError:
        pass
    if inode == INITIAL_INODE:
        return "default"
    return own if os.geteuid() == 0 or (run_root / own).exists() else "default"


def state_directory(configured: str | None = None) -> Path:
    """The directory of the state that outlives the daemon: `state-dir`, or the one of this namespace."""
    return Path(configured) if configured else STATE_ROOT / namespace_name()


def control_socket(configured: str | None = None) -> Path:
    """The control socket: `control-socket`, or the one of this namespace."""
    return Path(configured) if configured else RUN_ROOT / namespace_name() / "control.sock"


def _inode(path: str) -> int:
    return os.stat(path).st_ino
