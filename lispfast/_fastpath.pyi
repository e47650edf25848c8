"""The C data plane behind the DataPlane protocol."""

from collections.abc import Mapping, Sequence

from lispfast.model.forwarding import Punt, Traffic, Transaction
from lispfast.model.reasons import DataReason
from lispfast.model.settings import Forwarding

class Engine:
    """The `tun` backend: a worker thread for each TUN descriptor, UDP sockets on `port`, for VXLAN-GPE on `vxlan_port`.

    The descriptors stay the caller's and have to stay open until stop(). Calls come from one thread. `framed` says of
    descriptors that are no TUN that they speak virtio-net headers all the same.
    """

    def __init__(
        self,
        tun_fds: Sequence[int],
        *,
        port: int = 4341,
        vxlan_port: int = 0,
        forwarding: Forwarding | None = None,
        framed: bool = False,
    ) -> None: ...
    def start(self) -> None:
        """Open the sockets and start the workers; HostError if the host refuses. Once only."""
    def stop(self) -> None:
        """End the workers and close everything but the TUN; again does nothing. Counters can still be read."""
    def commit(self, transaction: Transaction) -> None: ...
    def punt_fileno(self) -> int:
        """A descriptor that is readable while punts wait; -1 after stop()."""
    def take_punts(self) -> list[Punt]: ...
    def traffic(self) -> Traffic: ...
    def drops(self) -> Mapping[DataReason, int]: ...
    def totals(self) -> Mapping[str, int]: ...
    def describe(self) -> Mapping[str, str | int]:
        """`backend`, `workers`, `port`; while running also `ipv4`, `ipv6` (on or not), `tun` (open or lost), and each
        optional kernel feature with its outcome: `tun_offload`, `udp_segment`, `udp_gro`, `steering` (where there are
        several workers), `udp_checksum`, `source_ports`, `vxlan_gpe_port` (where it is open)."""
