"""A LISP node of the lab: the real daemon, in its own process, with a lispd.conf on disk."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lispfast.lab.conditions import LabError, until
from lispfast.lab.events import EventLog, LoggedEvent
from lispfast.lab.host import Host
from lispfast.lab.process import Process

DAEMON = (sys.executable, "-m", "lispfast.cli.daemon")
LISPCTL = (sys.executable, "-m", "lispfast.cli.ctl")


class Node:
    """The daemon on a host; `config` is the text of its lispd.conf, to which its own directories are added."""

    def __init__(self, host: Host, config: str, command: Sequence[str] = DAEMON) -> None:
        self.host = host
        self.config = host.directory / "lispd.conf"
        self.control_socket = host.directory / "control.sock"
        self.log = EventLog(host.directory / "lispd.log", host.name)
        self._command = tuple(command)
        self._process: Process | None = None
        own = f'state-dir = "{host.directory / "state"}"\ncontrol-socket = "{self.control_socket}"\n'
        self.config.write_text(config + own)

    @property
    def process(self) -> Process:
        """The running daemon; LabError before `start`."""
        if self._process is None:
            raise LabError(f"{self.host.name}: the daemon was not started")
        return self._process

    @property
    def started(self) -> int:
        """The wall clock just before the daemon's exec, in nanoseconds."""
        return self.process.started

    def start(self) -> None:
        """Start the daemon; it is not ready yet when this returns."""
        self._process = self.host.spawn(*self._command, "-c", str(self.config), log="lispd.log")

    def wait_event(self, name: str, timeout: float, since: int | None = None, **fields: str) -> LoggedEvent:
        """Wait for an event at or after `since`, which is the daemon's start where it is None.

        LabError after `timeout` seconds, or as soon as the daemon ends.
        """

        def look() -> LoggedEvent | None:
            found = self.log.find(name, self.started if since is None else since, **fields)
            if found is None:
                self.process.check_alive()
            return found

        try:
            found = until(look, timeout, f"{self.host.name}: event {name} {fields or ''}".rstrip())
        except LabError as error:
            raise LabError(f"{error}\n{self.process.tail()}") from error
        assert found is not None
        return found

    def wait_ready(self, timeout: float = 10.0) -> LoggedEvent:
        """Wait until the daemon says that it is ready."""
        return self.wait_event("ready", timeout)

    def ctl(self, *words: str) -> str:
        """What lispctl answers to these words about this node."""
        return self.host.run(*LISPCTL, "--socket", str(self.control_socket), *words)

    def stop(self) -> int:
        """End the daemon in good order and return its exit status."""
        return self.process.stop()
