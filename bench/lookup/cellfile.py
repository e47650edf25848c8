"""A cell's file as cell.h has it, for Python."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEAD = struct.Struct("=8sIIQQQQ")
PREFIX = struct.Struct("=QQII")
MAGIC = b"LFCELL1\n"
KEYS = {4: struct.Struct("=I"), 6: struct.Struct("=QQ")}


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prefix: its network in network byte order, its length, and its place in the table, from 1."""

    network: bytes
    length: int
    number: int


class CellFile:
    """A cell. Addresses are in network byte order, 4 bytes or 16. ValueError where the file is none."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if len(self._map) < HEAD.size or self._map[: len(MAGIC)] != MAGIC:
            raise ValueError(f"{path}: is no cell")
        _magic, self.family, hosts, self.seed, self.count, self.hit_count, self.miss_count = HEAD.unpack_from(self._map)
        self.hosts = bool(hosts)
        self._hits = HEAD.size + self.count * PREFIX.size
        self._expected = self._hits + self.hit_count * KEYS[self.family].size
        self._misses = self._expected + 4 * self.hit_count

    def _octets(self, high: int, low: int) -> bytes:
        return (high >> 32).to_bytes(4) if self.family == 4 else struct.pack(">QQ", high, low)

    def prefixes(self) -> Iterator[Prefix]:
        """Every prefix, in the order of the table."""
        for number in range(self.count):
            high, low, length, place = PREFIX.unpack_from(self._map, HEAD.size + number * PREFIX.size)
            yield Prefix(self._octets(high, low), length, place)

    def _keys(self, begin: int, count: int) -> list[bytes]:
        form = KEYS[self.family]
        unpacked = form.iter_unpack(self._map[begin : begin + count * form.size])
        if self.family == 4:
            return [key.to_bytes(4) for (key,) in unpacked]
        return [struct.pack(">QQ", high, low) for high, low in unpacked]

    def hits(self, most: int) -> tuple[list[bytes], list[int]]:
        """The first keys that hit, and of each the number of its prefix."""
        count = min(most, self.hit_count)
        return self._keys(self._hits, count), list(struct.unpack_from(f"={count}I", self._map, self._expected))

    def misses(self, most: int) -> list[bytes]:
        """The first keys that miss."""
        return self._keys(self._misses, min(most, self.miss_count))
