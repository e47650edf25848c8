"""A process inside a namespace: it writes to a log, and it dies with the lab."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from lispfast.lab.conditions import LabError
from lispfast.lab.namespace import Namespace

# Ours.
TERMINATE_SECONDS = 5.0  # the daemon restores routes on the way out; a hung one must not hold up the clean-up
TAIL_LINES = 15  # of a log, in an error message


class Process:
    """A running program; `started` is the wall clock just before its exec, in nanoseconds.

    Standard error goes to the log, standard output too unless `pipe` is set: then `stdout` is the reading end.
    The kernel kills it when the lab is killed.
    """

    def __init__(
        self,
        namespace: Namespace,
        argv: Sequence[str],
        log: Path,
        *,
        pipe: bool = False,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.name = f"{Path(argv[0]).name} in {namespace.name}"
        self.log = log
        # setpriv rather than preexec_fn: no Python between fork and exec of a program with threads.
        command = ["setpriv", "--pdeathsig", "KILL", "--", *argv]
        with log.open("ab") as out:
            stdout: int | IO[bytes] = subprocess.PIPE if pipe else out
            self.started = time.time_ns()
            self._popen = namespace.call(
                lambda: (
                    subprocess.Popen(  # its own session: Ctrl-C reaches the lab alone, which then says in which order
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=stdout,
                        stderr=out,
                        env={**os.environ, **(env or {})},
                        pass_fds=tuple(pass_fds),
                        start_new_session=True,
                    )
                )
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def stdout(self) -> IO[bytes]:
        """The reading end of its standard output; only with `pipe`."""
        assert self._popen.stdout is not None
        return self._popen.stdout

    @property
    def status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._popen.poll()

    def wait(self, timeout: float) -> int:
        """Wait for its end and return the exit status; LabError after `timeout` seconds."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.name} did not end within {timeout:g} s\n{self.tail()}") from error

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when it has ended."""
        self._popen.send_signal(number)

    def stop(self, timeout: float = TERMINATE_SECONDS) -> int:
        """Ask it to end, kill it after `timeout` seconds, and return the exit status; may be called twice."""
        self.signal(signal.SIGTERM)
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        if self._popen.stdout is not None:
            self._popen.stdout.close()
        return self._popen.returncode

    def check_alive(self) -> None:
        """LabError with the end of its log if it has ended."""
        if self.status is not None:
            raise LabError(f"{self.name} ended with status {self.status}\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of its log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(lines[-TAIL_LINES:])
