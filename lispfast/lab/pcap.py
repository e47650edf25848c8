"""Reads capture files in the pcap format."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# From the format (draft-ietf-opsawg-pcap) and the register of link types.
MAGIC_MICRO = 0xA1B2C3D4
MAGIC_NANO = 0xA1B23C4D
FILE_HEADER = 24
RECORD_HEADER = 16
LINKTYPE_ETHERNET = 1
LINKTYPE_LINUX_SLL2 = 276
SLL2_HEADER = 20
SLL_OUTGOING = 4  # of the packet type: sent by this host


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a file: wall clock in nanoseconds, the file's link type, the captured bytes."""

    at: int
    link_type: int
    data: bytes


def read(path: Path) -> Iterator[Record]:
    """The records of a file, of either byte order and precision; a last record that was cut short is left out.

    ValueError if it is no pcap file.
    """
    content = path.read_bytes()
    for order in "<>":
        (magic,) = struct.unpack_from(f"{order}I", content.ljust(4, b"\0"))
        if magic in (MAGIC_MICRO, MAGIC_NANO) and len(content) >= FILE_HEADER:
            break
    else:
        raise ValueError(f"{path} is no pcap file")
    unit = 1 if magic == MAGIC_NANO else 1000
    link_type = struct.unpack_from(f"{order}I", content, 20)[0] & 0xFFFF
    offset = FILE_HEADER
    while offset + RECORD_HEADER <= len(content):
        seconds, fraction, kept, _original = struct.unpack_from(f"{order}IIII", content, offset)
        start = offset + RECORD_HEADER
        if start + kept > len(content):
            return
        yield Record(seconds * 1_000_000_000 + fraction * unit, link_type, content[start : start + kept])
        offset = start + kept
