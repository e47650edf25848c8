"""Two nodes that know each other by static mappings, a router in the middle: what the data plane's stories stand on.

left eth0 --- left0 [router] right0 --- eth0 right

No Map-Server: nothing waits for a registration, and nothing but the data plane is asked. Traffic is made here, in the
test's process, over sockets that live in the nodes' namespaces.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any

from lispfast.lab import Host, Lab, Node, lispconf, until
from lispfast.lab.host import Interface
from lispfast.lab.node import DAEMON
from lispfast.manage.client import ask

BOUND_S = 10.0
LEFT_EIDS = {4: "172.16.1.1", 6: "fd10::1:1"}
RIGHT_EIDS = {4: "172.16.2.1", 6: "fd10::2:1"}
KEY = "never used"
PYTHON = sys.executable
CHUNK = 1 << 20
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

# linux/ethtool.h and linux/sockios.h
SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO = 0x17, 0x1F, 0x24, 0x2C

# How a library begins that stands in front of libc's calls.
IN_FRONT = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
"""


class Side:
    """A node, its host, its EIDs and its RLOC."""

    def __init__(self, host: Host, eth0: Interface, eids: Mapping[int, str], rloc: str) -> None:
        self.host, self.eth0, self.eids, self.rloc = host, eth0, eids, rloc
        self.node: Node | None = None

    def start(self, peer: Side | None, extra: str = "", form: str = "", env: Mapping[str, str] | None = None) -> None:
        """Start the daemon; it is not ready yet when this returns. `form` is that of the peer's locator.

        Without a `peer` it asks its router, where no Map-Resolver is but the test's own.
        """
        version = 6 if ":" in self.rloc else 4
        lengths = {4: 32, 6: 128}
        form = f" encapsulation = {form}\n" if form else ""
        for family, eid in peer.eids.items() if peer else ():
            locator = f" eid-prefix = {eid}/{lengths[family]}\n rloc = {peer.rloc if peer else ''}\n{form}"
            extra += f"static-map-cache {{\n{locator}}}\n"
        eids = [f"{eid}/{lengths[family]}" for family, eid in self.eids.items()]
        nowhere = f"{self.rloc.rpartition('.' if version == 4 else ':')[0]}{'.' if version == 4 else ':'}1"
        conf = lispconf.MobileNode(eids, ("eth0",), nowhere, KEY, rloc_versions=(version,), extra=extra)
        words = [f"{name}={value}" for name, value in (env or {}).items()]
        self.node = Node(self.host, conf.render(), ("env", *words, *DAEMON))
        self.node.start()

    @property
    def daemon(self) -> Node:
        """The node, which was started."""
        assert self.node is not None
        return self.node

    def plane(self) -> dict[str, Any]:
        """What lispctl status says of the data plane: `features`, `drops`, totals."""
        return dict(self.ask("status")["data_plane"])

    def ask(self, noun: str) -> dict[str, Any]:
        """What lispctl NOUN --json prints, without the time that a program takes to start."""
        return dict(ask(str(self.daemon.control_socket), noun))

    def events(self, name: str) -> list[dict[str, str]]:
        """The fields of each event of that name in the log."""
        return [event.fields for event in self.daemon.log.read() if event.name == name]

    def listen(self, family: int) -> socket.socket:
        """A listening TCP socket at the EID."""
        return self.host.call(lambda: socket.create_server((self.eids[family], 0), family=FAMILIES[family]))

    def udp(self, family: int, port: int = 0) -> socket.socket:
        """A UDP socket at the EID, with room for a burst."""
        sock = self.host.call(lambda: socket.socket(FAMILIES[family], socket.SOCK_DGRAM))
        sock.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        sock.bind((self.eids[family], port))
        sock.settimeout(BOUND_S)
        return sock


class Pair:
    """Both nodes, not started; `version` is the family of the underlay.

    `middle` puts a second router in front of the right node, and the link between the two routers has that MTU.
    """

    def __init__(self, lab: Lab, version: int = 4, mtu: int = 1500, middle: int | None = None) -> None:
        self.lab, self.version = lab, version
        self.router = self.far_router = lab.host("router", forward=True)
        if middle:
            self.far_router = lab.host("far-router", forward=True)
            self._join_routers(middle)
        self.left = self._side(self.router, "left", 21, mtu, LEFT_EIDS)
        self.right = self._side(self.far_router, "right", 22, mtu, RIGHT_EIDS)

    def _net(self, number: int) -> str:
        return f"192.0.{number}." if self.version == 4 else f"2001:db8:{number}::"

    def _join_routers(self, mtu: int) -> None:
        ends = self.lab.link(self.router, "core0", self.far_router, "core0", mtu)
        net = self._net(23)
        for end, own, other in ((ends[0], 1, 2), (ends[1], 2, 1)):
            end.up()
            end.add_address(f"{net}{own}/{24 if self.version == 4 else 64}")
            end.add_default(f"{net}{other}")
        until(lambda: all(end.running() for end in ends), BOUND_S, "the link of the routers")

    def _side(self, router: Host, name: str, number: int, mtu: int, eids: Mapping[int, str]) -> Side:
        host = self.lab.host(name)
        ours, theirs = self.lab.link(router, f"{name}0", host, "eth0", mtu)
        net = self._net(number)
        for end, last in ((ours, 1), (theirs, 10)):
            end.up()
            end.add_address(f"{net}{last}/{24 if self.version == 4 else 64}")
        theirs.add_default(f"{net}1")
        until(lambda: ours.running() and theirs.running(), BOUND_S, f"the link of {name}")
        return Side(host, theirs, eids, f"{net}10")

    def start(self, left: str = "", right: str = "", form: str = "", env: Mapping[str, str] | None = None) -> Pair:
        """Start both daemons with these lines of configuration, the left one with `env`; ends when both forward."""
        self.left.start(self.right, left, form, env)
        self.right.start(self.left, right, form)
        self.wait()
        return self

    def wait(self) -> None:
        """Wait until both daemons, which were started, forward."""
        for side in (self.left, self.right):
            side.daemon.wait_ready()
            until(partial(self._routed, side), BOUND_S, f"{side.host.name} routes into its tunnel")

    def _routed(self, side: Side) -> bool:
        other = self.right if side is self.left else self.left
        ways = [side.host.json("ip", "-j", "route", "get", eid, "from", side.eids[f]) for f, eid in other.eids.items()]
        return all(way and way[0].get("dev") == "lmn0" for way in ways)

    def set_mtu(self, mtu: int) -> None:
        """Of every interface of the underlay."""
        for side in (self.left, self.right):
            side.host.run("ip", "link", "set", "eth0", "mtu", str(mtu))
            router = self.router if side is self.left else self.far_router
            router.run("ip", "link", "set", f"{side.host.name}0", "mtu", str(mtu))


