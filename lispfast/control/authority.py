"""What the data plane's table should hold, asked of those who decide: what the table is compared with, in slices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lispfast.control.forwarding import local_prefixes
from lispfast.control.mobility import SLOTS
from lispfast.model.addresses import EidPrefix
from lispfast.model.forwarding import LocalPrefix, SourceRloc, Verdict

if TYPE_CHECKING:
    from lispfast.control.mobile_node import MobileNode

SLICE = 256  # ours: prefixes copied at once, where the cache may hold millions


class Authority:
    """The map-cache and policy of a mobile node, read only. Between two steps of the node the table is their image."""

    def __init__(self, node: MobileNode) -> None:
        self._node = node

    def wanted(self, prefix: EidPrefix) -> Verdict | None:
        """What policy says of exactly this prefix now; None for one that is not to stand in the table."""
        return self._node.table.wanted(prefix, self._node.outlook())

    def prefixes(self) -> Iterator[EidPrefix]:
        """Every prefix that is to stand in the table; the node may step on between two of them.

        One that stands all the while comes once. One that comes or goes meanwhile may be among them.
        """
        anchors = self._node.table.anchors
        yield from anchors
        after = None
        while some := self._node.cache.after(after, SLICE):
            yield from (prefix for prefix in some if prefix not in anchors)
            after = some[-1]

    def tenure(self, prefix: EidPrefix) -> object:
        """The same object as long as the prefix has stood without a break and with the same mapping."""
        return self._node.cache.get(prefix)

    def local(self) -> tuple[LocalPrefix, ...]:
        """Our own EID-prefixes."""
        return local_prefixes(self._node.settings)

    def sources(self) -> tuple[SourceRloc, ...]:
        """The source slots that are not to be empty."""
        ways = ((slot, self._node.position.source(version)) for version, slot in SLOTS.items())
        return tuple(SourceRloc(slot, way.address, way.ifindex) for slot, way in ways if way)
