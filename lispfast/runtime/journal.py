"""The journal: what the daemon changed or is about to change, so that the next start can undo it after a kill -9.

It names what cannot be seen to be ours: the routing tables that we took and the default routes that we moved. Written
as a whole before a change that it must cover. lmn0 with its addresses and routes goes with the process.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from lispfast.manage.paths import NamespaceIdentity
from lispfast.runtime.state import replace_file, sync_directory

FORMAT = 1
MAX_BYTES = 1 << 20
"""A journal of a few dozen routes has some kilobytes; what is larger is not ours."""


@dataclass(frozen=True, slots=True)
class Move:
    """A default route moved out of lmn0's way: Route.identity() as it stands now, and the metric that it had.

    `superseded`: while the daemon ran, another program's default took its place; it is kept for the sake of its own
    interface, but without the daemon it would be gone, so it is not put back.
    """

    identity: str
    metric: int
    original: str
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Journal:
    """What is ours in this network namespace; `site` are the EID-prefixes that an xTR has rules for."""

    namespace: NamespaceIdentity
    priority: int
    tables: tuple[int, ...]
    moves: tuple[Move, ...] = ()
    site: tuple[str, ...] = ()

    def write(self, path: Path) -> None:
        """Put it on disk; OSError if that fails."""
        replace_file(path, json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n")


class JournalError(Exception):
    """The file is not a journal of this version."""


def read_journal(path: Path) -> Journal | None:
    """The journal that a daemon left; None if there is none. JournalError if it cannot be understood."""
    try:
        with path.open(encoding="utf-8") as file:
            loaded = json.loads(file.read(MAX_BYTES))
        return _decode(loaded)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JournalError(f"{path} is unreadable ({error})") from None


def remove_journal(path: Path) -> None:
    """Remove it for good; nothing happens if there is none."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    sync_directory(path.parent)


def _decode(loaded: dict[str, Any]) -> Journal:
    if loaded["format"] != FORMAT:
        raise ValueError(f"format {loaded['format']}")
    return Journal(
        namespace=NamespaceIdentity(**loaded["namespace"]),
        priority=int(loaded["priority"]),
        tables=tuple(int(table) for table in loaded["tables"]),
        moves=tuple(Move(**move) for move in loaded["moves"]),
        site=tuple(str(ip_network(prefix)) for prefix in loaded.get("site", ())),  # an older version had none
    )
