"""The answering end of the control socket: reading for all, nothing in an answer is a secret."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from lispfast.manage.protocol import MAX_REQUEST, decode_request, encode_answer, encode_error
from lispfast.model.errors import HostError

REQUEST_TIMEOUT_S = 5.0
"""How long a client may take to say what it wants; a connection costs a file descriptor."""

MAX_CLIENTS = 32
"""Connections at once; one more is closed unanswered."""


class ControlServer:
    """Serves `answer(noun)` on a unix socket; KeyError from it is a noun that this daemon, a `kind`, does not have."""

    def __init__(self, path: str, kind: str, answer: Callable[[str], dict[str, object]]) -> None:
        self._path = path
        self._kind = kind
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._clients = 0

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
                writer.write(await self._reply(reader))
                await asyncio.wait_for(writer.drain(), REQUEST_TIMEOUT_S)
        except (OSError, TimeoutError):
            pass  # the client went away or never spoke: nobody is left to tell
        finally:
            self._clients -= 1
            writer.close()

    async def _reply(self, reader: asyncio.StreamReader) -> bytes:
        try:
            line = await asyncio.wait_for(reader.readline(), REQUEST_TIMEOUT_S)
            noun = decode_request(line)
        except ValueError as error:  # LimitOverrunError arrives as ValueError from readline()
            return encode_error(str(error))
        try:
            return encode_answer(self._answer(noun))
        except KeyError:
            return encode_error(f"this daemon is a {self._kind}, which has no {noun!r} to show")
