"""The engine as its owner sees it: life, errors, counters."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from ipaddress import ip_network

import pytest

from lispfast import dataplane
from lispfast.model.addresses import EidPrefix
from lispfast.model.errors import DataPlaneError, HostError
from lispfast.model.forwarding import Drop, Encapsulate, Native, Reject, Resolve, SourceRloc, Transaction
from lispfast.model.reasons import DataReason

from .bench import Bench, free_port, incoming, inner, locals_of, wait_until
from .native import ROOT

HOST = EidPrefix.parse("10.0.0.1/32")
OTHER = EidPrefix.parse("10.0.0.2/32", 9)


def refusals(bench: Bench) -> list[tuple[Transaction, str]]:
    locator = bench.locator
    return [
        (Transaction(put=((OTHER, Drop()), (HOST, Drop()), (HOST, Native()))), "10.0.0.1/32: .*twice"),
        (Transaction(put=((OTHER, Drop()),), withdraw=(OTHER,)), r"\[9\]10.0.0.2/32: .*twice"),
        (Transaction(put=((HOST, Drop()),), withdraw=(OTHER,)), r"\[9\]10.0.0.2/32: .*not there"),
        (Transaction(put=((HOST, Encapsulate(())),)), "10.0.0.1/32: no locators"),
        (Transaction(put=((HOST, Encapsulate((locator(header=bytes(7)),))),)), "127.0.0.2: the header has 7 bytes"),
        (Transaction(put=((HOST, Encapsulate((locator(slot=64),))),)), "10.0.0.1/32: no such source slot"),
        (Transaction(put=((HOST, Encapsulate((locator(slot=-1),))),)), "127.0.0.2: slot"),
        (Transaction(put=((HOST, Encapsulate((locator(port=65536),))),)), "127.0.0.2: port"),
        (Transaction(put=((HOST, Encapsulate((locator(weight=256),))),)), "127.0.0.2: .*weight"),
        (Transaction(put=((HOST, Encapsulate((locator(),) * 256)),)), "10.0.0.1/32: more than 255"),
        (Transaction(put=((EidPrefix(HOST.network, 1 << 24), Drop()),)), "instance-ID"),  # type: ignore[arg-type]
        (Transaction(put=((HOST, Drop()),), sources=(SourceRloc(64, None),)), "source slot 64"),
        (Transaction(put=((HOST, Drop()),), sources=(SourceRloc(3, None), SourceRloc(3, None))), "slot 3: .*twice"),
        (Transaction(put=((HOST, "drop"),)), "no verdict"),  # type: ignore[arg-type]
    ]


@pytest.mark.parametrize("number", range(14))
def test_a_refusal_names_the_item_and_changes_nothing(bench: Bench, number: int) -> None:
    bench.map(Encapsulate((bench.locator(),)), "10.0.0.0/8")
    before = bench.engine.rows(0, 100)[0]
    transaction, problem = refusals(bench)[number]
    with pytest.raises(DataPlaneError, match=problem):
        bench.commit(transaction)
    assert bench.engine.rows(0, 100)[0] == before
    sent = bench.send(inner(dst="10.0.0.1"))
    assert bench.outer().payload[8:] == sent


def test_every_verdict_is_accepted(bench: Bench) -> None:
    verdicts = [Drop(), Native(), Reject(), Resolve(), Encapsulate((bench.locator(4), bench.locator(6)))]
    prefixes = [EidPrefix(ip_network(f"2001:db8:{number}::/48"), 3) for number in range(len(verdicts))]  # type: ignore[arg-type]
    bench.commit(Transaction(put=tuple(zip(prefixes, verdicts, strict=True))))  # type: ignore[arg-type]
    rows, _ = bench.engine.rows(0, 100)
    assert [(prefix, verdict) for _, prefix, verdict, _ in rows] == list(zip(prefixes, verdicts, strict=True))


def test_a_prefix_is_counted_while_it_lives(bench: Bench) -> None:
    prefix = EidPrefix.parse("10.9.0.2/32")
    bench.map(None, str(prefix))
    assert bench.engine.traffic().prefixes == {}
    assert bench.engine.rows(0, 1)[0][0][3].idle is None
    sizes = [len(bench.send(inner(payload=bytes(size)))) for size in (0, 100, 1000)]
    for _ in sizes:
        bench.outer()
    wait_until(lambda: bench.engine.totals()["packets_out"] == 3)
    bench.map(Drop(), str(prefix))  # replaced: the counters stay
    bench.send(inner())
    bench.settle()
    used = bench.engine.traffic().prefixes[prefix]
    assert (used.packets_out, used.bytes_out, used.drops) == (3, sum(sizes), 1)
    assert used.idle is not None
    assert used.idle < 5
    assert bench.engine.totals()["bytes_out"] == sum(sizes)
    bench.commit(Transaction(withdraw=(prefix,)))
    assert bench.engine.traffic().prefixes == {}


def test_a_reading_has_what_was_used_since_another(bench: Bench) -> None:
    bench.map(None, "10.9.0.2/32", "10.9.0.3/32", "10.9.0.4/32")
    long_ago = bench.engine.traffic()
    assert long_ago.prefixes == {}
    for number in (2, 3):
        bench.send(inner(dst=f"10.9.0.{number}"))
        bench.outer()
    wait_until(lambda: bench.engine.totals()["packets_out"] == 2)
    both = bench.engine.traffic(long_ago.reading).prefixes
    assert [str(prefix) for prefix in both] == ["10.9.0.2/32", "10.9.0.3/32"]
    wait_until(lambda: not bench.engine.traffic(bench.engine.traffic().reading).prefixes)  # what overlaps goes by
    recent = bench.engine.traffic().reading
    bench.send(inner(dst="10.9.0.3"))
    bench.outer()
    wait_until(lambda: bench.engine.totals()["packets_out"] == 3)
    ((prefix, used),) = bench.engine.traffic(recent).prefixes.items()
    assert (str(prefix), used.packets_out) == ("10.9.0.3/32", 2)
    assert len(bench.engine.traffic().prefixes) == 2


def test_every_reason_is_there(bench: Bench) -> None:
    assert bench.engine.drops() == dict.fromkeys(DataReason, 0)


def test_what_is_in_use(bench: Bench) -> None:
    expected = {
        "backend": "tun",
        "workers": 1,
        "port": bench.port,
        "ipv4": "on",
        "ipv6": "on",
        "tun": "open",
        "native": "off",
    }
    described = bench.engine.describe()
    assert described | expected == described
    assert set(described) - set(expected) == {"tun_offload", "udp_segment", "udp_gro", "udp_checksum", "source_ports"}


def test_stop_ends_and_may_be_called_twice(bench: Bench) -> None:
    bench.inject(incoming())
    bench.delivered()
    threads = len(os.listdir("/proc/self/task"))
    descriptors = len(os.listdir("/proc/self/fd"))
    bench.engine.stop()
    bench.engine.stop()
    assert len(os.listdir("/proc/self/task")) == threads - 1
    # Of each family one socket that receives and 17 ports of two sockets each; epoll, two eventfds.
    assert len(os.listdir("/proc/self/fd")) == descriptors - (2 * (1 + 17 * 2) + 3)
    assert bench.engine.totals()["packets_in"] == 1  # still readable
    assert bench.engine.punt_fileno() == -1
    assert bench.engine.take_punts() == []
    bench.commit(Transaction(local=locals_of("10.9.0.9")))
    with pytest.raises(RuntimeError):
        bench.engine.start()


def test_commits_before_the_start_count() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        engine = dataplane.open_tun_dataplane([theirs.fileno()], port=free_port())
        engine.commit(Transaction(put=((HOST, Drop()),), local=locals_of("10.9.0.1")))
        engine.start()
        ours.send(bytes(inner(dst="10.0.0.1")))
        wait_until(lambda: engine.drops()[DataReason.MAPPING_DROP] == 1)
        engine.stop()


def test_the_port_in_use_is_said(bench: Bench) -> None:
    engine = dataplane.open_tun_dataplane([bench.inside.fileno()], port=bench.port)
    with pytest.raises(HostError, match=f"UDP port {bench.port} is in use"):
        engine.start()
    engine.stop()


def test_several_workers_share_the_port() -> None:
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(3)]
    engine = dataplane.open_tun_dataplane([inside.fileno() for _, inside in pairs], port=free_port())
    engine.commit(Transaction(local=locals_of("10.9.0.1")))
    engine.start()
    for ours, _ in pairs:
        ours.send(bytes(inner()))
    wait_until(lambda: engine.totals()["punts"] == 3)  # one for each worker
    punts = engine.take_punts()
    assert len(punts) == 3
    assert len(set(punts)) == 1
    assert engine.describe()["workers"] == 3
    engine.stop()
    for pair in pairs:
        for end in pair:
            end.close()


@pytest.mark.parametrize("fds", [[], [0] * 65])
def test_too_few_or_too_many_queues(fds: list[int]) -> None:
    with pytest.raises(ValueError, match="TUN queues"):
        dataplane.open_tun_dataplane(fds)


def test_a_descriptor_that_is_none() -> None:
    engine = dataplane.open_tun_dataplane([999999], port=free_port())
    with pytest.raises(HostError, match="Bad file descriptor"):
        engine.start()


def test_without_the_extension_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lispfast._fastpath", None)
    with pytest.raises(HostError, match="pip install"):
        dataplane.open_tun_dataplane([0])


@pytest.mark.parametrize("ending", ["pass", "del engine", "engine.stop()", "sys.exit(0)"])
def test_the_interpreter_exits_in_silence(ending: str) -> None:
    code = f"""
