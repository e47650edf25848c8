"""What the daemon may not do without: CAP_NET_ADMIN and the TUN device, each missed with a sentence and a remedy."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

from lispfast.model.errors import PrivilegeError

CAP_NET_ADMIN = 12  # linux/capability.h
TUN_DEVICE = "/dev/net/tun"
NICENESS = -10  # as the workers ask for among the threads of their session


def require_net_admin(status: Path = Path("/proc/thread-self/status")) -> None:
    """PrivilegeError unless this process may change interfaces and routes."""
    for line in status.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff" and int(value, 16) >> CAP_NET_ADMIN & 1:
            return
    raise PrivilegeError("CAP_NET_ADMIN is missing", "start lispd-fast as root or grant it that capability")


def require_tun_device(path: str = TUN_DEVICE) -> None:
    """PrivilegeError unless the TUN device is there and opens."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise tun_device_error(path, error) from None


def tun_device_error(path: str, error: OSError) -> PrivilegeError:
    """What a failed open of the TUN device means, and what to do."""
    if isinstance(error, FileNotFoundError):
        return PrivilegeError(
            f"{path} does not exist", f"run `modprobe tun`; in a container, pass the device in (--device {path})"
        )
    if isinstance(error, PermissionError):
        return PrivilegeError(f"{path} may not be opened", "start lispd-fast as root or allow it that device")
    return PrivilegeError(f"{path} does not open ({error.strerror})", "run `modprobe tun`")


def allow_descriptors() -> None:
    """Let this process have as many descriptors as its hard limit says.

    A worker has some 70 with 16 source ports and some 260 with 64: with the usual soft limit of 1,024 a host of 30
    cores could not start.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # then the data plane says what is missing
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def raise_priority(autogroup: Path = Path("/proc/self/autogroup")) -> None:
    """Give a daemon that has a session of its own some priority over other sessions.

    Linux shares processors between sessions first, and a thread's own priority counts only within its session
    (sched(7), autogroup). The workers feed applications of other sessions: measured, with sender, receiver and both
    daemons each in a session of its own, one TCP stream is 16 % faster with it and four are 8 %. In somebody's
    shell the session is theirs and stays as it is.
    """
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # no such kernel feature, or not allowed: it is only a wish
            autogroup.write_text(f"{NICENESS}\n")
