"""The TUN device and the lock of the namespace."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lispfast.lab.namespace import Namespace
from lispfast.model.errors import AlreadyRunningError, HostError
from lispfast.runtime.namespace import hold_namespace, namespace_holder
from lispfast.runtime.tun import open_tun

from .hostworld import (
    host_namespace,  # noqa: F401  (a fixture)
    ip,
)

pytestmark = pytest.mark.netns


@pytest.mark.parametrize("queues", [1, 3])
def test_a_device_lives_as_long_as_its_descriptors(host_ns: Namespace, queues: int) -> None:
    def story() -> None:
        fds = open_tun(queues=queues)
        assert len(fds) == queues
        assert "POINTOPOINT" in ip("link show lmn0")
        with pytest.raises(BlockingIOError):
            os.read(fds[0], 100)
        for fd in fds:
            os.close(fd)
        assert "lmn0" not in ip("link")

    host_ns.call(story)


def _take(how: str) -> list[int]:
    if how == "tun":
        ip("tuntap add dev lmn0 mode tun")
    elif how == "other":
        ip("link add lmn0 type veth peer name peer0")
    else:
        return open_tun()
    return []


@pytest.mark.parametrize("how", ["tun", "other", "ours"])
def test_an_interface_of_that_name_is_not_taken_over(host_ns: Namespace, how: str) -> None:
    def story() -> None:
        fds = _take(how)
        before = ip("link show lmn0")
        with pytest.raises(HostError, match="lmn0 already exists and is not ours: remove it"):
            open_tun()
        assert ip("link show lmn0") == before
        for fd in fds:
            os.close(fd)

    host_ns.call(story)


def test_one_daemon_a_namespace(host_ns: Namespace) -> None:
    def story() -> None:
        with hold_namespace():
            assert namespace_holder() == os.getpid()
            with pytest.raises(AlreadyRunningError, match=f"as process {os.getpid()}: stop it first"):
                hold_namespace()
        assert namespace_holder() is None
        hold_namespace().close()

    host_ns.call(story)


def test_the_holder_may_be_another_process(host_ns: Namespace) -> None:
    program = (
        "from lispfast.runtime.namespace import hold_namespace\n"
        "lock = hold_namespace()\n"
        "print('held', flush=True)\n"
        "input()"
    )

    def story() -> None:
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            assert namespace_holder() == process.pid
            process.kill()
            process.wait(10)
        assert namespace_holder() is None

    host_ns.call(story)
