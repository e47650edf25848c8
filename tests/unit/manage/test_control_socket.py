from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from lispfast.manage.client import ControlError, ask
from lispfast.manage.protocol import MAX_REQUEST
from lispfast.manage.server import MAX_CLIENTS, ControlServer
from lispfast.model.errors import HostError


def answer(noun: str) -> dict[str, object]:
    return {"status": {"noun": noun, "text": "ä" * 100_000}}[noun]


def served(path: Path, client: Callable[[str], object]) -> object:
    """What `client(path)` gives while a server answers on the path."""

    async def scene() -> object:
        server = ControlServer(str(path), "mobile node", answer)
        await server.start()
        try:
            return await asyncio.to_thread(client, str(path))
        finally:
            await server.stop()

    return asyncio.run(scene())


def test_an_answer_comes_whole_however_long(tmp_path: Path) -> None:
    assert served(tmp_path / "s", lambda path: ask(path, "status")) == answer("status")


def test_an_unknown_noun_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="is a mobile node, which has no 'nonsense' to show"):
        served(tmp_path / "s", lambda path: ask(path, "nonsense"))


@pytest.mark.parametrize(
    "request_line",
    [b"\n", b"{}\n", b"[1]\n", b"\xff\n", b'{"noun": 3}\n', b"[" * 4000 + b"\n", b"x" * (MAX_REQUEST * 2)],
)
def test_nonsense_gets_an_error_and_the_server_lives(tmp_path: Path, request_line: bytes) -> None:
    def client(path: str) -> tuple[bytes, dict[str, object]]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(path)
            sock.sendall(request_line)
            reply = sock.recv(4096)
        return reply, ask(path, "status")

    reply, after = served(tmp_path / "s", client)  # type: ignore[misc]
    assert b'"ok": false' in reply
    assert after == answer("status")


def test_silent_clients_cannot_shut_others_out_for_ever(tmp_path: Path) -> None:
    def client(path: str) -> bytes:
        silent = [socket.socket(socket.AF_UNIX) for _ in range(MAX_CLIENTS)]
        for sock in silent:
            sock.connect(path)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(path)
            refused = sock.recv(1)
        for sock in silent:
            sock.close()
        return refused

    assert served(tmp_path / "s", client) == b""


def test_everyone_may_read_and_the_file_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "run" / "s"
    assert served(path, lambda p: stat.S_IMODE(os.stat(p).st_mode)) == 0o666
    assert not path.exists()


def test_a_file_that_a_killed_daemon_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
    with pytest.raises(ControlError, match="is gone: start it again"):
        ask(str(tmp_path / "s"), "status")
    assert served(tmp_path / "s", lambda path: ask(path, "status")) == answer("status")


def test_no_daemon_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no lispd-fast runs in this network namespace"):
        ask(str(tmp_path / "nothing"), "status")


def test_a_socket_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="choose another control-socket"):
        served(tmp_path / "file" / "s", lambda path: None)