def transfer(
    source: Side, sink: Side, family: int, size: int, timeout: float = 20.0, enough: Event | None = None
) -> None:
    """Send `size` bytes by TCP from one EID to the other and compare what arrives; no pause lasts `timeout` seconds.

    It ends earlier when there is `enough`.
    """
    with sink.listen(family) as server:
        server.settimeout(timeout)
        sender = connect(source, family, server.getsockname(), timeout)
        connection, _peer = server.accept()
    with sender, connection, ThreadPoolExecutor(1) as threads:
        connection.settimeout(timeout)
        sent = threads.submit(pour, sender, size, enough)
        assert drain(connection) == sent.result(), f"{size} bytes by TCP over IPv{family}"


def connect(side: Side, family: int, name: Any, timeout: float = 20.0) -> socket.socket:
    """A TCP connection from the EID."""
    sock = side.host.call(lambda: socket.socket(FAMILIES[family], socket.SOCK_STREAM))
    sock.settimeout(timeout)
    sock.bind((side.eids[family], 0))
    sock.connect(name)
    return sock


def pour(sock: socket.socket, size: int, enough: Event | None = None) -> tuple[int, str]:
    """Send `size` random bytes, or until there are enough, and end the stream; how many, and their hash."""
    digest = hashlib.blake2b()
    chunk = bytearray(os.urandom(CHUNK))
    sent = 0
    while sent < size and not (enough and enough.is_set()):
        struct.pack_into("!Q", chunk, 0, sent)  # no chunk is as another
        part = bytes(chunk[: size - sent])
        digest.update(part)
        sock.sendall(part)
        sent += len(part)
    sock.shutdown(socket.SHUT_WR)
    return sent, digest.hexdigest()


def drain(sock: socket.socket) -> tuple[int, str]:
    """Receive to the end of the stream; how many bytes, and their hash."""
    digest = hashlib.blake2b()
    received = 0
    while part := sock.recv(CHUNK):
        digest.update(part)
        received += len(part)
    return received, digest.hexdigest()


def retransmissions(host: Host) -> int:
    """TCP segments that the host has sent again."""
    lines = [line.split() for line in host.run("cat", "/proc/self/net/snmp").splitlines() if line.startswith("Tcp:")]
    return int(lines[1][lines[0].index("RetransSegs")])


def burst(source: Side, sink: Side, family: int, sizes: Sequence[int]) -> list[bytes]:
    """Send numbered UDP datagrams of these sizes, at least 4, as fast as it goes; what arrived, in its order."""
    with sink.udp(family) as receiver, source.udp(family) as sender:
        receiver.settimeout(2.0)
        payloads = [number.to_bytes(4, "big") + os.urandom(size - 4) for number, size in enumerate(sizes)]
        for payload in payloads:
            sender.sendto(payload, receiver.getsockname())
        arrived: list[bytes] = []
        try:
            while len(arrived) < len(sizes):
                arrived.append(receiver.recv(65535))
        except TimeoutError:
            pass
    assert set(arrived) <= set(payloads), "nothing arrives that was not sent"
    return arrived


def raw(host: Host, family: int) -> socket.socket:
    """A socket that sends whole IP packets."""
    sock = host.call(lambda: socket.socket(FAMILIES[family], socket.SOCK_RAW, socket.IPPROTO_RAW))
    if family == 6:
        sock.setsockopt(socket.IPPROTO_IPV6, 36, 1)  # IPV6_HDRINCL
    return sock


def device_offload(host: Host, name: str, command: int, on: bool) -> None:
    """Turn an offload of a device on or off, as ethtool -K does."""
    value = ctypes.create_string_buffer(struct.pack("=II", command, int(on)))
    request = struct.pack("16sP16x", name.encode(), ctypes.addressof(value))

    def ask() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            fcntl.ioctl(sock, SIOCETHTOOL, request)

    host.call(ask)


def preload(lab: Lab, name: str, source: str) -> dict[str, str]:
    """Compile a library that stands in front of libc, and the environment that loads it."""
    library = lab.directory / f"{name}.so"
    code = lab.directory / f"{name}.c"
    code.write_text(source)
    lab.hosts["router"].run("gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", str(code), "-o", str(library), "-ldl")
    return {"LD_PRELOAD": str(library)}
