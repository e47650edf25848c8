"""The asking end of the control socket. Imports nothing of the runtime, so that `lispctl` starts at once."""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator
from typing import BinaryIO

from lispfast.manage.protocol import decode_answer, encode_request
from lispfast.model.errors import LispfastError

TIMEOUT_S = 5.0
"""A daemon that says nothing for this time hangs; a healthy one needs milliseconds for an answer, or a part of one."""


class ControlError(LispfastError):
    """The daemon cannot be asked, or refuses: the text is a sentence for the user."""


def ask(path: str, noun: str) -> dict[str, object]:
    """Ask the daemon behind the socket at `path` for the state under a noun; ControlError if that fails."""
    *_, last = ask_in_parts(path, noun)
    return last


def ask_in_parts(path: str, noun: str) -> Generator[dict[str, object], None, None]:
    """The same for a noun whose answer comes in parts: each of them, and last what ends the answer.

    Closing the generator ends the conversation.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(TIMEOUT_S)
            sock.connect(path)
            sock.sendall(encode_request(noun))
            with sock.makefile("rb") as lines:
                yield from _answer(lines)
    except FileNotFoundError:
        raise ControlError(f"no lispd-fast runs in this network namespace (there is no {path})") from None
    except ConnectionRefusedError:
        raise ControlError(f"lispd-fast left {path} behind and is gone: start it again") from None
    except PermissionError:
        raise ControlError(f"{path} may not be opened by this user: try as root") from None
    except TimeoutError:
        raise ControlError(f"lispd-fast did not answer within {TIMEOUT_S:.0f} s") from None
    except (OSError, ValueError) as error:
        raise ControlError(str(error)) from None


def _answer(lines: BinaryIO) -> Iterator[dict[str, object]]:
    last = False
    while not last:
        data, last = decode_answer(lines.readline())
        yield data
