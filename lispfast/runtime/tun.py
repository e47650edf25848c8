"""The TUN device: made here, used by the data plane, gone with its last descriptor."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from lispfast.model.errors import HostError, PrivilegeError
from lispfast.runtime.privilege import TUN_DEVICE, tun_device_error

DEVICE_NAME = "lmn0"

# linux/if_tun.h
TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_MULTI_QUEUE = 0x0100
IFF_NO_PI = 0x1000
IFF_TUN_EXCL = 0x8000


def open_tun(name: str = DEVICE_NAME, queues: int = 1) -> list[int]:
    """Make the device, down and without an address; one non-blocking descriptor a queue, which the caller closes.

    PrivilegeError if the TUN driver is missing or not allowed, HostError if an interface of that name exists: it is
    never taken over, whoever made it.
    """
    flags = IFF_TUN | IFF_NO_PI | (IFF_MULTI_QUEUE if queues > 1 else 0)
    opened: list[int] = []
    try:
        for number in range(queues):
            fd = _open_device()
            opened.append(fd)
            exclusive = IFF_TUN_EXCL if number == 0 else 0
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("=16sH22x", name.encode(), flags | exclusive))
    except OSError as error:
        for fd in opened:
            os.close(fd)
        raise _explain(name, error) from None
    except HostError:
        for fd in opened:
            os.close(fd)
        raise
    return opened


def _open_device() -> int:
    try:
        return os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise tun_device_error(TUN_DEVICE, error) from None


def _explain(name: str, error: OSError) -> HostError:
    if error.errno in (errno.EBUSY, errno.EEXIST, errno.EINVAL):
        # EINVAL: an interface of that name that is no TUN device.
        return HostError(
            f"the interface {name} already exists and is not ours", f"remove it (ip link delete {name}) and start again"
        )
    if error.errno == errno.EPERM:
        return PrivilegeError(
            f"the interface {name} may not be made", "start lispd-fast as root or grant it CAP_NET_ADMIN"
        )
    return HostError(f"the interface {name} cannot be made ({error.strerror})", "see the kernel's log")
