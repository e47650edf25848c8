"""A download with curl that notes when how many bytes had come."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fcntl import fcntl
from itertools import pairwise

from lispfast.lab.conditions import LabError
from lispfast.lab.host import Host

F_SETPIPE_SZ = 1031  # linux/fcntl.h

# Ours.
PIPE_BYTES = 1 << 20  # curl must not wait for us to hash
READ_BYTES = 1 << 18
END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Sample:
    """At `at`, wall clock in nanoseconds, `received` bytes had come in all."""

    at: int
    received: int


class Download:
    """A running download; curl writes to a pipe, and a thread here hashes and counts what comes."""

    def __init__(self, host: Host, url: str, timeout: float) -> None:
        self.samples: list[Sample] = []
        self._digest = hashlib.sha256()
        self._failure: BaseException | None = None
        report = "%{stderr}connections=%{num_connects} bytes=%{size_download}"
        self._curl = host.spawn(
            *("curl", "--silent", "--show-error", "--fail", "--no-buffer", "--max-time", f"{timeout:g}"),
            *("--write-out", report + "\n", "--output", "-", url),
            log="curl.log",
            pipe=True,
            env={"no_proxy": "*"},
        )
        fcntl(self._curl.stdout.fileno(), F_SETPIPE_SZ, PIPE_BYTES)
        self._reader = threading.Thread(target=self._read, name="download", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            received = 0
            while chunk := self._curl.stdout.read1(READ_BYTES):  # type: ignore[attr-defined]
                received += len(chunk)
                self.samples.append(Sample(time.time_ns(), received))
                self._digest.update(chunk)
        except (OSError, ValueError) as error:
            self._failure = error

    @property
    def received(self) -> int:
        """Bytes so far."""
        return self.samples[-1].received if self.samples else 0

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return self._reader.is_alive()

    def finish(self, timeout: float) -> str:
        """Wait for the end and return the SHA-256 of what came; LabError if curl failed or connected more than once."""
        self._reader.join(timeout)
        if self._reader.is_alive():
            raise LabError(f"the download did not end within {timeout:g} s: {self.received} bytes came")
        status = self._curl.wait(END_SECONDS)
        words = self._curl.tail()
        if status != 0 or self._failure is not None:
            raise LabError(f"curl ended with status {status} after {self.received} bytes\n{words}")
        if "connections=1 " not in words:
            raise LabError(f"not one and the same TCP connection: {words}")
        return self._digest.hexdigest()


def longest_stall(samples: Sequence[Sample], start: int, end: int) -> float:
    """The longest time in milliseconds without a new byte that overlaps the time from `start` to `end`."""
    gaps = [
        later.at - earlier.at
        for earlier, later in pairwise(samples)
        if later.at >= start and earlier.at <= end and later.received > earlier.received
    ]
    return max(gaps, default=0) / 1e6


def throughput(samples: Sequence[Sample], width: int) -> list[tuple[int, float]]:
    """Mean rates in bit/s over bins of `width` nanoseconds: (middle of the bin, rate), empty bins included."""
    if len(samples) < 2:
        return []
    start = samples[0].at
    bins = [0] * ((samples[-1].at - start) // width + 1)
    before = samples[0].received
    for sample in samples[1:]:
        bins[(sample.at - start) // width] += sample.received - before
        before = sample.received
    return [(start + number * width + width // 2, count * 8e9 / width) for number, count in enumerate(bins)]
