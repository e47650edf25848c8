from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lispfast.lab import pcap
from lispfast.lab.capture import read_frames


def write(path: Path, order: str, magic: int, link: int, records: list[tuple[int, int, bytes]]) -> Path:
    content = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    for seconds, fraction, data in records:
        content += struct.pack(f"{order}IIII", seconds, fraction, len(data), len(data) + 100) + data
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(pcap.MAGIC_MICRO, 1000), (pcap.MAGIC_NANO, 1)])
def test_both_orders_and_both_precisions(tmp_path: Path, order: str, magic: int, unit: int) -> None:
    path = write(tmp_path / "a.pcap", order, magic, pcap.LINKTYPE_ETHERNET, [(7, 5, b"one"), (8, 0, b"")])
    assert list(pcap.read(path)) == [
        pcap.Record(7_000_000_000 + 5 * unit, pcap.LINKTYPE_ETHERNET, b"one"),
        pcap.Record(8_000_000_000, pcap.LINKTYPE_ETHERNET, b""),
    ]


def test_a_last_record_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcap", "<", pcap.MAGIC_NANO, 1, [(1, 0, b"whole"), (2, 0, b"half")])
    whole = path.read_bytes()
    for cut in range(1, 16 + 4):
        path.write_bytes(whole[:-cut])
        assert [record.data for record in pcap.read(path)] == [b"whole"]


@pytest.mark.parametrize("content", [b"", b"\x0a\x0d\x0d\x0a" + bytes(40), b"\xd4\xc3\xb2\xa1"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no pcap file"):
        list(pcap.read(path))


def test_cooked_frames_have_interface_and_direction(tmp_path: Path) -> None:
    def cooked(index: int, kind: int, packet: bytes) -> bytes:
        return struct.pack("!HHIHBB8s", 0x0800, 0, index, 1, kind, 6, bytes(8)) + packet

    records = [(1, 0, cooked(3, pcap.SLL_OUTGOING, b"out")), (1, 1, cooked(9, 0, b"in")), (1, 2, b"too short")]
    path = write(tmp_path / "a.pcap", "<", pcap.MAGIC_NANO, pcap.LINKTYPE_LINUX_SLL2, records)
    frames = list(read_frames(path, {3: "ap0"}))
    assert [(f.interface, f.outgoing, f.packet) for f in frames] == [("ap0", True, b"out"), ("if9", False, b"in")]


def test_frames_of_another_link_type_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcap", "<", pcap.MAGIC_NANO, pcap.LINKTYPE_ETHERNET, [(1, 0, bytes(64))])
    assert list(read_frames(path, {})) == []
