from __future__ import annotations

import hashlib
import os
import socket
import threading

import pytest

from lispfast.lab.fileserver import CHUNK, REQUEST_LIMIT, answer, random_file


@pytest.mark.parametrize("length", [0, 1, CHUNK, 2 * CHUNK + 7])
def test_the_file_has_its_length_and_its_hash(length: int) -> None:
    descriptor, digest = random_file(length)
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        content = file.read()
    assert len(content) == length
    assert hashlib.sha256(content).hexdigest() == digest


def test_two_files_differ() -> None:
    files = [random_file(64) for _ in range(2)]
    for descriptor, _digest in files:
        os.close(descriptor)
    assert files[0][1] != files[1][1]


def exchange(request: bytes, descriptor: int, length: int) -> bytes:
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    server = threading.Thread(target=answer, args=(theirs, descriptor, length))
    server.start()
    with ours:
        ours.sendall(request)
        ours.shutdown(socket.SHUT_WR)
        content = b"".join(iter(lambda: ours.recv(1 << 16), b""))
    server.join(10)
    return content


def test_a_get_is_answered_with_the_whole_file() -> None:
    descriptor, digest = random_file(3_000_000)
    head, _, body = exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", descriptor, 3_000_000).partition(b"\r\n\r\n")
    os.close(descriptor)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Content-Length: 3000000" in head
    assert hashlib.sha256(body).hexdigest() == digest


def test_anything_else_is_refused() -> None:
    assert exchange(b"POST / HTTP/1.1\r\n\r\n", -1, 0).startswith(b"HTTP/1.1 405 ")
    assert exchange(b"GET / HT", -1, 0) == b""


def test_a_request_without_end_is_cut_off() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    server = threading.Thread(target=answer, args=(theirs, -1, 0))
    server.start()
    with ours:
        ours.sendall(b"x" * (REQUEST_LIMIT + 4096))
        server.join(10)
        assert not server.is_alive()
