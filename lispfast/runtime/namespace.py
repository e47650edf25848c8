"""One daemon a network namespace, held by an abstract unix socket: its names are the namespace's own, and the kernel
lets go of it with the process, however that ends."""

from __future__ import annotations

import errno
import socket
import struct

from lispfast.model.errors import AlreadyRunningError

LOCK_NAME = "\0lispfast"


def hold_namespace() -> socket.socket:
    """Take this network namespace; it is held until the socket is closed.

    AlreadyRunningError, with the holder's process where it can be known, if another daemon has it.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(LOCK_NAME)
        sock.listen(8)  # nobody is ever accepted: a listening socket tells who connects its owner's process
    except OSError as error:
        sock.close()
        if error.errno != errno.EADDRINUSE:
            raise
        holder = namespace_holder()
        who = f"process {holder}" if holder else "another process"
        raise AlreadyRunningError(
            f"lispd-fast already runs in this network namespace as {who}", "stop it first"
        ) from None
    return sock


def namespace_holder() -> int | None:
    """The process that holds this network namespace; None if nobody does or it cannot be seen from here."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)  # a full backlog must not hang us
        try:
            sock.connect(LOCK_NAME)
            credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except OSError:
            return None
    pid: int = struct.unpack("=iII", credentials)[0]
    return pid or None
