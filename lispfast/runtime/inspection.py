"""The data plane's table for `lispctl`, as JSON-ready values: what stands there, and whether it is what should.

Answers come in parts, a slice of the table each, so that a table of millions neither stops the control thread nor
fills its memory.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.forwarding import (
    Drop,
    Encapsulate,
    ForwardingLocator,
    Native,
    PrefixTraffic,
    Reject,
    Resolve,
    Verdict,
)
from lispfast.runtime import comparison
from lispfast.runtime.comparison import Comparison, Difference, Table, slices

View = dict[str, object]
Walk = Generator[View, None, View]

WALKS = ("table", "check")
"""The nouns whose answers come in parts."""

ACTIONS: dict[type[Verdict], str] = {
    Encapsulate: "encapsulate",
    Native: "natively-forward",
    Reject: "reject",
    Drop: "drop",
    Resolve: "send-map-request",
}


class Authority(comparison.Authority, Protocol):
    """Says what the table should hold, and the source RLOCs behind its slots: control/authority.py."""

    def source(self, slot: int) -> Address | None:
        """The source RLOC of a slot, None where it is empty."""


class Inspector:
    """Walks a data plane's table."""

    def __init__(self, authority: Authority, table: Table) -> None:
        self._authority = authority
        self._table = table

    def walk(self, noun: str) -> Walk:
        """The walk under one of the nouns of WALKS."""
        return {"table": self.table, "check": self.check}[noun]()

    def table(self) -> Walk:
        """Parts of `entries`, in no order; at the end `prefixes`, how many there were.

        An entry has `eid_prefix`, the keys of a verdict, `packets_out`, `bytes_out`, `packets_in`, `bytes_in` (inner
        ones), `drops`, and `idle`, seconds since the last packet out, None for never. A verdict has `action`, for
        reject `code`, and `locators` with `address`, `source` (None: its slot is empty), `slot`, `priority`, `weight`,
        `encapsulation`, `port`, `mtu` and `header`, 8 bytes in hexadecimal.
        """
        count = 0
        for rows in slices(self._table):
            count += len(rows)
            yield {"entries": [self._entry(prefix, verdict, use) for _, prefix, verdict, use in rows]}
        return {"prefixes": count}

    def check(self) -> Walk:
        """Parts of `differences`; at the end `same`, and the number of `differences_total`, `wanted`, `prefixes`,
        `unsure` (see comparison.py).

        A difference has `eid_prefix`, `kind` (`missing`, `stray` or `differs`), `wanted` and `found`: verdicts or None.
        """
        run, total = Comparison(self._authority, self._table), 0
        for differences in run.steps():
            total += len(differences)
            yield {"differences": [self._difference(one) for one in differences]}
        return {
            "same": total == 0,
            "differences_total": total,
            "wanted": run.wanted,
            "prefixes": run.prefixes,
            "unsure": run.unsure,
        }

    def _entry(self, prefix: EidPrefix, verdict: Verdict, use: PrefixTraffic) -> View:
        return {
            "eid_prefix": str(prefix),
            **self._verdict(verdict),
            "packets_out": use.packets_out,
            "bytes_out": use.bytes_out,
            "packets_in": use.packets_in,
            "bytes_in": use.bytes_in,
            "drops": use.drops,
            "idle": None if use.idle is None else round(use.idle, 3),
        }

    def _difference(self, one: Difference) -> View:
        return {
            "eid_prefix": str(one.prefix),
            "kind": one.kind.value,
            "wanted": None if one.wanted is None else self._verdict(one.wanted),
            "found": None if one.found is None else self._verdict(one.found),
        }

    def _verdict(self, verdict: Verdict) -> View:
        view: View = {"action": ACTIONS[type(verdict)]}
        if isinstance(verdict, Reject):
            view["code"] = verdict.code.name.lower().replace("_", "-")
        locators = verdict.locators if isinstance(verdict, Encapsulate) else ()
        return {**view, "locators": [self._locator(locator) for locator in locators]}

    def _locator(self, locator: ForwardingLocator) -> View:
        source = self._authority.source(locator.slot)
        return {
            "address": str(locator.address),
            "source": None if source is None else str(source),
            "slot": locator.slot,
            "priority": locator.priority,
            "weight": locator.weight,
            "encapsulation": locator.encapsulation.value,
            "port": locator.port,
            "mtu": locator.mtu,
            "header": locator.header.hex(),
        }
