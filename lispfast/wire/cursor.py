"""A reader over bytes that checks every bound and says what it was reading when it fails."""

from __future__ import annotations

from lispfast.model.errors import WireError


class Cursor:
    """A position in `data`; reading past `end` raises WireError with the field's name and the offset.

    Offsets count from the first byte of `data`, also in the parts that `part` gives: those share the bytes.
    """

    __slots__ = ("_data", "_end", "position")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._end = len(data) if end is None else end
        self.position = start

    @property
    def remaining(self) -> int:
        """Bytes not yet read."""
        return self._end - self.position

    def take(self, count: int, field: str) -> bytes:
        """The next `count` bytes."""
        begin = self.position
        if count > self._end - begin:
            raise WireError(field, begin, f"needs {count} bytes, {self._end - begin} are left")
        self.position = begin + count
        return self._data[begin : self.position]

    def unsigned(self, size: int, field: str) -> int:
        """The next `size` bytes as a big-endian number."""
        return int.from_bytes(self.take(size, field), "big")

    def peek(self, size: int, field: str) -> int:
        """The next `size` bytes as a big-endian number, which stay to be read."""
        value = self.unsigned(size, field)
        self.position -= size
        return value

    def take_until_zero(self, field: str) -> bytes:
        """The next bytes up to and with the first zero byte."""
        found = self._data.find(b"\0", self.position, self._end)
        if found < 0:
            raise WireError(field, self.position, "no closing zero byte")
        return self.take(found + 1 - self.position, field)

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.remaining, "rest")

    def part(self, count: int, field: str) -> Cursor:
        """A cursor over the next `count` bytes, which this one steps over."""
        begin = self.position
        if count > self._end - begin:
            raise WireError(field, begin, f"needs {count} bytes, {self._end - begin} are left")
        self.position = begin + count
        return Cursor(self._data, begin, self.position)
