"""What lispctl is told of the table: by a real mobile node about a table that is its image, or is not."""

from __future__ import annotations

import json
from ipaddress import ip_address

import pytest

from lispfast.control.authority import Authority
from lispfast.model.forwarding import Drop, PathMtu, PrefixTraffic, Reject, RejectCode
from lispfast.model.mapping import Action
from lispfast.model.units import Seconds, WireMtu
from lispfast.runtime import comparison
from lispfast.runtime.inspection import WALKS, Inspector, View
from tests.unit.control.mn_helpers import LTE, NOWHERE, ON_LTE, PEER, PEER_RLOC, PEER_V6, host, mapping, registered
from tests.unit.runtime.table_twin import TableTwin, prefix


class Stand:
    """A node with a mapping of each kind, and a table that took what it committed."""

    def __init__(self) -> None:
        self.bench = registered()
        self.bench.know(PEER, PEER_RLOC)
        self.bench.know(PEER_V6, PEER_RLOC)
        self.bench.punt(ip_address("10.200.0.1"))
        self.bench.reply(mapping("10.200.0.0/16", action=Action.DROP))
        self.twin = TableTwin()
        self.inspector = Inspector(Authority(self.bench.node), self.twin)
        self.copy()

    def copy(self) -> None:
        """Bring the table to what the node committed."""
        for where in [row[0] for row in self.twin.standing.values() if row[0] not in self.bench.table.verdicts]:
            self.twin.withdraw(where)
        for where, verdict in self.bench.table.verdicts.items():
            self.twin.put(where, verdict)
        self.twin.eids = self.bench.table.local
        self.twin.slots = tuple(one for one in self.bench.table.sources.values() if one.address is not None)

    def walk(self, noun: str) -> tuple[list[View], View]:
        """The items of all parts, and the end."""
        walk, items = self.inspector.walk(noun), []
        while True:
            try:
                (part,) = next(walk).values()
            except StopIteration as end:
                return json.loads(json.dumps(items)), json.loads(json.dumps(end.value))
            assert isinstance(part, list)
            items += part

    def differences(self) -> dict[object, object]:
        items, end = self.walk("check")
        assert (end["same"], end["differences_total"]) == (not items, len(items))
        return {next(iter(item.values())): item["kind"] for item in items}


def test_each_entry_has_its_verdict_its_locators_and_its_use() -> None:
    stand = Stand()
    stand.twin.use[host(PEER)] = PrefixTraffic(7, 700, 1, Seconds(2.5), 5, 400)
    items, end = stand.walk("table")
    sources = [{"slot": 0, "address": "198.51.100.10", "ifindex": 3}]
    assert end == {"prefixes": 5, "local_eids": ["10.0.0.1", "fd00::1"], "sources": sources}
    entries = {item.pop("eid_prefix"): item for item in items}
    assert set(entries) == {"0.0.0.0/0", "::/0", f"{PEER}/32", f"{PEER_V6}/128", "10.200.0.0/16"}
    unused = {"packets_out": 0, "bytes_out": 0, "packets_in": 0, "bytes_in": 0, "drops": 0, "idle": None}
    assert entries["0.0.0.0/0"] == {"action": "send-map-request", "locators": [], **unused}
    assert entries["10.200.0.0/16"] == {"action": "reject", "code": "no-route", "locators": [], **unused}
    assert entries[f"{PEER}/32"] == {
        "action": "encapsulate",
        "locators": [
            {
                "address": str(PEER_RLOC), "source": "198.51.100.10", "slot": 0, "priority": 1, "weight": 100,
                "encapsulation": "LISP", "port": 4341, "mtu": 1500, "header": "0000000000000000",
            }
        ],
        "packets_out": 7, "bytes_out": 700, "packets_in": 5, "bytes_in": 400, "drops": 1, "idle": 2.5,
    }  # fmt: skip


def test_the_source_is_where_the_node_stands() -> None:
    stand = Stand()
    for underlay, source in ((ON_LTE, str(LTE)), (NOWHERE, None)):
        stand.bench.move(underlay)
        stand.copy()
        items, _ = stand.walk("table")
        (entry,) = [item for item in items if item["eid_prefix"] == f"{PEER}/32"]
        assert [locator["source"] for locator in entry["locators"]] == [source]  # type: ignore[attr-defined]


def test_the_table_that_took_every_transaction_is_the_same() -> None:
    stand = Stand()
    assert stand.walk("check") == (
        [], {"same": True, "differences_total": 0, "wanted": 5, "prefixes": 5, "unsure": 0}
    )  # fmt: skip
    for underlay in (NOWHERE, ON_LTE):
        stand.bench.move(underlay)
        stand.copy()
        assert stand.differences() == {}
    stand.bench.pass_time(3600)
    assert stand.differences() != {}
    stand.copy()
    assert stand.differences() == {}
    assert stand.walk("table")[1]["prefixes"] == 2, "only the defaults live for ever"


def test_each_difference_has_both_sides() -> None:
    stand = Stand()
    stand.twin.withdraw(prefix("0.0.0.0/0"))
    stand.twin.put(prefix("192.168.0.0/16", 9), Drop())
    stand.twin.put(prefix("10.200.0.0/16"), Reject(RejectCode.PROHIBITED))
    items, _ = stand.walk("check")
    nothing: View = {"locators": []}
    assert sorted(items, key=lambda item: str(item["kind"])) == [
        {
            "eid_prefix": "10.200.0.0/16", "kind": "differs",
            "wanted": {"action": "reject", "code": "no-route", **nothing},
            "found": {"action": "reject", "code": "prohibited", **nothing},
        },
        {
            "eid_prefix": "0.0.0.0/0", "kind": "missing",
            "wanted": {"action": "send-map-request", **nothing}, "found": None,
        },
        {"eid_prefix": "[9]192.168.0.0/16", "kind": "stray", "wanted": None, "found": {"action": "drop", **nothing}},
    ]  # fmt: skip


def test_a_table_that_missed_a_move_differs() -> None:
    stand = Stand()
    stand.bench.move(ON_LTE)
    assert stand.walk("check")[0] == [
        {
            "source_slot": 0, "kind": "differs",
            "wanted": {"address": str(LTE), "ifindex": 4}, "found": {"address": "198.51.100.10", "ifindex": 3},
        }
    ]  # fmt: skip
    stand.twin.eids = stand.twin.eids[1:]
    (eid, _), _ = stand.walk("check")
    assert eid == {
        "local_eid": "10.0.0.1",
        "kind": "missing",
        "wanted": {"eid": "10.0.0.1", "map_version": 0},
        "found": None,
    }


def test_a_table_that_missed_what_was_learnt_differs() -> None:
    stand = Stand()
    stand.bench.know(ip_address("10.0.0.9"), PEER_RLOC)
    stand.bench.node.handle_punt(PathMtu(PEER_RLOC, WireMtu(1400)), stand.bench.now)
    stand.bench.take()
    assert stand.differences() == {
        "10.0.0.9/32": "missing", f"{PEER}/32": "differs", f"{PEER_V6}/128": "differs"
    }  # fmt: skip


@pytest.mark.parametrize("noun", WALKS)
def test_a_part_is_never_longer_than_a_slice(noun: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "SLICE", 8)
    stand = Stand()
    for number in range(50):
        stand.twin.put(prefix(f"172.16.0.{number}/32"), Drop())
    lengths = [len(part) for view in stand.inspector.walk(noun) for part in view.values()]  # type: ignore[arg-type]
    assert (max(lengths), sum(lengths)) == (8, 55 if noun == "table" else 50)
