"""The asking end of the control socket. Imports nothing of the runtime, so that `lispctl` starts at once."""

from __future__ import annotations

import socket

from lispfast.manage.protocol import decode_answer, encode_request
from lispfast.model.errors import LispfastError

TIMEOUT_S = 5.0
"""A daemon that does not answer in this time hangs; a healthy one needs under a millisecond."""


class ControlError(LispfastError):
    """The daemon cannot be asked, or refuses: the text is a sentence for the user."""


def ask(path: str, noun: str) -> dict[str, object]:
    """Ask the daemon behind the socket at `path` for the state under a noun; ControlError if that fails."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(TIMEOUT_S)
            sock.connect(path)
            sock.sendall(encode_request(noun))
            return decode_answer(_read_line(sock))
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


def _read_line(sock: socket.socket) -> bytes:
    chunks: list[bytes] = []
    while chunk := sock.recv(65536):
        chunks.append(chunk)
        if chunk.endswith(b"\n"):
            break
    return b"".join(chunks)