import socket, sys
from lispfast.dataplane import open_tun_dataplane
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
engine = open_tun_dataplane([theirs.fileno()], port={free_port()})
engine.start()
ours.send(b"x" * 100)
{ending}
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore::ResourceWarning", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_idle_data_plane_sleeps(bench: Bench) -> None:
    bench.inject(incoming())
    bench.delivered()
    bench.send(inner())
    bench.map()
    bench.outer()
    wait_until(lambda: all(state == "S" for state in worker_states()))
    before = worker_switches()
    assert len(before) == 1
    for _ in range(50):  # the control thread reads while the worker sleeps
        bench.engine.traffic()
        bench.engine.totals()
        bench.commit(Transaction(sources=(SourceRloc(5, None),)))
    assert worker_switches() == before


def worker_tasks() -> list[str]:
    tasks = [f"/proc/self/task/{task}" for task in os.listdir("/proc/self/task")]
    return [task for task in tasks if open(f"{task}/comm").read().startswith("lispfast-")]


def worker_states() -> list[str]:
    return [open(f"{task}/stat").read().rpartition(")")[2].split()[0] for task in worker_tasks()]


def worker_switches() -> list[list[str]]:
    return [[line for line in open(f"{task}/status") if "ctxt" in line] for task in worker_tasks()]
