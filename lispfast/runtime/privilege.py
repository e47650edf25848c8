"""What the daemon may not do without, each missed with a sentence and a remedy; and what it gives away at the start.

Always CAP_NET_ADMIN and the TUN device. CAP_NET_RAW for native-forward alone, as packets with an EID as their source
leave by raw sockets; otherwise it is dropped.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import struct
from pathlib import Path

from lispfast.model.errors import PrivilegeError

# linux/capability.h
CAP_NET_ADMIN, CAP_NET_RAW = 12, 13
CAPABILITY_VERSION_3 = 0x20080522

TUN_DEVICE = "/dev/net/tun"
NICENESS = -10  # as the workers ask for among the threads of their session


def require_net_admin(status: Path = Path("/proc/thread-self/status")) -> None:
    """PrivilegeError unless this process may change interfaces and routes."""
    if not _has(CAP_NET_ADMIN, status):
        raise PrivilegeError("CAP_NET_ADMIN is missing", "start lispd-fast as root or grant it that capability")


def keep_net_raw(needed: bool, status: Path = Path("/proc/thread-self/status")) -> None:
    """See that the calling thread, and those that it starts from here on, have CAP_NET_RAW where it is needed only.

    PrivilegeError where it is needed and missing.
    """
    there = _has(CAP_NET_RAW, status)
    if needed and not there:
        remedy = "start lispd-fast as root, grant it that capability, or set native-forward = off"
        raise PrivilegeError("CAP_NET_RAW is missing, which native-forward = on needs", remedy)
    if there and not needed:
        _drop(CAP_NET_RAW)


def _has(capability: int, status: Path) -> bool:
    values = [line.split(":")[1] for line in status.read_text().splitlines() if line.startswith("CapEff:")]
    return any(int(value, 16) >> capability & 1 for value in values)


def _drop(capability: int) -> None:
    """From the effective, permitted and inheritable set of this thread (capset(2)); OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITY_VERSION_3, 0))
    data = ctypes.create_string_buffer(24)  # two words of each: effective, permitted, inheritable
    for call in (libc.capget, libc.capset):
        if call is libc.capset:
            low = [word & ~(1 << capability) for word in struct.unpack_from("=3I", data)]
            struct.pack_into("=3I", data, 0, *low)
        if call(header, data) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


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
