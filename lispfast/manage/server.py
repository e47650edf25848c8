"""The answering end of the control socket: reading for all, nothing in an answer is a secret."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Generator
from pathlib import Path

from lispfast.manage.protocol import MAX_REQUEST, RefusedError, decode_request, encode_answer, encode_error, encode_part
from lispfast.model.errors import HostError

REQUEST_TIMEOUT_S = 5.0
"""How long a client may take to say what it wants; a connection costs a file descriptor."""

MAX_CLIENTS = 32
"""Connections at once; one more is closed unanswered."""

MAX_WALKS = 4
"""Answers in parts at once; one more is refused. Each costs a slice of the control thread a turn."""

PAUSE_MAX_S = 600.0
"""How long the reader of an answer in parts may take none of it, as a pager's does whose user reads."""

Data = dict[str, object]
Walk = Generator[Data, None, Data]
"""An answer in parts: each step gives one, and its value ends the answer. Others have their turn between two steps."""


class ControlServer:
    """Serves `answer(noun)` on a unix socket.

    KeyError from it is a noun that this daemon, a `kind`, does not have; RefusedError says why there is no answer.
    """

    def __init__(self, path: str, kind: str, answer: Callable[[str], Data | Walk]) -> None:
        self._path = path
        self._kind = kind
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._clients = 0
        self._walks = 0

    async def start(self) -> None:
        """Bind and listen. A socket file that a killed daemon left is replaced: the namespace lock says it is dead."""
        try:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            Path(self._path).unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=MAX_REQUEST)
            os.chmod(self._path, 0o666)
        except OSError as error:
            raise HostError(
                f"the control socket {self._path} cannot be made ({error.strerror or error})",
                "choose another control-socket in lispd.conf",
            ) from None

    async def stop(self) -> None:
        """Close and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None
            Path(self._path).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients <= MAX_CLIENTS:
                await self._reply(reader, writer)
        except (OSError, TimeoutError):
            pass  # the client went away or never spoke: nobody is left to tell
        finally:
            self._clients -= 1
            writer.close()

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), REQUEST_TIMEOUT_S)
            answer = self._find(decode_request(line))
        except (ValueError, RefusedError) as error:  # LimitOverrunError arrives as ValueError from readline()
            await _send(writer, encode_error(str(error)), REQUEST_TIMEOUT_S)
        else:
            if isinstance(answer, Generator):
                await self._walk(answer, writer)
            else:
                await _send(writer, encode_answer(answer), REQUEST_TIMEOUT_S)

    def _find(self, noun: str) -> Data | Walk:
        try:
            answer = self._answer(noun)
        except KeyError:
            raise RefusedError(f"this daemon is a {self._kind}, which has no {noun!r} to show") from None
        if isinstance(answer, Generator) and self._walks >= MAX_WALKS:
            raise RefusedError(f"{self._walks} others are being shown the table: try again")
        return answer

    async def _walk(self, walk: Walk, writer: asyncio.StreamWriter) -> None:
        self._walks += 1
        try:
            while self._server is not None:  # a daemon that ends has no table to show
                try:
                    line, last = encode_part(next(walk)), False
                except StopIteration as end:
                    line, last = encode_answer(end.value), True
                await _send(writer, line, PAUSE_MAX_S)
                if last:
                    return
                await asyncio.sleep(0)  # drain() returns at once while there is room
        finally:
            self._walks -= 1


async def _send(writer: asyncio.StreamWriter, line: bytes, timeout: float) -> None:
    writer.write(line)
    await asyncio.wait_for(writer.drain(), timeout)
