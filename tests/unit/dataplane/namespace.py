"""A body of a test in a network namespace of its own, where only its thread and the threads that it starts are."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable

import pytest

CLONE_NEWNET = 0x40000000


def apart(body: Callable[[], None], *commands: str) -> None:
    """Run `body` where `commands` were run before. The namespace goes with its last thread and socket."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    raised: list[BaseException] = []

    def run() -> None:
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "unshare")
            for command in commands:
                subprocess.run(command.split(), check=True)
            body()
        except BaseException as error:  # the test's, for its own thread to raise
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
