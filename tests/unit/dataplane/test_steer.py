"""The class of a flow: alike in C, in its twin, and in the kernel's two kinds of BPF."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import random
import select
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lispfast.lab.namespace import Namespace

from .native import CPacket
from .twin_steer import CLASSES, steer_class

# linux/if_tun.h, linux/if.h
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI_MULTI_QUEUE = 0x0001 | 0x1000 | 0x0100
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

PROTOCOLS = (0, 1, 6, 17, 43, 44, 58, 132, 255)
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def packet4(
    source: bytes, destination: bytes, protocol: int, payload: bytes, options: bytes = b"", fragment: int = 0
) -> bytes:
    header = 20 + len(options)
    fixed = struct.pack("!BBHHHBBH", 0x40 | header // 4, 0, header + len(payload), 9, fragment, 64, protocol, 0)
    return fixed + source + destination + options + payload


def packet6(source: bytes, destination: bytes, protocol: int, payload: bytes) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + source + destination + payload


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    protocol, payload = draw(st.sampled_from(PROTOCOLS)), draw(st.binary(max_size=12))
    beyond = draw(st.binary(max_size=6))  # in the buffer, not of the packet
    if draw(st.booleans()):
        size = st.binary(min_size=16, max_size=16)
        return packet6(draw(size), draw(size), protocol, payload) + beyond
    size = st.binary(min_size=4, max_size=4)
    options = bytes(4 * draw(st.integers(0, 10)))
    fragment = draw(st.sampled_from((0, 0x4000, 0x8000, 0x2000, 0x2001, 1, 0x1FFF)))
    return packet4(draw(size), draw(size), protocol, payload, options, fragment) + beyond


def some_packets(count: int, seed: int) -> list[bytes]:
    """Of every kind, some cut anywhere, some of noise."""
    chance, made = random.Random(seed), []
    for _ in range(count):
        protocol, payload = chance.choice(PROTOCOLS), chance.randbytes(chance.randrange(13))
        if chance.randrange(2):
            data = packet6(chance.randbytes(16), chance.randbytes(16), protocol, payload)
        else:
            options = bytes(4 * chance.choice((0, 0, 1, 10)))
            fragment = chance.choice((0, 0x4000, 0x2000, 0x2005, 7))
            data = packet4(chance.randbytes(4), chance.randbytes(4), protocol, payload, options, fragment)
        kind = chance.randrange(10)
        if kind == 0:
            data = data[: chance.randrange(1, len(data))]
        elif kind == 1:
            data = data[:1] + chance.randbytes(len(data) - 1)
        elif kind == 2:
            data = chance.randbytes(chance.randrange(1, 60))
        made.append(data)
    return made


@pytest.fixture(scope="module")
def class_of(native: ctypes.CDLL) -> Callable[[bytes], int | None]:
    native.lf_steer_class.argtypes = [ctypes.POINTER(CPacket)]
    native.lf_steer_class.restype = ctypes.c_uint

    def of(data: bytes) -> int | None:
        """None for what is no packet."""
        parsed = CPacket()
        if native.lf_packet_parse(parsed, data, len(data)) != 0:
            return None
        return int(native.lf_steer_class(parsed))

    return of


@SHARED
@given(packets())
def test_c_says_what_the_twin_says(class_of: Callable[[bytes], int | None], data: bytes) -> None:
    assert class_of(data) == steer_class(data)


def test_c_says_what_the_twin_says_of_wild_packets(class_of: Callable[[bytes], int | None]) -> None:
    classes = [(class_of(data), steer_class(data)) for data in some_packets(2000, 1)]
    known = [(ours, twin) for ours, twin in classes if ours is not None]
    assert 1000 < len(known) < 2000
    assert all(ours == twin for ours, twin in known)


@SHARED
@given(packets())
def test_both_directions_are_of_one_class(class_of: Callable[[bytes], int | None], data: bytes) -> None:
    size, at = (4, 12) if data[0] >> 4 == 4 else (16, 8)
    header = (data[0] & 15) * 4 if size == 4 else 40
    total = int.from_bytes(data[2:4], "big") if size == 4 else 40 + int.from_bytes(data[4:6], "big")
    back = bytearray(data)
    back[at : at + 2 * size] = data[at + size : at + 2 * size] + data[at : at + size]
    if total - header >= 4:
        back[header : header + 4] = data[header + 2 : header + 4] + data[header : header + 2]
    assert class_of(bytes(back)) == class_of(data)


def udp4(source: int, destination: int, sport: int, dport: int) -> bytes:
    ports = struct.pack("!HHHH", sport, dport, 8, 0)
    return packet4(source.to_bytes(4, "big"), destination.to_bytes(4, "big"), 17, ports)


def udp6(source: int, destination: int, sport: int, dport: int) -> bytes:
    ports = struct.pack("!HHHH", sport, dport, 8, 0)
    return packet6(source.to_bytes(16, "big"), destination.to_bytes(16, "big"), 17, ports)


@pytest.mark.parametrize(
    "flow",
    [
        pytest.param(lambda n: udp4(n * 2654435761 % 2**32, 0x0A000002, n * 7 % 65536, 443), id="strangers"),
        pytest.param(lambda n: udp4(0x0A000001, 0x0A000002, 32768 + 2 * n, 443), id="ports of one client"),
        pytest.param(lambda n: udp4(0x0A000001 + n, 0x08080808, 500, 500), id="clients with one port"),
        pytest.param(lambda n: udp6((0xFD << 120) + n, (0xFD << 120) + (1 << 64), 1, 1), id="interfaces of a subnet"),
        pytest.param(lambda n: udp6((0xFD << 120) + (n << 64), 1, 1, 1), id="subnets"),
        pytest.param(lambda n: udp4((10 << 24) + (n << 8), 0x0A000002, 5060, 5060), id="a client a subnet"),
    ],
)
def test_each_class_gets_its_fair_share(class_of: Callable[[bytes], int | None], flow: Callable[[int], bytes]) -> None:
    flows = 8000
    taken = Counter(class_of(flow(n)) for n in range(flows))
    share = flows / CLASSES
    assert set(taken) == set(range(CLASSES))
    assert max(abs(count - share) for count in taken.values()) < 5 * share**0.5


def test_the_ports_of_a_fragment_do_not_count(class_of: Callable[[bytes], int | None]) -> None:
    def classes(fragment: int) -> set[int | None]:
        return {
            class_of(packet4(b"\x0a\0\0\1", b"\x0a\0\0\2", 17, struct.pack("!HHI", port, 9, 0), fragment=fragment))
            for port in range(600)
        }

    assert len(classes(0)) == CLASSES
    assert len(classes(0x4000)) == CLASSES  # do not fragment
    assert classes(0x2000) == classes(0x2001) == classes(3)
    assert len(classes(3)) == 1


@contextmanager
def reuseport_group(native: ctypes.CDLL, size: int, family: socket.AddressFamily) -> Iterator[list[socket.socket]]:
    address, port = "127.0.0.1" if family == socket.AF_INET else "::1", 0
    with ExitStack() as stack:
        group = []
        for _ in range(size):
            member = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            member.bind((address, port))
            port = member.getsockname()[1]
            group.append(member)
        assert native.lf_steer_udp(group[0].fileno(), size) == 0
        yield group


def arrived(descriptors: list[int], data: bytes) -> int:
    """Which one has the data; what else comes is of the kernel's own."""
    while True:
        ready, _, _ = select.select(descriptors, [], [], 10)
        assert ready, "it never came"
        for descriptor in ready:
            if os.read(descriptor, 2000) == data:
                return descriptors.index(descriptor)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("size", [3, CLASSES])
