"""Keys that are right by themselves and do nothing where they stand: a wish that is not heard is told."""

from __future__ import annotations

from lispfast.config.draft import Draft
from lispfast.config.reader import Reader
from lispfast.model.addresses import EidPrefix
from lispfast.model.settings import Mode

_OF_A_NODE = (
    "map-resolver",
    "proxy-itrs",
    "allowed-dst-eids",
    "map-request-retries",
    "map-cache-size",
    "rloc-lookup",
    "native-forward",
    "tunnel-routes",
    "encapsulation",
    "offload",
    "workers",
    "source-ports",
    "udp-checksum",
    "mss-clamp",
    "echo-nonce",
    "locator-status-bits",
    "xtr-id",
    "site-id",
)
"""Keys of whoever forwards or registers. Not map-versioning: a Map-Server refuses old versions (RFC 9302 section 5)."""


def check_idle_keys(top: Reader, draft: Draft, mode: Mode) -> None:
    """Warn of what a Map-Server has no use for, and of mappings that our own EID-prefixes hide."""
    if mode is Mode.MS:
        for name in _OF_A_NODE:
            if top.has(name):
                draft.report.warning(top.value_span(name), f"{name} does nothing in a Map-Server")
        if "rloc-probing" in draft.attempted:
            draft.report.warning(draft.attempted["rloc-probing"], "rloc-probing does nothing in a Map-Server")
        return
    if top.has("allowed-dst-eids") and not draft.destinations and top.sound:
        text = "allowed-dst-eids has no EID-prefix in it, so every destination uses LISP"
        draft.report.warning(top.value_span("allowed-dst-eids"), text)
    _check_hidden(draft)


def _check_hidden(draft: Draft) -> None:
    """What lies inside an EID-prefix of ours is local whatever the map-cache says; `iid` counts, as in a lookup."""
    lengths = {own.length for own in draft.database}
    for prefix, placed in draft.static_map_cache.items():
        covers = (prefix.network.supernet(new_prefix=one) for one in lengths if one <= prefix.length)
        own = next((one for one in (EidPrefix(cover, prefix.iid) for cover in covers) if one in draft.database), None)
        if own is not None:
            text = f"static-map-cache {prefix} does nothing: it is inside our EID-prefix {own}"
            draft.report.warning(placed.span, text)
