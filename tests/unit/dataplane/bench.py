"""An engine on a bench: a socket pair in place of the TUN, a far end on loopback, and waits with a bound."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from lispfast.dataplane import open_tun_dataplane
from lispfast.model.addresses import Address, Eid, EidPrefix, parse_address
from lispfast.model.forwarding import (
    Encapsulate,
    ForwardingLocator,
    LocalPrefix,
    SourceRloc,
    Transaction,
    Verdict,
)
from lispfast.model.reasons import DataReason

PATIENCE = 5.0
QUIET = bytes(8)
LOCAL = {4: parse_address("10.9.0.1"), 6: parse_address("fd09::1")}
REMOTE = {4: parse_address("10.9.0.2"), 6: parse_address("fd09::2")}
FAR = {4: "127.0.0.2", 6: "::1"}
NEAR = {4: "127.0.0.1", 6: "::1"}
SLOT = {4: 0, 6: 1}
UDP_NO_CHECK6_TX = 101
UDP_NO_CHECK6_RX = 102
SO_NO_CHECK = 11
IP_RECVTTL = 12


@dataclass(frozen=True)
class Outer:
    """A datagram at the far end: its payload and what its outer header said."""

    payload: bytes
    source: str
    ttl: int
    tos: int


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.001)


def inner(version: int = 4, payload: bytes = b"", *, sport: int = 1000, **fields: Any) -> Packet:
    """A UDP packet from our EID to the remote one, unless `src`, `dst` and other header fields say otherwise."""
    addresses = {"src": str(LOCAL[version]), "dst": str(REMOTE[version])} | fields
    return (IP if version == 4 else IPv6)(**addresses) / UDP(sport=sport, dport=2000) / Raw(payload)


def incoming(version: int = 4, payload: bytes = b"", **fields: Any) -> Packet:
    """The same the other way."""
    return inner(version, payload, **{"src": str(REMOTE[version]), "dst": str(LOCAL[version])} | fields)


def free_port() -> int:
    """A port below those that the kernel gives, which others could have taken by the time that it is wanted."""
    for port in random.SystemRandom().sample(range(10_000, 32_000), 100):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.bind(("::", port))  # dual-stack: free in both families
            return port
    raise AssertionError("no free port")


class Bench:
    """`local` EIDs and both source slots are set; nothing is mapped. `options` are those of open_tun_dataplane."""

    def __init__(self, **options: Any) -> None:
        self.tun, self.inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.port = free_port()
        self.engine = open_tun_dataplane([self.inside.fileno()], port=self.port, **options)
        self.far = {version: self._far(version) for version in (4, 6)}
        self.engine.commit(
            Transaction(
                local=tuple(LocalPrefix(Eid(address).prefix) for address in LOCAL.values()),
                sources=tuple(SourceRloc(SLOT[version], parse_address(NEAR[version])) for version in (4, 6)),
            )
        )
        self.engine.start()

    def _far(self, version: int) -> socket.socket:
        far = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        level, options = (
            (socket.IPPROTO_IP, (IP_RECVTTL, socket.IP_RECVTOS))
            if version == 4
            else (socket.IPPROTO_IPV6, (socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS))
        )
        for option in options:
            far.setsockopt(level, option, 1)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)  # a stage comes at once
        if version == 6:
            far.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)
        far.bind((FAR[version], 0))
        far.settimeout(PATIENCE)
        self.tun.settimeout(PATIENCE)
        return far

    def close(self) -> None:
        self.engine.stop()
        for sock in (self.tun, self.inside, *self.far.values()):
            sock.close()

    def locator(self, version: int = 4, **fields: Any) -> ForwardingLocator:
        """The far end as a locator."""
        port = self.far[version].getsockname()[1]
        values = {"address": parse_address(FAR[version]), "slot": SLOT[version], "header": QUIET, "port": port} | fields
        return ForwardingLocator(**values)

    def commit(self, transaction: Transaction) -> None:
        """Commit, so that whatever is sent after it goes by it."""
        self.engine.commit(transaction)
        wait_until(self.engine.settled)

    def map(self, verdict: Verdict | None = None, *prefixes: str, iid: int = 0) -> None:
        """Set the verdict (by default: encapsulate to the far end) of prefixes (by default: both defaults)."""
        verdict = verdict or Encapsulate((self.locator(),))
        named = prefixes or ("0.0.0.0/0", "::/0")
        self.commit(Transaction(put=tuple((EidPrefix.parse(text, iid), verdict) for text in named)))

    def send(self, packet: Packet | bytes) -> bytes:
        data = bytes(packet)
        self.tun.send(data)
        return data

    def outer(self, version: int = 4) -> Outer:
        """The next datagram at the far end."""
        payload, controls, _, name = self.far[version].recvmsg(70000, 200)
        values = {kind: int.from_bytes(data[:1], "little") for _, kind, data in controls}
        ttl, tos = (socket.IP_TTL, socket.IP_TOS) if version == 4 else (socket.IPV6_HOPLIMIT, socket.IPV6_TCLASS)
        return Outer(payload, name[0], values[ttl], values[tos])

    def inject(self, packet: Packet | bytes, version: int = 4, header: bytes = QUIET, **outer: int) -> bytes:
        """Send a packet, LISP header in front, from the far end; `ttl` and `tos` are the outer ones."""
        level, ttl, tos = (
            (socket.IPPROTO_IP, socket.IP_TTL, socket.IP_TOS)
            if version == 4
            else (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, socket.IPV6_TCLASS)
        )
        controls = [(level, ttl, outer.get("ttl", 64)), (level, tos, outer.get("tos", 0))]
        data = bytes(packet)
        packed = [(lvl, kind, struct.pack("@i", value)) for lvl, kind, value in controls]
        self.far[version].sendmsg([header + data], packed, 0, (NEAR[version], self.port))
        return data

    def delivered(self) -> bytes:
        """The next packet that the engine wrote to the TUN."""
        return self.tun.recv(70000)

    def punts(self) -> list[Any]:
        """Wait for punts and take them."""
        assert select.select([self.engine.punt_fileno()], [], [], PATIENCE)[0], "no punt came"
        return self.engine.take_punts()

    def drops(self) -> dict[str, int]:
        """Reasons with a drop."""
        return {reason.value: count for reason, count in self.engine.drops().items() if count}

    def wait_drops(self, reason: DataReason, count: int = 1) -> None:
        """Wait until so many were dropped for this reason, and none for another."""
        wait_until(lambda: sum(self.engine.drops().values()) >= count)
        assert self.drops() == {reason.value: count}

    def wait_totals(self, **expected: int) -> None:
        """Wait until these totals are reached: a packet is counted once the kernel has taken it."""
        wait_until(lambda: all(self.engine.totals()[name] >= count for name, count in expected.items()))
        assert self.engine.totals() | expected == self.engine.totals()  # type: ignore[operator]

    def settle(self) -> None:
        """Return once the engine has handled all that was sent into the TUN before."""
        before = self.engine.drops()[DataReason.INNER_MALFORMED]
        self.tun.send(b"\xff")
        wait_until(lambda: self.engine.drops()[DataReason.INNER_MALFORMED] == before + 1)

    def rests(self) -> int:
        """How often the worker has gone to sleep; it sleeps when this returns."""
        names = {task: (task / "comm").read_text() for task in Path("/proc/self/task").iterdir()}
        (task,) = (task for task, name in names.items() if name.startswith("lispfast-"))
        wait_until(lambda: (task / "stat").read_text().rpartition(")")[2].split()[0] == "S")
        lines = (line.split(":") for line in (task / "status").read_text().splitlines())
        return next(int(value) for name, value in lines if name == "voluntary_ctxt_switches")


def locals_of(*texts: str, iid: int = 0, version: int = 0) -> tuple[LocalPrefix, ...]:
    """Own prefixes: an address is a host's."""
    return tuple(LocalPrefix(EidPrefix.parse(text, iid), version) for text in texts)


def address(text: str) -> Address:
    return parse_address(text)
