"""TCP through the tunnel over a wire that loses one packet in a hundred and changes the order of others."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from lispfast.lab import Lab, Process

from . import badwire
from .tunnelworld import PYTHON, Pair, retransmissions, transfer

SIZE = 24 << 20


@pytest.mark.parametrize("version", [4, 6], ids=["over-v4", "over-v6"])
def test_every_byte_arrives_over_a_wire_that_loses_and_reorders(lab: Lab, version: int) -> None:
    pair = Pair(lab, version)
    wire = spoil(pair, lose=100, hold=50)
    pair.start()
    for family in (4, 6):
        transfer(pair.left, pair.right, family, SIZE)
    wire.signal(signal.SIGTERM)
    passed, lost, held = (int(word.partition("=")[2]) for word in wire.stdout.read().decode().split())
    assert lost > passed // 200, "the wire was bad"
    assert held > passed // 100
    assert retransmissions(pair.left.host) >= lost // 2
    assert pair.left.plane()["drops"] == {}
    assert pair.right.plane()["drops"] == {}


def spoil(pair: Pair, lose: int, hold: int) -> Process:
    """Lead everything between the nodes through a bad wire."""
    router = pair.router
    process = router.spawn(PYTHON, str(Path(badwire.__file__)), "wire0", str(lose), str(hold), pipe=True)
    assert process.stdout.readline() == b"ready\n"
    router.run("ip", "link", "set", "wire0", "up", "mtu", "9000", "txqueuelen", "10000")
    version = f"-{pair.version}"
    router.run("ip", version, "route", "add", "default", "dev", "wire0", "table", "7")
    for name in ("left0", "right0"):
        router.run("ip", version, "rule", "add", "iif", name, "table", "7")
    return process
