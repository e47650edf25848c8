"""The exit codes of both commands, as the manual documents them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a command's end means."""

    OK = 0
    FAULT = 1
    USAGE = 2
    CONFIGURATION = 3
    PRIVILEGE = 4
    ALREADY_RUNNING = 5
