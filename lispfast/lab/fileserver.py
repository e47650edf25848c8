"""Serves one file of random bytes by HTTP: `python -m lispfast.lab.fileserver --bytes N [--port P]`.

The file lives in memory, so neither a disk's speed nor its space is in the measurement. Once it listens it says one
line on standard output: port, length and SHA-256.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

# Ours.
CHUNK = 8 << 20  # made and hashed at a time
SEND_CHUNK = 1 << 20
REQUEST_LIMIT = 16 << 10  # a request's head; longer is no request of ours
REQUEST_SECONDS = 20.0
BACKLOG = 16


def random_file(length: int) -> tuple[int, str]:
    """Make an unnamed file of `length` random bytes in memory; its descriptor and its SHA-256 in hex."""
    descriptor = os.memfd_create("random-bytes")
    digest = hashlib.sha256()
    sizes = [CHUNK] * (length // CHUNK) + ([length % CHUNK] if length % CHUNK else [])
    with ThreadPoolExecutor(max_workers=2) as makers:  # two at work while this thread hashes
        pending = [makers.submit(os.urandom, size) for size in sizes[:4]]
        for number in range(len(sizes)):
            chunk = pending.pop(0).result()
            if number + 4 < len(sizes):
                pending.append(makers.submit(os.urandom, sizes[number + 4]))
            digest.update(chunk)
            view = memoryview(chunk)
            while view:
                view = view[os.write(descriptor, view) :]
    return descriptor, digest.hexdigest()


def listen(port: int) -> socket.socket:
    """A listening socket on every address of both families."""
    return socket.create_server(("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)


def answer(connection: socket.socket, descriptor: int, length: int) -> None:
    """Read one request and send the file with sendfile, then close."""
    with connection:
        connection.settimeout(REQUEST_SECONDS)
        head = b""
        while b"\r\n\r\n" not in head:
            received = connection.recv(4096)
            head += received
            if not received or len(head) > REQUEST_LIMIT:
                return
        connection.settimeout(None)
        if not head.startswith(b"GET "):
            connection.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n" % length
        )
        offset = 0
        while offset < length:
            sent = os.sendfile(connection.fileno(), descriptor, offset, min(SEND_CHUNK, length - offset))
            if sent == 0:
                return
            offset += sent


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description="serve a file of random bytes by HTTP")
    parser.add_argument("--bytes", type=int, default=512 << 20)
    parser.add_argument("--port", type=int, default=0, help="0 lets the kernel choose")
    options = parser.parse_args()
    descriptor, digest = random_file(options.bytes)
    with listen(options.port) as server:
        print(f"port={server.getsockname()[1]} bytes={options.bytes} sha256={digest}", flush=True)
        while True:
            connection, _peer = server.accept()
            threading.Thread(target=_answer_quietly, args=(connection, descriptor, options.bytes), daemon=True).start()


def _answer_quietly(connection: socket.socket, descriptor: int, length: int) -> None:
    try:
        answer(connection, descriptor, length)
    except OSError as error:  # the client left
        print(f"a connection ended early: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
