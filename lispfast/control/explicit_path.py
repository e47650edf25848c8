"""Explicit locator paths: which hop of a path a packet goes to next (RFC 8060 section 4.6).

A path is the re-encapsulating routers between an ITR and the ETR, in their order, the ETR last. A node that stands in
it sends to the hop behind itself. A hop that cannot be used is left out unless its S-bit says that packets must pass
it; the last one is where packets are to arrive and is never left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from lispfast.model.addresses import Address
from lispfast.model.mapping import Hop, Locator


def loops(path: tuple[Hop, ...]) -> bool:
    """Whether packets would pass a hop twice: such a path is never used."""
    return len({hop.address for hop in path}) < len(path)


def tried(path: tuple[Hop, ...], own: Collection[Address], usable: Callable[[Hop], bool]) -> tuple[Hop, ...]:
    """The hops that are left out from the node with the addresses `own`, and last the one that packets go to.

    None at all where there is nowhere to go: the path loops, or we are its last hop, so that the EID is behind us.
    """
    if loops(path):
        return ()
    behind = [number for number, hop in enumerate(path, start=1) if hop.address in own]
    rest = path[behind[-1] if behind else 0 :]
    taken = next((number for number, hop in enumerate(rest, start=1) if hop.strict or usable(hop)), len(rest))
    return rest[:taken]


def looked_up(locator: Locator) -> tuple[Address, ...]:
    """The hops whose L-bit says that they are no RLOCs but EIDs, whose mapping names the RLOC."""
    return tuple(hop.address for hop in locator.path if hop.lookup)
