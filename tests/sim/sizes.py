"""How much a role remembers, and where its machines stand: found by walking over it, so that nothing is forgotten."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum

CONTAINERS = (dict, list, set, frozenset, tuple, deque)


def sizes(role: object) -> Counter[str]:
    """The number of elements in every container of a role, by where it is: `.resolver._lookups`.

    Containers in containers are summed, under the path with `[]`.
    """
    counted: Counter[str] = Counter()
    for path, value in _walk(role, "", set()):
        if isinstance(value, CONTAINERS):
            counted[path] += len(value)
    return counted


def strangers(role: object) -> list[str]:
    """Machines in a state that the table of their file does not name; and how many machines there are is never 0."""
    found, machines = [], 0
    for path, value in _walk(role, "", set()):
        state = getattr(value, "state", None)
        table = getattr(sys.modules.get(type(state).__module__), "TABLE", None)
        if not isinstance(state, Enum) or table is None:
            continue
        machines += 1
        named = {before for before, _ in table} | {row[0] for row in table.values()}
        if state not in named:
            found.append(f"{path}: {state!r}")
    assert machines, "a role has machines"
    return found


def _walk(value: object, path: str, seen: set[int]) -> Iterator[tuple[str, object]]:
    """The value and everything of ours in it, each once; values of the model are leaves."""
    if id(value) in seen or type(value).__module__.startswith(("lispfast.model", "lispfast.wire")):
        return
    if isinstance(value, CONTAINERS):
        seen.add(id(value))
        yield path, value
        for element in value.values() if isinstance(value, dict) else value:
            if isinstance(element, CONTAINERS) or type(element).__module__.startswith("lispfast."):
                yield from _walk(element, f"{path}[]", seen)
    elif type(value).__module__.startswith("lispfast.") and not isinstance(value, Enum):
        seen.add(id(value))
        yield path, value
        for name in _attributes(value):
            yield from _walk(getattr(value, name), f"{path}.{name}", seen)


def _attributes(value: object) -> list[str]:
    if is_dataclass(value):
        return [one.name for one in fields(value)]
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return [*slots, *getattr(value, "__dict__", {})]