def test_the_kernel_picks_the_socket_of_the_class(native: ctypes.CDLL, size: int, family: socket.AddressFamily) -> None:
    with reuseport_group(native, size, family) as group, socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.connect(group[0].getsockname())
        descriptors = [member.fileno() for member in group]
        for number, inner in enumerate(some_packets(400, 2)):
            datagram = struct.pack("!II", number, 0) + inner
            sender.send(datagram)
            assert arrived(descriptors, datagram) == steer_class(inner) % size, inner.hex()
        sender.send(b"short")
        assert arrived(descriptors, b"short") == 0


def open_queues(count: int) -> list[int]:
    """A TUN device that is up."""
    request = struct.pack("16sH22x", b"steer0", IFF_TUN_NO_PI_MULTI_QUEUE)
    queues = []
    for _ in range(count):
        queues.append(os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK))
        fcntl.ioctl(queues[-1], TUNSETIFF, request)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"steer0", IFF_UP))
    return queues


def steer(native: ctypes.CDLL, queues: list[int]) -> None:
    error = native.lf_steer_tun(queues[0], len(queues))
    if error in (errno.EPERM, errno.ENOSYS):
        pytest.skip(f"no steering program here: {os.strerror(error)}")
    assert error == 0, os.strerror(error)


@pytest.mark.netns
@pytest.mark.parametrize("size", [3, CLASSES])
def test_the_kernel_picks_the_queue_of_the_class(native: ctypes.CDLL, size: int) -> None:
    def story() -> None:
        queues = open_queues(size)
        try:
            steer(native, queues)
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
                for data in some_packets(400, 3):
                    sender.sendto(data, ("steer0", 0x0800 if data[0] >> 4 == 4 else 0x86DD))
                    assert arrived(queues, data) == steer_class(data) % size, data.hex()
        finally:
            for queue in queues:
                os.close(queue)

    namespace = Namespace(f"steer-{os.getpid()}")
    try:
        namespace.call(story)
    finally:
        namespace.close()


@pytest.mark.parametrize("attach", ["lf_steer_udp", "lf_steer_tun"])
def test_what_cannot_be_steered_says_why(native: ctypes.CDLL, attach: str) -> None:
    reading, writing = os.pipe()
    try:
        expected = {"lf_steer_udp": {errno.ENOTSOCK}, "lf_steer_tun": {errno.ENOTTY, errno.EPERM, errno.ENOSYS}}
        assert getattr(native, attach)(reading, 2) in expected[attach]
    finally:
        os.close(reading)
        os.close(writing)


def test_no_workers_is_an_error(native: ctypes.CDLL) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        assert native.lf_steer_udp(one.fileno(), 0) == errno.EINVAL
