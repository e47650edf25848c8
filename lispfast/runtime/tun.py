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
IFF_VNET_HDR = 0x4000
IFF_TUN_EXCL = 0x8000
TUNGETFEATURES = 0x800454CF

# Ours.
MAX_QUEUES = 64  # as lispd.conf's workers
CORES_OF_ONE_WORKER = 2  # the other one is the applications', whose packets these are


def choose_workers(wanted: int, cores: int | None = None) -> int:
    """How many threads forward, each with a queue: as many as wanted; for 0 one on up to two cores, else half of them.

    `cores` are those that this process may use where it is None.
    """
    if wanted:
        return wanted
    usable = len(os.sched_getaffinity(0)) if cores is None else cores
    return min(max(1, usable // CORES_OF_ONE_WORKER), MAX_QUEUES)


def open_tun(name: str = DEVICE_NAME, queues: int = 1, vnet_header: bool = False) -> list[int]:
    """Make the device, down and without an address; one non-blocking descriptor a queue, which the caller closes.

    `vnet_header` puts a virtio-net header in front of each packet, where the kernel can: TUNGETIFF tells.
    PrivilegeError if the TUN driver is missing or not allowed, HostError if an interface of that name exists: it is
    never taken over, whoever made it.
    """
    flags = IFF_TUN | IFF_NO_PI | (IFF_MULTI_QUEUE if queues > 1 else 0)
    opened: list[int] = []
    try:
        for number in range(queues):
            fd = _open_device()
            opened.append(fd)
            if number == 0 and vnet_header and _features(fd) & IFF_VNET_HDR:
                flags |= IFF_VNET_HDR
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


def _features(fd: int) -> int:
    """The flags that this kernel knows; none where it is too old to say."""
    try:
        answer: int = struct.unpack("=I", fcntl.ioctl(fd, TUNGETFEATURES, bytes(4)))[0]
    except OSError:
        return 0
    return answer


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
