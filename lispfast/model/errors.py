"""The errors that cross rooms."""

from __future__ import annotations


class LispfastError(Exception):
    """The root of every error that this package raises on purpose."""


class WireError(LispfastError):
    """A message that cannot be read: `field` says what, `offset` where, in bytes from the message's first.

    Codecs raise nothing else. The edge that received the datagram counts it.
    """

    def __init__(self, field: str, offset: int, problem: str) -> None:
        super().__init__(f"{field} at byte {offset}: {problem}")
        self.field = field
        self.offset = offset
        self.problem = problem


class DataPlaneError(LispfastError):
    """A transaction that the data plane refuses; the table is as it was before."""


class HostError(LispfastError):
    """The host lacks or refuses something: `remedy` is the sentence that says what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}: {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


class PrivilegeError(HostError):
    """A capability or a device is missing (exit code 4)."""


class AlreadyRunningError(HostError):
    """Another daemon holds this network namespace (exit code 5)."""
