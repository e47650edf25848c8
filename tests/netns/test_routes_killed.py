"""A daemon killed without a word leaves a journal; the next start, or a clean-up, gives the host back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lispfast.lab.namespace import Namespace
from lispfast.runtime.journal import read_journal
from lispfast.runtime.routes import clean_up

from .hostworld import (
    Daemon,
    host_namespace,  # noqa: F401  (a fixture)
    host_state,
    ip,
    main_defaults,
    make_interface,
    run,
    settings,
    settle,
    show,
)

pytestmark = pytest.mark.netns

TESTS = Path(__file__).parent.parent
PROGRAM = """
import asyncio, sys
from pathlib import Path
from netns.hostworld import Daemon, settings

async def live():
    async with Daemon(settings("wlan0", "wwan0"), Path(sys.argv[1])):
        print("ready", flush=True)
        await asyncio.sleep(3600)

asyncio.run(live())
"""


@contextmanager
def killed_daemon(journal: Path) -> Iterator[None]:
    """A daemon in a process of its own, killed when the block ends."""
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"}
    command = [sys.executable, "-c", PROGRAM, str(journal)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    settle(lambda: "lmn0" not in ip("link"), "lmn0 goes with its process")


def make_world() -> None:
    make_interface("wlan0", "192.0.2.5/24", "2001:db8:1::5/64")
    make_interface("wwan0", "198.51.100.5/24")
    make_defaults()


def make_defaults() -> None:
    ip("route add default via 192.0.2.1 dev wlan0 proto dhcp src 192.0.2.5")
    ip("route append default via 198.51.100.1 dev wwan0")
    ip("-6 route add default via 2001:db8:1::1 dev wlan0 metric 1")


def test_clean_up_undoes_everything_once(host_ns: Namespace, tmp_path: Path) -> None:
    journal = tmp_path / "journal"

    async def story() -> None:
        make_world()
        before = host_state()
        with killed_daemon(journal):
            assert len(main_defaults()) == 3
        assert host_state() != before
        assert "metric 100" in " ".join(main_defaults())
        done = await clean_up(journal)
        assert any("delete rule 1: from 192.0.2.5/32 lookup 5" in sentence for sentence in done)
        assert host_state() == before
        assert not any("#" in text for text in done), "interfaces by name"
        assert "add default via 198.51.100.1 dev wwan0" in done
        assert await clean_up(journal) == []
        assert host_state() == before

    run(host_ns, story)


def test_the_next_start_says_that_it_cleaned_up(host_ns: Namespace, tmp_path: Path) -> None:
    journal = tmp_path / "journal"

    async def story() -> None:
        make_world()
        before = host_state()
        with killed_daemon(journal):
            pass
        async with Daemon(settings("wlan0", "wwan0"), journal) as daemon:
            assert all("cleaned up after a daemon that was killed" in sentence for sentence in daemon.warnings)
            assert daemon.warnings
            assert len(main_defaults()) == 3
        assert host_state() == before

    run(host_ns, story)


def test_what_left_meanwhile_is_not_brought_back(host_ns: Namespace, tmp_path: Path) -> None:
    journal = tmp_path / "journal"

    async def story() -> None:
        make_world()
        with killed_daemon(journal):
            ip("link del wwan0")
        ip("route del default via 192.0.2.1 dev wlan0")
        ip("-6 route del default via 2001:db8:1::1 dev wlan0")
        await clean_up(journal)
        assert main_defaults(4) == main_defaults(6) == []
        assert [rule["priority"] for rule in show("rule")] == [0, 32766, 32767]

    run(host_ns, story)


def test_the_newest_default_counts_after_a_kill(host_ns: Namespace, tmp_path: Path) -> None:
    journal = tmp_path / "journal"

    async def story() -> None:
        make_world()
        with killed_daemon(journal):
            pass
        ip("route add default via 192.0.2.254 dev wlan0")  # what a DHCP client does when nobody holds metric 0
        await clean_up(journal)
        assert main_defaults() == ["default via 192.0.2.254 dev wlan0"]

    run(host_ns, story)


def test_killed_between_two_changes(host_ns: Namespace, tmp_path: Path) -> None:
    """Each single change of a start is the last one before the kill."""
    journal = tmp_path / "journal"

    class KilledError(BaseException):
        pass

    async def story() -> None:
        make_world()
        before = host_state()
        for survived in range(50):
            daemon = Daemon(settings("wlan0", "wwan0"), journal)
            fds = await daemon.host.prepare()
            netlink, made = daemon.host._netlink, 0
            change = netlink.change

            async def counted(wanted: object, change=change, survived=survived) -> None:  # type: ignore[no-untyped-def]
                nonlocal made
                if made == survived:
                    raise KilledError
                made += 1
                await change(wanted)

            netlink.change = counted
            killed = False
            closing = daemon.host.close
            daemon.host.close = lambda: asyncio.sleep(0)
            try:
                await daemon.host.open()
            except KilledError:
                killed = True
            netlink.change = change
            if killed:
                netlink.close()
            else:
                await closing()
            for fd in fds:
                os.close(fd)
            if not killed:
                break
            await clean_up(journal)
            # Of routes that share a metric the order may differ; nothing else.
            assert _unordered(host_state()) == _unordered(before), f"after {survived} changes"
            ip("-4 route flush default")
            ip("-6 route flush default")
            make_defaults()
        assert survived > 8

    run(host_ns, story)


def _unordered(state: dict[str, list[object]]) -> dict[str, list[str]]:
    return {key: sorted(map(repr, value)) for key, value in state.items()}


def test_a_journal_of_another_namespace_is_removed_unread(host_ns: Namespace, tmp_path: Path) -> None:
    journal = tmp_path / "journal"

    async def story() -> None:
        make_world()
        with killed_daemon(journal):
            pass
        left = read_journal(journal)
        assert left is not None
        text = journal.read_text()
        journal.write_text(text.replace(left.namespace.boot_id, "another"))
        state = host_state()
        assert "another boot" in (await clean_up(journal))[0]
        assert host_state() == state
        assert not journal.exists()
        journal.write_text(text)
        await clean_up(journal)

    run(host_ns, story)


def test_an_unreadable_journal_is_said_and_removed(host_ns: Namespace, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_text('{"format": 1, "namespace"')

    async def story() -> None:
        (sentence,) = await clean_up(journal)
        assert "unreadable" in sentence
        assert not journal.exists()

    run(host_ns, story)
