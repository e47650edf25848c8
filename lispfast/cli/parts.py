"""An answer that comes in parts: its items as they come, what ends it, and both as JSON without keeping them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

View = dict[str, Any]


class Answer:
    """Iterates once over the items that the parts have under `key`; `end` is what ends the answer, empty before."""

    def __init__(self, views: Iterable[dict[str, object]], key: str) -> None:
        self._views = views
        self._key = key
        self.end: View = {}

    def __iter__(self) -> Iterator[View]:
        before: View | None = None
        for view in self._views:
            if before is not None:
                yield from before[self._key]
            before = view
        self.end = before or {}

    def json(self) -> Iterator[str]:
        """One object: the items as a list under the key, a line each, and the keys of the end."""
        yield f"{{\n  {json.dumps(self._key)}: ["
        separator = "\n"
        for item in self:
            yield f"{separator}    {json.dumps(item)}"
            separator = ",\n"
        rest = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in self.end.items()]
        yield ",\n".join(["\n  ]" if separator != "\n" else "]", *rest]) + "\n}\n"
