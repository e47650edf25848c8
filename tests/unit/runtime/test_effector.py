from __future__ import annotations

import errno
from ipaddress import ip_address

import pytest

from lispfast.control.effects import Commit, Effect, Persist, Send
from lispfast.model.addresses import Endpoint
from lispfast.model.errors import HostError
from lispfast.model.forwarding import Transaction
from lispfast.packed import pack
from lispfast.runtime.effector import Effector

SEND = Send(b"x", Endpoint(ip_address("192.0.2.1"), 4342))


class World:
    """Records what is carried out, in order; what is named in `broken` fails."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.committed: list[bytes] = []
        self.warnings: list[tuple[str, dict[str, str | int]]] = []
        self.error: OSError | None = None
        self.now = 0.0
        self.effector = Effector(self, self, self, self.warn, lambda: self.now)  # type: ignore[arg-type]

    def send(self, send: Send) -> None:
        if self.error:
            raise self.error
        self.done.append("send")

    def put(self, key: str, value: int) -> None:
        if self.error:
            raise HostError("the disk is full", "free space")
        self.done.append(f"persist {key}={value}")

    def commit_packed(self, buffer: bytes) -> None:
        self.done.append("commit")
        self.committed.append(buffer)

    def warn(self, event: str, fields: dict[str, str | int]) -> None:
        self.warnings.append((event, fields))


def test_in_order() -> None:
    world = World()
    effects: list[Effect] = [Commit(Transaction(local=())), Persist("n", 1), SEND, Commit(Transaction())]
    world.effector.carry_out(effects)
    assert world.done == ["commit", "persist n=1", "send", "commit"]
    assert world.committed == [pack(Transaction(local=())), pack(Transaction())]


def test_failures_are_told_but_nobody_can_fill_the_log_with_them() -> None:
    world = World()
    world.error = OSError(errno.ENETUNREACH, "Network is unreachable")
    strangers = [Send(b"x", Endpoint(ip_address(f"192.0.2.{n}"), 4342)) for n in range(100)]
    world.effector.carry_out([*strangers, Persist("n", 1)])
    assert [event for event, _ in world.warnings] == ["send-failed"] * 5 + ["state-not-saved"]
    assert world.warnings[0][1] == {"subject": "192.0.2.0", "error": "Network is unreachable"}
    world.now += 10
    world.effector.carry_out(list(strangers))
    assert [event for event, _ in world.warnings[6:]] == ["send-failed"]


def test_a_role_without_a_data_plane_must_not_commit() -> None:
    world = World()
    with pytest.raises(TypeError):
        Effector(world, world, None, world.warn).carry_out([Commit(Transaction())])
