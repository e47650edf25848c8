"""The C data plane behind the DataPlane protocol, and its table by itself.

A packed transaction, what `commit_packed` takes: little-endian numbers, every record a multiple of 8 bytes, nothing
between records, the parts in this order. Bytes that are said to be zero are left for later versions. An address is 16
bytes in network order, an IPv4 address the first 4 and 12 zeros. `packed.py` writes it; `_native/packed.h` reads it.

    header, 32 bytes                              sets, 8 bytes each, its locators and then its tunnels behind it
     0  4s  "LFTX"                                 0  I   id, 1 to 2^31 - 1; 0: for puts of this transaction alone
     4  H   version, 2                             4  H   count of locators, 1 to 255
     6  H   flags, 1: own prefixes are replaced    6  H   count of tunnels behind those
     8  I   count of sets
    12  I   of puts                               locators, 32 bytes each
    16  I   of withdrawals                         0  16s address
    20  I   of sources                            16  B   family, 4 or 6, in the lower 4 bits; form in the upper 4:
    24  I   of own prefixes, none without flag 1          0 LISP, 1 LISP-GPE, 2 VXLAN-GPE
    28  I   of set withdrawals                    17  B   source slot, 0 to 63
                                                  18  B   priority
    puts, 32 bytes each                           19  B   weight
     0  16s network address                       20  8s  header in front of the inner packet
    16  I   instance-ID, 24 bits                  28  H   UDP port
    20  B   family, 4 or 6                        30  H   MTU of the path, outer headers included
    21  B   mask length
    22  B   kind: 0 encapsulate, 1 native,        withdrawals, 24 bytes each
            2 reject, 3 drop, 4 resolve            0  16s network address
    23  B   reject code, 0 unless it rejects      16  I   instance-ID
    24  I   set: its id, or 2^31 plus its place   20  B   family, 4 or 6
            among the sets of this transaction;   21  B   mask length
            0 unless it encapsulates              22  H   zero
    28  I   zero
                                                  our own EID-prefixes, 24 bytes each
    sources, 24 bytes each                         0  16s network address
     0  16s address                               16  I   instance-ID
    16  B   family, 4 or 6; 0 empties the slot    20  B   family, 4 or 6
    17  B   slot, 0 to 63                         21  B   mask length
    18  H   zero                                  22  H   Map-Version, 12 bits, 0 for none
    20  I   interface index, 0: the kernel's
            choice                                set withdrawals, 8 bytes each
                                                   0  I   id
    tunnels, 32 bytes each: packets to the         4  I   zero
    locator enter it first; by its rising place
     0  16s address                               20  8s  LISP header in front of the inner packet
    16  B   family, 4 or 6                        28  H   UDP port
    17  B   source slot, 0 to 63                  30  H   zero
    18  B   place of its locator in the set
    19  B   zero

Nothing behind the end that the counts give is read, and a buffer that is longer or shorter is refused.
"""

from collections.abc import Mapping, Sequence

from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.forwarding import LocalPrefix, PrefixTraffic, Punt, SourceRloc, Traffic, Transaction, Verdict
from lispfast.model.reasons import DataReason
from lispfast.model.settings import Forwarding

_Buffer = bytes | bytearray | memoryview

class _Table:
    """What can be done with a table, whoever owns it. All calls come from one thread: RuntimeError while another one
    commits, as a commit lets other threads run."""

    def commit(self, transaction: Transaction) -> None:
        """Apply all of it or none; DataPlaneError names what is wrong, and the table is as it was."""
    def commit_packed(self, buffer: _Buffer) -> None:
        """The same of a packed transaction, which lies anywhere, must not change meanwhile and is not kept."""
    def lookup(self, address: Address, iid: int = 0) -> tuple[EidPrefix, Verdict] | None:
        """The longest match within the instance-ID, a locator-set by its locators."""
    def lookup_many(self, addresses: _Buffer, family: int, iid: int = 0) -> memoryview:
        """The longest match of each of many addresses of a family: their numbers, of format `I`, 0 for none.

        `addresses` are 4 or 16 bytes each in network order; ValueError where they are not. A prefix keeps its number
        while it lives.
        """
    def prefix(self, value: int) -> EidPrefix | None:
        """The prefix with a number, None for a number that none has."""
    def usage(self, since_ms: int = 0) -> dict[EidPrefix, PrefixTraffic]:
        """How prefixes were used of which a counter changed at or after that time of the monotonic clock; of all that
        were ever used for 0. Costs by the use, not by the table."""
    def left(self) -> PrefixTraffic:
        """The counters of all prefixes that are gone, together."""
    def rows(self, start: int, room: int) -> tuple[list[tuple[int, EidPrefix, Verdict, PrefixTraffic]], int]:
        """Up to `room` prefixes with their numbers, rising from `start` on, and where to go on; fewer: that was all."""

    def local(self) -> tuple[LocalPrefix, ...]:
        """Our own EID-prefixes, by instance-ID, then by family, address and length."""
    def sources(self) -> tuple[SourceRloc, ...]:
        """The source slots that are not empty, by slot."""

class Table(_Table):
    """A table by itself, which no worker reads; `workers`, 1 to 64, is how many it has counters for."""

    def __init__(self, workers: int = 1) -> None: ...

class Engine(_Table):
    """The `tun` backend: a worker thread for each TUN descriptor, UDP sockets on `port`, for VXLAN-GPE on `vxlan_port`.

    The descriptors stay the caller's and have to stay open until stop(). Calls come from one thread. `framed` says of
    descriptors that are no TUN that they speak virtio-net headers all the same. A commit that finds too much waiting to
    be freed waits for the workers, half a second at most.

    With `hints` the workers read what LISP headers say beside the instance-ID (RFC 9300 section 5.3): what is new of an
    RLOC is a HeaderHint, once a second at most, and a destination Map-Version that cannot be is dropped as
    `map-version`; without, they look at none of it. With `native` a packet whose verdict is Native leaves outside LISP,
    by the interface of the first source slot of its family that names one; start() opens raw sockets for it, which
    takes CAP_NET_RAW then and not later (PrivilegeError). Without, or where there is no such interface or no route, it
    is dropped as `native-unavailable` and answered with ICMP destination unreachable.
    """

    def __init__(
        self,
        tun_fds: Sequence[int],
        *,
        port: int = 4341,
        vxlan_port: int = 0,
        forwarding: Forwarding | None = None,
        hints: bool = False,
        native: bool = False,
        framed: bool = False,
    ) -> None: ...
    def start(self) -> None:
        """Open the sockets and start the workers; HostError if the host refuses. Once only."""
    def stop(self) -> None:
        """End the workers and close everything but the TUN; again does nothing. Counters can still be read."""
    def settled(self) -> bool:
        """Whether every worker is past the round in which the last commit found it: until then, for a batch of packets
        at the most, one may still go by the table before."""
    def punt_fileno(self) -> int:
        """A descriptor that is readable while punts wait; -1 after stop()."""
    def take_punts(self) -> list[Punt]: ...
    def traffic(self, since: int = 0) -> Traffic: ...
    def drops(self) -> Mapping[DataReason, int]: ...
    def totals(self) -> Mapping[str, int]: ...
    def describe(self) -> Mapping[str, str | int]:
        """`backend`, `workers`, `port`; while running also `ipv4`, `ipv6`, `native` (on or not), `tun` (open or lost),
        and each optional kernel feature with its outcome: `tun_offload`, `udp_segment`, `udp_gro`, `steering` (where
        there are several workers), `udp_checksum`, `source_ports`, `vxlan_gpe_port` (where it is open)."""
