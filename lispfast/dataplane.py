"""The wall to the data plane: the protocol that every backend keeps, and the choice of one.

Today there is one backend, `tun`: user space, a TUN device and UDP sockets (see _fastpath.pyi). Nothing above this
module may assume a thread, a file descriptor of a worker, or a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lispfast.model.addresses import DATA_PORT, Address, EidPrefix
from lispfast.model.errors import HostError
from lispfast.model.forwarding import LocalPrefix, PrefixTraffic, Punt, SourceRloc, Traffic, Transaction, Verdict
from lispfast.model.reasons import DataReason
from lispfast.model.settings import Forwarding
from lispfast.model.units import InstanceId


class DataPlane(Protocol):
    """A forwarding engine. Calls come from one thread, the control thread."""

    def start(self) -> None:
        """Begin to forward; before it only commits are allowed."""

    def stop(self) -> None:
        """Stop forwarding and release every resource; may be called twice."""

    def commit(self, transaction: Transaction) -> None:
        """Apply all of it or none; DataPlaneError names what is wrong with it."""

    def commit_packed(self, buffer: bytes) -> None:
        """The same of a packed transaction (see packed.py)."""

    def lookup(self, address: Address, iid: InstanceId) -> tuple[EidPrefix, Verdict] | None:
        """The longest match, found as packets find it; a locator-set by its locators."""

    def rows(self, start: int, room: int) -> tuple[list[tuple[int, EidPrefix, Verdict, PrefixTraffic]], int]:
        """Up to `room` prefixes of the table by rising number from `start` on, and where to go on; fewer: that was all.

        A prefix keeps its number, so one that stands all the while comes once, whatever is committed in between.
        """

    def local(self) -> tuple[LocalPrefix, ...]:
        """Our own EID-prefixes."""

    def sources(self) -> tuple[SourceRloc, ...]:
        """The source slots that are not empty."""

    def punt_fileno(self) -> int:
        """A file descriptor that is readable while punts wait."""

    def take_punts(self) -> list[Punt]:
        """Every punt that waits, oldest first."""

    def traffic(self, since: int = 0) -> Traffic:
        """How the prefixes were used that were used since an earlier `reading`, and whom packets came from.

        Everything that was ever used for 0. What was used shortly before that reading may come once more.
        """

    def drops(self) -> Mapping[DataReason, int]:
        """Dropped packets by reason since the start, reasons without a drop included."""

    def totals(self) -> Mapping[str, int]:
        """`packets_out`, `bytes_out`, `packets_in`, `bytes_in` (inner packets and bytes), `punts`, `staged`."""

    def describe(self) -> Mapping[str, str | int]:
        """What is in use: `backend`, `workers` and each optional kernel feature with its outcome."""


def open_tun_dataplane(
    tun_fds: Sequence[int],
    *,
    port: int = DATA_PORT,
    vxlan_port: int = 0,
    forwarding: Forwarding | None = None,
    hints: bool = False,
    native: bool = False,
    framed: bool = False,
) -> DataPlane:
    """The `tun` backend over the queues of one TUN device: a worker thread each.

    The descriptors (IFF_TUN | IFF_NO_PI, with IFF_VNET_HDR for offloads) stay the caller's, who closes them after
    stop(). `vxlan_port` 0 opens VXLAN-GPE's own port only where `forwarding` asks for that form; `framed` says of
    descriptors that are no TUN that they speak virtio-net headers. `hints`: HeaderHint punts and the checks of RFC
    9302 section 7.1, for the private profile alone. `native`: what is natively forwarded leaves by raw sockets, which
    start() opens with CAP_NET_RAW. HostError if the extension was not built.
    """
    try:
        from lispfast._fastpath import Engine
    except ImportError as error:
        problem = f"the compiled data plane cannot be loaded ({error})"
        raise HostError(problem, "build it: pip install . (it needs a C compiler)") from None
    return Engine(
        tun_fds, port=port, vxlan_port=vxlan_port, forwarding=forwarding, hints=hints, native=native, framed=framed
    )
