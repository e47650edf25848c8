"""Answers in parts: a step at a time, in step with whoever reads them, while others have their turn."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lispfast.lab import until
from lispfast.manage.client import ControlError, ask, ask_in_parts
from lispfast.manage.protocol import RefusedError, encode_request
from lispfast.manage.server import MAX_WALKS, ControlServer, Walk

BOUND_S = 10.0
TEXT = "x" * 100_000
ENDLESS = 10_000


class Daemon:
    """Counts the steps of its walks; one of them ends when the `gate` opens."""

    def __init__(self) -> None:
        self.steps = 0
        self.gate = False

    def answer(self, noun: str) -> dict[str, object] | Walk:
        if noun == "refused":
            raise RefusedError("no such thing today")
        return {
            "short": self.count(3),
            "long": self.count(ENDLESS),
            "gated": self.gated(),
            "status": {"steps": self.steps},
        }[noun]

    def count(self, parts: int) -> Walk:
        for number in range(parts):
            self.steps += 1
            yield {"numbers": [number], "text": TEXT}
        return {"parts": parts}

    def gated(self) -> Walk:
        while not self.gate:
            yield {"numbers": []}
        return {}


def served(path: Path, client: Callable[[str, Daemon], object]) -> object:
    """What the client gives while a server answers on the path."""

    async def scene() -> object:
        daemon = Daemon()
        server = ControlServer(str(path), "mobile node", daemon.answer)
        await server.start()
        try:
            return await asyncio.to_thread(client, str(path), daemon)
        finally:
            await server.stop()

    return asyncio.run(scene())


def test_the_parts_come_in_order_and_what_ends_them_last(tmp_path: Path) -> None:
    parts = served(tmp_path / "s", lambda path, daemon: list(ask_in_parts(path, "short")))
    assert parts == [*({"numbers": [number], "text": TEXT} for number in range(3)), {"parts": 3}]


def test_an_answer_without_parts_is_one(tmp_path: Path) -> None:
    assert served(tmp_path / "s", lambda path, daemon: list(ask_in_parts(path, "status"))) == [{"steps": 0}]


def test_a_refusal_is_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no such thing today"):
        served(tmp_path / "s", lambda path, daemon: list(ask_in_parts(path, "refused")))


def test_a_walk_is_no_further_than_its_reader_and_others_are_answered(tmp_path: Path) -> None:
    def steps(path: str) -> int:
        return int(str(ask(path, "status")["steps"]))

    def client(path: str, daemon: Daemon) -> tuple[int, int]:
        parts = ask_in_parts(path, "long")
        for _ in range(5):
            next(parts)
        # Each answer takes the server's loop some turns, in each of which the walk goes on if it may.
        until(lambda: steps(path) == steps(path), BOUND_S, "the walk waits for its reader")
        before = steps(path)
        for _ in range(50):
            next(parts)
        return before, steps(path)

    before, after = served(tmp_path / "s", client)  # type: ignore[misc]
    assert 5 <= before <= 50, "what fits into the buffers of a socket"
    assert 55 <= after <= 105


def test_a_reader_that_goes_away_ends_the_walk(tmp_path: Path) -> None:
    def client(path: str, daemon: Daemon) -> int:
        def begin_and_leave() -> bool:
            walk = ask_in_parts(path, "gated")
            try:
                next(walk)
            except ControlError:
                return False  # the end of those before was not noticed yet
            walk.close()
            return True

        for _ in range(3 * MAX_WALKS):
            until(begin_and_leave, BOUND_S, "room for a walk")
        return len(until(lambda: attempt(path), BOUND_S, "room for a walk") or [])

    def attempt(path: str) -> list[dict[str, object]] | None:
        try:
            return list(ask_in_parts(path, "short"))
        except ControlError:
            return None

    assert served(tmp_path / "s", client) == 4


def test_one_walk_too_many_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    def client(path: str, daemon: Daemon) -> str:
        walks = [ask_in_parts(path, "gated") for _ in range(MAX_WALKS)]
        for walk in walks:
            next(walk)
        with pytest.raises(ControlError) as refusal:
            list(ask_in_parts(path, "short"))
        assert ask(path, "status") == {"steps": 0}
        daemon.gate = True
        for walk in walks:
            *_, end = walk
            assert end == {}
        assert len(list(ask_in_parts(path, "short"))) == 4
        return str(refusal.value)

    assert served(tmp_path / "s", client) == f"{MAX_WALKS} others are being shown the table: try again"


def test_an_answer_that_the_daemons_end_cuts_short_is_a_sentence(tmp_path: Path) -> None:
    async def scene() -> None:
        daemon = Daemon()
        server = ControlServer(str(tmp_path / "s"), "mobile node", daemon.answer)
        await server.start()
        parts = ask_in_parts(str(tmp_path / "s"), "gated")
        await asyncio.to_thread(next, parts)
        await server.stop()
        with pytest.raises(ControlError, match="cut short"):
            await asyncio.wait_for(asyncio.to_thread(list, parts), BOUND_S)

    asyncio.run(scene())


def test_the_words_on_the_socket(tmp_path: Path) -> None:
    def client(path: str, daemon: Daemon) -> list[dict[str, object]]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(BOUND_S)
            sock.connect(path)
            sock.sendall(encode_request("short"))
            with sock.makefile("rb") as lines:
                return [json.loads(line) for line in lines]

    lines = served(tmp_path / "s", client)
    assert [sorted(line) for line in lines] == [["ok", "part"]] * 3 + [["data", "ok"]]  # type: ignore[attr-defined]
