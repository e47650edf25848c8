"""Cells for tests: made by the benchmark's own generator, which is compiled once."""

from __future__ import annotations

import subprocess
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.lookup.build import FLAGS, HERE, SOURCES
from bench.lookup.cellfile import CellFile

DIRECTORY = TemporaryDirectory(prefix="lispfast-cells-")  # goes with the process


@cache
def generator() -> Path:
    program = Path(DIRECTORY.name) / "make"
    sources = [str(HERE / source) for source in SOURCES["make"]]
    subprocess.run(["cc", *FLAGS, "-Wall", "-Wextra", "-Werror", "-o", str(program), *sources], check=True)
    return program


def make(path: Path, family: int, size: int, mix: str, *, keys: int = 400, seed: int = 1) -> CellFile:
    words = map(str, (generator(), path, family, size, mix, keys, keys // 2, seed))
    subprocess.run(list(words), check=True, capture_output=True)
    return CellFile(path)


class Scan:
    """The twin: every prefix is tried, and the longest that holds the address is the answer."""

    def __init__(self, cell: CellFile) -> None:
        found = [(ip_network((each.network, each.length)), each.number) for each in cell.prefixes()]
        self._prefixes = [(int(net.network_address), int(net.netmask), net.prefixlen, number) for net, number in found]

    def number(self, address: IPv4Address | IPv6Address) -> int:
        value = int(address)
        held = [(length, number) for network, mask, length, number in self._prefixes if value & mask == network]
        return max(held, default=(0, 0))[1]


def answers(cell: CellFile, keys: list[bytes]) -> list[int]:
    scan = Scan(cell)
    return [scan.number(ip_address(key)) for key in keys]
