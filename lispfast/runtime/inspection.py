"""The data plane's table for `lispctl`, as JSON-ready values: what stands there, and whether it is what should.

Answers come in parts, a slice of the table each, so that a table of millions neither stops the control thread nor
fills its memory.
"""

from __future__ import annotations

from collections.abc import Generator

from lispfast.model.addresses import Address, EidPrefix
from lispfast.model.forwarding import (
    Drop,
    Encapsulate,
    ForwardingLocator,
    InnerTunnel,
    LocalPrefix,
    Native,
    PrefixTraffic,
    Reject,
    Resolve,
    SourceRloc,
    Verdict,
)
from lispfast.runtime.comparison import Authority, Comparison, Difference, Side, Subject, Table, slices

View = dict[str, object]
Walk = Generator[View, None, View]
Sources = dict[int, Address | None]

WALKS = ("table", "check")
"""The nouns whose answers come in parts."""

ACTIONS: dict[type[Verdict], str] = {
    Encapsulate: "encapsulate",
    Native: "natively-forward",
    Reject: "reject",
    Drop: "drop",
    Resolve: "send-map-request",
}


class Inspector:
    """Walks a data plane's table."""

    def __init__(self, authority: Authority, table: Table) -> None:
        self._authority = authority
        self._table = table

    def walk(self, noun: str) -> Walk:
        """The walk under one of the nouns of WALKS."""
        return {"table": self.table, "check": self.check}[noun]()

    def table(self) -> Walk:
        """Parts of `entries`, in no order; at the end `prefixes`, how many there were, `local_eids` and `sources`.

        An entry has `eid_prefix`, the keys of a verdict, `packets_out`, `bytes_out`, `packets_in`, `bytes_in` (inner
        ones), `drops`, and `idle`, seconds since the last packet out, None for never. A verdict has `action`, for
        reject `code`, and `locators` with `address`, `source` (None: its slot is empty), `slot`, `priority`, `weight`,
        `encapsulation`, `port`, `mtu` and `header`, 8 bytes in hexadecimal; one that is reached by a tunnel inside of
        another has `inside` with `address`, `source`, `slot`, `port`, `header`. A local EID is a host's or a prefix. A
        source has `slot`, `address`, `ifindex`.
        """
        count = 0
        for rows in slices(self._table):
            count += len(rows)
            sources = self._sources()
            yield {"entries": [_entry(prefix, verdict, use, sources) for _, prefix, verdict, use in rows]}
        return {
            "prefixes": count,
            "local_eids": [str(own) for own in self._table.local()],
            "sources": [{"slot": source.slot, **_source(source)} for source in self._table.sources()],
        }

    def check(self) -> Walk:
        """Parts of `differences`; at the end `same`, and the number of `differences_total`, `wanted`, `prefixes`,
        `unsure` (see comparison.py).

        A difference has what differs, `eid_prefix`, `local_eid` or `source_slot`, then `kind` (`missing`, `stray` or
        `differs`), `wanted` and `found`: None where there is nothing, else a verdict, of a local EID `eid` and
        `map_version`, of a slot `address` and `ifindex`.
        """
        run, total = Comparison(self._authority, self._table), 0
        for differences in run.steps():
            total += len(differences)
            sources = self._sources()
            yield {"differences": [_difference(one, sources) for one in differences]}
        return {
            "same": total == 0,
            "differences_total": total,
            "wanted": run.wanted,
            "prefixes": run.prefixes,
            "unsure": run.unsure,
        }

    def _sources(self) -> Sources:
        return {source.slot: source.address for source in self._table.sources()}


def _entry(prefix: EidPrefix, verdict: Verdict, use: PrefixTraffic, sources: Sources) -> View:
    return {
        "eid_prefix": str(prefix),
        **_verdict(verdict, sources),
        "packets_out": use.packets_out,
        "bytes_out": use.bytes_out,
        "packets_in": use.packets_in,
        "bytes_in": use.bytes_in,
        "drops": use.drops,
        "idle": None if use.idle is None else round(use.idle, 3),
    }


def _difference(one: Difference, sources: Sources) -> View:
    return {
        **_subject(one.subject),
        "kind": one.kind.value,
        "wanted": _side(one.wanted, sources),
        "found": _side(one.found, sources),
    }


def _subject(subject: Subject) -> View:
    match subject:
        case EidPrefix():
            return {"eid_prefix": str(subject)}
        case LocalPrefix():
            return {"local_eid": str(subject)}
        case int():
            return {"source_slot": subject}


def _side(side: Side, sources: Sources) -> View | None:
    match side:
        case None:
            return None
        case LocalPrefix():
            return {"eid": str(side), "map_version": side.version}
        case SourceRloc():
            return _source(side)
    return _verdict(side, sources)


def _verdict(verdict: Verdict, sources: Sources) -> View:
    view: View = {"action": ACTIONS[type(verdict)]}
    if isinstance(verdict, Reject):
        view["code"] = verdict.code.name.lower().replace("_", "-")
    locators = verdict.locators if isinstance(verdict, Encapsulate) else ()
    return {**view, "locators": [_locator(locator, sources) for locator in locators]}


def _locator(locator: ForwardingLocator, sources: Sources) -> View:
    inside: View = {} if locator.inside is None else {"inside": _tunnel(locator.inside, sources)}
    return {
        "address": str(locator.address),
        "source": _slot(locator.slot, sources),
        "slot": locator.slot,
        "priority": locator.priority,
        "weight": locator.weight,
        "encapsulation": locator.encapsulation.value,
        "port": locator.port,
        "mtu": locator.mtu,
        "header": locator.header.hex(),
        **inside,
    }


def _tunnel(tunnel: InnerTunnel, sources: Sources) -> View:
    return {
        "address": str(tunnel.address),
        "source": _slot(tunnel.slot, sources),
        "slot": tunnel.slot,
        "port": tunnel.port,
        "header": tunnel.header.hex(),
    }


def _slot(slot: int, sources: Sources) -> str | None:
    source = sources.get(slot)
    return None if source is None else str(source)


def _source(source: SourceRloc) -> View:
    return {"address": str(source.address), "ifindex": source.ifindex}
