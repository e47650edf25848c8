"""What the TUN driver is asked for, by kernels new and old; tests/netns has the real one."""

from __future__ import annotations

import errno
import fcntl
import os
import struct

import pytest

from lispfast.model.errors import HostError
from lispfast.runtime.tun import (
    IFF_MULTI_QUEUE,
    IFF_NO_PI,
    IFF_TUN,
    IFF_TUN_EXCL,
    IFF_VNET_HDR,
    TUNGETFEATURES,
    TUNSETIFF,
    choose_workers,
    open_tun,
)

PLAIN = IFF_TUN | IFF_NO_PI


class Driver:
    """A TUN driver that notes the flags of each queue; `features` None is one that cannot say what it knows."""

    def __init__(self, features: int | None, refuses: int = 0) -> None:
        self.features = features
        self.refuses = refuses  # an errno
        self.asked: list[int] = []
        self.open: set[int] = set()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "open", self._open)
        monkeypatch.setattr(os, "close", self.open.remove)
        monkeypatch.setattr(fcntl, "ioctl", self._ioctl)

    def _open(self, path: str, flags: int) -> int:
        assert (path, flags & os.O_NONBLOCK) == ("/dev/net/tun", os.O_NONBLOCK)
        fd = 1000 + len(self.open)
        self.open.add(fd)
        return fd

    def _ioctl(self, fd: int, request: int, argument: bytes) -> bytes:
        assert fd in self.open
        if request == TUNGETFEATURES:
            if self.features is None:
                raise OSError(errno.EINVAL, "what?")
            return struct.pack("=I", self.features)
        assert request == TUNSETIFF
        if self.refuses:
            raise OSError(self.refuses, "no")
        name, flags = struct.unpack("=16sH22x", argument)
        assert name.rstrip(b"\0") == b"lmn0"
        self.asked.append(flags)
        return argument


@pytest.mark.parametrize(
    ("features", "wanted", "expected"),
    [
        (PLAIN | IFF_VNET_HDR, True, IFF_VNET_HDR),
        (PLAIN | IFF_VNET_HDR, False, 0),
        (PLAIN, True, 0),
        (None, True, 0),
    ],
)
def test_the_header_is_asked_for_where_it_is_wanted_and_known(
    monkeypatch: pytest.MonkeyPatch, features: int | None, wanted: bool, expected: int
) -> None:
    driver = Driver(features)
    driver.install(monkeypatch)
    assert open_tun(vnet_header=wanted) == [1000]
    assert driver.asked == [PLAIN | IFF_TUN_EXCL | expected]


def test_every_queue_is_made_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(PLAIN | IFF_VNET_HDR)
    driver.install(monkeypatch)
    assert len(open_tun(queues=3, vnet_header=True)) == 3
    alike = PLAIN | IFF_VNET_HDR | IFF_MULTI_QUEUE
    assert driver.asked == [alike | IFF_TUN_EXCL, alike, alike]


def test_a_refusal_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(PLAIN | IFF_VNET_HDR, refuses=errno.EBUSY)
    driver.install(monkeypatch)
    with pytest.raises(HostError, match="already exists and is not ours"):
        open_tun(queues=2, vnet_header=True)
    assert driver.open == set()


@pytest.mark.parametrize(
    ("cores", "expected"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (8, 4), (64, 32), (128, 64), (512, 64)]
)
def test_auto_leaves_half_of_the_cores_to_the_applications(cores: int, expected: int) -> None:
    assert choose_workers(0, cores) == expected


def test_a_number_is_a_number_whatever_the_cores() -> None:
    assert choose_workers(3, 1) == 3
    assert choose_workers(1, 64) == 1


def test_the_cores_are_those_that_we_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {pid, 1, 2, 3, 4, 5})
    assert choose_workers(0) == 3
