"""The log: one event a line in logfmt, a fixed vocabulary of words, UTC in microseconds: the clock of packet captures.

ts=2026-11-22T18:19:31.123456Z level=info event=map-register-sent to=192.0.2.1 eid-prefix=172.16.1.1/32
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

LOGGER = logging.getLogger("lispfast")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/_-+,@[]%")


def logfmt_value(value: object) -> str:
    """A value as logfmt has it: bare where that is unambiguous, else a JSON string. No control character gets out."""
    text = str(value)
    if text and all(char in _BARE for char in text):
        return text
    return json.dumps(text, ensure_ascii=False)


def logfmt_line(event: str, fields: Mapping[str, object], level: str, at: float) -> str:
    """One line without its end; `at` is wall-clock seconds since the epoch."""
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    words = [f"ts={stamp}", f"level={level}", f"event={event}"]
    words += [f"{key.replace('_', '-')}={logfmt_value(value)}" for key, value in fields.items()]
    return " ".join(words)


def configure(debug: int) -> None:
    """Send the log to standard error; `debug` is lispd.conf's: 0 shows events and warnings, 1 debug events too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(logging.DEBUG if debug else logging.INFO)
    LOGGER.propagate = False


def emit(event: str, fields: Mapping[str, object], level: str, at: float) -> None:
    """Log one event as of the wall-clock time `at`."""
    number = _LEVELS[level]
    if LOGGER.isEnabledFor(number):
        LOGGER.log(number, "%s", logfmt_line(event, fields, level, at))
