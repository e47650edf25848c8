"""The real daemon's table, shown and compared while it changes all the time and packets pass."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from threading import Event

import pytest

from lispfast.cli.exits import Exit
from lispfast.lab import Lab, until
from lispfast.lab.node import LISPCTL
from lispfast.lab.ping import ping

from .internet import BOUND_S, Internet
from .tunnelworld import LEFT_EIDS, RIGHT_EIDS, Pair

STATIC = 2000  # some slices of a walk
MTUS = (1400, 1500)


def mappings(count: int) -> str:
    """Static mappings, each to a locator of its own, in both families and another instance-ID."""
    sections = []
    for number in range(count):
        eid = (f"10.1.{number // 256}.{number % 256}/32", f"fd11::{number:x}/128")[number % 2]
        rloc = ip_address("198.51.100.0") + number % 200
        sections.append(
            f"static-map-cache {{\n eid-prefix = {eid}\n iid = {7 * (number % 3 == 0)}\n rloc = {rloc}\n}}\n"
        )
    return "".join(sections)


@contextmanager
def changes(pair: Pair) -> Iterator[Event]:
    """Gives the left node's interface another MTU over and over: each verdict is compiled anew, and committed."""
    enough, changed = Event(), Event()

    def change() -> None:
        while not enough.is_set():
            for mtu in MTUS:
                pair.left.host.run("ip", "link", "set", "eth0", "mtu", str(mtu))
                until(partial(heard, pair, mtu), BOUND_S, f"an MTU of {mtu}")
            changed.set()

    with ThreadPoolExecutor(1) as threads:
        loop = threads.submit(change)
        try:
            yield changed
        finally:
            enough.set()
            loop.result()


def heard(pair: Pair, mtu: int) -> bool:
    """Whether the left daemon has heard of the MTU."""
    return bool(pair.left.ask("status")["interfaces"][0]["mtu"] == mtu)


def lispctl(pair: Pair, *words: str) -> tuple[int, str]:
    """The exit status and output of a command about the left node."""
    argv = (*LISPCTL, "--socket", str(pair.left.daemon.control_socket), *words)
    done = pair.left.host.call(lambda: subprocess.run(argv, capture_output=True, text=True, timeout=30))
    return done.returncode, done.stdout


def test_a_table_that_changes_all_the_time_is_what_it_should_be(lab: Lab) -> None:
    pair = Pair(lab).start(left=mappings(STATIC))
    standing = STATIC + 2 + 2  # and the peer's EIDs, and the defaults
    with changes(pair) as changed:
        for _ in range(5):
            changed.clear()
            status, text = lispctl(pair, "check", "--json")
            view = json.loads(text)
            assert (status, view["differences"], view["same"], view["unsure"]) == (Exit.OK, [], True, 0)
            assert (view["wanted"], view["prefixes"]) == (standing, standing)
            assert changed.wait(BOUND_S), "the table did change"
            assert ping(pair.left.host, RIGHT_EIDS[4], count=20, interval=0.01).lost == 0
        view = json.loads(lispctl(pair, "map-cache", "--table", "--json")[1])
    mtus = {locator["mtu"] for entry in view["entries"] for locator in entry["locators"]}
    assert mtus <= set(MTUS)
    assert len({entry["eid_prefix"] for entry in view["entries"]}) == view["prefixes"] == standing
    assert pair.left.events("fault") == []


def test_the_table_shows_the_packets_of_each_prefix(lab: Lab) -> None:
    pair = Pair(lab).start()
    for family, count in ((4, 3), (6, 5)):
        assert ping(pair.left.host, RIGHT_EIDS[family], count=count, interval=0.01).lost == 0
    entries = {
        entry["eid_prefix"]: entry
        for entry in json.loads(lispctl(pair, "map-cache", "--table", "--json")[1])["entries"]
    }
    for eid, count in ((f"{RIGHT_EIDS[4]}/32", 3), (f"{RIGHT_EIDS[6]}/128", 5)):
        entry = entries[eid]
        assert (entry["packets_out"], entry["packets_in"], entry["drops"]) == (count, count, 0)
        assert entry["idle"] < BOUND_S
        (locator,) = entry["locators"]
        assert (locator["address"], locator["source"], locator["mtu"]) == (pair.right.rloc, pair.left.rloc, 1500)
    assert entries["0.0.0.0/0"]["action"] == "send-map-request"
    view = json.loads(lispctl(pair, "map-cache", "--table", "--json")[1])
    assert view["local_eids"] == list(LEFT_EIDS.values())
    assert [source["address"] for source in view["sources"]] == [pair.left.rloc]
    text = lispctl(pair, "map-cache", "--table")[1]
    assert f"{RIGHT_EIDS[4]}/32, encapsulate, used " in text
    assert "\n  Packets out: 3 (" in text
    assert f"\n{len(RIGHT_EIDS) + len(LEFT_EIDS)} prefixes\nLocal EIDs: " in text


@pytest.mark.parametrize("words", [("check",), ("map-cache", "--table")])
def test_a_map_server_has_no_table(lab: Lab, words: tuple[str, ...]) -> None:
    net = Internet(lab, (4,))
    node = net.start_map_server()
    argv = (*LISPCTL, "--socket", str(node.control_socket), *words)
    done = net.ms.call(lambda: subprocess.run(argv, capture_output=True, text=True, timeout=30))
    assert (done.returncode, done.stdout) == (Exit.FAULT, "")
    assert done.stderr == "lispctl: this daemon is a Map-Server, which has no data plane\n"
