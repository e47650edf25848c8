"""Two LISP sites, each a host behind an xTR, and a mobile node: what the xTR's stories stand on.

host-a eth0 --- lan0 xtr-a wan0 ---\\
                           wan1 ----[router]--- wan0 xtr-b lan0 --- eth0 host-b
                       phone wlan0 --/    \\--- eth0 ms
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from lispfast.lab import Host, Lab, Node, lispconf, until
from lispfast.lab.host import Interface

KEY = "a shared secret"
SITES = {"a": {4: "172.20.1.0/24", 6: "fd20:1::/64"}, "b": {4: "172.20.2.0/24", 6: "fd20:2::/64"}}
ROUTERS = {"a": {4: "172.20.1.1", 6: "fd20:1::1"}, "b": {4: "172.20.2.1", 6: "fd20:2::1"}}
HOSTS = {"a": {4: "172.20.1.10", 6: "fd20:1::10"}, "b": {4: "172.20.2.10", 6: "fd20:2::10"}}
PHONE = {4: "172.20.9.1", 6: "fd20:9::1"}
WANS = {"a": 31, "b": 32, "phone": 33, "ms": 34, "a2": 35}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
BOUND_S = 15.0


@dataclass
class Sites:
    """The hosts; `start` starts the daemons. The xTRs forward only where `forward` is set.

    `extra` is written into the xTRs' lispd.conf, with SITE as the number of the site.
    """

    lab: Lab
    forward: bool = True
    extra: str = ""
    server_extra: str = ""

    def __post_init__(self) -> None:
        self.router = self.lab.host("router", forward=True)
        self.ms, self.phone = self.lab.host("ms"), self.lab.host("phone")
        self.nodes: dict[str, Node] = {}
        self.xtrs: dict[str, Host] = {}
        self.hosts: dict[str, Host] = {}
        self.wan("ms", self.ms, "eth0")
        self.wan("phone", self.phone, "wlan0")
        for name in SITES:
            self.xtrs[name] = self.lab.host(f"xtr-{name}", forward=self.forward)
            self.hosts[name] = self.lab.host(f"host-{name}")
            self.wan(name, self.xtrs[name], "wan0")
            self._lan(name)

    def wan(self, net: str, host: Host, interface: str) -> Interface:
        """Attach an interface to the router, with a default route."""
        ours, theirs = self.lab.link(self.router, f"to-{net}", host, interface)
        for end, last in ((ours, 1), (theirs, 10)):
            end.up()
            end.add_address(*(f"{rloc(net, version, last)}/{24 if version == 4 else 64}" for version in (4, 6)))
        until(lambda: ours.running() and theirs.running(), BOUND_S, f"the link of {net}")
        theirs.add_default(*(rloc(net, version, 1) for version in (4, 6)))
        return theirs

    def _lan(self, name: str) -> None:
        ours, theirs = self.lab.link(self.xtrs[name], "lan0", self.hosts[name], "eth0")
        for end, addresses in ((ours, ROUTERS), (theirs, HOSTS)):
            end.up()
            lengths = {4: 24, 6: 64}
            end.add_address(*(f"{addresses[name][version]}/{lengths[version]}" for version in (4, 6)))
        until(lambda: ours.running() and theirs.running(), BOUND_S, f"the LAN of {name}")
        theirs.add_default(*ROUTERS[name].values())

    def start(self, *which: str) -> Sites:
        """Start the Map-Server and these nodes, by default all, and wait until each is registered."""
        everything = ("172.20.0.0/16", "fd20::/16")
        self.nodes["ms"] = Node(self.ms, lispconf.MapServer(everything, KEY, extra=self.server_extra).render())
        self.nodes["ms"].start()
        self.nodes["ms"].wait_ready()
        for name in which or ("a", "b", "phone"):
            self.start_node(name)
        for name in which or ("a", "b", "phone"):
            self.nodes[name].wait_event("map-notify-received", BOUND_S)
        return self

    def start_node(self, name: str) -> Node:
        """Start the xTR of a site, or the phone."""
        if name == "phone":
            words: dict[str, object] = {"eids": [f"{PHONE[4]}/32", f"{PHONE[6]}/128"], "interfaces": ("wlan0",)}
            host = self.phone
        else:
            words = {"eids": list(SITES[name].values()), "interfaces": ("wan0", "wan1"), "mode": "xTR"}
            host = self.xtrs[name]
            words["extra"] = self.extra.replace("SITE", "1" if name == "a" else "2")
        conf = lispconf.MobileNode(map_server=rloc("ms", 4, 10), key=KEY, proxy_reply=True, **words)  # type: ignore[arg-type]
        node = self.nodes[name] = Node(host, conf.render())
        node.start()
        node.wait_ready()
        return node


def rloc(net: str, version: int, last: int = 10) -> str:
    """The address of a host on one of the router's links."""
    return f"192.0.{WANS[net]}.{last}" if version == 4 else f"2001:db8:{WANS[net]}::{last}"


def ping(source: Host, to: str, count: int = 3, check: bool = True) -> str:
    """Ping until the first answer, which may wait for a Map-Reply, then `count` times; the last output."""
    return source.run("ping", "-n", "-c", str(count), "-i", "0.2", "-W", "2", to, check=check)


class Stream:
    """A TCP connection from a client to a server on another host that carries numbers to and fro."""

    def __init__(self, client: Host, server: Host, address: str) -> None:
        version = 6 if ":" in address else 4
        listener = server.call(lambda: socket.create_server((address, 0), family=FAMILIES[version]))
        with listener:
            listener.settimeout(BOUND_S)
            sock = client.call(lambda: socket.socket(FAMILIES[version], socket.SOCK_STREAM))
            sock.settimeout(BOUND_S)
            sock.connect(listener.getsockname())
            self.client = sock
            self.server, self.peer = listener.accept()
        self.server.settimeout(BOUND_S)

    def exchange(self, size: int = 200_000) -> None:
        """Bytes there and the same bytes back, all of them."""
        sent = bytes(range(256)) * (size // 256)
        with ThreadPoolExecutor(1) as threads:
            echo: Future[None] = threads.submit(_echo, self.server, len(sent))
            receive: Callable[[], bytes] = lambda: _take(self.client, len(sent))  # noqa: E731
            writer = threading.Thread(target=self.client.sendall, args=(sent,))
            writer.start()
            assert receive() == sent
            writer.join(BOUND_S)
            echo.result(BOUND_S)

    def close(self) -> None:
        self.client.close()
        self.server.close()


def _take(sock: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = sock.recv(65536)
        assert part, "the connection ended"
        received += part
    return bytes(received)


def _echo(sock: socket.socket, size: int) -> None:
    done = 0
    while done < size:
        part = sock.recv(65536)
        sock.sendall(part)
        done += len(part)
