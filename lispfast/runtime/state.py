"""The state directory: the few things that outlive the daemon, each file replaced as a whole and on disk when told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from lispfast.model.errors import HostError


def make_directory(path: Path) -> Path:
    """Make a state directory that only its owner reads; HostError if that fails."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(
            f"the state directory {path} cannot be made ({error.strerror})", "name another one with state-dir"
        ) from None
    return path


def replace_file(path: Path, text: str) -> None:
    """Write a file so that it is whole, old or new, whenever the power goes; on disk when this returns. OSError."""
    draft = path.with_name(f".{path.name}.new")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Put the names of a directory on disk: a rename or removal is durable only then."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class NumberStore:
    """Numbers by key, durable: when `put` returns, the value survives a power cut.

    A value of 0 means that the key is forgotten: it leaves the file, so a caller that forgets keeps the file bounded.
    """

    def __init__(self, path: Path, on_warning: Callable[[str], None]) -> None:
        self._path = path
        self._numbers = _load(path, on_warning)

    def get(self, key: str) -> int | None:
        """The number under a key, None if none was put or it was forgotten."""
        return self._numbers.get(key)

    def all(self) -> dict[str, int]:
        """Every number by its key; none is 0."""
        return dict(self._numbers)

    def put(self, key: str, value: int) -> None:
        """Keep a number, or forget the key if it is 0; HostError if the disk does not take it: the old value stands."""
        numbers = _remembered({**self._numbers, key: value})
        try:
            replace_file(self._path, json.dumps(numbers, indent=1) + "\n")
        except OSError as error:
            raise HostError(
                f"{self._path} cannot be written ({error.strerror})",
                "free space on that disk or name another state-dir",
            ) from None
        self._numbers = numbers


def _load(path: Path, on_warning: Callable[[str], None]) -> dict[str, int]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(loaded, dict) or not all(type(value) is int for value in loaded.values()):
            raise ValueError("not an object of integers")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        on_warning(f"{path} is unreadable ({error}): starting with nothing remembered")
        return {}
    return _remembered(loaded)


def _remembered(numbers: dict[str, int]) -> dict[str, int]:
    return {key: value for key, value in numbers.items() if value}
