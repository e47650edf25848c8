"""An answer that comes in parts: its items as they come, what ends it, and both as JSON without keeping them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

View = dict[str, Any]


class Answer:
    """Iterates once over the items that the parts have under `key`; `end` is what ends the answer, empty before.

    Making one waits for the first part, so that nothing is printed where there is no answer.
    """

    def __init__(self, views: Iterator[dict[str, object]], key: str) -> None:
        self._latest: View = next(views)
        self._views = views
        self._key = key
        self.end: View = {}

    def __iter__(self) -> Iterator[View]:
        for view in self._views:
            yield from self._latest[self._key]
            self._latest = view
        self.end = self._latest

    def json(self) -> Iterator[str]:
        """One object: the items as a list under the key, a line each, and the keys of the end."""
        yield f"{{\n  {json.dumps(self._key)}: ["
        separator = "\n"
        for item in self:
            yield f"{separator}    {json.dumps(item)}"
            separator = ",\n"
        rest = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in self.end.items()]
        yield ",\n".join(["\n  ]" if separator != "\n" else "]", *rest]) + "\n}\n"
